/**
 * The other outsider: @nomicfoundation/edr, the native engine under Hardhat, mines the same transactions.
 *
 * `evm_mine` executes a block and computes its state root, so it is compared with this library's whole block. The
 * package brings 200 MB of binaries, for every platform at once, so it is no dependency of this project: install it
 * beside with `npm install --no-save @nomicfoundation/edr@0.13.0`; without it the row is left out.
 */
import type { WorkloadFile } from './workloads.ts'

/** What is used of the package; its own declarations are there only where it is installed. */
interface Edr {
  readonly EdrContext: new () => EdrContext
  readonly ContractDecoder: new () => unknown
  readonly MineOrdering: { readonly Fifo: unknown }
  readonly L1_CHAIN_TYPE: string
  l1ProviderFactory(): unknown
  l1GenesisState(hardfork: unknown): readonly { readonly address: Uint8Array }[]
  readonly SpecId: Readonly<Record<string, unknown>>
  l1HardforkToString(hardfork: unknown): string
}
interface EdrContext {
  registerProviderFactory(chainType: string, factory: unknown): Promise<void>
  createProvider(...options: unknown[]): Promise<Provider>
}
interface Provider {
  handleRequest(request: string): Promise<{ readonly data: unknown }>
}

const PACKAGE = '@nomicfoundation/edr'

/** The package, or undefined where it is not installed. */
const load = async (): Promise<Edr | undefined> => {
  try {
    return (await import(PACKAGE)) as Edr
  } catch {
    return undefined
  }
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replace('0x', ''), 'hex'))

const requester = (provider: Provider) => async (method: string, params: readonly unknown[]) => {
  const { data } = await provider.handleRequest(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))
  const answer = (typeof data === 'string' ? JSON.parse(data) : data) as {
    result?: unknown
    error?: { message: string }
  }
  if (answer.error !== undefined) throw new Error(`edr: ${method}: ${answer.error.message}`)
  return answer.result
}

let context: Promise<EdrContext> | undefined

/** A provider whose chain begins with the workload's state. */
const open = async (edr: Edr, file: WorkloadFile): Promise<ReturnType<typeof requester>> => {
  context ??= (async () => {
    const made = new edr.EdrContext()
    await made.registerProviderFactory(edr.L1_CHAIN_TYPE, edr.l1ProviderFactory())
    return made
  })()
  const hardfork = edr.SpecId['Cancun']
  const { block, pre, codes } = file
  const accounts = Object.entries(pre).map(([address, { balance, nonce, code_hash: codeHash }]) => ({
    address: bytesOf(address),
    balance: BigInt(balance),
    nonce: BigInt(nonce),
    ...(codeHash !== undefined && { code: bytesOf(codes[codeHash] as string) }),
  }))
  const provider = await (await context).createProvider(
    edr.L1_CHAIN_TYPE,
    {
      allowBlocksWithSameTimestamp: false,
      allowUnlimitedContractSize: true,
      bailOnCallFailure: false,
      bailOnTransactionFailure: true,
      chainId: 1n,
      coinbase: bytesOf(block.miner),
      defaultTransactionGasLimit: 1_000_000n,
      genesisState: [...edr.l1GenesisState(hardfork), ...accounts],
      hardfork: edr.l1HardforkToString(hardfork),
      initialBaseFeePerGas: BigInt(block.baseFeePerGas),
      minGasPrice: 0n,
      mining: { autoMine: false, memPool: { order: edr.MineOrdering.Fifo } },
      network: { genesisBlockGasLimit: BigInt(block.gasLimit), genesisBlockTime: 1n },
      networkId: 1n,
      observability: {},
      ownedAccounts: [],
      precompileOverrides: [],
    },
    { enable: false, decodeConsoleLogInputsCallback: () => [], printLineCallback: () => undefined },
    { subscriptionCallback: () => undefined },
    new edr.ContractDecoder(),
  )
  const request = requester(provider)
  for (const [address, { storage }] of Object.entries(pre)) {
    for (const [slot, value] of Object.entries(storage ?? {})) {
      const index = `0x${BigInt(slot).toString(16)}`
      await request('hardhat_setStorageAt', [address, index, `0x${BigInt(value).toString(16).padStart(64, '0')}`])
    }
  }
  return request
}

/**
 * Milliseconds that `evm_mine` takes for the block's transactions, once; undefined where edr is not installed.
 *
 * @throws {Error} where the mined block does not hold every transaction, succeeded
 */
export const mineWithEdr = async (file: WorkloadFile): Promise<number | undefined> => {
  const edr = await load()
  if (edr === undefined) return undefined
  const request = await open(edr, file)
  const { transactions } = file.block
  for (const sender of new Set(transactions.map(({ from }) => from))) {
    await request('hardhat_impersonateAccount', [sender])
  }
  for (const { from, to, value, input, gas, nonce, maxFeePerGas, maxPriorityFeePerGas } of transactions) {
    const price = { maxFeePerGas, maxPriorityFeePerGas }
    await request('eth_sendTransaction', [{ from, to, value, data: input, gas, nonce, ...price }])
  }
  const began = performance.now()
  await request('evm_mine', [])
  const ms = performance.now() - began
  const mined = (await request('eth_getBlockByNumber', ['latest', false])) as { transactions: string[] }
  if (mined.transactions.length !== transactions.length) {
    throw new Error(`edr mined ${mined.transactions.length} of ${transactions.length} transactions`)
  }
  const last = (await request('eth_getTransactionReceipt', [mined.transactions.at(-1)])) as { status: string }
  if (last.status !== '0x1') throw new Error('the last transaction failed in edr')
  return ms
}
