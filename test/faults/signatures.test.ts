/**
 * Signers that are asked for ahead of their block's turn, on real workers: who finds them, how little room will do, and what
 * may happen to a block while it waits.
 */
import { readFileSync } from 'node:fs'
import { createTx } from '@ethereumjs/tx'
import { bytesToHex, hexToBytes, privateToAddress } from '@ethereumjs/util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeTransaction } from '../../src/adapters/evm/transaction.ts'
import * as atomics from '../../src/core/atomics.ts'
import { Signatures, signaturesAt } from '../../src/core/layout.ts'
import { Engine } from '../../src/executor/engine.ts'
import { SignatureRoom } from '../../src/executor/signatures.ts'
import { chainAtFork, createExecutor, createMemoryState, type Executor } from '../../src/index.ts'
import { address, fileOf, keccak256, toHex } from '../support/evm.ts'

const MIB = 2 ** 20
const KEYS = Array.from({ length: 3 }, (_, k) => keccak256(Uint8Array.of(k)))
const signerOf = (k: number) => bytesToHex(privateToAddress(KEYS[k % KEYS.length] as Uint8Array))

/** Transaction `k`, with so many bytes of data. */
const signed = (k: number, bytes = 0): Uint8Array => {
  const data = new Uint8Array(bytes).fill(k)
  const to = hexToBytes(address(k))
  return createTx({ nonce: k, gasPrice: 16, gasLimit: 30_000_000, to, value: 1, data })
    .sign(KEYS[k % KEYS.length] as Uint8Array)
    .serialize()
}
const transactionsOf = (count: number, bytes = 0) =>
  Array.from({ length: count }, (_, k) => decodeTransaction(signed(k, bytes), k))
const signersOf = (count: number) => Array.from({ length: count }, (_, k) => signerOf(k))
const hexes = (signers: readonly (Uint8Array | undefined)[]) => signers.map((signer) => signer && toHex(signer))

const state = createMemoryState({ maxBytes: MIB })
const module = new WebAssembly.Module(readFileSync(new URL('../../src/wasm/evm-core.wasm', import.meta.url)))

describe('the room for signatures', () => {
  const open = (memoryLimit: number) => {
    const engine = new Engine({ workers: 2, memoryLimit }, { kind: 'revm', module })
    const word = (name: keyof typeof Signatures) =>
      atomics.load(engine.words, signaturesAt(engine.words) + Signatures[name])
    return { engine, room: new SignatureRoom(engine.words, 2), word }
  }

  test('parked workers answer what is asked, without a run', async () => {
    const { engine, room, word } = open(64 * MIB)
    try {
      // There are no workers before the first turn.
      const first = room.ask(transactionsOf(9))
      expect(hexes(await first.signers(engine, { state }))).toEqual(signersOf(9))
      first.release()
      const [done, ahead] = [word('Done'), word('Ahead')]
      const second = room.ask(transactionsOf(30))
      const items = Math.ceil(30 / 4)
      while (word('Done') < done + items) await new Promise((resolve) => setTimeout(resolve, 5))
      expect(word('Ahead') - ahead).toBe(items)
      expect(hexes(await second.signers(engine, { state }))).toEqual(signersOf(30))
      second.release()
    } finally {
      await engine.close()
    }
  })

  test('a block whose messages do not fit is answered in portions, and may drive out those after it', async () => {
    const { engine, room } = open(16 * MIB)
    try {
      // 2 MiB of room; this block fills it, the next one finds none, and is smaller than what is there at its turn.
      const large = transactionsOf(26, 100_000)
      const asked = [room.ask(transactionsOf(5)), room.ask(large), room.ask(transactionsOf(6)), room.ask(large)]
      const counts = [5, 26, 6, 26]
      // Not in the order in which they asked: the importer's line and the executor's are two.
      for (const k of [1, 0, 3, 2]) {
        expect(hexes((await asked[k]?.signers(engine, { state })) ?? [])).toEqual(signersOf(counts[k] as number))
        asked[k]?.release()
      }
    } finally {
      await engine.close()
    }
  })

  test('one message that is larger than all of it: CAPACITY, and the room is as it was', async () => {
    const { engine, room } = open(16 * MIB)
    try {
      const asked = room.ask(transactionsOf(1, 3 * MIB))
      await expect(asked.signers(engine, { state })).rejects.toMatchObject({ code: 'CAPACITY' })
      asked.release()
      const next = room.ask(transactionsOf(5))
      expect(hexes(await next.signers(engine, { state }))).toEqual(signersOf(5))
      next.release()
    } finally {
      await engine.close()
    }
  })
})

describe('blocks in line', () => {
  let executor: Executor
  beforeAll(async () => {
    executor = await createExecutor({ workers: 2, memoryLimit: 64 * MIB })
  })
  afterAll(() => executor.close())

  const accounts = Object.fromEntries(signersOf(3).map((signer) => [signer, { balance: 10n ** 20n }]))
  const own = createMemoryState({ accounts })
  const transactions = Array.from({ length: 40 }, (_, k) => signed(k))
  const { block } = fileOf({ fork: 'cancun', coinbase: address(99), accounts: {}, transactions: [] })
  const options = { state: own, chain: chainAtFork('cancun'), only: 'transactions' } as const
  const prepare = (some: readonly Uint8Array[], more: object = {}) =>
    executor.prepareBlock({ ...block, transactions: some }, { ...options, ...more })

  test('each has its own senders; one that is spoilt, and one that leaves the line, are no harm to the others', async () => {
    const spoilt = transactions.map((bytes) => bytes.slice())
    // All ones is no r: 32 bytes, a length, and 32 bytes of s are the end of a transaction.
    const bad = spoilt[17] as Uint8Array
    bad.fill(0xff, bad.length - 65, bad.length - 33)
    const leaving = new AbortController()
    const all = [
      prepare(transactions),
      prepare(spoilt),
      prepare(transactions.slice(3)),
      prepare(transactions, { signal: leaving.signal }),
      prepare(transactions.slice(0, 1)),
      prepare(transactions, { signal: AbortSignal.abort() }),
      prepare(transactions.slice(0, 39)),
    ]
    leaving.abort()
    const ends = await Promise.all(
      all.map((one) =>
        one.then(
          ({ senders }) => senders.map(toHex),
          ({ code, fields }: { code: string; fields: object }) => ({ code, ...fields }),
        ),
      ),
    )
    expect(ends).toEqual([
      signersOf(40),
      expect.objectContaining({ code: 'INVALID_SIGNATURE', txIndex: 17 }),
      signersOf(40).slice(3),
      { code: 'ABORTED' },
      signersOf(1),
      { code: 'ABORTED' },
      signersOf(39),
    ])
    expect((await prepare(transactions)).senders.map(toHex)).toEqual(signersOf(40))
  })

  test('an executor that is closed while they wait: CLOSED, every one of them', async () => {
    const closing = await createExecutor({ workers: 2, memoryLimit: 64 * MIB })
    const waiting = Array.from({ length: 4 }, () => closing.prepareBlock({ ...block, transactions }, options))
    const ends = Promise.all(
      waiting.map((one) =>
        one.then(
          () => 'done',
          ({ code }: { code: string }) => code,
        ),
      ),
    )
    await closing.close()
    expect(await ends).toEqual(['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'])
  })
})
