/** A trace of a few tasks that conflict, recorded on the real pool. */
import { runTasks } from '../../src/tasks.ts'

export const MODULE = new URL('./taskModule.mjs', import.meta.url)

export async function sampleTrace(): Promise<Uint8Array> {
  const tasks = Array.from({ length: 12 }, (_, k) => ({ task: 'increment', input: k % 2 === 0 ? 'hot' : `own${k}` }))
  const { trace } = await runTasks(MODULE, tasks, { workers: 2, speculation: 'always', record: true })
  if (trace === undefined) throw new Error('there is no trace')
  return trace
}
