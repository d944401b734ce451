/**
 * The caller's signal where no engine hears it: while the state manager or the blockchain is asked by main, and in
 * @ethereumjs/vm's own runBlock, which knows no signal.
 */
import type { VM } from '@ethereumjs/vm'
import { AbortedError } from '../../core/errors.ts'
import type { SourceState } from '../../state/sourceState.ts'

/** Milliseconds that the state manager still has, once the signal is aborted, for what it was asked. */
const GRACE = 100

const stopped = ({ reason }: AbortSignal): AbortedError =>
  new AbortedError('ABORTED', 'the run was aborted by its signal', {}, { committedPrefix: 0, cause: reason })

/** @throws {AbortedError} where the signal is aborted */
export const assertNotAborted = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted === true) throw stopped(signal)
}

/** What comes of `work`, unless the signal comes first: what is asked then goes on alone. */
export const unlessAborted = async <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  assertNotAborted(signal)
  if (signal === undefined) return work()
  let stop: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(stopped(signal))
  })
  signal.addEventListener('abort', stop)
  try {
    return await Promise.race([work(), aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/**
 * Resolves when the manager has answered all that it was asked, or a little after the signal: one that hangs would keep
 * the caller for as long as `stateTimeout`. Nothing was written by then, so that an answer that comes later finds what
 * it would have found.
 */
export const settled = async (state: SourceState, signal: AbortSignal | undefined): Promise<void> => {
  if (signal === undefined) return state.settled()
  let timer: ReturnType<typeof setTimeout> | undefined
  let begin: () => void = () => undefined
  const over = new Promise<void>((resolve) => {
    begin = () => {
      timer = setTimeout(resolve, GRACE)
    }
  })
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin)
  try {
    await Promise.race([state.settled(), over])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', begin)
  }
}

/** Lets @ethereumjs/vm hear the signal before each transaction; it takes back what the block did until then. */
export const stopBetween = async <T>(vm: VM, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
  assertNotAborted(signal)
  if (signal === undefined) return work()
  const look = (): void => assertNotAborted(signal)
  vm.events.on('beforeTx', look)
  try {
    return await work()
  } finally {
    vm.events.off('beforeTx', look)
  }
}
