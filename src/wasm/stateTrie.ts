/**
 * The door of the tries in `rust/hash-core`: one instance holds the tries of many states.
 *
 * A WebAssembly memory reserves gigabytes of address space and never shrinks, so an instance for each state would be
 * dear; what one trie frees, another uses. Nodes take about a hundred bytes an account.
 *
 * Concurrency: the thread that opened the store.
 */
import { CapacityError, InvalidInputError, InvariantError } from '../core/errors.ts'
import type { StateTrie } from '../core/stateRoot.ts'

/** Exports of the module, known coupling with `rust/hash-core/src/trie/exports.rs`. Statuses are `Status`. */
interface TrieExports {
  readonly memory: WebAssembly.Memory
  trie_create(): number
  trie_dispose(trie: number): number
  trie_clear(trie: number): number
  trie_limit(bytes: number): void
  trie_input(words: number): number
  trie_stage(trie: number, words: number): number
  trie_root(trie: number, committed: number): number
  trie_result(): number
  trie_commit(trie: number): number
  trie_rollback(trie: number): number
  trie_accounts(trie: number): number
  trie_counts(): number
}

const Status = { Done: 0, Malformed: 1, Full: 2, Unknown: 3 } as const

/** What a store of tries holds and did. */
export interface TrieCounts {
  /** Bytes taken for nodes; they are never given back. */
  readonly reservedBytes: number
  /** Bytes of nodes in use, those that the next commit or rollback frees included. */
  readonly usedBytes: number
  /** Nodes whose hash was computed, since the store was opened. */
  readonly hashedNodes: number
  /** Calls of the batch hash, since the store was opened: one a level and 64 kB. */
  readonly batches: number
}

export interface TrieStoreOptions {
  /** Most bytes of nodes, of all tries together; 4 GiB, which is all that there can be, by default. */
  readonly maxBytes?: number
}

const MOST_BYTES = 2 ** 32

/** Tries of one instance. */
export class TrieStore {
  readonly #kernel: TrieExports
  readonly #lost: FinalizationRegistry<number>
  readonly #limit: number

  /** Use `openTrieStore`. */
  constructor(kernel: TrieExports, limit: number) {
    this.#kernel = kernel
    this.#limit = limit
    kernel.trie_limit(limit)
    // A state that nobody holds any more takes its trie along.
    this.#lost = new FinalizationRegistry((trie) => {
      kernel.trie_dispose(trie)
    })
  }

  /**
   * Makes an empty trie.
   *
   * @throws {CapacityError} CAPACITY where memory is full
   */
  create(): StateTrie {
    const number = this.#kernel.trie_create()
    if (number < 0) throw full(this.counts(), this.#limit)
    const trie = new WasmTrie(this, this.#kernel, this.#limit, number, (gone) => this.#lost.unregister(gone))
    this.#lost.register(trie, number, trie)
    return trie
  }

  counts(): TrieCounts {
    const at = this.#kernel.trie_counts()
    const [reservedBytes, usedBytes, hashedNodes, batches] = new Float64Array(this.#kernel.memory.buffer, at, 4)
    return { reservedBytes, usedBytes, hashedNodes, batches }
  }
}

/**
 * Instantiates the module that exports the tries.
 *
 * @param module - `rust/hash-core`, compiled
 * @throws {InvalidInputError} MODULE_NOT_LOADED for another module; INVALID_OPTION for a limit out of range
 */
export const openTrieStore = async (
  module: WebAssembly.Module,
  { maxBytes = MOST_BYTES }: TrieStoreOptions = {},
): Promise<TrieStore> => {
  if (!Number.isInteger(maxBytes) || maxBytes < 1 << 17 || maxBytes > MOST_BYTES) {
    throw new InvalidInputError('INVALID_OPTION', `maxBytes is not from 128 KiB to 4 GiB: ${maxBytes}`, {
      option: 'maxBytes',
    })
  }
  if (!WebAssembly.Module.exports(module).some(({ name }) => name === 'trie_create')) {
    throw new InvalidInputError('MODULE_NOT_LOADED', 'the module exports no tries: give it that of hash-core')
  }
  const { exports } = await WebAssembly.instantiate(module, {})
  return new TrieStore(exports as unknown as TrieExports, maxBytes)
}

const full = ({ reservedBytes }: TrieCounts, limit: number): CapacityError =>
  new CapacityError(
    'CAPACITY',
    `the trie is full: ${reservedBytes} bytes of nodes, ${limit} are allowed; raise maxBytes, or clear states`,
    { limit, actual: reservedBytes },
  )

class WasmTrie implements StateTrie {
  readonly #store: TrieStore
  readonly #kernel: TrieExports
  readonly #limit: number
  readonly #forget: (trie: WasmTrie) => void
  /** -1 once disposed: the number may be another trie's by then. */
  #number: number
  #room = new Int32Array(0)

  constructor(store: TrieStore, kernel: TrieExports, limit: number, number: number, forget: (trie: WasmTrie) => void) {
    this.#store = store
    this.#kernel = kernel
    this.#limit = limit
    this.#number = number
    this.#forget = forget
  }

  get accounts(): number {
    return Math.max(0, this.#kernel.trie_accounts(this.#number))
  }

  room(words: number): Int32Array {
    const at = this.#kernel.trie_input(words)
    if (at === 0) throw full(this.#store.counts(), this.#limit)
    const { buffer } = this.#kernel.memory
    // The room moves when memory grows or another trie asked for more.
    if (this.#room.buffer !== buffer || this.#room.byteOffset !== at || this.#room.length < words) {
      this.#room = new Int32Array(buffer, at, words)
    }
    return this.#room
  }

  put(words: number): void {
    this.#check(this.#kernel.trie_stage(this.#number, words))
  }

  root(): Uint8Array {
    return this.#root(0)
  }

  committedRoot(): Uint8Array {
    return this.#root(1)
  }

  commit(): void {
    this.#check(this.#kernel.trie_commit(this.#number))
  }

  rollback(): void {
    this.#check(this.#kernel.trie_rollback(this.#number))
  }

  clear(): void {
    this.#check(this.#kernel.trie_clear(this.#number))
  }

  dispose(): void {
    if (this.#number < 0) return
    this.#check(this.#kernel.trie_dispose(this.#number))
    this.#number = -1
    this.#forget(this)
  }

  #root(committed: 0 | 1): Uint8Array {
    this.#check(this.#kernel.trie_root(this.#number, committed))
    const at = this.#kernel.trie_result()
    return new Uint8Array(this.#kernel.memory.buffer).slice(at, at + 32)
  }

  #check(status: number): void {
    if (status === Status.Done) return
    if (status === Status.Full) throw full(this.#store.counts(), this.#limit)
    if (status === Status.Malformed) {
      throw new InvalidInputError('INVALID_OPTION', 'the words are no changes of accounts; none was taken', {
        option: 'changes',
      })
    }
    throw new InvariantError('INVARIANT', 'a trie was used after it was disposed of', { trie: this.#number, status })
  }
}
