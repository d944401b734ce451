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
  /** Enlarges the indexes after a run found them full. */
  grow(): void
}
