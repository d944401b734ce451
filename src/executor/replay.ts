/**
 * Runs every incarnation of a recorded run again, in one thread, each answered as it was then.
 *
 * A trace with a payload holds the inputs, the base values that the run looked at, and what each question of each
 * incarnation was answered. Values of other places are those that the replay itself has computed for the version that
 * was seen, so a difference shows where it begins. Incarnations come in the order in which they ended; one that saw
 * what another was only about to end comes after that.
 */
import { createCustomAdapter } from '../adapters/custom/adapter.ts'
import { createRevmAdapter } from '../adapters/revm/adapter.ts'
import { createTaskAdapter } from '../adapters/taskGraph/adapter.ts'
import { type Adapter, Outcome, type SyncAdapter } from '../core/contracts.ts'
import { InvalidInputError } from '../core/errors.ts'
import { readHex } from '../core/hex.ts'
import { CONTROL_END, Control } from '../core/layout.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { deserialize } from '../platform/files.ts'
import { reserveShared } from '../platform/memory.ts'
import { readBytes } from '../platform/threads.ts'
import { decodeRuns, locationRecord, recordOf } from '../records/decode.ts'
import { Answer, answerSize, Mode, WAITED } from '../records/events.ts'
import { notATrace, wordsOf } from '../records/format.ts'
import { isRecord, parseJson, type RawExecution, type RunDecoder, splitJson } from '../records/runDecoder.ts'
import type { LocationRecord, RunRecord } from '../records/runRecord.ts'
import type { StateFile } from '../state/accounts.ts'
import { KeyValueState } from '../state/keyValueState.ts'
import { createMemoryState } from '../state/memoryState.ts'
import { loadKernel, type WasmSource } from '../wasm/load.ts'
import { inputWords, layOutInputs, offsetWords } from './layOut.ts'
import { feeLocation, locate } from './locate.ts'
import type { RecordedInputs } from './recordPlan.ts'
import { Diverged, type Divergence, ReplayMemory, type ReplaySource, type WrittenValues } from './replayMemory.ts'
import { createValueCodec } from './valueCodec.ts'

type Words = Int32Array

/** Words that an incarnation may take; pages are committed as they are used. */
const SCRATCH = 1 << 24
/** Records of the state that a replay may bring into being, besides those that the trace names. */
const RECORDS = 4096

export interface ReplayOptions {
  /** Which run of the trace; the first by default. */
  readonly run?: number
  /** Address of the module of the tasks, or of the adapter, where it has moved since. */
  readonly module?: URL | string
  /** The EVM kernel, as an executor takes it. */
  readonly wasm?: WasmSource
  readonly signal?: AbortSignal
}

/** Where a replay first does something else than the recorded run. */
export interface ReplayDifference {
  readonly place: number
  readonly incarnation: number
  readonly what: 'read' | 'predicate' | 'write' | 'outcome' | 'result'
  /** Where it has to do with one. */
  readonly location: LocationRecord | undefined
  readonly expected: string
  readonly actual: string
}

export interface ReplayResult {
  /** The run as it was recorded. */
  readonly run: RunRecord
  /**
   * Incarnations that were run again; all of the run's where there is no difference. What `waited` counts for nothing.
   */
  readonly incarnations: number
  /** The first difference; undefined where every incarnation did what it had done. */
  readonly difference: ReplayDifference | undefined
}

/** An adapter, and a state and inputs for it. */
interface Stage {
  readonly adapter: SyncAdapter
  readonly state: SharedState
  readonly engine: Words
  /** First word that an incarnation may use. */
  readonly scratch: number
  /** Begins the block, the state being open. */
  begin(): void
}

/**
 * Runs the incarnations of a trace again and compares each with what was recorded: what it asks, asserts, writes, its
 * outcome, its result.
 *
 * @param trace - what `record: true` gave as `trace`, or the bytes of a file that was recorded with `payload: true`
 * @throws {InvalidInputError} RECORDS_FORMAT for bytes that are no trace, that break off, or have no payload
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the tasks' module, or the kernel, cannot be loaded
 * @example
 * const { trace } = await runTasks(module, calls, { record: true })
 * const { difference } = await replay(trace)
 */
