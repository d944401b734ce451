/**
 * Senders from signatures: the kernel's recovery, which is our own (rust/secp256k1), against @noble/curves through
 * @ethereumjs/util and @ethereumjs/tx, which share no code with it.
 */

import { readFileSync } from 'node:fs'
import { createTx, normalizeTxParams, type TypedTransaction } from '@ethereumjs/tx'
import { bytesToHex, ecrecover, privateToAddress, publicToAddress } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHashKernel } from '../../src/adapters/revm/kernel.ts'
import { createItemRecovery, recoverItem } from '../../src/adapters/revm/recoverItem.ts'
import { ANSWER_WORDS, SignatureItem } from '../../src/core/layout.ts'
import { fromBigInt } from '../../src/core/words.ts'
import { chainAtFork, createExecutor, createMemoryState, type Executor } from '../../src/index.ts'
import { loadNativeRecover } from '../../src/platform/nativeSigners.ts'
import { address, asm, expectParallelSame, fileOf, slotOf, toHex, word } from '../support/evm.ts'
import { randomFrom } from '../support/random.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const PRIME = 2n ** 256n - 2n ** 32n - 977n
/** x of the generator. */
const GENERATOR = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n

interface Message {
  readonly r: bigint
  readonly s: bigint
  readonly yParity: 0 | 1
  readonly payload: Uint8Array
}

const to32 = (value: bigint): Uint8Array => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

/** Who signed, by @noble/curves; nothing where no key fits. */
const signerOf = (hash: Uint8Array, { r, s, yParity }: Omit<Message, 'payload'>): string | undefined => {
  try {
    return bytesToHex(publicToAddress(ecrecover(hash, BigInt(yParity), to32(r), to32(s))))
  } catch {
    return undefined
  }
}

const kernel = createHashKernel(
  new WebAssembly.Module(readFileSync(new URL('../../src/wasm/evm-core.wasm', import.meta.url))),
)

/** Who signed, by the kernel, all of them in one call. */
const recovered = (messages: readonly Message[]): (string | undefined)[] => {
  const offsets: number[] = []
  let total = 0
  for (const { payload } of messages) {
    offsets.push(total)
    total += 18 + ((payload.length + 3) >> 2)
  }
  const at = kernel.reserve(total)
  messages.forEach(({ r, s, yParity, payload }, k) => {
    const to = at + (offsets[k] as number)
    fromBigInt(r, kernel.words, to)
    fromBigInt(s, kernel.words, to + 8)
    kernel.words[to + 16] = yParity
    kernel.words[to + 17] = payload.length
    kernel.bytes((to + 18) << 2, payload.length).set(payload)
  })
  kernel.exports.recover(at << 2, messages.length)
  const words = kernel.view()
  return offsets.map((offset) => {
    const from = at + offset
    return words[from + 16] === 0 ? bytesToHex(kernel.bytes(from << 2, 20).slice()) : undefined
  })
}

const random = randomFrom(20)
const number = (bits = 256): bigint => {
  let value = 0n
  for (let k = 0; k < 8; k++) value = (value << 32n) | BigInt(Math.floor(random() * 2 ** 32))
  return value >> BigInt(256 - bits)
}
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256))

/** Numbers at which a signature stops or begins to be one, and others whose multiples have few digits. */
const EDGES = [0n, 1n, 2n, ORDER - 1n, ORDER, ORDER + 1n, PRIME - 1n, PRIME, 2n ** 256n - 1n, GENERATOR, ORDER / 2n, 5n]

/** Anything at all: half of what is within bounds is the x of no point. */
const messageOf = (k: number): Message => ({
  r: k % 8 === 3 ? (EDGES[Math.floor(random() * EDGES.length)] as bigint) : number(k % 16 === 5 ? 20 : 256),
  s: k % 8 === 6 ? (EDGES[Math.floor(random() * EDGES.length)] as bigint) : number(k % 16 === 9 ? 20 : 256),
  yParity: random() < 0.5 ? 0 : 1,
  payload: bytes(k % 300),
})

