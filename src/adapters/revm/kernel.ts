/**
 * The typed door of evm-core: instance, views and the offsets of its words.
 *
 * Memory growth detaches views, so `words` is asked anew after each call that may allocate; a detached view
 * has length 0, which costs one comparison to see.
 */

import { copy } from '../../core/words.ts'

type Words = Int32Array

/** What the kernel asks of its host; return codes as in rust/evm-core/src/host.rs. */
export interface KernelHost {
  basic(): number
  storage(): number
  balance(): number
  code_length(): number
  code_copy(pointer: number): void
  block_hash(low: number, high: number): number
}

interface KernelExports {
  readonly memory: WebAssembly.Memory
  request(): number
  pointers(): number
  reserve_input(words: number): number
  begin_block(pointer: number): number
  execute(pointer: number, strict: number): number
  execute_end(pointer: number, strict: number): number
  recover(pointer: number, count: number): void
  keccak256(pointer: number, bytes: number, out: number): void
  ordered_root(pointer: number, count: number): void
}

/** Offsets in the request block. */
export const Request = { Answer: 16, Nonce: 24, CodeHash: 26, Id: 34, Flags: 35 } as const
export const RequestFlag = { Exact: 1, Exists: 2, Stored: 4 } as const

/** Offsets in the output block, rust/evm-core/src/output.rs. */
export const Output = {
  Status: 0,
  GasUsed: 1,
  GasRefunded: 3,
  Accounts: 4,
  AccountCount: 5,
  HaltReason: 7,
  Fee: 8,
  Logs: 16,
  /** Of an end of the block: how many operations it had. */
  Operations: 16,
  ReturnBytes: 17,
  Created: 18,
  CreatedAddress: 19,
  Body: 24,
} as const

/** Bits of an account's record, rust/evm-core/src/observe.rs. */
export const Flag = {
  BalanceWritten: 1,
  BalanceObserved: 2,
  BalanceBound: 4,
  NonceWritten: 8,
  NonceObserved: 16,
  NonceNotZero: 32,
  CodeWritten: 64,
  Created: 128,
  Destroyed: 256,
  ExistenceSet: 512,
  ExistenceCleared: 1024,
} as const

export class Kernel {
  readonly exports: KernelExports
  /** Word offset of the request block. */
  readonly request: number
  readonly #pointers: number
  words: Words

  constructor(module: WebAssembly.Module, host: KernelHost) {
    // Alloy's Keccak hook is an import even though this module defines the function.
    let keccak: KernelExports['keccak256'] = () => undefined
    const instance = new WebAssembly.Instance(module, {
      host: host as unknown as Record<string, WebAssembly.ImportValue>,
      vm_hooks: { native_keccak256: (p: number, n: number, out: number) => keccak(p, n, out) },
    })
    this.exports = instance.exports as unknown as KernelExports
    keccak = this.exports.keccak256
    this.request = this.exports.request() >> 2
    this.#pointers = this.exports.pointers() >> 2
    this.words = new Int32Array(this.exports.memory.buffer)
  }

  /** The view, made anew if the memory has grown. */
  view(): Words {
    if (this.words.length === 0) this.words = new Int32Array(this.exports.memory.buffer)
    return this.words
  }

  bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, pointer, length)
  }

  /** Word offset of the output of the last execution. */
  output(): number {
    return this.view()[this.#pointers] >>> 2
  }

  /** What the kernel said of the last failure. */
  message(): string {
    const words = this.view()
    return new TextDecoder().decode(this.bytes(words[this.#pointers + 2], words[this.#pointers + 3]).slice())
  }

  /** Word offset of room for `count` words of input. */
  reserve(count: number): number {
    const at = this.exports.reserve_input(count) >>> 2
    this.view()
    return at
  }

  keccak256(input: Uint8Array): Uint8Array {
    const at = this.reserve(((input.length + 3) >> 2) + 8) << 2
    this.bytes(at + 32, input.length).set(input)
    this.exports.keccak256(at + 32, input.length, at)
    return this.bytes(at, 32).slice()
  }

  /** Keccak-256 of the bytes of `count` words; the word at which the digest lies in `words`, until the next call. */
  keccakOfWords(words: Words, from: number, count: number): number {
    const at = this.reserve(count + 8)
    copy(this.words, at + 8, words, from, count)
    this.exports.keccak256((at + 8) << 2, count << 2, at << 2)
    return at
  }

  /** Root of the trie of rlp(index) to each item (receipts, transactions, withdrawals). */
  orderedRoot(items: readonly Uint8Array[]): Uint8Array {
    const words = new Int32Array(items.reduce((sum, item) => sum + 1 + ((item.length + 3) >> 2), 0))
    const bytes = new Uint8Array(words.buffer)
    let to = 0
    for (const item of items) {
      words[to] = item.length
      bytes.set(item, (to + 1) << 2)
      to += 1 + ((item.length + 3) >> 2)
    }
    return this.rootOfItems(words, items.length)
  }

  /** The same of items that are laid out: of each its length in bytes, a word, and then its bytes, up to a whole word. */
  rootOfItems(items: Words, count: number): Uint8Array {
    const at = this.reserve(Math.max(8, items.length))
    this.words.set(items, at)
    this.exports.ordered_root(at << 2, count)
    return this.bytes(at << 2, 32).slice()
  }
}

/** A kernel for hashing and roots, on a thread that executes nothing. */
export const createHashKernel = (module: WebAssembly.Module): Kernel => {
  const refuse = (): number => 4
  return new Kernel(module, {
    basic: refuse,
    storage: refuse,
    balance: refuse,
    code_length: () => -1,
    code_copy: () => undefined,
    block_hash: refuse,
  })
}
