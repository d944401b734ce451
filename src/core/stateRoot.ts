/**
 * What keeps the root of a state: the contract between a state and a trie, and the words in which changes travel.
 *
 * A trie has a committed version and at most one under way. Changes go to the one under way through a buffer of words,
 * one run of words an account, so that no account costs a call; nothing is hashed until a root is asked for.
 *
 * ```text
 * flags | slots | address (5) | nonce (2)? | balance (8)? | code hash (8)? | slots * (key (8), value (8))
 * ```
 * Address and code hash are bytes as they are, four a word; numbers are little-endian limbs, as in the records of a
 * state. What no flag announces stays as it is. Known coupling: `rust/hash-core/src/trie/input.rs` reads it.
 *
 * Concurrency: the thread that made the trie.
 */
type Words = Int32Array

/** Bits of a change's first word. A field's flag says that it is there. */
export const Change = {
  Nonce: 1,
  Balance: 2,
  Code: 4,
  /** The account is removed; nothing else of the change counts. */
  Deleted: 8,
  /** All slots are removed before those of the change are put. */
  Cleared: 16,
} as const

/** A secure Merkle Patricia trie of accounts and their storage. `src/wasm` implements it. */
export interface StateTrie {
  /** Accounts of the version under way. */
  readonly accounts: number
  /** A buffer of at least `words` words for changes, good until the next call on any trie of the same store. */
  room(words: number): Words
  /**
   * Adds the changes in the first `words` words of the room to the version under way.
   *
   * @throws {CapacityError} CAPACITY where memory is full; the version under way is dropped then
   * @throws {InvalidInputError} INVALID_OPTION for words that are no changes; none of them was taken
   */
  put(words: number): void
  /** Root of the version under way, 32 bytes that are the caller's. */
  root(): Uint8Array
  /** Root of the committed version, 32 bytes that are the caller's. */
  committedRoot(): Uint8Array
  /** Makes the version under way the committed one. */
  commit(): void
  /** Drops the version under way. */
  rollback(): void
  /** Removes everything from both versions. */
  clear(): void
  /** Gives the trie's memory back; no method may be called after it. */
  dispose(): void
}

/** Words of a change's header: flags, slots, address. */
export const HEAD_WORDS = 7
const FIELDS = 2 + 8 + 8
/** Words of a slot: key and value. */
export const SLOT_WORDS = 16
/** Words sent at a time: 256 kB, so that a trie of any size is filled through a small buffer. */
const ROOM = 1 << 16

/**
 * Writes changes into a trie's room and puts them a room at a time. `end` puts the rest.
 *
 * Slots of one account may be more than a room holds: they go on in another change of the same account.
 */
export class ChangeWriter {
  readonly #trie: StateTrie
  #words: Words
  #at = 0
  /** Where the account's change begins. */
  #head = 0

  constructor(trie: StateTrie) {
    this.#trie = trie
    this.#words = trie.room(ROOM)
  }

  /** Begins an account: what `flags` announce follows in the order of the flags, then slots. */
  account(flags: number, address: Words, at: number): void {
    if (this.#at + HEAD_WORDS + FIELDS + SLOT_WORDS > ROOM) this.end()
    const w = this.#words
    const to = this.#at
    this.#head = to
    w[to] = flags
    w[to + 1] = 0
    for (let k = 0; k < 5; k++) w[to + 2 + k] = address[at + k]
    this.#at = to + HEAD_WORDS
  }

  field(from: Words, at: number, count: number): void {
    const w = this.#words
    for (let k = 0; k < count; k++) w[this.#at + k] = from[at + k]
    this.#at += count
  }

  slot(key: Words, keyAt: number, value: Words, valueAt: number): void {
    if (this.#at + SLOT_WORDS > ROOM) {
      const address = this.#words.slice(this.#head + 2, this.#head + HEAD_WORDS)
      this.end()
      this.account(0, address, 0)
    }
    this.field(key, keyAt, 8)
    this.field(value, valueAt, 8)
    this.#words[this.#head + 1]++
  }

  end(): void {
    if (this.#at > 0) this.#trie.put(this.#at)
    this.#words = this.#trie.room(ROOM)
    this.#at = 0
  }
}
