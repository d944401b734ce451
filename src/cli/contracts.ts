/**
 * The contracts that synthetic blocks run: their bytecode, and where their Solidity sources keep each variable.
 *
 * Token and pair are the published build artefacts of packages that blockloom neither ships (the pair is under the
 * GPL) nor depends on, so they are looked up when a block is made, and only then. Their hash is compared: a slot
 * number below is true of one compiler output, not of a name.
 *
 * Not here: the state and the transactions that use them (world.ts).
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { InvalidInputError } from '../core/errors.ts'

/** Bytes or a quantity as JSON-RPC writes them, always lower case. */
export type Hex = `0x${string}`

/** Runtime bytecode and its Keccak-256, the pair that a block file keeps in `codes`. */
export interface Contract {
  readonly code: Hex
  readonly codeHash: Hex
}

interface Artefact {
  readonly specifier: string
  readonly codeHash: Hex
  /** Picks the runtime bytecode out of the artefact; Hardhat (token) and Waffle (pair) keep it in different places. */
  readonly runtime: (json: ArtefactJson) => string | undefined
}

interface ArtefactJson {
  readonly deployedBytecode?: string
  readonly evm?: { readonly deployedBytecode?: { readonly object?: string } }
}

/** What has to be installed for the contracts to be found, in the words of `npm install`. */
const CONTRACT_PACKAGES = ['@openzeppelin/contracts@4.9.6', '@uniswap/v2-core@1.0.1'] as const

const TOKEN: Artefact = {
  specifier: '@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json',
  codeHash: '0x15f77491942c84dfcf8f0cdc9cd25047efbad8b11d20f97a304fb62f78943eae',
  runtime: (json) => json.deployedBytecode,
}

const PAIR: Artefact = {
  specifier: '@uniswap/v2-core/build/UniswapV2Pair.json',
  codeHash: '0x5b83bdbcc56b2e630f2807bbadd2b0c21619108066b92a58de081261089e9ce5',
  runtime: (json) => json.evm?.deployedBytecode?.object,
}

/**
 * ERC20PresetFixedSupply of OpenZeppelin. @throws {InvalidInputError} MODULE_NOT_LOADED if its package is absent or
 * another version
 */
export const tokenContract = (): Contract => loadArtefact(TOKEN)

/** UniswapV2Pair. @throws {InvalidInputError} MODULE_NOT_LOADED if its package is absent or another version */
export const pairContract = (): Contract => loadArtefact(PAIR)

/** Slots of ERC20PresetFixedSupply: ERC20Burnable adds no variable to ERC20. */
export const TOKEN_SLOT = { balances: 0, allowances: 1, totalSupply: 2, name: 3, symbol: 4 } as const

/**
 * Slots of UniswapV2Pair: the variables of UniswapV2ERC20 first, constants take none. `reserves` packs
 * reserve0 (112 bits, lowest), reserve1 (112 bits) and blockTimestampLast (32 bits).
 */
export const PAIR_SLOT = {
  totalSupply: 0,
  balanceOf: 1,
  allowance: 2,
  domainSeparator: 3,
  nonces: 4,
  factory: 5,
  token0: 6,
  token1: 7,
  reserves: 8,
  price0Cumulative: 9,
  price1Cumulative: 10,
  kLast: 11,
  unlocked: 12,
} as const

/** First four bytes of the Keccak-256 of `transfer(address,uint256)`. */
export const TRANSFER_SELECTOR = 'a9059cbb'

/**
 * A swap needs its input token inside the pair before the pair is called, so it takes a contract in between.
 * This one does just that; the public router would add path arithmetic that says nothing about the engine.
 *
 * Calldata is five words without a selector: pair, tokenIn, amountIn, amount0Out, amount1Out. The caller has to
 * have approved the router for tokenIn and gets the output. A failed call reverts with the callee's reason.
 */
const ROUTER_LISTING = `
  ; memory 0x00: transferFrom(caller, pair, amountIn)
  PUSH4 23b872dd  PUSH1 e0  SHL  PUSH0  MSTORE
  CALLER                         PUSH1 04  MSTORE
  PUSH0     CALLDATALOAD         PUSH1 24  MSTORE
  PUSH1 40  CALLDATALOAD         PUSH1 44  MSTORE
  ; call(gas, tokenIn, value 0, in 0x00..0x64, out 0x00..0x20)
  PUSH1 20  PUSH0  PUSH1 64  PUSH0  PUSH0  PUSH1 20  CALLDATALOAD  GAS  CALL
  ; it must succeed and return true
  PUSH0  MLOAD  AND  ISZERO  @fail  JUMPI

  ; memory 0x00: swap(amount0Out, amount1Out, caller, '')
  PUSH4 022c0d9f  PUSH1 e0  SHL  PUSH0  MSTORE
  PUSH1 60  CALLDATALOAD         PUSH1 04  MSTORE
  PUSH1 80  CALLDATALOAD         PUSH1 24  MSTORE
  CALLER                         PUSH1 44  MSTORE
  PUSH1 80                       PUSH1 64  MSTORE   ; where the bytes argument begins
  PUSH0                          PUSH1 84  MSTORE   ; and its length
  ; call(gas, pair, value 0, in 0x00..0xa4, out nothing)
  PUSH0  PUSH0  PUSH1 a4  PUSH0  PUSH0  PUSH0  CALLDATALOAD  GAS  CALL
  ISZERO  @fail  JUMPI
  STOP

fail:
  JUMPDEST
  RETURNDATASIZE  PUSH0  PUSH0  RETURNDATACOPY
  RETURNDATASIZE  PUSH0  REVERT
`

