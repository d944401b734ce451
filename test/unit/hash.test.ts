/**
 * Keccak-256 through its door, each kind beside the others: the build with SIMD, the one without, and @noble/hashes.
 *
 * Truth: the published answers (../shared/data/keccak, skipped where absent), and @noble/hashes, which shares no line
 * with the kernel. Lengths lie around the blocks of 136 bytes and around the window of 65,552 bytes.
 */
import { existsSync, readFileSync } from 'node:fs'
import vm from 'node:vm'
import { createBlock } from '@ethereumjs/block'
import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { createTx } from '@ethereumjs/tx'
import { Account, createAddressFromPrivateKey, hexToBytes } from '@ethereumjs/util'
import { createVM, runTx } from '@ethereumjs/vm'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createHashKernel } from '../../src/adapters/revm/kernel.ts'
import { createHasher, type Hasher, type HashKind } from '../../src/wasm.ts'

const KINDS: readonly HashKind[] = ['simd', 'scalar', 'javascript']
const file = (name: string): URL => new URL(`../../src/wasm/${name}.wasm`, import.meta.url)
const answers = new URL('../../../shared/data/keccak/ShortMsgKAT_256.txt', import.meta.url)

const RATE = 136
/** Bytes and inputs that go through the module at a time. */
const WINDOW = 482 * RATE
const MOST = 1024

/** Bytes that repeat nowhere near a block's length. */
const bytesOf = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, k) => (k + seed) * 167 + Math.floor(k / 251))

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const hexes = (all: readonly Uint8Array[]): string[] => all.map(hex)

/** Inputs one after another, as `keccak256Flat` takes them. */
const flatten = (inputs: readonly Uint8Array[]): [Uint8Array, Uint32Array] => {
  let end = 0
  const ends = Uint32Array.from(inputs, ({ length }) => (end += length))
  return [new Uint8Array(Buffer.concat(inputs)), ends]
}

const rowsOf = (digests: Uint8Array): string[] =>
  Array.from({ length: digests.length / 32 }, (_, k) => hex(digests.subarray(32 * k, 32 * k + 32)))

