/**
 * A program that uses the library and ends: by itself it must exit, with `close` and without.
 * `node leave.mjs close|open tasks|block|idle`
 */
import { chainAtFork, createExecutor, createMemoryState } from 'blockloom'
import { createTaskExecutor } from 'blockloom/tasks'

const [, , ending, kind] = process.argv
const module = new URL('./taskModule.mjs', import.meta.url)

/** @type {{ close(): Promise<void> }} */
let executor
if (kind === 'block') {
  const own = await createExecutor({ workers: 2, memoryLimit: 16 * 2 ** 20 })
  executor = own
  const block = {
    number: '0x1',
    timestamp: '0x1',
    gasLimit: '0xffffff',
    miner: `0x${'11'.repeat(20)}`,
    difficulty: '0x1',
    transactions: [],
  }
  const state = createMemoryState({ maxBytes: 2 ** 20 })
  await own.executeBlock(block, { state, only: 'transactions', chain: chainAtFork('berlin'), speculation: 'always' })
} else {
  const own = await createTaskExecutor(module, { workers: 2, memoryLimit: 16 * 2 ** 20 })
  executor = own
  if (kind === 'tasks') {
    const tasks = Array.from({ length: 50 }, () => ({ task: 'increment', input: 'k' }))
    await own.run(tasks, { speculation: 'always' })
  }
}
if (ending === 'close') await executor.close()
