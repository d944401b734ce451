/**
 * Runs the same tasks, and the same block where there is WebAssembly, with different numbers of workers, and prints the
 * digests: for flags of Node that change how everything runs. `node --jitless determinism.mjs RUNS`
 */
import { createHash } from 'node:crypto'
import { chainAtFork, createExecutor, createMemoryState } from 'blockloom'
import { createTaskExecutor } from 'blockloom/tasks'

const runs = Number(process.argv[2])
/** @param {unknown} value */
const digest = (value) => {
  const text = JSON.stringify(value, (_, part) => {
    if (typeof part === 'bigint') return `${part}n`
    return part instanceof Map ? [...part] : part
  })
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

const tasks = Array.from({ length: 120 }, (_, k) => {
  if (k % 5 === 0) return { task: 'readNumber', input: 'sum' }
  if (k % 5 === 1) return { task: 'addTo', input: { key: 'sum', amount: k } }
  return { task: 'increment', input: `k${k % 4}` }
})
const people = Array.from({ length: 6 }, (_, k) => `0x${'a'.repeat(39)}${k}`)
const accounts = Object.fromEntries(people.map((who) => [who, { balance: 10n ** 18n }]))
// slot 0 += 1, logged.
const counter = `0x${'c'.repeat(40)}`
const block = {
  number: '0x1',
  timestamp: '0x1',
  gasLimit: '0xffffffff',
  miner: people[0],
  difficulty: '0x1',
  transactions: Array.from({ length: 60 }, (_, k) => ({
    type: '0x0',
    from: people[k % 6],
    nonce: `0x${Math.floor(k / 6).toString(16)}`,
    gas: '0x186a0',
    gasPrice: '0x1',
    to: k % 2 === 0 ? counter : people[(k * 5) % 6],
    value: '0x0',
    input: '0x',
  })),
}

/** @type {Set<string>} */
const seen = new Set()
/** @type {string} */
let blocks
const module = new URL('./taskModule.mjs', import.meta.url)
for (const workers of [1, 2, 3, 8]) {
  const executor = await createTaskExecutor(module, { workers, memoryLimit: 16 * 2 ** 20 })
  for (let k = 0; k < runs; k++) {
    const { results, stateDiff } = await executor.run(tasks, { speculation: 'always' })
    const entries = stateDiff.entries.map((entry) => digest(entry)).sort()
    seen.add(digest([results.map(({ incarnation: _, ms: __, ...result }) => result), entries]))
  }
  await executor.close()
}
try {
  /** @type {Set<string>} */
  const found = new Set()
  for (const workers of [1, 2, 3, 8]) {
    const executor = await createExecutor({ workers, memoryLimit: 16 * 2 ** 20 })
    const state = createMemoryState({
      accounts: { ...accounts, [counter]: { code: '0x60005460010180600055600052' + '60206000a0' } },
    })
    const options = {
      state,
      chain: chainAtFork('berlin'),
      senders: 'trust',
      only: 'transactions',
      speculation: 'always',
    }
    for (let k = 0; k < runs; k++) {
      const { run: _, ...result } = await executor.executeBlock(block, /** @type {never} */ (options))
      found.add(digest(result))
    }
    await executor.close()
  }
  blocks = [...found].join(' ')
} catch (error) {
  blocks = String(/** @type {{ code?: string }} */ (error).code)
}
process.stdout.write(`${JSON.stringify({ tasks: [...seen].join(' '), blocks })}\n`)
