/**
 * A chain that crosses every fork, made by @ethereumjs/vm: three blocks a fork, from Frontier to the second change of
 * blob parameters after Osaka. State roots, receipts, gas, requests and difficulties are all its own, so that the chain
 * is a truth that this library has no part in. The same from run to run: fixed keys, no clock, no chance.
 *
 * What @ethereumjs/vm cannot do is merge by total difficulty: its merge has a number, and the terminal total difficulty
 * of the genesis is chosen afterwards so that it is reached by that block's parent and by none before.
 */
import {
  type Block,
  type BlockHeader,
  createBlock,
  createBlockFromRLP,
  createBlockHeader,
  genWithdrawalsTrieRoot,
  type HeaderData,
  paramsBlock,
} from '@ethereumjs/block'
import { type Common, createCustomCommon, type Hardfork, Mainnet } from '@ethereumjs/common'
import { RLP } from '@ethereumjs/rlp'
import { type Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createTx, type TypedTransaction } from '@ethereumjs/tx'
import {
  Account,
  bigIntToBytes,
  createAddressFromString,
  createWithdrawal,
  eoaCode7702SignAuthorization,
  hexToBytes,
  type PrefixedHexString,
  privateToAddress,
  unpadBytes,
} from '@ethereumjs/util'
import { createVM, runBlock, type VM } from '@ethereumjs/vm'
import { DAO_REFUND_CONTRACT, daoTransfers } from '../../src/adapters/evm/dao.ts'
import type { ForkName } from '../../src/adapters/evm/forks.ts'
import type { Hex } from '../../src/index.ts'
import {
  address,
  asm,
  COUNTER,
  createdBy,
  ETHER,
  FACTORY,
  GWEI,
  initOf,
  keccak256,
  MORTAL,
  REVERTER,
  toHex,
  word,
} from './evm.ts'
import { BEACON_ROOTS, BLOCK_HASHES, CONSOLIDATION_REQUESTS, WITHDRAWAL_REQUESTS } from './systemContracts.ts'

const CHAIN_ID = 1337
const BLOCKS_A_FORK = 3

/** Every fork in order, and the genesis key that schedules it; Frontier and the merge have none. */
const FORKS: readonly (readonly [fork: ForkName, key?: string])[] = [
  ['chainstart'],
  ['homestead', 'homesteadBlock'],
  ['dao', 'daoForkBlock'],
  ['tangerineWhistle', 'eip150Block'],
  ['spuriousDragon', 'eip158Block'],
  ['byzantium', 'byzantiumBlock'],
  ['constantinople', 'constantinopleBlock'],
  ['petersburg', 'petersburgBlock'],
  ['istanbul', 'istanbulBlock'],
  ['muirGlacier', 'muirGlacierBlock'],
  ['berlin', 'berlinBlock'],
  ['london', 'londonBlock'],
  ['arrowGlacier', 'arrowGlacierBlock'],
  ['grayGlacier', 'grayGlacierBlock'],
  ['paris'],
  ['mergeNetsplitBlock', 'mergeNetsplitBlock'],
  ['shanghai', 'shanghaiTime'],
  ['cancun', 'cancunTime'],
  ['prague', 'pragueTime'],
  ['osaka', 'osakaTime'],
  ['bpo1', 'bpo1Time'],
  ['bpo2', 'bpo2Time'],
]
const LENGTH = FORKS.length * BLOCKS_A_FORK

const forkAt = (number: number): ForkName => (FORKS[Math.floor((number - 1) / BLOCKS_A_FORK)] as [ForkName])[0]
const firstOf = (fork: ForkName): number => 1 + BLOCKS_A_FORK * FORKS.findIndex(([name]) => name === fork)
const reached = (number: number, fork: ForkName): boolean => number >= firstOf(fork)
/** Uneven, so that difficulties rise and fall. */
const timeOf = (number: number): number => 12 * number + ([0, 9, 3][number % 3] as number)
/** Some forks begin between two blocks. */
const forkTime = (fork: ForkName): number => timeOf(firstOf(fork)) - (firstOf(fork) % 2)

