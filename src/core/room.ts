/**
 * Room that a run does not have. Whoever is refused it throws, but code of the user stands between: a task may catch what
 * is thrown, and may throw what looks the same. So what counts is that the arena or the table has refused.
 */
import { type Arena, ArenaFull } from './arena.ts'
import { type LocationTable, TableFull } from './table.ts'

/** Throws where this thread was refused room in this run: what an execution did without it is no answer. */
export const assertRoom = (arena: Arena, table: LocationTable): void => {
  if (arena.full) throw new ArenaFull('the engine memory is full')
  if (table.full) throw new TableFull('the state has no room for another record')
}
