/**
 * Blocks as they come from the network: RLP in, result out, senders recovered from the signatures. Beside it the same
 * blocks with their senders given, and a dozen blocks given at once, whose signers are looked for while others run.
 */
import { createHash } from 'node:crypto'
import { createTx, normalizeTxParams } from '@ethereumjs/tx'
import { chainAtFork, type ExecuteBlockOptions } from 'blockloom'
import { decodeBlock, encodeBlock } from 'blockloom/evm'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'
import { type CostRow, spreadOf } from './report.ts'
import { makeWorkload } from './workloads.ts'

const SIZES = [200, 1_000]
/** Blocks given at once. */
const IN_LINE = 12
const WARM_UP = 3
const CHAIN = chainAtFork('cancun')

const zeros = (bytes: number): string => `0x${'00'.repeat(bytes)}`

/** What the headers of workloads leave out; nothing of it is looked at where transactions alone run. */
const HEADER = {
  ...{ stateRoot: zeros(32), transactionsRoot: zeros(32), receiptsRoot: zeros(32), withdrawalsRoot: zeros(32) },
  ...{ sha3Uncles: zeros(32), parentHash: zeros(32), parentBeaconBlockRoot: zeros(32), mixHash: zeros(32) },
  ...{ logsBloom: zeros(256), extraData: '0x', nonce: zeros(8), gasUsed: '0x0', blobGasUsed: '0x0' },
  ...{ excessBlobGas: '0x0', difficulty: '0x0', uncles: [], withdrawals: [] },
}

/** `transfers`, signed by keys of their own: as JSON and as RLP. */
export function signedTransfers(count: number): BenchFile & { readonly rlp: Uint8Array; readonly senders: string[] } {
  const { block, pre, ...rest } = makeWorkload('transfers', count)
  const accounts = new Map(Object.entries(pre))
  const senders: string[] = []
  const transactions = block.transactions.map((json, k) => {
    const key = createHash('sha256').update(`blockloom benchmark ${k}`).digest()
    const signed = createTx(normalizeTxParams(json)).sign(key)
    const { v, r, s, yParity } = signed.toJSON()
    const from = signed.getSenderAddress().toString()
    const funded = accounts.get(json.from)
    accounts.delete(json.from)
    if (funded !== undefined) accounts.set(from, funded)
    senders.push(from)
    return { ...json, from, r, s, v, yParity: yParity ?? v }
  })
  const json = { ...HEADER, ...block, transactions }
  return { ...rest, pre: Object.fromEntries(accounts), block: json, rlp: encodeBlock(decodeBlock(json)), senders }
}

export async function measureRaw(workers: number, runs: number): Promise<CostRow[]> {
  const rows: CostRow[] = []
  for (const size of SIZES) {
    const file = signedTransfers(size)
    const executor = await openExecutor(workers)
    try {
      const options = { state: stateOf(file, executor), chain: CHAIN, only: 'transactions' } as const
      const time = async (blocks: number, senders: ExecuteBlockOptions['senders'] & {}): Promise<number> => {
        const began = performance.now()
        const all = Array.from({ length: blocks }, () => executor.executeBlock(file.rlp, { ...options, senders }))
        await Promise.all(all)
        return (1000 * (performance.now() - began)) / (blocks * size)
      }
      const ways = [
        { name: 'senders given', time: () => time(1, file.senders), times: [] as number[] },
        { name: 'senders recovered', time: () => time(1, 'recover'), times: [] as number[] },
        {
          name: `senders recovered, ${IN_LINE} blocks at once`,
          time: () => time(IN_LINE, 'recover'),
          times: [] as number[],
        },
      ]
      for (let k = -WARM_UP; k < runs; k++) {
        for (const way of k % 2 === 0 ? ways : [...ways].reverse()) {
          const us = await way.time()
          if (k >= 0) way.times.push(us)
        }
      }
      const pool = `${workers} ${workers === 1 ? 'worker' : 'workers'}`
      for (const { name, times } of ways) {
        const what = `block of ${size} payments from RLP, a transaction, ${pool}: ${name}`
        rows.push({ name: what, unit: 'us', runs, spread: spreadOf(times) })
      }
    } finally {
      await executor.close()
    }
  }
  return rows
}