// ---- who is there ----

const keyOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1)
const SENDERS: readonly Hex[] = Array.from({ length: 8 }, (_, k) => toHex(privateToAddress(keyOf(k))))
const COUNTING = address(0x10)
const REVERTING = address(0x11)
const CREATING = address(0x12)
const LOOKING_BACK = address(0x13)
const DEPOSITING = address(0x14)
const PAYING = address(0x15)

/** Keeps the hashes of the two blocks before in the slots of their numbers. */
const LOOKER_BACK = asm(`
  1 NUMBER SUB DUP1 BLOCKHASH SWAP1 SSTORE
  2 NUMBER SUB DUP1 BLOCKHASH SWAP1 SSTORE`)

/** Pays the coinbase and keeps what it then has: a read of what every transaction adds to. */
const PAYER = asm('0 0 0 0 CALLVALUE COINBASE GAS CALL POP COINBASE BALANCE NUMBER SSTORE')

/** The data of a deposit's log (EIP-6110): five byte strings, padded, behind their offsets. */
function depositLog(): Hex {
  const lengths = [48, 32, 8, 96, 8]
  const padded = (length: number): number => Math.ceil(length / 32) * 32
  let head = ''
  let tail = ''
  for (const [k, length] of lengths.entries()) {
    head += word(32 * lengths.length + tail.length / 2).slice(2)
    tail += word(length).slice(2) + `${k + 1}`.repeat(2 * length).padEnd(2 * padded(length), '0')
  }
  return `0x${head}${tail}`
}
const DEPOSIT_TOPIC = '0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5'
const DEPOSITOR: Hex = `${asm(`576 @data 1 ADD 0 CODECOPY ${DEPOSIT_TOPIC} 576 0 LOG1 STOP data:`)}${depositLog().slice(2)}`

interface GenesisEntry {
  readonly balance: bigint
  readonly nonce?: number
  readonly code?: Hex
  readonly storage?: Readonly<Record<Hex, Hex>>
}

function genesisAccounts(): Record<Hex, GenesisEntry> {
  const drained = daoTransfers(1n, { dao: { block: 1n, support: true } }).map(({ from }) => toHex(from))
  const accounts: Record<Hex, GenesisEntry> = {
    [COUNTING]: { balance: 1n, code: COUNTER, storage: { [word(0)]: word(41), [word(99)]: word(7) } },
    [REVERTING]: { balance: 0n, code: REVERTER },
    [CREATING]: { balance: ETHER, nonce: 1, code: FACTORY },
    [LOOKING_BACK]: { balance: 0n, code: LOOKER_BACK },
    [DEPOSITING]: { balance: 0n, code: DEPOSITOR },
    [PAYING]: { balance: 0n, code: PAYER },
    // Of the accounts that the DAO fork empties, some are rich, one has code; most are not there and are created.
    [drained[0] as Hex]: { balance: 5n * ETHER },
    [drained[1] as Hex]: { balance: 3n, nonce: 2, code: COUNTER },
    [drained.at(-1) as Hex]: { balance: ETHER },
    [toHex(DAO_REFUND_CONTRACT)]: { balance: 1n, code: COUNTER },
    // Exists, though empty, until something touches it from Spurious Dragon on.
    [address(0x99)]: { balance: 0n },
  }
  for (const sender of SENDERS) accounts[sender] = { balance: 1000n * ETHER }
  for (const { address: at, code } of [BEACON_ROOTS, BLOCK_HASHES, WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS]) {
    accounts[at] = { balance: 0n, nonce: 1, code }
  }
  return accounts
}

// ---- what happens in a block ----

/** What a transaction is about; type, nonce and fees come with its place. */
interface Draft {
  readonly from: number
  readonly to?: Hex
  readonly value?: bigint
  readonly data?: Hex
  readonly type?: 0 | 1 | 2 | 3 | 4
  readonly blobs?: number
  /** Key of who delegates to COUNTING. */
  readonly authority?: number
}

