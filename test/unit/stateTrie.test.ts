/** The root of a state: known roots, what is staged on it, bad input, and what it costs. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { RLP } from '@ethereumjs/rlp'
import { KECCAK256_RLP, KECCAK256_RLP_ARRAY } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { Change, ChangeWriter } from '../../src/core/stateRoot.ts'
import {
  type AccountDiff,
  createMemoryState,
  type Hex,
  type MemoryState,
  type StateDiff,
  stateRootOf,
} from '../../src/index.ts'
import { openTrieStore } from '../../src/wasm/stateTrie.ts'
import { address, keccak256, toHex, word } from '../support/evm.ts'
import { applyToModel, type Model, modelRoot, openStore } from '../support/tries.ts'

const MIB = 2 ** 20
const CHAIN = fileURLToPath(new URL('../../../shared/data/chain/geth-600/', import.meta.url))

const create = async (maxBytes = 16 * MIB) => {
  const store = await openStore()
  return { store, state: createMemoryState({ maxBytes, keccak256, trie: store.create() }) }
}
const accountOf = (n: number, account: Partial<AccountDiff> = {}): AccountDiff => ({
  address: address(n),
  storage: new Map(),
  storageCleared: false,
  deleted: false,
  ...account,
})
const diffOf = (...accounts: AccountDiff[]): StateDiff => ({ accounts, codes: new Map() })
const modelOf = (...diffs: StateDiff[]): Model => {
  const model: Model = new Map()
  for (const diff of diffs) applyToModel(model, diff)
  return model
}
const rootOf = async (...diffs: StateDiff[]): Promise<Hex> => toHex(await modelRoot(modelOf(...diffs)))

/** Fills a trie with accounts whose balance is their number. */
const fill = (trie: ReturnType<Awaited<ReturnType<typeof openStore>>['create']>, from: number, to: number): void => {
  const writer = new ChangeWriter(trie)
  const words = new Int32Array(8)
  for (let n = from; n < to; n++) {
    words[0] = n
    writer.account(Change.Balance, words, 0)
    writer.field(words, 0, 8)
  }
  writer.end()
}

describe('state root: known roots', () => {
  test('a state without accounts has the empty root', async () => {
    const { state } = await create()
    expect(toHex(await state.stateRoot())).toBe(toHex(KECCAK256_RLP))
  })

  test.skipIf(!existsSync(CHAIN))('the genesis of a chain is the parent of its first block', async () => {
    const genesis = JSON.parse(readFileSync(`${CHAIN}genesis.json`, 'utf8'))
    const { state } = await create()
    for (const [at, account] of Object.entries<Record<string, never>>(genesis.alloc))
      state.putAccount(`0x${at}`, account)
    const [first] = RLP.decode(readFileSync(`${CHAIN}chain.rlp`), true).data as Uint8Array[][]
    const bytes = (hex: string, length?: number) =>
      Buffer.from(hex.slice(2).padStart(length === undefined ? (hex.length - 1) & ~1 : 2 * length, '0'), 'hex')
    const quantity = (hex: string) => (BigInt(hex) === 0n ? new Uint8Array() : bytes(hex))
    const header = [
      bytes(genesis.parentHash),
      KECCAK256_RLP_ARRAY,
      bytes(genesis.coinbase),
      await state.stateRoot(),
      KECCAK256_RLP,
      KECCAK256_RLP,
      new Uint8Array(256),
      quantity(genesis.difficulty),
      quantity(genesis.number),
      quantity(genesis.gasLimit),
      quantity(genesis.gasUsed),
      quantity(genesis.timestamp),
      bytes(genesis.extraData),
      bytes(genesis.mixHash),
      bytes(genesis.nonce, 8),
      quantity(genesis.baseFeePerGas),
      KECCAK256_RLP,
    ]
    expect(toHex(keccak256(RLP.encode(header)))).toBe(toHex(first?.[0] as Uint8Array))
  })

  test.skipIf(!existsSync(CHAIN))('the state after 600 blocks has the root of its dump', async () => {
    const dump = JSON.parse(gunzipSync(readFileSync(`${CHAIN}headstate.json.gz`)).toString('utf8'))
    const { state } = await create()
    for (const { address, balance, nonce, codeHash, storage } of Object.values<Record<string, never>>(dump.accounts)) {
      // Values of the dump are hex without a prefix and without leading zeros.
      const slots = Object.entries(storage ?? {}).map(([key, value]) => [key, `0x${value}`])
      state.putAccount(address, { balance, nonce, codeHash, storage: Object.fromEntries(slots) })
    }
    expect(toHex(await state.stateRoot())).toBe(`0x${dump.root}`)
  })

  test('thousands of slots of one account, more than go to the trie at a time', async () => {
    const { state } = await create()
    const storage = new Map(Array.from({ length: 10_000 }, (_, n) => [word(n), word(n + 1)]))
    const diff = diffOf(accountOf(1, { balance: 1n, storage }), accountOf(2, { nonce: 1n }))
    const root = await rootOf(diff)
    expect(toHex(state.stage(diff))).toBe(root)
    await state.apply(diff)
    const filled = await create()
    await filled.state.apply(diff)
    expect(toHex(await filled.state.stateRoot())).toBe(root)
  })
})

