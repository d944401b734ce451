/**
 * Gives states their tries: one store of tries for all states of a thread, opened when the first root is asked for.
 *
 * A state that never needs a root loads nothing and keeps nothing.
 */
import { readBytes } from '../platform/threads.ts'
import type { MemoryState } from '../state/memoryState.ts'
import { loadHashCore, type WasmSource } from '../wasm/load.ts'
import { openTrieStore, type TrieStore } from '../wasm/stateTrie.ts'

/** Where the trie of a state is kept. With any of these it is alone in its memory, else it shares one with others. */
export interface StateRootOptions {
  /** Where the hash core is; found beside the library by default. */
  readonly wasm?: WasmSource
  /** Most bytes of the trie's nodes, about a hundred an account; 4 GiB by default. */
  readonly maxBytes?: number
}

let shared: Promise<TrieStore> | undefined

const open = async ({ wasm, maxBytes }: StateRootOptions): Promise<TrieStore> =>
  openTrieStore(await loadHashCore(wasm, readBytes), maxBytes === undefined ? {} : { maxBytes })

const sharedStore = (): Promise<TrieStore> => {
  shared ??= open({}).catch((error: unknown) => {
    shared = undefined
    throw error
  })
  return shared
}

/**
 * Makes sure that a state has a trie, so that `stage` and `stateRoot` may be called. One that it has stays.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the hash core cannot be loaded
 */
export const keepRoot = async (state: MemoryState, options: StateRootOptions = {}): Promise<void> => {
  if (state.hasTrie) return
  const own = options.wasm !== undefined || options.maxBytes !== undefined
  const store = await (own ? open(options) : sharedStore())
  // Another call may have come first meanwhile.
  if (!state.hasTrie) state.attachTrie(store.create())
}

/**
 * Root of a state, which is given a trie with the first call and keeps it. Later calls cost what changed.
 *
 * @param options - where the trie is kept; they count with the first call alone
 * @returns 32 bytes that are the caller's
 * @throws {InvalidInputError} STATE_BUSY while a run reads the state; MODULE_NOT_LOADED; INVALID_OPTION
 * @throws {CapacityError} CAPACITY where the trie does not fit into its memory
 */
export const stateRootOf = async (state: MemoryState, options: StateRootOptions = {}): Promise<Uint8Array> => {
  await keepRoot(state, options)
  return state.stateRoot()
}