/** Signs transactions with the nonces that follow. */
class Wallets {
  readonly #nonces = SENDERS.map(() => 0)

  nonce(sender: number): number {
    return this.#nonces[sender] as number
  }

  sign({ from, to, value = 0n, data, type = 0, blobs = 0, authority }: Draft, common: Common): TypedTransaction {
    const nonce = this.nonce(from)
    this.#nonces[from] = nonce + 1
    const fees =
      type < 2 ? { gasPrice: 20n * GWEI } : { maxFeePerGas: 20n * GWEI, maxPriorityFeePerGas: BigInt(from) * GWEI }
    const accessList = [{ address: COUNTING, storageKeys: [word(0)] }]
    const authorizationList =
      authority === undefined
        ? []
        : [
            eoaCode7702SignAuthorization(
              [bigIntToBytes(BigInt(CHAIN_ID)), hexToBytes(COUNTING), Uint8Array.of()],
              keyOf(authority),
            ),
          ]
    const tx = createTx(
      {
        ...{ type, nonce, value, gasLimit: 250_000n, ...fees },
        ...(to === undefined ? {} : { to }),
        ...(data === undefined ? {} : { data }),
        ...(type === 0 ? {} : { chainId: CHAIN_ID, accessList }),
        ...(type === 3 ? { maxFeePerBlobGas: GWEI, blobVersionedHashes: blobHashes(nonce, blobs) } : {}),
        ...(type === 4 ? { authorizationList } : {}),
      },
      { common },
    )
    return tx.sign(keyOf(from)) as TypedTransaction
  }
}

const blobHashes = (nonce: number, count: number): Hex[] =>
  Array.from({ length: count }, (_, k) => `0x01${word(256 * nonce + k).slice(4)}` as const)

/** The contract that block `number` creates, and the next two blocks call and destroy. */
interface Child {
  readonly number: number
  readonly address: Hex
}

function draftsOf(number: number, children: readonly Child[]): Draft[] {
  const drafts: Draft[] = [
    { from: 0, to: address(0x1000 + number), value: BigInt(number) },
    // An empty account before Spurious Dragon, nothing after it; and one of long ago is touched.
    { from: 0, to: address(0x2000 + number) },
    { from: 0, to: address(number > 10 ? 0x2000 + number - 10 : 0x99) },
    { from: 1, to: COUNTING },
    { from: 2, to: COUNTING, value: 1n },
    { from: 1, to: PAYING, value: 5n },
    { from: 3, to: LOOKING_BACK },
    { from: 4, to: REVERTING, data: word(number) },
    // The one transaction that creates; `children` knows where.
    { from: 2, value: 3n, data: initOf(MORTAL, '9 0 SSTORE') },
  ]
  for (const child of children) {
    if (child.number >= number - 2) drafts.push({ from: 3, to: child.address })
    // Destroyed, and called again in the same block.
    if (child.number === number - 2) {
      drafts.push({ from: 4, to: child.address, value: 7n }, { from: 5, to: child.address, value: 2n })
    }
  }
  if (reached(number, 'constantinople')) drafts.push({ from: 5, to: CREATING, value: 1n })
  if (reached(number, 'berlin')) drafts.push({ from: 6, to: COUNTING, type: 1 })
  if (reached(number, 'london')) drafts.push({ from: 6, to: COUNTING, type: 2, value: 1n })
  if (reached(number, 'cancun')) {
    // Enough to move the price, by what the fork allows.
    const blobs = reached(number, 'bpo1') ? 12 : 6
    for (let left = blobs; left > 0; left -= 3) drafts.push({ from: 7, to: address(0x30), type: 3, blobs: 3 })
  }
  if (reached(number, 'prague')) {
    const authority = 0x80 + number
    const delegated = toHex(privateToAddress(keyOf(authority)))
    drafts.push(
      { from: 5, to: delegated, type: 4, authority },
      { from: 4, to: delegated, type: 2 },
      { from: 6, to: DEPOSITING },
      { from: 1, to: WITHDRAWAL_REQUESTS.address, value: 1n, data: `0x${'57'.repeat(56)}` },
      { from: 3, to: CONSOLIDATION_REQUESTS.address, value: 1n, data: `0x${'96'.repeat(96)}` },
    )
  }
  return drafts
}

