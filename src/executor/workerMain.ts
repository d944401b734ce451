/**
 * A worker's life: parked on its epoch word, woken for a run, back to its event loop when main has messages.
 *
 * comlink carries only what is said once: kernel, memories, adapters. Runs start by a word and end by one.
 */
import { expose } from 'comlink'
import { createCustomAdapter } from '../adapters/custom/adapter.ts'
import { createRevmAdapter } from '../adapters/revm/adapter.ts'
import { createAsyncTaskAdapter, createTaskAdapter } from '../adapters/taskGraph/adapter.ts'
import * as atomics from '../core/atomics.ts'
import type { Adapter } from '../core/contracts.ts'
import { InvalidInputError, toWire, type WireError } from '../core/errors.ts'
import { Control, Halt, RunKind, WorkerBlock } from '../core/layout.ts'
import { LocationTable } from '../core/table.ts'
import { clockOffset } from '../platform/clock.ts'
import { loadNativeRecover } from '../platform/nativeSigners.ts'
import { workerEndpoint } from '../platform/threads.ts'
import { beginsAlone, callNext, join, leave } from '../scheduler/joining.ts'
import { AsyncBlockRun } from './asyncRun.ts'
import { BlockRun } from './blockRun.ts'
import { Recoverer } from './recoverer.ts'
import { RunRecording } from './runRecording.ts'
import { createValueCodec } from './valueCodec.ts'

/** Which adapter a worker builds, in structured-clonable terms. */
export type AdapterSpec =
  /** `native`: signers are recovered by machine code, where it is installed. */
  | { readonly kind: 'revm'; readonly module: WebAssembly.Module; readonly native?: boolean }
  | { readonly kind: 'tasks'; readonly module: string; readonly asynchronous?: boolean; readonly setup?: string }
  /** A custom adapter, from outside the package (adapters/custom). */
  | { readonly kind: 'module'; readonly module: string; readonly options: unknown }
  /** A module that exports `createAdapter` of another EVM, and the EVM kernel, which serves batches (sender recovery). */
  | {
      readonly kind: 'evm'
      readonly name: string
      readonly module: string
      readonly options: unknown
      readonly kernel: WebAssembly.Module
      readonly native?: boolean
    }

const createAdapter = async (spec: AdapterSpec): Promise<Adapter> => {
  const native = 'native' in spec && spec.native === true ? loadNativeRecover : undefined
  if (spec.kind === 'revm') return createRevmAdapter(spec.module, native)
  if (spec.kind === 'evm') {
    const { createAdapter: create } = (await import(/* @vite-ignore */ spec.module)) as {
      createAdapter(options: unknown): Promise<Adapter>
    }
    const adapter = await create(spec.options)
    const { batchItem } = createRevmAdapter(spec.kernel, native)
    return batchItem === undefined ? adapter : { ...adapter, batchItem }
  }
  if (spec.kind === 'module') return createCustomAdapter(spec.module, spec.options)
  const create = spec.asynchronous === true ? createAsyncTaskAdapter : createTaskAdapter
  return create(spec.module, createValueCodec(), spec.setup)
}

/** What a memory that is full is called, and why its run stops. */
const FULL_MEMORIES: Readonly<Record<string, number>> = {
  'Blockloom.ArenaFull': Halt.Capacity,
  'Blockloom.TableFull': Halt.StateFull,
}

export interface WorkerApi {
  init(index: number, engine: WebAssembly.Memory, adapter: AdapterSpec): Promise<WireError | undefined>
  attach(state: number, memory: WebAssembly.Memory): void
  detach(state: number): void
  /** Inputs of the next run, for adapters whose tasks are no words. */
  inputs(values: readonly unknown[]): void
  /** Parks until main has messages again. `epoch` is the last run served. */
  park(epoch: number, state: number): Promise<WireError | undefined>
}

class WorkerMain implements WorkerApi {
  #index = 0
  #engine = new Int32Array(0)
  #adapter: Adapter | undefined
  readonly #tables = new Map<number, LocationTable>()
  /** By state, and by what they record. */
  readonly #runs = new Map<string, BlockRun | AsyncBlockRun>()
  #clock: number | undefined
  /** Where the adapter recovers signers. */
  #recoverer: Recoverer | undefined

