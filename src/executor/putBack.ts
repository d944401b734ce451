/**
 * What a run leaves behind in shared words: chains of what was written and inserted, by worker, and taking it all back.
 */
import { Control, Entry, MAX_WORKERS, WorkerBlock } from '../core/layout.ts'
import { Kind, recordOf, Tag, WATCHED } from '../core/location.ts'
import type { SharedState } from '../core/stateMemory.ts'

type Words = Int32Array

/** Heads of the chains of first entries: each location that was written is on one of them, once. */
export const writtenChains = (words: Words): number[] => chains(words, WorkerBlock.Written)

/**
 * Forgets what a run wrote, inserted and learned, and ends the state's part in it. After a run that failed the
 * workers' chains cannot be trusted, so the state is looked through.
 */
export const putBack = (words: Words, state: SharedState, succeeded: boolean): void => {
  if (!succeeded) {
    state.scrub()
    return
  }
  for (const head of writtenChains(words)) {
    for (let entry = head; entry !== 0; entry = words[entry + Entry.Chain]) {
      const location = words[entry + Entry.Location]
      const record = recordOf(location)
      state.words[location] = 0
      state.words[record + (state.words[record] === Tag.Slot ? WATCHED[Kind.Slot] : WATCHED[Kind.Life])] = 0
    }
  }
  state.close([...chains(words, WorkerBlock.Inserted), state.table.inserted])
}

const chains = (words: Words, field: number): number[] => {
  const heads: number[] = []
  for (let k = 0; k < MAX_WORKERS; k++) {
    const head = words[Control.WorkerBlocks + k * WorkerBlock.Size + field]
    if (head !== 0) heads.push(head)
  }
  return heads
}
