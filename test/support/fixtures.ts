/** A fixture that is small enough to be read, and the ways to spoil it. */
import { RLP } from '@ethereumjs/rlp'
import { keccak256 } from './evm.ts'

export type Json = { [name: string]: unknown }

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`
const bytes = (length: number, fill = 0): Uint8Array => new Uint8Array(length).fill(fill)

/** Of the one account below. */
const STATE_ROOT = '0x5886a01350c82acb5cc8d8fc19d745ee6cc6c5842cd9a391ccdc5bb862af04c4'

/** A Frontier header with everything in it that a test may look at. */
function header(parentHash: Uint8Array, number: number): Uint8Array[] {
  const small = (value: number): Uint8Array => (value === 0 ? bytes(0) : Uint8Array.of(value))
  return [
    ...[parentHash, keccak256(RLP.encode([])), bytes(20, 0xc0), Buffer.from(STATE_ROOT.slice(2), 'hex')],
    ...[bytes(32, 2), bytes(32, 3), bytes(256)],
    ...[Uint8Array.of(2, 0, 0), small(number), Uint8Array.of(0x2f, 0xef, 0xd8), bytes(0), small(number * 10)],
    ...[bytes(0), bytes(32, 4), bytes(8)],
  ]
}

const blockOf = (items: Uint8Array[]): Uint8Array => RLP.encode([items, [], []])

/** A chain of a genesis block and one empty block, as a fixture tells it. */
export function smallTest(): Json {
  const genesis = header(bytes(32), 0)
  const genesisHash = keccak256(RLP.encode(genesis))
  const block = header(genesisHash, 1)
  const account = { balance: '0x05', nonce: '0x01', code: '0x6001', storage: { '0x01': '0x02' } }
  const accounts = { '0x00000000000000000000000000000000000000aa': account }
  // No objects in common, so that spoiling one spoils one.
  return {
    network: 'Frontier',
    sealEngine: 'NoProof',
    pre: accounts,
    postState: structuredClone(accounts),
    genesisRLP: hex(blockOf(genesis)),
    genesisBlockHeader: { hash: hex(genesisHash), stateRoot: STATE_ROOT },
    blocks: [{ rlp: hex(blockOf(block)), blockHeader: { hash: hex(keccak256(RLP.encode(block))) }, transactions: [] }],
    lastblockhash: hex(keccak256(RLP.encode(block))),
  }
}

/** A copy with the value at a path replaced; undefined takes it out. */
export function spoiled(test: Json, path: readonly (string | number)[], value: unknown): Json {
  const copy = structuredClone(test)
  let at: Json = copy
  for (const name of path.slice(0, -1)) at = at[name] as Json
  const last = path.at(-1) as string
  if (value === undefined) delete at[last]
  else at[last] = value
  return copy
}