describe('state root: staging', () => {
  const one = diffOf(accountOf(1, { balance: 1n, storage: new Map([[word(1), word(1)]]) }))
  const two = diffOf(accountOf(2, { nonce: 2n }))

  test('the state is as it was until a difference is applied, and has its root then', async () => {
    const { state } = await create()
    const empty = toHex(await state.stateRoot())
    expect(toHex(state.stage(one))).toBe(await rootOf(one))
    expect(toHex(await state.stateRoot())).toBe(empty)
    expect(state.getAccount(address(1))).toBeUndefined()
    await state.apply(one)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(one))
  })

  test('what is applied as it was staged is not hashed again', async () => {
    const { store, state } = await create()
    state.stage(one)
    const { hashedNodes } = store.counts()
    await state.apply(one)
    await state.stateRoot()
    expect(store.counts().hashedNodes).toBe(hashedNodes)
  })

  test('an equal difference that is another object is applied in place of what is staged', async () => {
    const { state } = await create()
    state.stage(one)
    await state.apply(diffOf(...one.accounts))
    expect(toHex(await state.stateRoot())).toBe(await rootOf(one))
  })

  test('a difference applied while another is staged drops that one', async () => {
    const { state } = await create()
    state.stage(one)
    await state.apply(two)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(two))
  })

  test('the second of two that are staged is not both of them', async () => {
    const { state } = await create()
    state.stage(one)
    expect(toHex(state.stage(two))).toBe(await rootOf(one, two))
    await state.apply(two)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(two))
  })

  test('parts whose sum is named are committed by it', async () => {
    const { store, state } = await create()
    const both = diffOf(...one.accounts, ...two.accounts)
    state.stage(one)
    state.stage(two, both)
    const { hashedNodes } = store.counts()
    await state.apply(both)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(one, two))
    expect(store.counts().hashedNodes).toBe(hashedNodes)
  })

  test('accounts and slots that are put drop what is staged and move the root', async () => {
    const { state } = await create()
    await state.apply(one)
    state.stage(two)
    state.putStorage(address(1), 5, 6)
    const more = diffOf(accountOf(1, { storage: new Map([[word(5), word(6)]]) }))
    expect(toHex(await state.stateRoot())).toBe(await rootOf(one, more))
    await state.apply(two)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(one, more, two))
  })

  test('slots that were put for an account that does not exist', async () => {
    for (const filled of [false, true]) {
      const { state } = await create()
      if (filled) await state.stateRoot()
      state.putStorage(address(1), 1, 1)
      state.putStorage(address(2), 1, 1)
      // They are there when the account is put, and gone when a difference makes it.
      state.putAccount(address(1), { balance: 1n })
      await state.apply(two)
      expect(state.getStorage(address(2), 1)).toBe(0n)
      expect(toHex(await state.stateRoot())).toBe(await rootOf(one, two))
    }
  })

  test('a cleared state is as a new one', async () => {
    const { state } = await create()
    state.putCode('0x00')
    state.putBlockHash(1, word(1))
    await state.apply(one)
    state.stage(two)
    state.clear()
    expect(toHex(await state.stateRoot())).toBe(toHex(KECCAK256_RLP))
    expect([...state.accounts()]).toEqual([])
    expect(state.getCode(toHex(keccak256(Uint8Array.of(0))))).toBeUndefined()
    await state.apply(two)
    expect(state.getStorage(address(1), 1)).toBe(0n)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(two))
  })

  test('two states have a trie each', async () => {
    const store = await openStore()
    const [a, b] = [0, 1].map(() => createMemoryState({ maxBytes: MIB, trie: store.create() }))
    await a?.apply(one)
    b?.stage(two)
    expect(toHex((await a?.stateRoot()) as Uint8Array)).toBe(await rootOf(one))
    await b?.apply(two)
    a?.clear()
    expect(toHex((await b?.stateRoot()) as Uint8Array)).toBe(await rootOf(two))
  })
})

