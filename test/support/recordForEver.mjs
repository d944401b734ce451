/** Records a run that takes minutes: `node recordForEver.mjs FILE`. Whoever starts it ends it. */
import { createTaskExecutor } from 'blockloom/tasks'

const module = new URL('./taskModule.mjs', import.meta.url)
const executor = await createTaskExecutor(module, { workers: 2, memoryLimit: 64 * 2 ** 20 })
process.stdout.write('begins\n')
const tasks = Array.from({ length: 20_000 }, () => ({ task: 'spin', input: 10 }))
await executor.run(tasks, { speculation: 'always', records: { file: /** @type {string} */ (process.argv[2]) } })