/** A batch both ways and one by one: all three must be what @noble/hashes says. */
const expectHashed = (hasher: Hasher, inputs: readonly Uint8Array[]): void => {
  const expected = inputs.map((input) => hex(keccak_256(input)))
  expect(hexes(hasher.keccak256Many(inputs))).toEqual(expected)
  expect(rowsOf(hasher.keccak256Flat(...flatten(inputs)))).toEqual(expected)
  expect(inputs.map((input) => hex(hasher.keccak256(input)))).toEqual(expected)
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describe.each(KINDS)('hash, %s', (kind) => {
  const made = createHasher({ kind })

  test.skipIf(!existsSync(answers))('published answers (skipped without ../shared/data)', async () => {
    const hasher = await made
    const text = readFileSync(answers, 'utf8')
    const inputs: Uint8Array[] = []
    const expected: string[] = []
    for (const [, bits, message, digest] of text.matchAll(/Len = (\d+)\s+Msg = ([\dA-F]+)\s+MD = ([\dA-F]+)/g)) {
      inputs.push(Uint8Array.from(Buffer.from(message, 'hex').subarray(0, Number(bits) / 8)))
      expected.push(digest.toLowerCase())
    }
    expect(inputs).toHaveLength(256)
    expect(inputs.map((input) => hex(hasher.keccak256(input)))).toEqual(expected)
    expect(hexes(hasher.keccak256Many(inputs))).toEqual(expected)
    expect(rowsOf(hasher.keccak256Flat(...flatten(inputs)))).toEqual(expected)
  })

  test('is of the kind that was asked for', async () => {
    expect((await made).kind).toBe(kind)
  })

  test('lengths around whole blocks, singly and beside any other length', async () => {
    const hasher = await made
    const lengths = [0, 1, 7, 8, 9, 31, 32, 33, 64]
    for (const blocks of [1, 2, 3, 10]) lengths.push(blocks * RATE - 1, blocks * RATE, blocks * RATE + 1)
    expectHashed(hasher, lengths.map(bytesOf))
    for (const a of lengths)
      expectHashed(
        hasher,
        lengths.flatMap((b) => [bytesOf(a), bytesOf(b, 1)]),
      )
  })

  test('lengths around the window, alone, first and last of a batch', async () => {
    const hasher = await made
    for (const length of [WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW - RATE, 2 * WINDOW, 2 * WINDOW + 1]) {
      expectHashed(hasher, [bytesOf(length)])
      expectHashed(hasher, [bytesOf(5), bytesOf(length), bytesOf(40)])
    }
    expectHashed(hasher, [bytesOf(WINDOW - 10), bytesOf(10), bytesOf(1)])
  })

  test('ten megabytes, between short ones', async () => {
    const hasher = await made
    const huge = new Uint8Array(10 << 20).fill(0x5a)
    huge[huge.length - 1] = 1
    expect(hex(hasher.keccak256(huge))).toBe(hex(keccak_256(huge)))
    expect(hexes(hasher.keccak256Many([bytesOf(3), huge, bytesOf(4)]))).toEqual(
      [bytesOf(3), huge, bytesOf(4)].map((input) => hex(keccak_256(input))),
    )
  })

  test('more inputs than go through at a time', async () => {
    const hasher = await made
    for (const count of [1, 2, 3, MOST - 1, MOST, MOST + 1]) {
      expectHashed(
        hasher,
        Array.from({ length: count }, (_, k) => bytesOf(k % 3 === 0 ? 20 : 32, k)),
      )
    }
    const empty = new Uint8Array(32 * 2 * MOST).fill(0xaa)
    hasher.keccak256Flat(new Uint8Array(0), new Uint32Array(2 * MOST), empty)
    expect(new Set(rowsOf(empty))).toEqual(new Set([hex(keccak_256(new Uint8Array(0)))]))
  })

  test('an empty batch has no digests', async () => {
    const hasher = await made
    expect(hasher.keccak256Many([])).toEqual([])
    expect(hasher.keccak256Flat(new Uint8Array(9), new Uint32Array(0))).toEqual(new Uint8Array(0))
  })

  test('views with an offset, Buffers, shared memory and bytes of another realm', async () => {
    const hasher = await made
    const whole = bytesOf(500)
    const shared = new Uint8Array(new SharedArrayBuffer(200))
    shared.set(bytesOf(200))
    const foreign = vm.runInNewContext('Uint8Array.of(1, 2, 3)') as Uint8Array
    expect(foreign).not.toBeInstanceOf(Uint8Array)
    const inputs = [whole.subarray(3, 400), Buffer.from(whole).subarray(7, 90), shared.subarray(1, 180)]
    expectHashed(hasher, inputs)
    const own = hex(keccak_256(Uint8Array.of(1, 2, 3)))
    expect(hex(hasher.keccak256(foreign))).toBe(own)
    const [bytes, ends] = flatten(inputs)
    const padded = new Uint8Array(bytes.length + 11)
    padded.set(bytes, 11)
    const out = new Uint8Array(200)
    expect(hasher.keccak256Flat(padded.subarray(11), ends, out.subarray(5))).toEqual(out.subarray(5))
    expect(rowsOf(out.subarray(5, 101))).toEqual(inputs.map((input) => hex(keccak_256(input))))
    expect([...out.subarray(0, 5), ...out.subarray(101)].every((byte) => byte === 0)).toBe(true)
  })

  test("digests are the caller's: the next hash leaves them alone", async () => {
    const hasher = await made
    const first = hasher.keccak256(bytesOf(32))
    const [many] = hasher.keccak256Many([bytesOf(33)])
    const copies = [hex(first), hex(many)]
    hasher.keccak256Many([bytesOf(1), bytesOf(2)])
    hasher.keccak256(bytesOf(9))
    expect([hex(first), hex(many)]).toEqual(copies)
    expect(first.buffer.byteLength).toBe(32)
  })

  test('what is no Uint8Array, and ends that are none, are refused, and the next hash is right', async () => {
    const hasher = await made
    const refused = { code: 'INVALID_OPTION' }
    for (const wrong of ['abc', 7, null, undefined, [1, 2], new ArrayBuffer(4), new Uint16Array(2)]) {
      expect(() => hasher.keccak256(wrong as never)).toThrow(expect.objectContaining(refused))
      expect(() => hasher.keccak256Many([bytesOf(4), wrong as never])).toThrow(
        expect.objectContaining({ ...refused, fields: { option: 'inputs', index: 1 } }),
      )
    }
    const flat = (ends: number[], out?: Uint8Array) => () =>
      hasher.keccak256Flat(bytesOf(10), Uint32Array.from(ends), out)
    expect(flat([5, 4])).toThrow(expect.objectContaining({ fields: { option: 'ends', index: 1 } }))
    expect(flat([5, 11])).toThrow(expect.objectContaining({ fields: { option: 'ends', index: 1 } }))
    expect(flat([-1])).toThrow(expect.objectContaining(refused))
    expect(flat([5, 10], new Uint8Array(63))).toThrow(
      expect.objectContaining({ fields: { option: 'digests', limit: 64 } }),
    )
    expectHashed(hasher, [bytesOf(4), bytesOf(200)])
  })

  test('the root of a list is that of @ethereumjs/mpt and of the EVM kernel', async () => {
    const hasher = await made
    const evm = createHashKernel(await WebAssembly.compile(readFileSync(file('evm-core'))))
    for (const count of [0, 1, 2, 3, 16, 17, 127, 128, 129, 130, 256, 257, 600]) {
      // Short items lie in their parents; long ones are hashed.
      for (const items of [
        Array.from({ length: count }, (_, k) => bytesOf(1 + (k % 5), k)),
        Array.from({ length: count }, (_, k) => bytesOf(k % 90 === 0 ? 700 : 20 + (k % 40), k)),
      ]) {
        const trie = new MerklePatriciaTrie()
        for (const [index, item] of items.entries()) await trie.put(RLP.encode(index), item)
        const root = hex(hasher.orderedRoot(items))
        expect(root, `${count} items`).toBe(hex(trie.root()))
        expect(root).toBe(hex(evm.orderedRoot(items)))
      }
    }
  })

  test('@ethereumjs/common takes it, and a transaction runs with it to the same state', async () => {
    const { keccak256 } = await made
    const own = vi.fn(keccak256)
    const run = async (customCrypto: object) => {
      const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun, customCrypto })
      const key = bytesOf(32, 9)
      const chain = await createVM({ common })
      const sender = createAddressFromPrivateKey(key)
      await chain.stateManager.putAccount(sender, new Account(0n, 10n ** 18n))
      const code = hexToBytes('0x60205f2060005500')
      const tx = createTx({ gasLimit: 200_000, gasPrice: 10n, data: code, value: 1n }, { common }).sign(key)
      const block = createBlock({ header: { gasLimit: 1_000_000, baseFeePerGas: 7n } }, { common })
      const { totalGasSpent } = await runTx(chain, { tx, block })
      return [
        hex(tx.hash()),
        tx.getSenderAddress().toString(),
        totalGasSpent,
        hex(await chain.stateManager.getStateRoot()),
      ]
    }
    expect(await run({ keccak256: own })).toEqual(await run({}))
    expect(own.mock.calls.length).toBeGreaterThan(3)
  })
})

