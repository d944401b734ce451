/**
 * Threads in Node and in browsers: spawn a worker, talk to it, know how many cores there are.
 *
 * Node's builtins are reached through `process.getBuiltinModule`, so that bundlers for browsers have nothing
 * to resolve. No blob workers: the worker is a file that a bundler can see and a content policy can allow.
 */
import type { Endpoint } from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'

interface NodeWorkerThreads {
  readonly Worker: new (
    url: URL,
    options: { readonly name?: string; readonly execArgv?: string[]; readonly workerData?: unknown },
  ) => NodeWorker
  readonly parentPort: MessagePortLike | null
  readonly workerData: unknown
}
interface MessagePortLike {
  postMessage(message: unknown, transfer?: unknown[]): void
  on(event: string, listener: (value: unknown) => void): void
}
interface NodeWorker extends MessagePortLike {
  ref(): void
  unref(): void
  terminate(): Promise<unknown>
}

interface NodeProcess {
  getBuiltinModule?(name: string): unknown
  readonly versions?: { readonly node?: string }
}

const node = (globalThis as { process?: NodeProcess }).process
const isNode = node?.versions?.node !== undefined

const builtin = <T>(name: string): T => node?.getBuiltinModule?.(`node:${name}`) as T

/** A worker as the pool sees it. */
export interface WorkerHandle {
  readonly endpoint: Endpoint
  /**
   * Calls back when the worker ends or fails for whatever reason. `failed`: its own code threw, or could not be
   * loaded; otherwise it was ended, from outside or by `process.exit`.
   */
  onEnd(listener: (cause: unknown, failed: boolean) => void): void
  /** Keeps the process alive while a run is open; an idle worker does not. */
  ref(): void
  unref(): void
  terminate(): Promise<void>
}

/** Where a worker comes from: its file, or a function that makes it (for bundlers). */
export type WorkerSource = URL | (() => unknown)

/** The library's own worker file, beside this module once built. */
export const defaultWorker = (): URL => new URL('./worker.js', import.meta.url)

export const spawnWorker = (source: WorkerSource): WorkerHandle => {
  const made = typeof source === 'function' ? source() : undefined
  if (isNode) {
    const { Worker } = builtin<NodeWorkerThreads>('worker_threads')
    const worker = (made as NodeWorker | undefined) ?? new Worker(source as URL, { name: 'blockloom' })
    return {
      endpoint: nodeEndpoint(worker as never),
      onEnd(listener) {
        worker.on('error', (cause) => listener(cause, true))
        worker.on('exit', (code) => listener(new Error(`the worker ended with code ${String(code)}`), false))
      },
      ref: () => worker.ref(),
      unref: () => worker.unref(),
      terminate: async () => {
        await worker.terminate()
      },
    }
  }
  const worker =
    (made as BrowserWorker | undefined) ?? new BrowserWorkerClass(source as URL, { type: 'module', name: 'blockloom' })
  return {
    endpoint: worker as unknown as Endpoint,
    onEnd: (listener) => worker.addEventListener('error', (cause) => listener(cause, true)),
    ref: () => undefined,
    unref: () => undefined,
    terminate: async () => worker.terminate(),
  }
}

interface BrowserWorker {
  addEventListener(type: string, listener: (event: unknown) => void): void
  terminate(): void
}
const BrowserWorkerClass = (globalThis as unknown as { Worker: new (url: URL, options: object) => BrowserWorker })
  .Worker

/** The library's worker under a machine that schedules it (testing), beside this module once built. */
export const modelWorker = (): URL => new URL('./model-worker.js', import.meta.url)

/** A thread that is given data when it is made. Node alone. */
export const threadWith = (url: URL, workerData: unknown): unknown => {
  const { Worker } = builtin<NodeWorkerThreads>('worker_threads')
  return new Worker(url, { name: 'blockloom', workerData })
}

/** What `threadWith` gave this thread. */
export const threadData = <T>(): T => builtin<NodeWorkerThreads>('worker_threads').workerData as T

/** The other end, inside a worker. */
export const workerEndpoint = (): Endpoint => {
  if (!isNode) return globalThis as unknown as Endpoint
  const { parentPort } = builtin<NodeWorkerThreads>('worker_threads')
  return nodeEndpoint(parentPort as never)
}

/** Cores that this process may use. */
export const coreCount = (): number => {
  if (isNode) return builtin<{ availableParallelism(): number }>('os').availableParallelism()
  return (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1
}

/** Contents of a file or address. */
export const readBytes = async (url: URL): Promise<Uint8Array> => {
  if (url.protocol === 'file:' && isNode) {
    return builtin<{ readFile(url: URL): Promise<Uint8Array> }>('fs/promises').readFile(url)
  }
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`)
  return new Uint8Array(await response.arrayBuffer())
}
