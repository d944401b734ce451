/**
 * Many blocks in a row on one executor, in a process of its own: does anything grow? Prints one line of JSON.
 * `node endurance.mjs BLOCKS`
 *
 * The first half warms up: heaps that V8 lets grow to their size, compiled code, pages of the memories that are touched
 * once.
 */
import { existsSync, readFileSync } from 'node:fs'
import { chainAtFork, createExecutor, createMemoryState } from 'blockloom'

const count = Number(process.argv[2])
const ALICE = `0x${'aa'.repeat(20)}`
const block = {
  number: '0x1',
  timestamp: '0x1',
  gasLimit: '0xffffffff',
  miner: `0x${'cc'.repeat(20)}`,
  difficulty: '0x1',
  transactions: Array.from({ length: 8 }, (_, k) => ({
    type: '0x0',
    from: ALICE,
    nonce: `0x${k.toString(16)}`,
    gas: '0x5208',
    gasPrice: '0x1',
    to: `0x${(k + 1).toString(16).padStart(40, 'b')}`,
    value: '0x1',
    input: '0x',
  })),
}

/** Threads of this process, by the system's count where it has one. */
const threads = () => {
  if (!existsSync('/proc/self/status')) return 0
  return Number(/Threads:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
}
const collect = /** @type {{ gc?: () => void }} */ (globalThis).gc ?? (() => undefined)
const measure = async () => {
  // V8 frees what array buffers held beside the program, after a collection: it is done before the second one.
  for (let k = 0; k < 2; k++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heapUsed, external, threads: threads(), handles: process.getActiveResourcesInfo().length }
}

const executor = await createExecutor({ workers: 2, memoryLimit: 16 * 2 ** 20 })
const state = createMemoryState({ maxBytes: 2 ** 20, accounts: { [ALICE]: { balance: 10n ** 18n } } })
const options = { state, chain: chainAtFork('berlin'), senders: 'trust', only: 'transactions', speculation: 'always' }
let wrong = 0
/** @type {Awaited<ReturnType<typeof measure>> | undefined} */
let warm
for (let k = 0; k < count; k++) {
  const result = await executor.executeBlock(block, /** @type {never} */ (options))
  if (result.gasUsed !== 168_000n || result.stateDiff.accounts.length !== 10) wrong++
  if (k === Math.floor(count / 2)) warm = await measure()
}
const end = await measure()
await executor.close()
process.stdout.write(`${JSON.stringify({ count, wrong, warm, end })}\n`)