describe('recovery in the kernel', () => {
  test('two thousand signatures, valid or not, as @noble/curves has them, in calls of any number', () => {
    const messages = Array.from({ length: 2000 }, (_, k) => messageOf(k))
    const expected = messages.map((message) => signerOf(keccak_256(message.payload), message))
    expect(expected.filter((signer) => signer === undefined).length).toBeGreaterThan(500)
    expect(expected.filter((signer) => signer !== undefined).length).toBeGreaterThan(500)
    for (let from = 0, count = 0; from < messages.length; from += count) {
      count = 1 + Math.floor(random() * 41)
      expect(recovered(messages.slice(from, from + count))).toEqual(expected.slice(from, from + count))
    }
  })

  test('sums that meet a doubling, or infinity, on their way: R is the generator or its opposite', () => {
    const payload = bytes(50)
    const hash = BigInt(toHex(keccak_256(payload))) % ORDER
    // -z/r G + s/r R for R = G: infinity for s = z; few digits for s = z + k r.
    const multiples = Array.from({ length: 40 }, (_, k) => (hash + BigInt(k) * GENERATOR) % ORDER)
    const messages = [...multiples, ...multiples.map((s) => ORDER - s)].flatMap((s) =>
      ([0, 1] as const).map((yParity) => ({ r: GENERATOR, s, yParity, payload })),
    )
    const expected = messages.map((message) => signerOf(keccak_256(payload), message))
    expect(recovered(messages)).toEqual(expected)
    // Infinity is nobody: once at s = z, and once at its opposite.
    expect(expected.filter((signer) => signer === undefined)).toHaveLength(2)
  })
})

describe('the precompile ECRECOVER', () => {
  test('answers as @noble/curves does, and nothing where there is no key', async () => {
    const contract = address(1)
    const code = asm(
      'CALLDATASIZE 0 0 CALLDATACOPY 32 256 CALLDATASIZE 0 1 GAS STATICCALL 256 MLOAD ADD 0 CALLDATALOAD SSTORE',
    )
    const calls = Array.from({ length: 120 }, (_, k) => ({ ...messageOf(k), hash: keccak_256(bytes(k)) }))
    const file = fileOf({
      fork: 'cancun',
      coinbase: address(99),
      accounts: { [contract]: { code }, [address(2)]: { balance: 10n ** 20n } },
      transactions: calls.map(({ hash, r, s, yParity }) => ({
        from: address(2),
        to: contract,
        data: toHex(Buffer.concat([hash, to32(27n + BigInt(yParity)), to32(r), to32(s)])),
      })),
    })
    const executor = await createExecutor({ workers: 2 })
    try {
      const result = await expectParallelSame(executor, file)
      for (const call of calls) {
        // STATICCALL succeeds either way, which is the 1.
        const expected = BigInt(signerOf(call.hash, call) ?? 0) + 1n
        expect(slotOf(result, contract, BigInt(toHex(call.hash)))).toBe(expected)
      }
    } finally {
      await executor.close()
    }
  })
})

describe('senders of a block', () => {
  let executor: Executor
  beforeAll(async () => {
    executor = await createExecutor({ workers: 2 })
  })
  afterAll(() => executor.close())

  const KEYS = Array.from({ length: 7 }, (_, k) => keccak_256(Uint8Array.of(k)))
  const signed = (k: number): TypedTransaction => {
    const common = { nonce: word(k), gas: '0x30d40', to: address(k), value: '0x1', input: toHex(bytes(k % 90)) }
    const fees = { maxFeePerGas: '0x10', maxPriorityFeePerGas: '0x1', accessList: [] }
    const typed = [
      { type: '0x0', gasPrice: '0x10' },
      { type: '0x1', chainId: '0x1', gasPrice: '0x10', accessList: [] },
      { type: '0x2', chainId: '0x1', ...fees },
    ][k % 3]
    return createTx(normalizeTxParams({ ...common, ...typed } as never)).sign(KEYS[k % KEYS.length] as Uint8Array)
  }
  const blockOf = (transactions: readonly object[]) => ({
    ...fileOf({ fork: 'cancun', coinbase: address(99), accounts: {}, transactions: [] }).block,
    transactions,
  })
  const options = {
    state: createMemoryState({ maxBytes: 2 ** 20 }),
    chain: chainAtFork('cancun'),
    only: 'transactions',
  } as const
  const sendersOf = async (transactions: readonly object[]) =>
    (await executor.prepareBlock(blockOf(transactions), options)).senders.map(toHex)
  const json = Array.from({ length: 503 }, (_, k) => {
    const { gasLimit, data, ...tx } = signed(k).toJSON()
    return { ...tx, gas: gasLimit, input: data }
  })
  const expected = json.map((_, k) => bytesToHex(privateToAddress(KEYS[k % KEYS.length] as Uint8Array)))

  test('are those whose keys signed, at every number of transactions', async () => {
    expect(await sendersOf(json)).toEqual(expected)
    for (const count of [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17]) {
      expect(await sendersOf(json.slice(0, count))).toEqual(expected.slice(0, count))
    }
  })

  test('one that is spoilt is told with its index, and the others are none the worse for it', async () => {
    // 5 is the x of no point of the curve.
    for (const txIndex of [0, 1, 4, 77, 502]) {
      for (const spoilt of [{ r: '0x5' }, { r: word(ORDER) }, { s: '0x0' }]) {
        const transactions = json.map((tx, k) => (k === txIndex ? { ...tx, ...spoilt } : tx))
        await expect(sendersOf(transactions)).rejects.toMatchObject({ code: 'INVALID_SIGNATURE', fields: { txIndex } })
      }
    }
    const elsewhere = json.map((tx, k) => (k === 78 ? { ...tx, from: expected[77] } : tx))
    await expect(sendersOf(elsewhere)).rejects.toMatchObject({ code: 'INVALID_SIGNATURE', fields: { txIndex: 78 } })
    expect(await sendersOf(json)).toEqual(expected)
  })
})