  async init(index: number, engine: WebAssembly.Memory, spec: AdapterSpec): Promise<WireError | undefined> {
    this.#index = index
    this.#engine = new Int32Array(engine.buffer)
    try {
      const adapter = await createAdapter(spec)
      this.#adapter = adapter
      if (adapter.batchItem !== undefined) this.#recoverer = new Recoverer(this.#engine, index, adapter.batchItem)
      return undefined
    } catch (cause) {
      const adapter = spec.kind === 'evm' ? spec.name : spec.kind
      const message = `the adapter '${adapter}' could not be built in a worker: ${cause instanceof Error ? cause.message : String(cause)}`
      return toWire(new InvalidInputError('MODULE_NOT_LOADED', message, { adapter }, { cause }))
    }
  }

  attach(state: number, memory: WebAssembly.Memory): void {
    if (!this.#tables.has(state)) this.#tables.set(state, new LocationTable(new Int32Array(memory.buffer)))
  }

  detach(state: number): void {
    this.#tables.delete(state)
    for (const key of this.#runs.keys()) if (key.startsWith(`${state}:`)) this.#runs.delete(key)
  }

  inputs(values: readonly unknown[]): void {
    this.#adapter?.takeInputs?.(values)
  }

  async park(epoch: number, state: number): Promise<WireError | undefined> {
    const engine = this.#engine
    const word = Control.WorkerBlocks + this.#index * WorkerBlock.Size + WorkerBlock.Epoch
    let seen = epoch
    for (;;) {
      this.#recoverer?.ahead(epoch)
      // What an asynchronous adapter's module keeps open (a socket, a timer) lives on between runs.
      if (this.#adapter?.kind === 'async') await atomics.waitAsync(engine, word, seen)
      else atomics.wait(engine, word, seen)
      seen = atomics.load(engine, word)
      if (seen === epoch) continue
      epoch = seen
      if (engine[Control.Kind] === RunKind.Messages) return undefined
      if (!beginsAlone(engine, this.#index)) callNext(engine, this.#index)
      if (!join(engine, this.#index)) continue
      const served = this.#serve(engine, state)
      const failed = served instanceof Promise ? await served : served
      leave(engine, this.#index)
      if (failed !== undefined) return failed
    }
  }

  /** A promise where the adapter is asynchronous alone. */
  #serve(engine: Int32Array, state: number): WireError | undefined | Promise<WireError | undefined> {
    try {
      if (engine[Control.Kind] === RunKind.Batch) {
        this.#batch(engine)
        return undefined
      }
      const run = this.#run(state)
      const served = engine[Control.Kind] === RunKind.Sequential ? run.sequential() : run.speculative()
      return served?.then(
        () => undefined,
        (error: unknown) => this.#failed(engine, error),
      )
    } catch (error) {
      return this.#failed(engine, error)
    }
  }

  #failed(engine: Int32Array, error: unknown): WireError | undefined {
    // By name: an adapter that is a module of its own has classes of its own.
    const name = error instanceof Error ? error.name : ''
    const reason = FULL_MEMORIES[name] ?? Halt.WorkerLost
    atomics.compareExchange(engine, Control.Halt, Halt.None, reason)
    atomics.notify(engine, Control.CommitIndex)
    return reason === Halt.WorkerLost ? toWire(error, 'INVARIANT') : undefined
  }

  #run(state: number): BlockRun | AsyncBlockRun {
    const what = this.#engine[Control.Recording]
    const key = `${state}:${what}`
    let run = this.#runs.get(key)
    if (run === undefined) {
      const table = this.#tables.get(state)
      if (table === undefined || this.#adapter === undefined) throw new Error(`state ${state} is not attached`)
      const adapter = this.#adapter
      const recording = this.#recordingOf(what, table, adapter)
      run =
        adapter.kind === 'async'
          ? new AsyncBlockRun(this.#engine, this.#index, table, adapter, recording)
          : new BlockRun(this.#engine, this.#index, table, adapter, recording)
      this.#runs.set(key, run)
    }
    return run
  }

  #recordingOf(what: number, table: LocationTable, adapter: Adapter): RunRecording | undefined {
    if (what === 0) return undefined
    this.#clock ??= clockOffset()
    return new RunRecording(this.#engine, this.#index, table, adapter, what, this.#clock)
  }

  #batch(engine: Int32Array): void {
    const items = engine[Control.BatchItems]
    const offsets = engine[Control.InputOffsets]
    for (;;) {
      const item = atomics.add(engine, Control.BatchIndex, 1)
      if (item >= items || atomics.load(engine, Control.Halt) !== Halt.None) break
      this.#recoverer?.serve(engine[offsets + item])
    }
    if (this.#recoverer === undefined) return
    for (let item = 0; item < items; item++) this.#recoverer.settle(engine[offsets + item])
  }
}

/** Serves main until this worker is terminated. */
export const serve = (): void => expose(new WorkerMain(), workerEndpoint())
