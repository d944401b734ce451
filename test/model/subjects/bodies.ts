/** The threads' parts of all subjects, by name. */
import { blockBody } from './blockBody.ts'
import { joiningBody, memoryBody, parkingBody, schedulerBody, tableBody } from './parts.ts'
import { recoveringBody } from './recovering.ts'

/** A thread's part: plays it once, on the memories as the engine is to see them. */
export type Body = (thread: number, memories: readonly Int32Array[], scenario: never) => void | Promise<void>

export const bodies: Readonly<Record<string, Body>> = {
  block: blockBody,
  scheduler: schedulerBody,
  memory: memoryBody,
  table: tableBody,
  joining: joiningBody,
  parking: parkingBody,
  recovering: recoveringBody,
}