describe('recovery by machine code (the optional peer secp256k1)', () => {
  const native = loadNativeRecover()

  /** The answers of an item: addresses, undefined where there is none. */
  const answersOf = (answer: (engine: Int32Array, item: number) => void, messages: readonly Message[]) => {
    const engine = new Int32Array(new SharedArrayBuffer(1 << 16))
    let at = SignatureItem.Messages
    for (const { r, s, yParity, payload } of messages) {
      fromBigInt(r, engine, at)
      fromBigInt(s, engine, at + 8)
      engine[at + 16] = yParity
      engine[at + 17] = payload.length
      new Uint8Array(engine.buffer, 4 * (at + 18), payload.length).set(payload)
      at += 18 + ((payload.length + 3) >> 2)
    }
    engine[SignatureItem.Count] = messages.length
    engine[SignatureItem.MessageWords] = at - SignatureItem.Messages
    answer(engine, 0)
    return messages.map((_, k) => {
      const from = SignatureItem.Answers + k * ANSWER_WORDS
      return engine[from + 5] === 0 ? toHex(new Uint8Array(engine.buffer.slice(4 * from, 4 * from + 20))) : undefined
    })
  }
  const items = Array.from({ length: 400 }, (_, k) =>
    Array.from({ length: 1 + (k % 4) }, (_, j) => messageOf(4 * k + j)),
  )

  test.runIf(native !== undefined)(
    'answers as the kernel does: high s, r and s out of bounds, an x of no point',
    () => {
      let asked = 0
      const answer = createItemRecovery(
        kernel,
        () =>
          (...args) => {
            asked++
            return native?.(...args) ?? false
          },
        1,
      )
      for (const item of items) {
        const high = item.map((message) => ({ ...message, s: message.s > ORDER / 2n ? message.s : ORDER - message.s }))
        for (const messages of [item, high]) {
          expect(answersOf(answer, messages)).toEqual(
            answersOf((engine, at) => recoverItem(kernel, engine, at), messages),
          )
        }
      }
      expect(asked).toBe(2 * items.flat().length)
    },
  )

  test.runIf(native !== undefined)('sums that meet a doubling, or infinity, on their way', () => {
    const payload = bytes(50)
    const hash = BigInt(toHex(keccak_256(payload))) % ORDER
    const answer = createItemRecovery(kernel, () => native, 1)
    for (let k = 0n; k < 10n; k++) {
      const s = (hash + k * GENERATOR) % ORDER
      const messages = [s, ORDER - s].flatMap((s) =>
        ([0, 1] as const).map((yParity) => ({ r: GENERATOR, s, yParity, payload })),
      )
      expect(answersOf(answer, messages)).toEqual(answersOf((engine, at) => recoverItem(kernel, engine, at), messages))
    }
  })

  test('what finds another key than the kernel is never believed', () => {
    let asked = 0
    const answer = createItemRecovery(
      kernel,
      () => (_signature, _parity, _hash, key) => {
        asked++
        key.fill(4)
        return true
      },
      3,
    )
    for (const messages of items.slice(0, 8)) {
      expect(answersOf(answer, messages)).toEqual(answersOf((engine, at) => recoverItem(kernel, engine, at), messages))
    }
    // The third item has three messages; the first of them will do.
    expect(asked).toBe(1)
  })
})
