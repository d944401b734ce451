/**
 * Calls that an executor must refuse. Each runs in a process of its own, since a mistake here has hung the calling
 * thread. Prints the code of the error and of what came after it. `node misuse.mjs closed|unclonable|closing`
 */
import { createKeyValueState, createTaskExecutor } from 'blockloom/tasks'

const module = new URL('./taskModule.mjs', import.meta.url)
const options = { workers: 2, memoryLimit: 16 * 2 ** 20 }
const tasks = Array.from({ length: 20 }, () => ({ task: 'increment', input: 'k' }))

/** @param {Promise<{ results: readonly unknown[] }>} run */
const endingOf = async (run) => {
  try {
    return `done ${(await run).results.length}`
  } catch (error) {
    const { code, name } = /** @type {{ code?: string, name: string }} */ (error)
    return code ?? name
  }
}

const executor = await createTaskExecutor(module, options)
const state = createKeyValueState({ maxBytes: 2 ** 20 })
/** @type {string[]} */
const endings = [await endingOf(executor.run(tasks, { state, speculation: 'always' }))]
switch (process.argv[2]) {
  case 'closed':
    await executor.close()
    endings.push(await endingOf(executor.run(tasks, { state })))
    break
  case 'unclonable':
    endings.push(await endingOf(executor.run([{ task: 'echo', input: () => 1 }], { state })))
    endings.push(await endingOf(executor.run(tasks, { state, speculation: 'always' })))
    break
  case 'closing': {
    const running = endingOf(executor.run([{ task: 'spin', input: 5000 }, ...tasks], { state, speculation: 'always' }))
    await new Promise((resolve) => setTimeout(resolve, 200))
    await executor.close()
    endings.push(await running)
    break
  }
  default:
    throw new Error('which?')
}
process.stdout.write(JSON.stringify(endings))
process.exit(0)
