/** Receipts, blooms and logs from words are those from objects: any logs, types, statuses, roots and gas. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bloomOf, encodeReceipt, type Log } from '../../src/adapters/evm/receipt.ts'
import { bloomsOf } from '../../src/adapters/revm/blooms.ts'
import { KeptResults } from '../../src/adapters/revm/keptResults.ts'
import { Output } from '../../src/adapters/revm/kernel.ts'
import { receiptItems } from '../../src/adapters/revm/receiptItems.ts'
import { decodeResult } from '../../src/adapters/revm/result.ts'
import { Place } from '../../src/core/layout.ts'
import { fromBigInt } from '../../src/core/words.ts'
import { kernel } from './evm-roots.ts'

interface Outcome {
  readonly status: 0 | 1 | 2
  readonly gas: bigint
  readonly logs: readonly Log[]
  readonly returned: Uint8Array
  readonly type: 0 | 1 | 2 | 3 | 4
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
// Few addresses and topics, so that some come again; data of lengths around what RLP says otherwise of.
const address = fc.oneof(
  fc.constantFrom(0, 1, 255).map((byte) => new Uint8Array(20).fill(byte)),
  bytes(20),
)
const topic = fc.oneof(
  fc.constantFrom(0, 7).map((byte) => new Uint8Array(32).fill(byte)),
  bytes(32),
)
const data = fc.oneof(fc.constantFrom(0, 1, 2, 54, 55, 56, 64, 65, 255, 256, 300).chain(bytes), bytes(1))
const log: fc.Arbitrary<Log> = fc.tuple(address, fc.array(topic, { maxLength: 4 }), data)
const outcome: fc.Arbitrary<Outcome> = fc.record({
  status: fc.constantFrom(0 as const, 1 as const, 2 as const),
  gas: fc.oneof(
    fc.constantFrom(0n, 1n, 127n, 128n, 255n, 256n, 21_000n, 2n ** 32n),
    fc.bigInt({ min: 0n, max: 2n ** 50n }),
  ),
  logs: fc.array(log, { maxLength: 4 }),
  returned: fc.uint8Array({ maxLength: 70 }),
  type: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const, 4 as const),
})

/** A place table and results as the adapters leave them; what bytes leave of their last word is not clear. */
const engineWords = (outcomes: readonly Outcome[]): Int32Array => {
  const words: number[] = new Array((outcomes.length + 2) * Place.Size).fill(0)
  const put = (value: Uint8Array): void => {
    const padded = new Uint8Array((value.length + 3) & ~3).fill(0xee)
    padded.set(value)
    words.push(...new Int32Array(padded.buffer))
  }
  outcomes.forEach(({ status, gas, logs, returned }, k) => {
    words[(k + 1) * Place.Size + Place.Result] = words.length
    const head = new Int32Array(Output.Body)
    head[Output.Status] = status
    fromBigInt(gas, head, Output.GasUsed, 2)
    head[Output.Logs] = logs.length
    head[Output.ReturnBytes] = returned.length
    words.push(...head)
    for (const [emitter, topics, payload] of logs) {
      put(emitter)
      words.push(topics.length)
      for (const one of topics) put(one)
      words.push(payload.length)
      put(payload)
    }
    put(returned)
  })
  return Int32Array.from(words)
}

const keccak256 = (input: Uint8Array): Uint8Array => kernel.keccak256(input)

describe('receipts from words', () => {
  test('any receipts are encoded as from objects, with the same blooms and the same root', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 6 }), fc.boolean(), (outcomes, hasStatus) => {
        const kept = new KeptResults(engineWords(outcomes), 0, outcomes.length)
        const blooms = bloomsOf(kept, kernel)
        const rootOf = (k: number): Uint8Array => new Uint8Array(32).fill(k + 1)
        const typeOf = (k: number): number => outcomes[k]?.type ?? 0
        let gas = 0n
        const expected = outcomes.map(({ status, gas: used, logs, type }, k) => {
          gas += used
          const first = hasStatus ? { status: status === 1 ? (1 as const) : (0 as const) } : { stateRoot: rootOf(k) }
          const bitvector = bloomOf(logs, keccak256)
          expect(Buffer.compare(blooms.each.subarray(256 * k, 256 * k + 256), bitvector)).toBe(0)
          return encodeReceipt({ ...first, cumulativeBlockGasUsed: gas, bitvector, logs }, type) as Uint8Array
        })
        const all = new Uint8Array(256)
        expected.forEach((_, k) => {
          for (let b = 0; b < 256; b++) all[b] |= blooms.each[256 * k + b]
        })
        expect(Buffer.compare(blooms.block, all)).toBe(0)
        const items = receiptItems(kept, blooms.each, typeOf, hasStatus ? undefined : rootOf)
        let at = 0
        for (const wanted of expected) {
          const length = items[at]
          expect(Buffer.compare(new Uint8Array(items.buffer, 4 * at + 4, length), wanted)).toBe(0)
          at += 1 + ((length + 3) >> 2)
        }
        expect(at).toBe(items.length)
        expect(kernel.rootOfItems(items, expected.length)).toEqual(kernel.orderedRoot(expected))
      }),
      { numRuns: 200 },
    )
  })

  test('logs of one contract are found among all, and a kept result is decoded as it was', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 6 }), (outcomes) => {
        const kept = new KeptResults(engineWords(outcomes), 0, outcomes.length)
        const wanted = new Uint8Array(20)
        const logs = outcomes.flatMap((one) => one.logs)
        expect([...kept.logsOf(wanted)]).toEqual(logs.filter(([emitter]) => emitter.every((byte) => byte === 0)))
        const transactions = outcomes.map(({ type }) => ({ type, maxFeePerGas: 1n })) as never
        const context = { transactions, baseFeePerGas: 0n, byzantium: true }
        outcomes.forEach((one, k) => {
          const bloom = (): Uint8Array => new Uint8Array(256)
          const { result, receipt } = decodeResult(kept.words, kept.starts[k], k, 0n, context, bloom)
          expect(receipt.logs).toEqual(one.logs)
          expect(receipt.status).toBe(one.status === 1 ? 1 : 0)
          expect(result.returnValue).toEqual(one.returned)
          expect(kept.gasUsed(k)).toBe(one.gas)
        })
      }),
      { numRuns: 100 },
    )
  })
})