describe('hash: memory', () => {
  test.each(['simd', 'scalar'] as const)(
    '%s: hashing goes on after the memory grew, and never grows it',
    async (kind) => {
      let memory: WebAssembly.Memory | undefined
      const instantiate = WebAssembly.instantiate as unknown as (
        module: WebAssembly.Module,
        imports: object,
      ) => Promise<WebAssembly.Instance>
      vi.spyOn(WebAssembly, 'instantiate').mockImplementation((async (module: WebAssembly.Module, imports: object) => {
        const instance = await instantiate(module, imports)
        memory = instance.exports['memory'] as WebAssembly.Memory
        return instance
      }) as never)
      const hasher = await createHasher({ kind })
      const before = memory?.buffer
      expectHashed(hasher, [bytesOf(3 * WINDOW), bytesOf(32)])
      expect(memory?.buffer).toBe(before)
      memory?.grow(3)
      expectHashed(hasher, [bytesOf(32), bytesOf(1000)])
      memory?.grow(3)
      expect(rowsOf(hasher.keccak256Flat(bytesOf(32), Uint32Array.of(32)))).toEqual([hex(keccak_256(bytesOf(32)))])
      memory?.grow(3)
      expect(hexes(hasher.keccak256Many([bytesOf(32)]))).toEqual([hex(keccak_256(bytesOf(32)))])
    },
  )
})

