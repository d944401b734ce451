/** What a trace says of blocks, of lists of tasks and of an adapter's inputs, and what it takes to run them again. */
import { Output } from '../adapters/revm/kernel.ts'
import { packBytes, unpackBytes, wordsOf } from '../core/bytes.ts'
import { BLOCK_HASH_WORDS } from '../core/codes.ts'
import { hexOf, readHex, wordHex } from '../core/hex.ts'
import { Place } from '../core/layout.ts'
import { AccountRecord, BytesRecord, Kind, kindOf, Life, RECORD_SHIFT, recordOf, SlotRecord } from '../core/location.ts'
import { StateHeader } from '../core/table.ts'
import { fromBigInt, isZero8, toBigInt } from '../core/words.ts'
import { serialize } from '../platform/files.ts'
import { LOCATION_KINDS } from '../records/decode.ts'
import { bytesOf, withJson } from '../records/format.ts'
import type { LocationRecord } from '../records/runRecord.ts'
import type { MemoryState } from '../state/memoryState.ts'
import type { Engine } from './engine.ts'
import type { LocationName } from './locate.ts'
import { type Plan, waysInOrder } from './plan.ts'
import type { PreparedBlock } from './prepare.ts'
import type { RecordedPlan } from './recordRun.ts'

type Words = Int32Array

/** Words that a trace has of a place: its name, which of the others are there, five of an address, one of a selector. */
const PLACE_WORDS = 8

const BLOCK_NAMES = ['transfer', 'create', 'call'] as const

/** A block of the executor. */
export const recordedBlock = (
  engine: Engine,
  prepared: PreparedBlock,
  state: MemoryState,
  speculation: 'auto' | 'always',
): RecordedPlan => {
  const { block, chain, plan } = prepared
  const { words } = engine
  return {
    kind: 'block',
    label: `block ${block.header.number}`,
    number: Number(block.header.number),
    fork: chain.fork,
    places: plan.places,
    speculation,
    ...waysInOrder(plan),
    names() {
      const rows = new Int32Array(plan.places * PLACE_WORDS)
      const bytes = bytesOf(rows)
      block.transactions.forEach(({ to, data }, k) => {
        const at = k * PLACE_WORDS
        rows[at] = to === undefined ? 1 : data.length === 0 ? 0 : 2
        if (to !== undefined) {
          rows[at + 1] = data.length >= 4 ? 3 : 1
          for (let b = 0; b < 20; b++) bytes[4 * (at + 2) + b] = to[b]
          if (data.length >= 4) for (let b = 0; b < 4; b++) bytes[4 * (at + 7) + b] = data[b]
        }
      })
      return withJson({ names: BLOCK_NAMES }, rows)
    },
    gas() {
      const gas = new Int32Array(2 * plan.places)
      for (let k = 0; k < plan.places; k++) {
        const result = words[engine.placeTable + (k + 1) * Place.Size + Place.Result]
        gas[2 * k] = words[result + Output.GasUsed]
        gas[2 * k + 1] = words[result + Output.GasUsed + 1]
      }
      return gas
    },
    inputs() {
      const { environment, prologue, epilogue, inputs, offsets, adapterFlags } = plan
      const parts = [environment, prologue ?? NONE, epilogue ?? NONE, offsets, inputs]
      const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0))
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.length
      }
      const coinbase = hexOf(block.header.coinbase)
      return withJson({ lengths: parts.map(({ length }) => length), adapterFlags, coinbase }, all)
    },
    base: (locations) => new TextEncoder().encode(JSON.stringify(stateFile(state.words, state, locations))),
  }
}

const NONE = new Int32Array(0)

/** Who calls, of each transaction: what hints are kept under (hints.ts). */
export const callersOfBlock = ({ block }: PreparedBlock): string[] =>
  block.transactions.map(({ to, data }) => {
    const name = to === undefined ? 'create' : data.length === 0 ? 'transfer' : 'call'
    return callerOf(name, to && hexOf(to), data.length >= 4 ? hexOf(data.subarray(0, 4)) : undefined)
  })

