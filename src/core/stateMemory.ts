/** What an executor needs of a state object that lies in shared memory. */
import type { LocationTable } from './table.ts'

export interface SharedState {
  /** Names the state in messages to the workers. */
  readonly id: number
  readonly memory: WebAssembly.Memory
  readonly words: Int32Array
  /** Main's own view of the records. */
  readonly table: LocationTable
  /** Marks the state as read by a run; throws STATE_BUSY if it is already. Makes room for `records` new ones. */
  open(records: number): void
  /** Removes the records that the run inserted (heads of chains) and ends it. */
  close(inserted: readonly number[]): void
  /** Ends a run that failed: its chains may be lost, so every record is looked at. */
  scrub(): void
  /** Where base values come later: answers what the run asks for until the returned function is called. */
  serve?(fail: (error: unknown) => void, wake: () => void): () => void
  /** Where base values come later: whether the source has questions to answer, which takes as long as it may. */
  readonly isAsking?: boolean
  /** Where base values come later: resolves when the account at `record`, which main has inserted, is here. */
  fetchAccount?(record: number): Promise<void>
  /** Enlarges the indexes after a run found them full. */
  grow(): void
}
