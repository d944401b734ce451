/**
 * A worker's log: a list of chunks in its arena, in which events lie one behind the other (events.ts).
 *
 * It also tells of the chunks that the arena takes, its own among them: main learns from them which execution filled
 * which stretch of the arena.
 * Concurrency: the worker that owns it writes; main reads what `publish` has published.
 */
import type { Arena } from '../core/arena.ts'
import * as atomics from '../core/atomics.ts'
import { WorkerBlock } from '../core/layout.ts'
import { Chunk, Event, LOG_CHUNK } from './events.ts'

type Words = Int32Array

export class EventLog {
  readonly #engine: Words
  readonly #arena: Arena
  /** The worker's block. */
  readonly #block: number
  #at = 0
  /** Where the log's chunk ends. */
  #end = 0
  /** Chunks that the arena took since they were told last: pairs of offset and size. */
  readonly #chunks: number[] = []

  constructor(engine: Words, arena: Arena, block: number) {
    this.#engine = engine
    this.#arena = arena
    this.#block = block
  }

  begin(): void {
    this.#at = 0
    this.#end = 0
    this.#chunks.length = 0
    this.#arena.onChunk = (at, size) => this.#chunks.push(at, size)
  }

  end(): void {
    this.publish()
    this.#arena.onChunk = undefined
  }

  /** True where the arena has taken a chunk that is not told yet. */
  get owesChunks(): boolean {
    return this.#chunks.length > 0
  }

  /** Begins an event; its offset. */
  event(tag: number, size: number): number {
    if (this.#at + size > this.#end) this.#grow(size)
    const at = this.#at
    this.#at = at + size
    this.#engine[at] = tag
    this.#engine[at + 1] = size
    return at
  }

  /** As `event`, right behind events of the chunks that the arena has taken. */
  eventAfterChunks(tag: number, size: number): number {
    const chunks = this.#chunks
    // The log's next chunk may itself be one of them, so it is begun before.
    const room = (1 + chunks.length / 2) * Chunk.Size + size
    if (this.#at + room > this.#end) this.#grow(room)
    for (let k = 0; k < chunks.length; k += 2) {
      const at = this.event(Event.Chunk, Chunk.Size)
      this.#engine[at + Chunk.At] = chunks[k]
      this.#engine[at + Chunk.Words] = chunks[k + 1]
    }
    if (chunks.length > 0) chunks.length = 0
    return this.event(tag, size)
  }

  /** Lets main read what was logged. */
  publish(): void {
    atomics.store(this.#engine, this.#block + WorkerBlock.Logged, this.#at)
  }

  /** Begins the log's next chunk. */
  #grow(size: number): void {
    const engine = this.#engine
    const words = Math.max(LOG_CHUNK, size + 2)
    const chunk = this.#arena.take(words)
    if (this.#at === 0) engine[this.#block + WorkerBlock.Log] = chunk
    else {
      engine[this.#at] = Event.Next
      engine[this.#at + 1] = chunk
    }
    this.#at = chunk
    // Two words are left for the way to the next chunk.
    this.#end = chunk + words - 2
  }
}