/** The accounts, slots, codes and block hashes that a run has met, as a block file has them. */
const stateFile = (words: Words, state: MemoryState, locations: readonly number[]): object => {
  const pre: Record<string, object & { storage: Record<string, string> }> = {}
  const codes: Record<string, string> = {}
  const bytesAt = (at: number, bytes: number): string => hexOf(unpackBytes(words, at, bytes))
  const accountOf = (record: number): { storage: Record<string, string> } | undefined => {
    const address = bytesAt(record + AccountRecord.Address, 20)
    const life = record + AccountRecord.Life
    if (words[life + Life.Exists] === 0) return undefined
    let account = pre[address]
    if (account === undefined) {
      const hash = isZero8(words, life) ? undefined : bytesAt(life, 32)
      const code = hash === undefined ? undefined : state.getCode(hash)
      if (hash !== undefined && code !== undefined) codes[hash] = hexOf(code)
      account = {
        balance: `0x${toBigInt(words, record + AccountRecord.Balance).toString(16)}`,
        nonce: `0x${toBigInt(words, record + AccountRecord.Nonce, 2).toString(16)}`,
        code_hash: hash ?? null,
        storage: {},
      } as (typeof pre)[string]
      // Whether an account without code has storage decides about creations at its address: one slot says it.
      if (hash === undefined) {
        for (let s = words[record + AccountRecord.FirstSlot]; s !== 0; s = words[s + SlotRecord.NextSlot]) {
          if (isZero8(words, s + SlotRecord.Value)) continue
          account.storage[wordHex(words, s + SlotRecord.Key)] = wordHex(words, s + SlotRecord.Value)
          break
        }
      }
      pre[address] = account
    }
    return account
  }
  for (const location of locations) {
    const record = recordOf(location)
    if (kindOf(words, location) !== Kind.Slot) accountOf(record)
    else if (!isZero8(words, record + SlotRecord.Value)) {
      const account = accountOf(words[record + SlotRecord.Account] << RECORD_SHIFT)
      if (account !== undefined) {
        account.storage[wordHex(words, record + SlotRecord.Key)] = wordHex(words, record + SlotRecord.Value)
      }
    }
  }
  const blockHashes: Record<string, string> = {}
  for (let k = 0; k < words[StateHeader.BlockHashCount]; k++) {
    const at = words[StateHeader.BlockHashes] + k * BLOCK_HASH_WORDS
    blockHashes[toBigInt(words, at, 2).toString()] = bytesAt(at + 2, 32)
  }
  return { pre, codes, blockHashes }
}

/** The module behind an executor, as a worker is told of it. */
export interface TaskSource {
  readonly module: string
  readonly asynchronous: boolean
  readonly setup?: string
}

/** A run of tasks as far as records are concerned. */
interface NamedTasks extends TaskSource {
  /** By place. */
  readonly calls: readonly {
    readonly task: string
    readonly after?: readonly number[]
    readonly resources?: Readonly<Record<string, number>>
  }[]
  /** Index in the caller's list, by place. */
  readonly order: readonly number[]
  readonly plan: Plan
}

/** An adapter from outside the package, as a worker is told of it. */
export interface AdapterSource {
  readonly adapter: string
  readonly options: unknown
}

/** The words of a plan that replay needs. */
type PlanWords = Pick<Plan, 'environment' | 'offsets' | 'inputs' | 'adapterFlags'>

/** What replay needs of tasks, and of an adapter's inputs. */
export type RecordedInputs = PlanWords & (TaskSource | AdapterSource)

const recordedInputs = (plan: Plan, source: TaskSource | AdapterSource): Uint8Array => {
  const { environment, offsets, inputs, adapterFlags } = plan
  return serialize({ ...source, environment, offsets, inputs, adapterFlags } satisfies RecordedInputs)
}