// ---- the chain ----

/** A block of the chain. */
export interface ForkBlock {
  readonly number: number
  readonly fork: ForkName
  readonly bytes: Uint8Array
  readonly stateRoot: Hex
  readonly hash: Hex
  readonly txs: number
  readonly uncles: number
  readonly requests: number
}

export interface ForkChain {
  /** The text of a genesis file. */
  readonly genesis: string
  readonly genesisHash: Hex
  readonly blocks: readonly ForkBlock[]
  /** RLP of all blocks, one after another. */
  readonly file: Uint8Array
}

/** A transaction without its blobs needs no proofs, but @ethereumjs/tx asks for who could verify them. */
const NO_KZG = new Proxy({}, { get: () => () => Promise.reject(new Error('no blobs here')) })

const chainCommon = (): Common =>
  createCustomCommon(
    {
      name: 'every fork',
      chainId: CHAIN_ID,
      depositContractAddress: DEPOSITING,
      hardforks: FORKS.map(([name]) =>
        reached(firstOf(name), 'shanghai')
          ? { name, block: null, timestamp: String(forkTime(name)) }
          : { name, block: name === 'chainstart' ? 0 : firstOf(name) },
      ),
    },
    Mainnet,
    { hardfork: 'chainstart' as Hardfork, params: paramsBlock, customCrypto: { kzg: NO_KZG as never } },
  )

const GENESIS_HEADER = { gasLimit: 8_000_000n, difficulty: 131_072n, extraData: '0x666f726b73' } as const

async function fill(vm: VM, accounts: Readonly<Record<Hex, GenesisEntry>>): Promise<void> {
  const { stateManager } = vm
  for (const [hex, { balance, nonce = 0, code, storage = {} }] of Object.entries(accounts)) {
    const at = createAddressFromString(hex)
    await stateManager.putAccount(at, new Account(BigInt(nonce), balance))
    if (code !== undefined) await stateManager.putCode(at, hexToBytes(code))
    for (const [slot, value] of Object.entries(storage)) {
      await stateManager.putStorage(at, hexToBytes(slot as PrefixedHexString), unpadBytes(hexToBytes(value)))
    }
  }
}

function genesisJson(accounts: Readonly<Record<Hex, GenesisEntry>>, terminalTotalDifficulty: bigint): string {
  const forks = FORKS.flatMap(([fork, key]) =>
    key === undefined ? [] : [[key, reached(firstOf(fork), 'shanghai') ? forkTime(fork) : firstOf(fork)]],
  )
  const blobs = (target: number, max: number, baseFeeUpdateFraction: number) => ({ target, max, baseFeeUpdateFraction })
  return JSON.stringify({
    config: {
      chainId: CHAIN_ID,
      ...Object.fromEntries(forks),
      eip155Block: firstOf('spuriousDragon'),
      daoForkSupport: true,
      terminalTotalDifficulty: Number(terminalTotalDifficulty),
      depositContractAddress: DEPOSITING,
      blobSchedule: {
        cancun: blobs(3, 6, 3_338_477),
        prague: blobs(6, 9, 5_007_716),
        bpo1: blobs(10, 15, 8_346_193),
        bpo2: blobs(14, 21, 11_684_671),
      },
    },
    gasLimit: String(GENESIS_HEADER.gasLimit),
    difficulty: String(GENESIS_HEADER.difficulty),
    extraData: GENESIS_HEADER.extraData,
    alloc: Object.fromEntries(
      Object.entries(accounts).map(([at, { balance, nonce, code, storage }]) => [
        at,
        {
          balance: String(balance),
          ...(nonce === undefined ? {} : { nonce: `0x${nonce.toString(16)}` }),
          ...(code === undefined ? {} : { code }),
          ...(storage === undefined ? {} : { storage }),
        },
      ]),
    ),
  })
}

