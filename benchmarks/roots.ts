/**
 * The state root: what a block's changes cost in states of 10,000 to 1,000,000 accounts, beside @ethereumjs/mpt on the
 * smallest one. Cost has to grow with what changed, so every state gets the same changes.
 *
 * Measured from the sources: the trie is not a public entry by itself.
 */
import { readFileSync } from 'node:fs'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util'
import type { AccountDiff, Hex, StateDiff } from '../src/core/diff.ts'
import { createMemoryState } from '../src/state/memoryState.ts'
import { openTrieStore } from '../src/wasm/stateTrie.ts'
import { digits, round, type Spread, showSpread, spreadOf, table } from './report.ts'

const SIZES = [10_000, 100_000, 1_000_000]
/** One account in so many is a contract with storage. */
const CONTRACT_EVERY = 100
const SLOTS = 20
/** What a block changes: about what 200 transactions do. */
const CHANGED_ACCOUNTS = 200
const CHANGED_SLOTS = 200
/** @ethereumjs/mpt takes a tenth of a second a block. */
const OUTSIDER_SIZE = SIZES[0]
const OUTSIDER_RUNS = 5
/** Blocks before those that count. */
const WARM_UP = 5

export interface RootRow {
  readonly accounts: number
  /** Accounts and slots that a block changes. */
  readonly changed: number
  readonly runs: number
  /** Difference to root, `state.stage`, in microseconds. */
  readonly stage: Spread
  /** The same for a block that changes one account. */
  readonly single: Spread
  /** Nodes hashed, a block. */
  readonly hashedNodes: number
  /** Filling the trie from the state, once, in microseconds an account. */
  readonly fill: number
  /** Bytes of nodes an account, slots included. */
  readonly bytesAnAccount: number
  /** @ethereumjs/mpt with the same changes and the same root, in microseconds a block. */
  readonly ethereumjs?: Spread
}

const hex = (value: number, bytes: number): Hex => `0x${value.toString(16).padStart(2 * bytes, '0')}`
const isContract = (n: number): boolean => n % CONTRACT_EVERY === 0

/** Changes of block `k`: other accounts each time, spread over the whole state. */
function blockDiff(k: number, size: number): StateDiff {
  const accounts = new Map<number, AccountDiff & { storage: Map<Hex, Hex> }>()
  const account = (n: number) => {
    const found = accounts.get(n) ?? {
      address: hex(n + 1, 20),
      storage: new Map<Hex, Hex>(),
      storageCleared: false,
      deleted: false,
    }
    accounts.set(n, found)
    return found
  }
  for (let j = 0; j < CHANGED_ACCOUNTS; j++) {
    const n = (j * 7919 + k * 104_729) % size
    accounts.set(n, { ...account(n), balance: 10n ** 18n + BigInt(k * 1000 + j), nonce: BigInt(k) })
  }
  for (let j = 0; j < CHANGED_SLOTS; j++) {
    const contract = ((j * 31 + k * 17) % (size / CONTRACT_EVERY)) * CONTRACT_EVERY
    account(contract).storage.set(hex((j + k) % SLOTS, 32), hex(k * 1000 + j + 1, 32))
  }
  return { accounts: [...accounts.values()], codes: new Map() }
}

function* initial(size: number) {
  for (let n = 0; n < size; n++) {
    const storage: Record<Hex, Hex> = {}
    if (isContract(n)) for (let s = 0; s < SLOTS; s++) storage[hex(s, 32)] = hex(n + s + 1, 32)
    yield { address: hex(n + 1, 20), balance: 10n ** 18n + BigInt(n), nonce: 1n, storage }
  }
}

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.slice(2), 'hex'))
const minimal = (value: bigint): Uint8Array => {
  const text = value.toString(16)
  return value === 0n ? new Uint8Array() : bytes(`0x${text.padStart(text.length + (text.length & 1), '0')}`)
}

