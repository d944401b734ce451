/** Errors keep class, code, fields and stack across threads. */

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import {
  AbortedError,
  BlockMismatchError,
  blockMismatch,
  CapacityError,
  type ErrorCode,
  fromWire,
  InvalidInputError,
  InvariantError,
  ParallelExecutionError,
  toWire,
  type WireError,
  WorkerLostError,
} from '../../src/core/errors.ts'

/** What arrives at the other end of a port. */
function acrossThreads(wire: WireError): ParallelExecutionError {
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(wire)
  const received = receiveMessageOnPort(port2) as { message: WireError }
  port1.close()
  return fromWire(received.message)
}

describe('ParallelExecutionError', () => {
  test.each([
    [ParallelExecutionError, 'Blockloom.ParallelExecutionError'],
    [InvalidInputError, 'Blockloom.InvalidInputError'],
    [CapacityError, 'Blockloom.CapacityError'],
    [WorkerLostError, 'Blockloom.WorkerLostError'],
    [InvariantError, 'Blockloom.InvariantError'],
    [AbortedError, 'Blockloom.AbortedError'],
    [BlockMismatchError, 'Blockloom.BlockMismatchError'],
  ])('%o is called %s, in its stack too', (Family, name) => {
    const error = new Family('INVARIANT', 'what happened')
    expect(error.name).toBe(name)
    expect(error.stack?.startsWith(`${name}: what happened`)).toBe(true)
    expect(error).toBeInstanceOf(ParallelExecutionError)
    expect(error).toBeInstanceOf(Error)
  })

  test('cause and committed prefix are absent unless given', () => {
    const error = new CapacityError('CAPACITY', 'full', { limit: 1, actual: 2 })
    expect('cause' in error).toBe(false)
    expect(error.committedPrefix).toBeUndefined()
    const cause = new Error('why')
    expect(new CapacityError('CAPACITY', 'full', {}, { cause, committedPrefix: 0 })).toMatchObject({
      cause,
      committedPrefix: 0,
    })
  })

  test.each<[ErrorCode, boolean]>([
    ['WORKER_LOST', true],
    ['STATE_BUSY', true],
    ['ABORTED', true],
    ['UNDECODABLE_BLOCK', false],
    ['CAPACITY', false],
    ['INVARIANT', false],
  ])('making the same call again after %s may help: %s', (code, retryable) => {
    expect(new ParallelExecutionError(code, '').retryable).toBe(retryable)
  })
})

describe('blockMismatch', () => {
  const mismatches = [
    { field: 'gasUsed', expected: 21_000n, actual: 21_001n },
    { field: 'stateRoot', expected: new Uint8Array(32).fill(0xab), actual: new Uint8Array(32) },
    { field: 'logsBloom', expected: new Uint8Array(256), actual: new Uint8Array(256).fill(1), reason: 'why' },
    { field: 'nonce', expected: 'present', actual: undefined },
  ]

  test('the message names the block and every field, bytes in hex, long ones cut', () => {
    expect(blockMismatch(7n, mismatches).message).toBe(
      `block 7 is not valid: gasUsed is 21001, should be 21000; stateRoot is 0x${'00'.repeat(32)}, should be ` +
        `0x${'ab'.repeat(32)}; logsBloom is 0x${'01'.repeat(32)}... (256 bytes), should be ` +
        `0x${'00'.repeat(32)}... (256 bytes) (why); nonce is absent, should be present`,
    )
    expect(blockMismatch(undefined, []).message).toBe('block is not valid: ')
  })

  test('of a long value the part with the first difference is shown', () => {
    const [expected, actual] = [new Uint8Array(256), new Uint8Array(256)]
    actual[255] = 1
    actual[71] = 2
    expect(blockMismatch(7n, [{ field: 'logsBloom', expected, actual }]).message).toBe(
      `block 7 is not valid: logsBloom is 0x...${'00'.repeat(7)}02${'00'.repeat(24)}... (256 bytes, these from 64 on), ` +
        `should be 0x...${'00'.repeat(32)}... (256 bytes, these from 64 on)`,
    )
  })

  test('class, code and all fields cross a thread', () => {
    const got = acrossThreads(toWire(blockMismatch(7n, mismatches, { committedPrefix: 2 })))
    expect(got).toBeInstanceOf(BlockMismatchError)
    expect(got).toMatchObject({ code: 'BLOCK_MISMATCH', retryable: false, committedPrefix: 2 })
    expect(got.fields['number']).toBe(7n)
    expect((got as BlockMismatchError).mismatches).toEqual(mismatches)
  })
})

describe('toWire, fromWire', () => {
  test('class, code, message, fields, stack, prefix and cause arrive', () => {
    const sent = new InvalidInputError(
      'INVALID_TRANSACTION',
      'cannot pay',
      { txIndex: 3, have: 1n, address: Uint8Array.of(1, 2), nested: { list: [1, 'two', null, undefined] } },
      { cause: new RangeError('too little'), committedPrefix: 3 },
    )
    const got = acrossThreads(toWire(sent))
    expect(got).toBeInstanceOf(InvalidInputError)
    expect(got).toMatchObject({ code: sent.code, message: sent.message, retryable: false, committedPrefix: 3 })
    expect(got.fields).toEqual(sent.fields)
    expect(got.stack).toBe(sent.stack)
    expect(got.cause).toMatchObject({ name: 'RangeError', message: 'too little' })
  })

  test('what structured clone cannot take arrives as text', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    const fields = { run: () => 1, mark: Symbol('mark'), map: new Map([[1, 2]]), cycle, shared: new WeakSet() }
    const got = acrossThreads(toWire(new InvariantError('INVARIANT', 'broken', fields)))
    expect(got).toBeInstanceOf(InvariantError)
    expect(got.fields).toMatchObject({ mark: 'Symbol(mark)', map: '[object Map]', shared: '[object WeakSet]' })
    expect(typeof got.fields['run']).toBe('string')
  })

  test.each<[string, unknown, string]>([
    ['an error', new TypeError('x is not a function'), 'x is not a function'],
    ['a string', 'gave up', 'gave up'],
    ['nothing', undefined, 'undefined'],
    ['an object that cannot be printed', Object.create(null), 'a value that cannot be printed'],
  ])('%s that a task throws becomes TASK_FAILED with a cause', (_, thrown, message) => {
    const got = acrossThreads(toWire(thrown))
    expect(got.code).toBe('TASK_FAILED')
    expect(got.message).toBe(message)
    expect(got.cause).toBeInstanceOf(Error)
  })

  test('what this library itself throws by mistake becomes an InvariantError', () => {
    const got = acrossThreads(toWire(new TypeError('x is undefined'), 'INVARIANT'))
    expect(got).toBeInstanceOf(InvariantError)
    expect(got.cause).toMatchObject({ name: 'TypeError' })
  })
})