const OPCODES: Readonly<Record<string, number>> = {
  STOP: 0x00,
  ISZERO: 0x15,
  AND: 0x16,
  SHL: 0x1b,
  CALLER: 0x33,
  CALLDATALOAD: 0x35,
  RETURNDATASIZE: 0x3d,
  RETURNDATACOPY: 0x3e,
  MLOAD: 0x51,
  MSTORE: 0x52,
  JUMPI: 0x57,
  GAS: 0x5a,
  JUMPDEST: 0x5b,
  PUSH0: 0x5f,
  PUSH1: 0x60,
  PUSH4: 0x63,
  CALL: 0xf1,
  REVERT: 0xfd,
}

/** The router of `ROUTER_LISTING`, assembled. */
export function routerContract(): Contract {
  const code = assemble(ROUTER_LISTING)
  return { code, codeHash: keccakHex(code) }
}

/**
 * Translates a listing: mnemonics, bare hex bytes (the operand of the PUSH before them), `label:`, and `@label`,
 * which becomes a PUSH1 of the label's offset. A semicolon begins a comment.
 *
 * @throws {Error} on an unknown word or a label that is missing or beyond one byte
 */
export function assemble(listing: string): Hex {
  const words = listing.replace(/;.*$/gm, '').split(/\s+/).filter(Boolean)
  const labels = new Map<string, number>()
  const bytes: string[] = []
  const jumps: [at: number, label: string][] = []
  for (const word of words) {
    const opcode = OPCODES[word]
    if (word.endsWith(':')) labels.set(word.slice(0, -1), bytes.length)
    else if (word.startsWith('@')) jumps.push([bytes.push('60', '00') - 1, word.slice(1)])
    else if (opcode !== undefined) bytes.push(hexByte(opcode))
    else if (/^([0-9a-f]{2})+$/.test(word)) bytes.push(...(word.match(/../g) ?? []))
    else throw new Error(`unknown word in the listing: ${word}`)
  }
  for (const [at, label] of jumps) {
    const target = labels.get(label)
    if (target === undefined || target > 0xff) throw new Error(`label ${label} is missing or beyond offset 255`)
    bytes[at] = hexByte(target)
  }
  return `0x${bytes.join('')}`
}

/** Slot of `mapping[key]` for a mapping that itself stands in slot `base`: keccak256(key . base), both as words. */
export const mappingSlot = (key: Hex, base: Hex): Hex => keccakHex(`0x${word(key)}${word(base)}`)

/** An integer or a short byte string as the 64 digits of an EVM word, without prefix. */
export const word = (value: Hex | bigint | number): string =>
  (typeof value === 'string' ? value.slice(2) : value.toString(16)).padStart(64, '0')

/** Keccak-256 of bytes given in hex. Cost: 6 us for up to 135 bytes (@noble/hashes). */
export const keccakHex = (bytes: Hex): Hex => `0x${bytesToHex(keccak_256(hexToBytes(bytes.slice(2))))}`

const hexByte = (value: number): string => value.toString(16).padStart(2, '0')

/** Artefacts read before: hashing the pair's 11 kB takes 0.5 ms, and a block may deploy thousands. */
const loaded = new Map<Artefact, Contract>()

function loadArtefact(artefact: Artefact): Contract {
  const known = loaded.get(artefact)
  if (known !== undefined) return known
  const contract = readArtefact(artefact)
  loaded.set(artefact, contract)
  return contract
}

/**
 * Looks beside this file first and then in the working directory, so that a globally installed command finds
 * packages installed for it in the folder it is run in.
 */
function readArtefact({ specifier, codeHash, runtime }: Artefact): Contract {
  const from = [import.meta.url, join(process.cwd(), 'package.json')]
  let cause: unknown
  for (const place of from) {
    let json: ArtefactJson
    try {
      json = createRequire(place)(specifier) as ArtefactJson
    } catch (error) {
      cause = error
      continue
    }
    const object = runtime(json)?.replace(/^0x/, '')
    const code: Hex = `0x${object ?? ''}`
    if (keccakHex(code) === codeHash) return { code, codeHash }
    throw notLoaded(specifier, 'is not the build this block is made for')
  }
  throw notLoaded(specifier, 'is not installed', cause)
}

function notLoaded(specifier: string, what: string, cause?: unknown): InvalidInputError {
  const packages = CONTRACT_PACKAGES.join(' ')
  const message = `${specifier} ${what}; synthetic blocks need both contract packages: npm install ${packages}`
  return new InvalidInputError('MODULE_NOT_LOADED', message, { specifier, packages }, { cause })
}