describe('state root: bad input', () => {
  const bad = (account: Record<string, unknown>) =>
    diffOf(accountOf(1, { balance: 9n }), accountOf(2, account as Partial<AccountDiff>))
  const good = diffOf(accountOf(1, { balance: 1n }))

  test.each<[string, unknown]>([
    ['no difference', undefined],
    ['no accounts', { codes: new Map() }],
    ['no codes', { accounts: [] }],
    ['code that is text', { accounts: [], codes: new Map([[word(1), '0x00']]) }],
    ['a short code hash', { accounts: [], codes: new Map([['0x12', new Uint8Array()]]) }],
    ['a short address', bad({ address: '0x12' })],
    ['no address', bad({ address: undefined })],
    ['a negative balance', bad({ balance: -1n })],
    ['a balance of 2^256', bad({ balance: 2n ** 256n })],
    ['a balance that is no bigint', bad({ balance: 5 })],
    ['a nonce of 2^64', bad({ nonce: 2n ** 64n })],
    ['a code hash that is no hex', bad({ codeHash: `0x${'zz'.repeat(32)}` })],
    ['storage that is no map', bad({ storage: { [word(1)]: word(1) } })],
    ['a slot without prefix', bad({ storage: new Map([['12', word(1)]]) })],
    ['a slot of 33 bytes', bad({ storage: new Map([[`${word(1)}00`, word(1)]]) })],
    ['a value that is no hex', bad({ storage: new Map([[word(1), '0xqq']]) })],
    ['a value with spaces', bad({ storage: new Map([[word(1), ' 0x1']]) })],
  ])('%s is INVALID_OPTION, and what is staged stays', async (_, diff) => {
    const { state } = await create()
    state.stage(good)
    const refused = expect.objectContaining({ code: 'INVALID_OPTION' })
    expect(() => state.stage(diff as StateDiff)).toThrow(refused)
    await expect(state.apply(diff as StateDiff)).rejects.toThrow(refused)
    await state.apply(good)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(good))
  })

  test('words that are no changes are refused', async () => {
    const store = await openStore()
    const trie = store.create()
    fill(trie, 0, 3)
    const root = toHex(trie.root())
    trie.room(64).fill(-1)
    const refused = expect.objectContaining({ code: 'INVALID_OPTION' })
    expect(() => trie.put(64)).toThrow(refused)
    expect(() => trie.put(1 << 28)).toThrow(refused)
    expect(toHex(trie.root())).toBe(root)
  })

  test('a state without a trie says what is missing; a trie belongs to one state', async () => {
    const state = createMemoryState({ maxBytes: MIB })
    const refused = { code: 'INVALID_OPTION', fields: { option: 'trie' } }
    await expect(state.stateRoot()).rejects.toMatchObject(refused)
    expect(() => state.stage(good)).toThrow(expect.objectContaining(refused))
    await state.apply(good)
    const trie = (await openStore()).create()
    state.attachTrie(trie)
    expect(() => createMemoryState({ maxBytes: MIB, trie })).toThrow(expect.objectContaining(refused))
    expect(toHex(await state.stateRoot())).toBe(await rootOf(good))
  })

  test('stateRootOf gives a state its trie once, shared or of its own', async () => {
    const [a, b, own] = [0, 1, 2].map(() => createMemoryState({ maxBytes: MIB })) as [
      MemoryState,
      MemoryState,
      MemoryState,
    ]
    await a.apply(good)
    const empty = toHex(KECCAK256_RLP)
    const roots = await Promise.all([
      stateRootOf(a),
      stateRootOf(a),
      stateRootOf(b),
      stateRootOf(own, { maxBytes: MIB }),
    ])
    expect(roots.map(toHex)).toEqual([await rootOf(good), await rootOf(good), empty, empty])
    expect(toHex(b.stage(good))).toBe(await rootOf(good))
    expect(toHex(await stateRootOf(a))).toBe(await rootOf(good))
    const state = createMemoryState({ maxBytes: MIB })
    await expect(stateRootOf(state, { maxBytes: 1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(stateRootOf(state, { wasm: Uint8Array.of(1) })).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
    expect(state.hasTrie).toBe(false)
  })

  test('nothing is staged, walked over or cleared while a run uses the state', async () => {
    const { state } = await create()
    await state.apply(good)
    state.open(10)
    const busy = expect.objectContaining({ code: 'STATE_BUSY' })
    expect(() => state.stage(good)).toThrow(busy)
    await expect(state.stateRoot()).rejects.toThrow(busy)
    expect(() => [...state.accounts()]).toThrow(busy)
    expect(() => state.clear()).toThrow(busy)
    state.close([])
    expect(toHex(await state.stateRoot())).toBe(await rootOf(good))
  })

  test('a module without tries and a limit out of range', async () => {
    const nothing = await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
    await expect(openTrieStore(nothing)).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
    for (const maxBytes of [0, Number.NaN, 2 ** 33]) {
      await expect(openStore({ maxBytes })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  test('a full trie is CAPACITY with both numbers; what is committed stays, and so does the state', async () => {
    const store = await openStore({ maxBytes: MIB })
    const state = createMemoryState({ maxBytes: 16 * MIB, trie: store.create() })
    await state.apply(good)
    await state.stateRoot()
    const many = diffOf(...Array.from({ length: 20_000 }, (_, n) => accountOf(n + 1, { balance: BigInt(n) })))
    const full = expect.objectContaining({ code: 'CAPACITY', fields: { limit: MIB, actual: MIB } })
    for (let k = 0; k < 3; k++) {
      expect(() => state.stage(many)).toThrow(full)
      await expect(state.apply(many)).rejects.toThrow(full)
      expect(state.getAccount(address(2))).toBeUndefined()
    }
    const next = diffOf(accountOf(2, { balance: 2n }))
    await state.apply(next)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(good, next))
  })

  test('a state too large for its trie is CAPACITY, and has a root once it is smaller', async () => {
    const store = await openStore({ maxBytes: MIB })
    const state = createMemoryState({ maxBytes: 16 * MIB, trie: store.create() })
    for (let n = 0; n < 20_000; n++) state.putAccount(address(n), {})
    await expect(state.stateRoot()).rejects.toMatchObject({ code: 'CAPACITY' })
    state.clear()
    await state.apply(good)
    expect(toHex(await state.stateRoot())).toBe(await rootOf(good))
  })

  test('a trie that was disposed of is not another one', async () => {
    const store = await openStore()
    const trie = store.create()
    fill(trie, 0, 3)
    trie.dispose()
    trie.dispose()
    const other = store.create()
    fill(other, 0, 5)
    const broken = expect.objectContaining({ code: 'INVARIANT' })
    expect(() => trie.root()).toThrow(broken)
    expect(() => trie.commit()).toThrow(broken)
    expect(trie.accounts).toBe(0)
    expect(other.accounts).toBe(5)
  })
})

describe('state root: cost', () => {
  test('what is hashed grows with what changed, not with the state', async () => {
    const counted: number[] = []
    for (const accounts of [1_000, 64_000]) {
      const store = await openStore()
      const trie = store.create()
      fill(trie, 0, accounts)
      trie.root()
      trie.commit()
      const before = store.counts()
      fill(trie, 5, 6)
      trie.root()
      const after = store.counts()
      counted.push(after.hashedNodes - before.hashedNodes)
      // A level is one batch.
      expect(after.batches - before.batches).toBe(after.hashedNodes - before.hashedNodes)
    }
    // 64 times as many accounts: one and a half levels more.
    expect(counted[1]).toBeLessThanOrEqual((counted[0] as number) + 3)
  })

  test('memory: about a hundred bytes an account, and none that is not given back', async () => {
    const store = await openStore()
    const trie = store.create()
    fill(trie, 0, 20_000)
    trie.commit()
    expect(store.counts().usedBytes / 20_000).toBeLessThan(110)
    const { usedBytes } = store.counts()
    for (let k = 0; k < 10; k++) {
      fill(trie, 0, 25_000)
      trie.rollback()
      expect(store.counts().usedBytes).toBe(usedBytes)
    }
    trie.clear()
    expect(store.counts().usedBytes).toBe(0)
  })
})