/** Two siblings of the parent every few blocks, one or none in between. Only what a reward needs is true of them. */
function unclesOf(number: number, headers: readonly BlockHeader[], common: Common): BlockHeader[] {
  if (number < 4 || reached(number, 'paris')) return []
  return Array.from({ length: number % 3 }, (_, k) => {
    const sibling = headers[number - 1 - k] as BlockHeader
    const coinbase = createAddressFromString(k === 0 ? address(0xd0) : address(0x3000 + number))
    const rules = common.copy()
    rules.setHardforkBy({ blockNumber: sibling.number, timestamp: sibling.timestamp })
    return createBlockHeader({ ...sibling, coinbase }, { common: rules, skipConsensusFormatValidation: true })
  })
}

function headerOf(number: number, parent: BlockHeader, common: Common): HeaderData {
  const london = reached(number, 'london')
  const limit = number === firstOf('london') ? parent.gasLimit * 2n : parent.gasLimit + 1000n
  const inDao = number >= firstOf('dao') && number < firstOf('dao') + 10
  return {
    number,
    parentHash: parent.hash(),
    timestamp: timeOf(number),
    gasLimit: limit,
    coinbase: address(0xc0 + (number % 2)),
    extraData: inDao ? new TextEncoder().encode('dao-hard-fork') : Uint8Array.of(number),
    mixHash: keccak256(Uint8Array.of(number)),
    ...(reached(number, 'paris') ? {} : { nonce: new Uint8Array(8).fill(number) }),
    ...(london && number > firstOf('london') ? { baseFeePerGas: parent.calcNextBaseFee() } : {}),
    ...(reached(number, 'cancun')
      ? {
          excessBlobGas: parent.calcNextExcessBlobGas(common),
          parentBeaconBlockRoot: keccak256(Uint8Array.of(1, number)),
        }
      : {}),
  }
}

const withdrawalsOf = (number: number) =>
  [
    { address: address(0x4000 + number), amount: BigInt(number) },
    { address: COUNTING, amount: 3n },
    // Touches an account that is not there.
    { address: address(0x5000), amount: 0n },
    { address: address(0xc0), amount: 1n },
  ].map((payment, k) => ({ index: BigInt(4 * number + k), validatorIndex: BigInt(k), ...payment }))

/** A VM at the genesis of the chain, and the hashes that its BLOCKHASH knows, by number. */
export async function openForkVm(
  caches?: Caches,
): Promise<{ vm: VM; hashes: Map<bigint, Uint8Array>; common: Common; genesis: BlockHeader }> {
  const common = chainCommon()
  const hashes = new Map<bigint, Uint8Array>()
  const blockchain = {
    getBlock: async (number: bigint) => ({ hash: () => hashes.get(BigInt(number)) as Uint8Array }),
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  }
  const vm = await createVM({
    common,
    stateManager: new MerkleStateManager({ common, ...(caches === undefined ? {} : { caches }) }),
    blockchain: blockchain as never,
    setHardfork: true,
  })
  await fill(vm, genesisAccounts())
  const genesis = createBlockHeader(
    { ...GENESIS_HEADER, stateRoot: await vm.stateManager.getStateRoot() },
    { common: chainCommon(), skipConsensusFormatValidation: true },
  )
  hashes.set(0n, genesis.hash())
  return { vm, hashes, common, genesis }
}

/** A block of the chain, with the rules of its fork. */
export const forkBlock = (bytes: Uint8Array): Block =>
  createBlockFromRLP(bytes, { common: chainCommon(), setHardfork: true, skipConsensusFormatValidation: true })

