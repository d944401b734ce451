/**
 * Random contracts: straight lists of snippets over one number on the stack, so that any of them can be taken out and
 * the rest still runs.
 *
 * What a contract reads decides what it writes, whom it pays and calls, whether it reverts and how long it takes:
 * `loop` snippets are the delays that move one worker against another. Not here: the blocks that call them
 * (randomBlock.ts).
 */
import fc from 'fast-check'
import type { Hex } from '../../src/index.ts'
import { asm, since, type TestFork } from './evm.ts'

/** Slots and registers that contracts share: few, so that nearly everything meets. */
const slot = fc.nat(7)
const gas = fc.constantFrom('GAS', '3000', '30000', '100000')

/**
 * Ether, SHA-256, RIPEMD, identity, modexp, bn254, Blake2, KZG, BLS12-381 and P-256: what exists depends on the fork.
 */
const PRECOMPILES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 0x100]

/** A snippet finds the number on the stack and leaves one there. `#` in a label becomes the snippet's place. */
export const snippets = (fork: TestFork, people: readonly Hex[], contracts: readonly Hex[]): fc.Arbitrary<string> => {
  const anybody = fc.constantFrom(...people, ...contracts)
  const callee = fc.constantFrom(...contracts)
  const precompile = fc.constantFrom(...PRECOMPILES)
  const from = (first: TestFork, weight: number, arbitrary: fc.Arbitrary<string>) =>
    since(fork, first) ? [{ weight, arbitrary }] : []
  const call = (opcode: string, target: fc.Arbitrary<Hex | number>, value: fc.Arbitrary<string>) =>
    fc
      .tuple(target, value, gas)
      .map(([to, wei, limit]) => `DUP1 0 MSTORE 32 0 32 0 ${wei} ${to} ${limit} ${opcode} ADD 0 MLOAD ADD`)
  const wei = fc.constantFrom('0', '0', '1', 'DUP1 3 AND')
  return fc.oneof(
    { weight: 6, arbitrary: slot.map((k) => `${k} SLOAD ADD`) },
    { weight: 6, arbitrary: slot.map((k) => `DUP1 ${k} SSTORE`) },
    { weight: 3, arbitrary: fc.constant('DUP1 7 AND SLOAD ADD') },
    { weight: 3, arbitrary: fc.constant('DUP1 DUP1 7 AND SSTORE') },
    { weight: 2, arbitrary: slot.map((k) => `0 ${k} SSTORE`) },
    { weight: 2, arbitrary: slot.map((k) => `${k} SLOAD 1 ADD ${k} SSTORE`) },
    // A lock: what is written is what was read.
    { weight: 1, arbitrary: slot.map((k) => `${k} SLOAD 99 ${k} SSTORE ${k} SSTORE`) },
    { weight: 2, arbitrary: fc.nat(9).map((k) => `${k + 1} ADD`) },
    { weight: 1, arbitrary: fc.constant('3 MUL') },
    { weight: 3, arbitrary: anybody.map((who) => `${who} BALANCE ADD`) },
    { weight: 2, arbitrary: fc.constantFrom('ADDRESS BALANCE ADD', 'COINBASE BALANCE ADD', 'CALLER BALANCE ADD') },
    { weight: 2, arbitrary: anybody.map((who) => `${who} EXTCODESIZE ADD`) },
    { weight: 1, arbitrary: anybody.map((who) => `32 0 0 ${who} EXTCODECOPY 0 MLOAD ADD`) },
    { weight: 1, arbitrary: fc.constantFrom('GAS ADD', 'CALLVALUE ADD', 'CALLER ADD', 'ORIGIN ADD', 'TIMESTAMP ADD') },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 1500 }).map((turns) => loop(String(turns))) },
    { weight: 2, arbitrary: fc.constant(loop('DUP1 255 AND 1 ADD')) },
    { weight: 1, arbitrary: fc.constant('DUP1 0 MSTORE 32 0 LOG0') },
    { weight: 2, arbitrary: fc.constant('DUP1 DUP1 0 MSTORE 32 0 LOG1') },
    { weight: 1, arbitrary: fc.constant('DUP1 4095 AND MLOAD ADD') },
    { weight: 1, arbitrary: fc.constant('DUP1 0 MSTORE 32 0 SHA3 ADD') },
    { weight: 1, arbitrary: fc.constant('DUP1 1 AND @ok# JUMPI 0 0 REVERT ok#:') },
    { weight: 1, arbitrary: fc.constant('DUP1 3 AND @ok# JUMPI STOP ok#:') },
    { weight: 1, arbitrary: fc.constant('DUP1 15 AND @ok# JUMPI INVALID ok#:') },
    { weight: 1, arbitrary: anybody.map((who) => `DUP1 7 AND 3 EQ ISZERO @ok# JUMPI ${who} SELFDESTRUCT ok#:`) },
    { weight: 4, arbitrary: call('CALL', anybody, wei) },
    { weight: 2, arbitrary: call('CALL', precompile, fc.constantFrom('0', '0', '1')) },
    { weight: 1, arbitrary: call('CALL', anybody, fc.constant('2 ADDRESS BALANCE MOD')) },
    ...from('homestead', 2, call('DELEGATECALL', callee, fc.constant(''))),
    ...from('byzantium', 2, call('STATICCALL', anybody, fc.constant(''))),
    ...from(
      'petersburg',
      3,
      anybody.map((who) => `${who} EXTCODEHASH ADD`),
    ),
    ...from('istanbul', 2, fc.constant('SELFBALANCE ADD')),
    ...from(
      'cancun',
      1,
      slot.map((k) => `${k} TLOAD ADD`),
    ),
    ...from(
      'cancun',
      1,
      slot.map((k) => `DUP1 ${k} TSTORE`),
    ),
    ...from('cancun', 1, fc.constant('0 BLOBHASH ADD')),
    ...from('paris', 1, fc.constant('PREVRANDAO ADD')),
  )
}

const loop = (turns: string): string => `${turns} loop#: 1 SWAP1 SUB DUP1 @loop# JUMPI POP`

/** Begins with the first word of the call's data and returns what it has made of it. */
export const codeOf = (list: readonly string[]): Hex =>
  asm(`0 CALLDATALOAD ${list.map((snippet, k) => snippet.replaceAll('#', String(k))).join(' ')} 0 MSTORE 32 0 RETURN`)
