/** A page that runs tasks on workers and leaves what came of it where the test looks. */
import { createKeyValueState, runTasks } from 'blockloom/tasks'
import type tasks from './tasks.ts'

const counts = Array.from({ length: 200 }, (_, k) => ({ task: 'count' as const, input: k % 7 }))
const state = createKeyValueState({ maxBytes: 2 ** 24 })
const page = globalThis as { blockloomResult?: unknown }
runTasks<typeof tasks>(new URL(/* @vite-ignore */ './tasks.js', import.meta.url), [...counts, { task: 'keys' }], {
  state,
  workers: 2,
  speculation: 'always',
  memoryLimit: 2 ** 26,
  worker: new URL(/* @vite-ignore */ './worker.js', import.meta.url),
}).then(
  async ({ results, stateDiff, run }) => {
    await state.apply(stateDiff)
    page.blockloomResult = {
      done: results.filter(({ status }) => status === 'done').length,
      keys: results.at(-1),
      sum: state.get('sum'),
      log: state.get<number[]>('log')?.length,
      workers: run.workers,
    }
  },
  (error: unknown) => {
    page.blockloomResult = { error: String(error) }
  },
)