/** Makes the chain; takes a few seconds. */
export async function makeForkChain(): Promise<ForkChain> {
  const { vm, hashes, genesis } = await openForkVm()
  const accounts = genesisAccounts()
  const headers = [genesis]
  const wallets = new Wallets()
  const children: Child[] = []
  const blocks: ForkBlock[] = []
  for (let number = 1; number <= LENGTH; number++) {
    const rules = chainCommon()
    rules.setHardforkBy({ blockNumber: number, timestamp: timeOf(number) })
    const block = await nextBlock(vm, number, headers, rules, children, wallets)
    const { header } = block.block
    headers.push(header)
    hashes.set(header.number, header.hash())
    blocks.push({
      number,
      fork: forkAt(number),
      bytes: block.block.serialize(),
      stateRoot: toHex(header.stateRoot),
      hash: toHex(header.hash()),
      txs: block.block.transactions.length,
      uncles: block.block.uncleHeaders.length,
      requests: block.requests,
    })
  }
  const difficulties = headers.slice(0, firstOf('paris')).reduce((sum, { difficulty }) => sum + difficulty, 0n)
  const file = new Uint8Array(Buffer.concat(blocks.map(({ bytes }) => bytes)))
  return { genesis: genesisJson(accounts, difficulties - 1n), genesisHash: toHex(genesis.hash()), blocks, file }
}

async function nextBlock(
  vm: VM,
  number: number,
  headers: readonly BlockHeader[],
  common: Common,
  children: Child[],
  wallets: Wallets,
): Promise<{ block: Block; requests: number }> {
  const parent = headers[number - 1] as BlockHeader
  const transactions: TypedTransaction[] = []
  for (const draft of draftsOf(number, children)) {
    if (draft.to === undefined)
      children.push({ number, address: createdBy(SENDERS[draft.from] as Hex, wallets.nonce(draft.from)) })
    transactions.push(wallets.sign(draft, common))
  }
  const uncleHeaders = unclesOf(number, headers, common)
  const withdrawals = reached(number, 'shanghai') ? withdrawalsOf(number) : undefined
  const blobs = transactions.reduce((sum, tx) => sum + ('numBlobs' in tx ? tx.numBlobs() : 0), 0)
  const given: HeaderData = {
    ...headerOf(number, parent, common),
    uncleHash: keccak256(RLP.encode(uncleHeaders.map((uncle) => uncle.raw()))),
    ...(withdrawals === undefined
      ? {}
      : { withdrawalsRoot: await genWithdrawalsTrieRoot(withdrawals.map((item) => createWithdrawal(item))) }),
    ...(reached(number, 'cancun') ? { blobGasUsed: BigInt(blobs) * 131_072n } : {}),
  }
  const options = {
    common,
    skipConsensusFormatValidation: true,
    setHardfork: true,
    ...(reached(number, 'paris') ? {} : { calcDifficultyFromHeader: parent }),
  }
  const body = { transactions, ...(withdrawals === undefined ? {} : { withdrawals }) }
  const open = createBlock({ header: given, ...body, uncleHeaders }, options)
  const ran = await runBlock(vm, { block: open, generate: true, skipBlockValidation: true })
  const header: HeaderData = {
    ...given,
    difficulty: open.header.difficulty,
    gasUsed: ran.gasUsed,
    stateRoot: ran.stateRoot,
    receiptTrie: ran.receiptsRoot,
    logsBloom: ran.logsBloom,
    transactionsTrie: await open.genTxTrie(),
    ...(ran.requestsHash === undefined ? {} : { requestsHash: ran.requestsHash }),
  }
  const block = createBlock(
    { header, ...body, uncleHeaders },
    { common, skipConsensusFormatValidation: true, setHardfork: true },
  )
  await block.validateData(false, false)
  return { block, requests: ran.requests?.filter(({ data }) => data.length > 0).length ?? 0 }
}
