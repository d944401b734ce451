/**
 * What a transaction or an end of the block did, in the words that every EVM adapter answers with
 * (adapters/revm/kernel.ts `Output`), so that receipts, results and differences are decoded in one place.
 */
import type { RunTxResult } from '@ethereumjs/vm'
import type { TaskMemory } from '../../core/contracts.ts'
import { fromBigInt } from '../../core/words.ts'
import { Output } from '../revm/kernel.ts'

const Status = { Revert: 0, Success: 1, Halt: 2 } as const

/** Numbers of `HaltReason` (adapters/revm/result.ts) by the name of @ethereumjs/evm's error. */
const HALT_REASONS: Readonly<Record<string, number>> = {
  'out of gas': 1,
  'code store out of gas': 1,
  'invalid opcode': 2,
  'invalid JUMP': 3,
  'stack underflow': 4,
  'stack overflow': 5,
  'create collision': 6,
  'code size to deposit exceeds maximum code size': 7,
  'initcode exceeds max initcode size': 7,
  'invalid bytecode deployed': 8,
  'insufficient balance': 9,
  'static state change': 13,
  'value out of range': 14,
}
const OTHER = 15
/** INVALID, which is an opcode, and not the lack of one. */
const INVALID = 0xfe

/** The byte that a run stopped at: what it says of the opcode is INVALID's for every byte that is none. */
const byteAt = (runState: RunTxResult['execResult']['runState']): number | undefined =>
  runState?.code[runState.programCounter]

const haltReasonOf = (error: string, opcode: number | undefined): number => {
  if (error === 'invalid opcode' && opcode === INVALID) return OTHER
  // An invalid jump says where it was.
  return HALT_REASONS[error.startsWith('invalid JUMP') ? 'invalid JUMP' : error] ?? OTHER
}

/** Writes the bytes at the word `at`, padded with zeros; returns the word after them. */
const putBytes = (words: Int32Array, at: number, bytes: Uint8Array): number => {
  const next = at + ((bytes.length + 3) >> 2)
  if (next > at) words[next - 1] = 0
  new Uint8Array(words.buffer, words.byteOffset + 4 * at, bytes.length).set(bytes)
  return next
}

const wordsOf = (bytes: Uint8Array): number => (bytes.length + 3) >> 2

/** What of a result depends on the rules. */
export interface ResultRules {
  readonly intrinsicGas: bigint
  readonly maxRefundQuotient: bigint
  /** A creation that could not pay for its code succeeded all the same. */
  readonly frontier: boolean
}

/** Keeps a transaction's result; the fee apart, which is a delta of its own. */
export const keepResult = (memory: TaskMemory, result: RunTxResult, rules: ResultRules): void => {
  const { execResult, totalGasSpent, createdAddress, minerValue } = result
  const error = execResult.exceptionError?.error
  const passes = error === undefined || (rules.frontier && error === 'code store out of gas')
  const status = passes ? Status.Success : error === 'revert' ? Status.Revert : Status.Halt
  const logs = execResult.logs ?? []
  const returned = status === Status.Halt ? new Uint8Array(0) : execResult.returnValue
  let count = Output.Body + wordsOf(returned)
  for (const [, topics, data] of logs) count += 7 + 8 * topics.length + wordsOf(data)
  const at = memory.allocate(count)
  const { engine } = memory
  engine.fill(0, at, at + Output.Body)
  engine[at + Output.Status] = status
  fromBigInt(totalGasSpent, engine, at + Output.GasUsed, 2)
  // What ethereumjs reports is not capped; what was paid back is.
  const before = execResult.executionGasUsed + rules.intrinsicGas
  const most = before / rules.maxRefundQuotient
  engine[at + Output.GasRefunded] = Math.min(Number(result.gasRefund), Number(most))
  engine[at + Output.HaltReason] =
    status === Status.Halt ? haltReasonOf(error as string, byteAt(execResult.runState)) : 0
  fromBigInt(minerValue, engine, at + Output.Fee)
  engine[at + Output.Logs] = logs.length
  engine[at + Output.ReturnBytes] = returned.length
  if (createdAddress !== undefined && status === Status.Success) {
    engine[at + Output.Created] = 1
    putBytes(engine, at + Output.CreatedAddress, createdAddress.bytes)
  }
  let next = at + Output.Body
  for (const [address, topics, data] of logs) {
    next = putBytes(engine, next, address)
    engine[next++] = topics.length
    for (const topic of topics) next = putBytes(engine, next, topic)
    engine[next++] = data.length
    next = putBytes(engine, next, data)
  }
  putBytes(engine, next, returned)
  memory.result(at, count)
}

/** What an operation of an end answered. */
export interface Answer {
  readonly status: number
  readonly returned: Uint8Array
}

/** Keeps the answers of an end of the block, as adapters/evm/ends.ts reads them. */
export const keepAnswers = (memory: TaskMemory, answers: readonly Answer[]): void => {
  const count = answers.reduce((sum, { returned }) => sum + 2 + wordsOf(returned), Output.Body as number)
  const at = memory.allocate(count)
  const { engine } = memory
  engine.fill(0, at, at + Output.Body)
  engine[at + Output.Status] = Status.Success
  engine[at + Output.Operations] = answers.length
  let next = at + Output.Body
  for (const { status, returned } of answers) {
    engine[next] = status
    engine[next + 1] = returned.length
    next = putBytes(engine, next + 2, returned)
  }
  memory.result(at, count)
}

export const answerOf = (error: string | undefined, returned: Uint8Array): Answer => ({
  status: error === undefined ? Status.Success : error === 'revert' ? Status.Revert : Status.Halt,
  returned: error === undefined || error === 'revert' ? returned : new Uint8Array(0),
})