export const replay = async (trace: Uint8Array, options: ReplayOptions = {}): Promise<ReplayResult> => {
  const { runs, broken } = decodeRuns(trace)
  const run = runs[options.run ?? 0]
  if (run === undefined) throw notATrace(`it has no run ${options.run ?? 0}`)
  if (run.inputs === undefined) throw notATrace('it was recorded without a payload: record with `record: true`')
  if (run.base === undefined || run.end === undefined) {
    throw notATrace(
      `the run did not end${broken === undefined ? '' : `, and the trace breaks off at byte ${broken.at}`}`,
    )
  }
  const record = recordOf(run)
  const stage = record.run.kind === 'block' ? await blockStage(run, options) : await callStage(run, options)
  stage.state.open(run.locations.length + RECORDS)
  try {
    stage.begin()
    return { run: record, ...new Replay(run, stage).all(options.signal) }
  } finally {
    stage.adapter.endBlock()
    stage.adapter.dispose()
    stage.state.close([stage.state.table.inserted])
  }
}

const NOTHING: WrittenValues = new Map()

class Replay implements ReplaySource {
  readonly #run: RunDecoder
  readonly #stage: Stage
  /** Locations of the replay's state, by index in the trace. */
  readonly #locations: readonly number[]
  readonly #done = new Map<RawExecution, WrittenValues>()

  constructor(run: RunDecoder, stage: Stage) {
    this.#run = run
    this.#stage = stage
    this.#locations = run.locations.map((name) => locate(stage.state.table, name))
  }

  all(signal: AbortSignal | undefined): Pick<ReplayResult, 'incarnations' | 'difference'> {
    const { adapter, engine, scratch, state } = this.#stage
    const memory = new ReplayMemory(engine, scratch, state.table, this, adapter.resultDigest?.bind(adapter))
    for (const execution of this.#order()) {
      signal?.throwIfAborted()
      const divergence = this.#replay(execution, memory)
      if (divergence === undefined) continue
      const { what, location, expected, actual } = divergence
      const name = this.#run.locations[this.#locations.indexOf(location)]
      const difference = {
        place: execution.place,
        incarnation: execution.incarnation,
        what,
        location: name === undefined ? undefined : locationRecord(name),
        expected,
        actual,
      }
      return { incarnations: this.#done.size, difference }
    }
    return { incarnations: this.#done.size, difference: undefined }
  }

  locationAt(index: number): number {
    return this.#locations[index] as number
  }

  locationOf(id: number): number {
    return this.locationAt(this.#run.indexOf(id))
  }

  valuesOf(record: number): WrittenValues {
    const writer = this.#run.writerOf(record)
    return (writer && this.#done.get(writer)) ?? NOTHING
  }

  /** As they ended, but each after those whose values it saw. Only lower places are seen, so there are no cycles. */
  #order(): RawExecution[] {
    const ordered = new Set<RawExecution>()
    const byEnd = this.#run.executions.filter(({ outcome }) => outcome !== WAITED).sort((a, b) => a.end - b.end)
    for (const execution of byEnd) {
      const path = [execution]
      for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
        const before = this.#seenBy(last, ordered)
        if (before !== undefined) path.push(before)
        else {
          path.pop()
          ordered.add(last)
        }
      }
    }
    return [...ordered]
  }

  /** An incarnation whose value `execution` saw and that is not in order yet. */
  #seenBy({ answers, place }: RawExecution, ordered: ReadonlySet<RawExecution>): RawExecution | undefined {
    for (let at = 0; at < answers.length; at += answerSize(answers, at)) {
      if (answers[at] >> Answer.KindBits >= Answer.Fold || !isRecord(answers[at + 2])) continue
      const writer = this.#run.writerOf(answers[at + 2])
      if (writer === undefined || writer.place >= place) {
        throw notATrace(`place ${place} saw a value that no lower place wrote`)
      }
      if (!ordered.has(writer)) return writer
    }
    return undefined
  }

  #replay(execution: RawExecution, memory: ReplayMemory): Divergence | undefined {
    const { adapter, engine } = this.#stage
    const offsets = engine[Control.InputOffsets] + execution.place
    memory.begin(execution, execution.mode !== Mode.Speculative)
    let outcome: Outcome
    try {
      outcome = adapter.execute(memory, engine[offsets], engine[offsets + 1] - engine[offsets])
    } catch (error) {
      if (error instanceof Diverged && memory.divergence !== undefined) return memory.divergence
      throw error
    }
    if (memory.divergence !== undefined) return memory.divergence
    if (outcome !== execution.outcome) {
      return { what: 'outcome', location: 0, expected: nameOf(execution.outcome), actual: nameOf(outcome) }
    }
    if (outcome === Outcome.Done) memory.compare()
    if (memory.divergence !== undefined) return memory.divergence
    this.#done.set(execution, outcome === Outcome.Done ? memory.written() : NOTHING)
    return undefined
  }
}

