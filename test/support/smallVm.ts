/** A small VM of @ethereumjs/vm with a few signed transactions: cheap enough to be made for each test. */
import { type Block, createBlock } from '@ethereumjs/block'
import { createCustomCommon, type Hardfork, Mainnet } from '@ethereumjs/common'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { createTx } from '@ethereumjs/tx'
import { Account, createAddressFromPrivateKey, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { createVM, type VM, type VMOpts } from '@ethereumjs/vm'
import type { Hex } from '../../src/index.ts'
import { address, COUNTER, ETHER, keccak256 } from './evm.ts'

const KEYS = Array.from({ length: 4 }, (_, k) => new Uint8Array(32).fill(k + 1))
export const COUNTING: Hex = address(0x101)

/** A VM whose state has four senders and a contract that counts and logs. */
export async function smallVm(hardfork: Hardfork = 'shanghai', options: VMOpts = {}): Promise<VM> {
  const common = createCustomCommon({ chainId: 7 }, Mainnet, { hardfork })
  const stateManager = new MerkleStateManager({ common })
  const hash = keccak256(Uint8Array.of(9))
  const blockchain = {
    getBlock: async () => ({ hash: () => hash }),
    putBlock: async () => {},
    validateHeader: async () => {},
    shallowCopy: () => blockchain,
  }
  const vm = await createVM({ common, stateManager, blockchain: blockchain as never, ...options })
  for (const key of KEYS) await stateManager.putAccount(createAddressFromPrivateKey(key), new Account(0n, ETHER))
  const counting = createAddressFromString(COUNTING)
  await stateManager.putAccount(counting, new Account(1n, 0n))
  await stateManager.putCode(counting, hexToBytes(COUNTER))
  return vm
}

/** What is sent: to the contract that counts, if nothing is said. */
export interface Sent {
  readonly from?: number
  readonly to?: Hex
  readonly value?: bigint
  readonly nonce?: number
}

/** A block of signed transactions whose header claims nothing that is true. */
export function smallBlock(vm: VM, sent: readonly Sent[]): Block {
  const nonces = [0, 0, 0, 0]
  const transactions = sent.map(({ from = 0, to = COUNTING, value = 0n, nonce }) => {
    const own = nonces[from] as number
    nonces[from] = own + 1
    const data = { type: 2, chainId: 7, nonce: nonce ?? own, to, value, gasLimit: 100_000n }
    const fees = { maxFeePerGas: 20n, maxPriorityFeePerGas: 3n }
    return createTx({ ...data, ...fees }, { common: vm.common }).sign(KEYS[from] as Uint8Array)
  })
  const header = { number: 5, timestamp: 60, gasLimit: 10_000_000n, baseFeePerGas: 7n, coinbase: address(0xc0) }
  return createBlock(
    { header, transactions, ...(vm.common.isActivatedEIP(4895) ? { withdrawals: [] } : {}) },
    { common: vm.common, skipConsensusFormatValidation: true },
  )
}

export const MIXED: readonly Sent[] = [
  {},
  { from: 1 },
  { from: 2, to: address(0x900), value: 5n },
  { from: 0, to: address(0x901), value: 6n },
  { from: 3 },
  { from: 1 },
]