/** A list of tasks of a module. */
export const recordedTasks = (tasks: NamedTasks, state: Words, speculation: 'auto' | 'always'): RecordedPlan => {
  const { calls, order, plan, module, asynchronous, setup } = tasks
  return {
    kind: 'tasks',
    label: 'tasks',
    places: calls.length,
    speculation,
    ...waysInOrder(plan),
    names() {
      const index = new Map<string, number>()
      const rows = new Int32Array(calls.length * PLACE_WORDS)
      calls.forEach(({ task }, k) => {
        const known = index.get(task)
        if (known === undefined) index.set(task, index.size)
        rows[k * PLACE_WORDS] = known ?? index.size - 1
      })
      return withJson({ names: [...index.keys()], ...declared(calls, order) }, rows)
    },
    inputs: () => recordedInputs(plan, { module, asynchronous, ...(setup !== undefined && { setup }) }),
    base: (locations) => bytesOf(changesOf(state, locations)),
  }
}

/** Inputs of an adapter from outside the package. */
export const recordedAdapter = (
  source: AdapterSource,
  plan: Plan,
  state: Words,
  speculation: 'auto' | 'always',
): RecordedPlan => ({
  kind: 'adapter',
  label: 'adapter',
  places: plan.places,
  speculation,
  ...waysInOrder(plan),
  names: () => withJson({ names: [''] }, new Int32Array(plan.places * PLACE_WORDS)),
  inputs: () => recordedInputs(plan, source),
  base: (locations) => bytesOf(changesOf(state, locations)),
})

/** What calls declare, by place; nothing where none declares it. */
const declared = (calls: NamedTasks['calls'], order: readonly number[]): Record<string, unknown> => {
  const all: Record<string, unknown> = {}
  if (calls.some(({ resources }) => resources !== undefined)) {
    all['resources'] = calls.map(({ resources }) => Object.keys(resources ?? {}))
  }
  if (calls.some(({ after }) => after !== undefined)) {
    const placeOf = new Map(order.map((index, k) => [index, k + 1]))
    all['after'] = calls.map(({ after }) => after?.map((index) => placeOf.get(index)) ?? [])
  }
  return all
}

/** Base values at locations as `KeyValueState.difference` takes them: key bytes, key, value bytes, value. */
const changesOf = (state: Words, locations: readonly number[]): Words => {
  const parts: Words[] = []
  for (const location of locations) {
    const r = recordOf(location)
    const bytes = state[r + BytesRecord.Value]
    if (bytes < 0) continue
    const key = state[r + BytesRecord.KeyOffset]
    const keyBytes = state[r + BytesRecord.KeyLength]
    const value = state[r + BytesRecord.Value + 1]
    parts.push(Int32Array.of(keyBytes), state.subarray(key, key + wordsOf(keyBytes)))
    parts.push(Int32Array.of(bytes), state.subarray(value, value + wordsOf(bytes)))
  }
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A location's name in words, from what a record says of it. */
export const nameOfRecord = ({ kind, address, slot, key }: LocationRecord): LocationName => {
  const index = LOCATION_KINDS.indexOf(kind)
  if (key !== undefined) {
    const bytes = readHex(key, undefined, 'key')
    const words = new Int32Array(1 + ((bytes.length + 3) >> 2))
    words[0] = bytes.length
    packBytes(bytes, words, 1)
    return { kind: index, words }
  }
  const words = new Int32Array(slot === undefined ? 5 : 13)
  packBytes(readHex(address ?? '', 20, 'address'), words, 0)
  if (slot !== undefined) fromBigInt(BigInt(slot), words, 5)
  return { kind: index, words }
}

/** What a hint is kept under. */
export const callerOf = (name: string, to: string | undefined, selector: string | undefined): string =>
  to === undefined ? name : `${name === 'transfer' ? name : to}${selector ?? ''}`