const nameOf = (outcome: number): string =>
  Object.entries(Outcome)
    .find(([, value]) => value === outcome)?.[0]
    .toLowerCase() ?? String(outcome)

// ---- stages ----

const NO_WORDS = new Int32Array(0)

/** Control words, offsets, environment and inputs, as an engine lays them out. */
const layOut = (places: number, parts: readonly Words[], adapterFlags: number): Pick<Stage, 'engine' | 'scratch'> => {
  const [environment, prologue, epilogue, offsets, inputs] = parts as [Words, Words, Words, Words, Words]
  if (offsets.length !== places + 1) throw notATrace('its inputs do not add up')
  const plan = { places, inputs, offsets, prologue, epilogue }
  const table = CONTROL_END
  const data = table + offsetWords(plan)
  const total = data + environment.length + inputWords(plan)
  const engine = new Int32Array(reserveShared((total + SCRATCH) * 4).buffer)
  engine[Control.Places] = places
  engine[Control.Environment] = data
  engine[Control.AdapterFlags] = adapterFlags
  engine.set(environment, data)
  layOutInputs(engine, table, data + environment.length, plan)
  return { engine, scratch: total }
}

const blockStage = async (run: RunDecoder, { wasm }: ReplayOptions): Promise<Stage> => {
  const { json, rows } = splitJson(run.inputs as Uint8Array<ArrayBuffer>)
  const lengths = Array.isArray(json['lengths']) ? json['lengths'].map(Number) : []
  const isWhole = lengths.length === 5 && lengths.every((length) => length >= 0)
  if (!isWhole || lengths.reduce((sum, length) => sum + length, 0) !== rows.length)
    throw notATrace('its inputs do not add up')
  const parts: Words[] = []
  let at = 0
  for (const length of lengths) {
    parts.push(rows.subarray(at, at + length))
    at += length
  }
  const adapter = createRevmAdapter(await loadKernel(wasm, readBytes))
  const state = createMemoryState().load(parseJson(run.base as Uint8Array) as unknown as StateFile)
  const flags = Number(json['adapterFlags'])
  const laidOut = layOut(Number(run.info['places']), parts, flags)
  const { engine } = laidOut
  const coinbase = new Int32Array(readHex(String(json['coinbase']), 20, 'coinbase').slice().buffer)
  const begin = (): void => {
    engine[Control.DenseLocation] = feeLocation(state.table, coinbase)
    adapter.beginBlock(engine, engine[Control.Environment], flags)
  }
  return { ...laidOut, adapter, state, begin }
}

/** Of tasks, and of an adapter's inputs. */
const callStage = async (run: RunDecoder, options: ReplayOptions): Promise<Stage> => {
  const recorded = deserialize(run.inputs as Uint8Array) as RecordedInputs
  const { environment, offsets, inputs, adapterFlags } = recorded
  const state = new KeyValueState({}, createValueCodec())
  await state.apply(state.difference(wordsOf(run.base as Uint8Array<ArrayBuffer>)))
  const adapter = await loadModule(recorded, options)
  const laidOut = layOut(Number(run.info['places']), [environment, NO_WORDS, NO_WORDS, offsets, inputs], adapterFlags)
  const { engine } = laidOut
  return {
    ...laidOut,
    adapter,
    state,
    begin: () => adapter.beginBlock(engine, engine[Control.Environment], adapterFlags),
  }
}

/** The module of the tasks, or of the adapter, on this thread. */
const loadModule = async (recorded: RecordedInputs, options: ReplayOptions): Promise<SyncAdapter> => {
  const isTasks = 'module' in recorded
  if (isTasks && recorded.asynchronous) throw notATrace('its tasks are asynchronous; replay runs synchronous ones')
  const module = String(options.module ?? (isTasks ? recorded.module : recorded.adapter))
  let adapter: Adapter
  try {
    adapter = isTasks
      ? await createTaskAdapter(module, createValueCodec(), recorded.setup)
      : await createCustomAdapter(module, recorded.options)
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `the module of the ${isTasks ? 'tasks' : 'adapter'} cannot be loaded: ${reason}`
    throw new InvalidInputError('MODULE_NOT_LOADED', message, { module }, { cause })
  }
  if (adapter.kind === 'sync') return adapter
  adapter.dispose()
  throw notATrace('its adapter is asynchronous; replay runs synchronous ones')
}