/** The same state in tries of @ethereumjs/mpt, and what a block costs there. */
async function measureOutsider(
  size: number,
  blocks: readonly StateDiff[],
  runs: number,
): Promise<[Spread, Uint8Array]> {
  const trie = new MerklePatriciaTrie({ useKeyHashing: true })
  const accounts = new Map<string, { balance: bigint; nonce: bigint; storage?: MerklePatriciaTrie }>()
  const put = async (address: string): Promise<void> => {
    const { balance, nonce, storage } = accounts.get(address) as { balance: bigint; nonce: bigint } & {
      storage?: MerklePatriciaTrie
    }
    const fields = [minimal(nonce), minimal(balance), storage?.root() ?? KECCAK256_RLP, KECCAK256_NULL]
    await trie.put(bytes(address), RLP.encode(fields))
  }
  const putSlot = (storage: MerklePatriciaTrie, key: string, value: string) =>
    storage.put(bytes(key), RLP.encode(minimal(BigInt(value))))
  for (const { address, balance, nonce, storage } of initial(size)) {
    const slots = Object.entries(storage)
    const account: { balance: bigint; nonce: bigint; storage?: MerklePatriciaTrie } = { balance, nonce }
    if (slots.length > 0) account.storage = new MerklePatriciaTrie({ useKeyHashing: true })
    for (const [key, value] of slots) await putSlot(account.storage as MerklePatriciaTrie, key, value)
    accounts.set(address, account)
    await put(address)
  }
  const times: number[] = []
  for (const [k, block] of blocks.entries()) {
    const start = performance.now()
    for (const { address, balance, nonce, storage } of block.accounts) {
      const account = accounts.get(address)
      if (account === undefined) continue
      account.balance = balance ?? account.balance
      account.nonce = nonce ?? account.nonce
      for (const [key, value] of storage) await putSlot(account.storage as MerklePatriciaTrie, key, value)
      await put(address)
    }
    const root = trie.root()
    if (k >= WARM_UP) times.push(performance.now() - start)
    if (times.length === runs) return [spreadOf(times, 1000), root]
  }
  throw new Error(`fewer than ${runs} blocks`)
}

export async function measureRoots(runs: number, outsider: boolean): Promise<RootRow[]> {
  const module = await WebAssembly.compile(readFileSync(new URL('../src/wasm/hash-core.wasm', import.meta.url)))
  const rows: RootRow[] = []
  for (const size of SIZES) {
    const store = await openTrieStore(module)
    const state = createMemoryState({ trie: store.create() })
    for (const { address, ...account } of initial(size)) state.putAccount(address, account)
    const before = performance.now()
    await state.stateRoot()
    const fill = ((performance.now() - before) * 1000) / size
    const bytesAnAccount = store.counts().usedBytes / size
    const blocks = Array.from({ length: WARM_UP + runs }, (_, k) => blockDiff(k + 1, size))
    const roots: Uint8Array[] = []
    const times: number[] = []
    const counts: number[] = []
    for (const block of blocks) {
      const { hashedNodes } = store.counts()
      const start = performance.now()
      roots.push(state.stage(block))
      const time = performance.now() - start
      if (roots.length > WARM_UP) {
        times.push(time)
        counts.push(store.counts().hashedNodes - hashedNodes)
      }
      await state.apply(block)
    }
    const singles: number[] = []
    for (const { accounts } of blocks) {
      const one = { accounts: accounts.slice(0, 1), codes: new Map() }
      const start = performance.now()
      state.stage(one)
      singles.push(performance.now() - start)
      state.rollback()
    }
    singles.splice(0, WARM_UP)
    const row: RootRow = {
      accounts: size,
      changed: CHANGED_ACCOUNTS + CHANGED_SLOTS,
      runs,
      stage: spreadOf(times, 1000),
      single: spreadOf(singles, 1000),
      hashedNodes: counts.reduce((sum, n) => sum + n, 0) / runs,
      fill: round(fill),
      bytesAnAccount: round(bytesAnAccount),
    }
    if (!outsider || size !== OUTSIDER_SIZE) {
      rows.push(row)
      continue
    }
    const turns = Math.min(OUTSIDER_RUNS, runs)
    const [ethereumjs, root] = await measureOutsider(size, blocks, turns)
    if (Buffer.compare(root, roots[WARM_UP + turns - 1]) !== 0) throw new Error('@ethereumjs/mpt has another root')
    rows.push({ ...row, ethereumjs })
  }
  return rows
}

export const rootTable = (rows: readonly RootRow[]): string =>
  table([
    [
      'state root',
      'changed',
      'us a block',
      'us a change',
      'us, one account',
      'nodes hashed',
      'fill us/account',
      'bytes/account',
      '@ethereumjs/mpt us',
    ],
    ...rows.map((row) => [
      `${row.accounts} accounts`,
      String(row.changed),
      showSpread(row.stage),
      digits(row.stage.median / row.changed),
      showSpread(row.single),
      row.hashedNodes.toFixed(0),
      digits(row.fill),
      row.bytesAnAccount.toFixed(0),
      row.ethereumjs === undefined ? 'n/a' : showSpread(row.ethereumjs),
    ]),
  ])
