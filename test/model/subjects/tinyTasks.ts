/**
 * Tiny tasks: programs of a few steps over a few numbers, whose reads and writes depend on what they read and on how
 * often they ran. An adapter runs them against the engine, an interpreter says what they must do. The interpreter is
 * not the library: a Map, one task after another.
 */
import { Outcome, Predicate, Seen, type SyncAdapter, type TaskMemory } from '../../../src/core/contracts.ts'
import { Fault } from '../../../src/core/layout.ts'
import { BASE, Kind, locationOf } from '../../../src/core/location.ts'
import { fromBigInt, toBigInt } from '../../../src/core/words.ts'

/**
 * A step. A task has one register, `sum`, which begins at 0 and is its result. A key is read or written as a whole
 * (`read`, `write`) or as a number that is added to (`number`, `add`, `reach`), not both in one task.
 */
export type Op =
  /** Adds the value. */
  | readonly ['read', key: number]
  /** Adds the value, deltas folded. */
  | readonly ['number', key: number]
  /** Writes sum + plus. */
  | readonly ['write', key: number, plus: number]
  /** Adds to the number if it is `least` at least; adds 100 to the sum if not. */
  | readonly ['add', key: number, amount: number, least: number]
  /** Adds 1 to the sum if the number is `least` at least. */
  | readonly ['reach', key: number, least: number]
  | readonly ['ifOdd', yes: Program, no: Program]
  /** Depends on the incarnation: not the first. */
  | readonly ['ifAgain', yes: Program, no: Program]
  /** Fails unless the sum is odd. */
  | readonly ['demandOdd']
  /** Adds to what is collected on the side (fees). */
  | readonly ['pay', amount: number]
export type Program = readonly Op[]

interface Slot {
  read?: bigint
  written?: bigint
  observed?: bigint
  added: bigint
  bound: bigint
}

class Unwind {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    this.outcome = outcome
  }
}

/** A name of up to 20 bytes as the words of an address: keys are accounts, whose balances are the numbers. */
export const addressOf = (name: string): Int32Array => {
  const words = new Int32Array(5)
  new Uint8Array(words.buffer).set(new TextEncoder().encode(name))
  return words
}

/** What happens while tasks run, for the oracle (machine `notes`). */
export const Note = { Executes: 1, Commits: 2, Found: 3, Enters: 4, Leaves: 5, Over: 6, Ends: 7 } as const

