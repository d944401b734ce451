/** The calls of a run as words: what each is given, by place, and what all have in common. */
import { KeyBuffer, wordsOf } from '../core/bytes.ts'
import { InvalidInputError } from '../core/errors.ts'
import { TaskInput } from '../core/tasks.ts'
import type { Values } from '../core/values.ts'
import { copy } from '../core/words.ts'
import type { TaskOrder } from './taskSchedule.ts'

type Words = Int32Array

/** Words of inputs that are made ready before the first run. */
const FIRST_ROOM = 1 << 12

export interface EncodedCalls {
  /** Valid until the words are given back with `release`. */
  readonly inputs: Words
  readonly offsets: Words
  /** How many task names, each one's length and words, then the schedule. */
  readonly environment: Words
  /** Where in the environment the schedule is. */
  readonly schedule: number | undefined
}

/** Encodes lists of calls into words that are used again: pages that nobody has touched yet cost more than the encoding. */
export class CallEncoder {
  readonly #values: Values
  #room: Words | undefined

  constructor(values: Values) {
    this.#values = values
  }

  /**
   * Lays calls out in the order in which they run. Without `release` afterwards the words are left to the collector.
   *
   * @throws {InvalidInputError} NOT_ENCODABLE for an input that cannot leave its thread
   */
  encode(calls: readonly { readonly task: string; readonly input?: unknown }[], order: TaskOrder): EncodedCalls {
    const values = this.#values
    const names = new Map<string, number>()
    const offsets = new Int32Array(calls.length + 1)
    let inputs = this.#room ?? new Int32Array(FIRST_ROOM)
    this.#room = undefined
    let lastTask: string | undefined
    let name = 0
    let end = 0
    for (let k = 0; k < calls.length; k++) {
      const index = order.calls[k] as number
      const { task, input } = calls[index] as { readonly task: string; readonly input?: unknown }
      if (task !== lastTask) {
        name = names.get(task) ?? names.size
        names.set(task, name)
        lastTask = task
      }
      if (input === undefined) values.length = 0
      else this.#encodeInput(input, index)
      const count = wordsOf(values.length)
      const next = end + TaskInput.Words + count
      if (next > inputs.length) {
        const larger = new Int32Array(next * 2)
        larger.set(inputs)
        inputs = larger
      }
      inputs[end + TaskInput.Name] = name
      inputs[end + TaskInput.Index] = index
      inputs[end + TaskInput.Length] = values.length
      copy(inputs, end + TaskInput.Words, values.words, 0, count)
      end = next
      offsets[k + 1] = end
    }
    return { inputs: inputs.subarray(0, end), offsets, ...environmentOf(names, order.schedule) }
  }

  /** Gives the words of an encoding back: the run that they were for is over. */
  release({ inputs }: EncodedCalls): void {
    if (this.#room === undefined) this.#room = new Int32Array(inputs.buffer)
  }

  #encodeInput(input: unknown, taskIndex: number): void {
    try {
      this.#values.encode(input)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const message = `the input of task ${taskIndex}: ${reason}`
      throw new InvalidInputError('NOT_ENCODABLE', message, { taskIndex }, { cause })
    }
  }
}

function environmentOf(
  names: ReadonlyMap<string, number>,
  schedule: Words | undefined,
): Pick<EncodedCalls, 'environment' | 'schedule'> {
  const words: number[] = [names.size]
  const buffer = new KeyBuffer()
  for (const name of names.keys()) {
    const packed = buffer.set(name)
    words.push(packed.bytes, ...packed.words.subarray(0, wordsOf(packed.bytes)))
  }
  if (schedule === undefined) return { environment: Int32Array.from(words), schedule }
  const environment = new Int32Array(words.length + schedule.length)
  environment.set(words)
  environment.set(schedule, words.length)
  return { environment, schedule: words.length }
}