describe('hash: what is chosen', () => {
  const simdOpcode = (bytes: Uint8Array): boolean => bytes.length < 100

  test('SIMD where the engine has it; the other build asks for none', async () => {
    expect((await createHasher()).kind).toBe('simd')
    // What the linker wrote down: a name a feature.
    const features = async (name: string): Promise<string> =>
      WebAssembly.Module.customSections(await WebAssembly.compile(readFileSync(file(name))), 'target_features')
        .map((section) => Buffer.from(section).toString('latin1'))
        .join()
    expect(await features('hash-core')).toContain('simd128')
    expect(await features('hash-core-scalar')).toContain('bulk-memory')
    expect(await features('hash-core-scalar')).not.toContain('simd')
  })

  test('the scalar build where the engine has no SIMD', async () => {
    const { validate } = WebAssembly
    vi.spyOn(WebAssembly, 'validate').mockImplementation((bytes) =>
      simdOpcode(bytes as Uint8Array) ? false : validate(bytes),
    )
    const hasher = await createHasher()
    expect(hasher.kind).toBe('scalar')
    expectHashed(hasher, [bytesOf(32)])
  })

  test('@noble/hashes where there is no WebAssembly', async () => {
    vi.stubGlobal('WebAssembly', undefined)
    const hasher = await createHasher()
    expect(hasher.kind).toBe('javascript')
    expectHashed(hasher, [bytesOf(32)])
    await expect(createHasher({ kind: 'simd' })).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
  })

  test('@noble/hashes where the page may not compile', async () => {
    const forbidden = new WebAssembly.CompileError('WebAssembly.compile(): Wasm code generation disallowed by embedder')
    const compile = vi.spyOn(WebAssembly, 'compile').mockRejectedValue(forbidden)
    vi.resetModules()
    const fresh = await import('../../src/wasm.ts')
    expect((await fresh.createHasher()).kind).toBe('javascript')
    await expect(fresh.createHasher({ kind: 'scalar' })).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
    expect(compile).toHaveBeenCalledTimes(2)
  })

  test('a module that is given is what is used; what is none, is missing or is another one is an error', async () => {
    expect((await createHasher({ wasm: file('hash-core-scalar') })).kind).toBe('scalar')
    expect((await createHasher({ wasm: readFileSync(file('hash-core')) })).kind).toBe('simd')
    expect((await createHasher({ wasm: await WebAssembly.compile(readFileSync(file('hash-core'))) })).kind).toBe('simd')
    const notLoaded = { code: 'MODULE_NOT_LOADED' }
    await expect(createHasher({ wasm: file('nowhere') })).rejects.toMatchObject(notLoaded)
    await expect(createHasher({ wasm: Uint8Array.of(1, 2) })).rejects.toMatchObject(notLoaded)
    await expect(createHasher({ wasm: file('evm-core') })).rejects.toMatchObject(notLoaded)
    const invalid = { code: 'INVALID_OPTION', fields: { option: 'kind' } }
    await expect(createHasher({ kind: 'fast' as never })).rejects.toMatchObject(invalid)
    await expect(createHasher({ kind: 'simd', wasm: file('hash-core') })).rejects.toMatchObject(invalid)
  })
})