/** The adapter of one worker. `record` gives the record of a key, which may have to be inserted. */
export const tinyAdapter = (
  programs: readonly Program[],
  record: (memory: TaskMemory, key: number) => number,
  note: (what: number, a: number, b: number) => void,
): SyncAdapter => {
  const words = new Int32Array(8)
  const bound = new Int32Array(8)
  let slots = new Map<number, Slot>()
  let sum = 0n
  let paid = 0n

  const slotOf = (key: number): Slot => {
    let slot = slots.get(key)
    if (slot === undefined) {
      slot = { added: 0n, bound: 0n }
      slots.set(key, slot)
    }
    return slot
  }
  const location = (memory: TaskMemory, key: number) => locationOf(record(memory, key), Kind.Balance)

  const readValue = (memory: TaskMemory, key: number): bigint => {
    const slot = slotOf(key)
    if (slot.written !== undefined) return slot.written
    if (slot.read === undefined) {
      const at = location(memory, key)
      const seen = memory.read(at, Kind.Balance, 0)
      if (seen === Seen.Blocked) throw new Unwind(Outcome.Blocked)
      slot.read = seen === Seen.Base ? toBigInt(memory.state, at + BASE[Kind.Balance]) : toBigInt(memory.engine, seen)
    }
    return slot.read
  }
  const exact = (memory: TaskMemory, key: number): bigint => {
    const slot = slotOf(key)
    if (slot.observed === undefined) {
      if (!memory.fold(location(memory, key), words, 0, Number.MAX_SAFE_INTEGER)) throw new Unwind(Outcome.Blocked)
      slot.observed = toBigInt(words, 0)
      if (slot.observed < slot.bound) throw new Unwind(Outcome.Restart)
    }
    return slot.observed
  }
  /** Whether the number, as it is now, reaches `least`; asserted, not read, where it looks so. */
  const reaches = (memory: TaskMemory, key: number, least: number): boolean => {
    const slot = slotOf(key)
    const wanted = BigInt(least) - slot.added
    if (wanted <= 0n) return true
    if (slot.observed === undefined && !memory.exact) {
      // A guess, whether all was folded or not: the bound is asserted.
      memory.fold(location(memory, key), words, 0, 4)
      if (toBigInt(words, 0) >= wanted) {
        if (wanted > slot.bound) slot.bound = wanted
        return true
      }
    }
    return exact(memory, key) >= wanted
  }

  const run = (memory: TaskMemory, program: Program): void => {
    for (const op of program) {
      if (op[0] === 'read') sum += readValue(memory, op[1])
      else if (op[0] === 'number') sum += exact(memory, op[1]) + slotOf(op[1]).added
      else if (op[0] === 'write') slotOf(op[1]).written = sum + BigInt(op[2])
      else if (op[0] === 'add') {
        const slot = slotOf(op[1])
        if (reaches(memory, op[1], op[3])) slot.added += BigInt(op[2])
        else sum += 100n
      } else if (op[0] === 'reach') {
        if (reaches(memory, op[1], op[2])) sum += 1n
      } else if (op[0] === 'ifOdd') run(memory, (sum & 1n) === 1n ? op[1] : op[2])
      else if (op[0] === 'ifAgain') run(memory, memory.incarnation > 0 ? op[1] : op[2])
      else if (op[0] === 'demandOdd') {
        if ((sum & 1n) === 0n) throw new Unwind(Outcome.Fault)
      } else paid += BigInt(op[1])
    }
  }

  const publish = (memory: TaskMemory): void => {
    for (const [key, slot] of slots) {
      const at = location(memory, key)
      if (slot.observed !== undefined) {
        fromBigInt(slot.observed, words, 0)
        memory.expect(at, Kind.Balance, Predicate.ValueEquals, words, 0)
        if (slot.added !== 0n) slot.written = slot.observed + slot.added
      } else if (slot.added !== 0n) {
        fromBigInt(BigInt.asUintN(256, slot.added), words, 0)
        fromBigInt(slot.bound, bound, 0)
        memory.add(at, words, 0, bound, 0)
      } else if (slot.bound > 0n) {
        fromBigInt(slot.bound, words, 0)
        memory.expect(at, Kind.Balance, Predicate.AtLeast, words, 0)
      }
      if (slot.written === undefined) continue
      fromBigInt(slot.written, words, 0)
      memory.write(at, Kind.Balance, words, 0)
    }
    if (paid !== 0n) {
      fromBigInt(paid, words, 0)
      memory.dense(words, 0)
    }
    const result = memory.allocate(1)
    memory.engine[result] = Number(sum)
    memory.result(result, 1)
  }

  return {
    kind: 'sync',
    beginBlock() {},
    execute(memory) {
      note(Note.Executes, memory.place, memory.incarnation)
      slots = new Map()
      sum = 0n
      paid = 0n
      try {
        run(memory, programs[memory.place - 1] as Program)
        publish(memory)
        return Outcome.Done
      } catch (unwind) {
        if (unwind instanceof Unwind) return unwind.outcome
        throw unwind
      } finally {
        note(Note.Ends, memory.place, memory.incarnation)
      }
    },
    complaint: () => ({ fault: Fault.TaskFailed, message: 'the sum is even' }),
    endBlock() {},
    dispose() {},
  }
}

/** What tasks must end with: sums by task, values by key, and the first task that fails, or -1. */
export interface Expected {
  readonly sums: readonly bigint[]
  readonly values: ReadonlyMap<number, bigint>
  readonly failed: number
}

/** Runs programs one after another. `denseKey` is the key that takes what is paid. */
export const interpret = (
  programs: readonly Program[],
  initial: readonly number[],
  incarnations: readonly number[],
  denseKey: number,
): Expected => {
  const values = new Map(initial.map((value, key) => [key, BigInt(value)]))
  const sums: bigint[] = []
  for (const [index, program] of programs.entries()) {
    let sum = 0n
    let paid = 0n
    const own = new Map(values)
    const get = (key: number) => own.get(key) ?? 0n
    const run = (ops: Program): boolean => {
      for (const op of ops) {
        if (op[0] === 'read' || op[0] === 'number') sum += get(op[1])
        else if (op[0] === 'write') own.set(op[1], sum + BigInt(op[2]))
        else if (op[0] === 'add') {
          if (get(op[1]) >= BigInt(op[3])) own.set(op[1], get(op[1]) + BigInt(op[2]))
          else sum += 100n
        } else if (op[0] === 'reach') sum += get(op[1]) >= BigInt(op[2]) ? 1n : 0n
        else if (op[0] === 'ifOdd') {
          if (!run((sum & 1n) === 1n ? op[1] : op[2])) return false
        } else if (op[0] === 'ifAgain') {
          if (!run((incarnations[index] ?? 0) > 0 ? op[1] : op[2])) return false
        } else if (op[0] === 'demandOdd') {
          if ((sum & 1n) === 0n) return false
        } else paid += BigInt(op[1])
      }
      return true
    }
    if (!run(program)) return { sums, values, failed: index }
    if (paid !== 0n) own.set(denseKey, (own.get(denseKey) ?? 0n) + paid)
    for (const [key, value] of own) values.set(key, value)
    sums.push(sum)
  }
  return { sums, values, failed: -1 }
}
