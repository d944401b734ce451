/**
 * Differences in the words in which a trie takes changes (stateRoot.ts), and their way to and from plain objects.
 *
 * What a block changed goes from the engine's memory to the trie, and into the records of the state, without an object, a
 * BigInt or a digit of hex between. A `StateDiff` made of words shows its accounts when somebody asks for them; from then on
 * they are what counts, for whoever has them may have changed them.
 */
import type { AccountDiff, Hex, StateDiff } from './diff.ts'
import { hexOfWords, wordHex } from './hex.ts'
import { isUnread, lazily } from './lazy.ts'
import { Change, ChangeWriter, HEAD_WORDS, SLOT_WORDS, type StateTrie } from './stateRoot.ts'
import { copy8, equal, fromBigInt, isZero8, toBigInt } from './words.ts'

type Words = Int32Array

export const EMPTY_CODE_HASH: Hex = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'

/** Goes from change to change; offsets of what the present one has. */
export class ChangeCursor {
  flags = 0
  /** Where the address stands. */
  address = 0
  /** Where the field stands, if its flag says that it is there. */
  nonce = 0
  balance = 0
  code = 0
  /** Where the first slot stands: a key and a value, eight words each. */
  slots = 0
  slotCount = 0
  readonly #words: Words
  #next = 0

  constructor(words: Words) {
    this.#words = words
  }

  /** False behind the last change. */
  next(): boolean {
    const at = this.#next
    if (at >= this.#words.length) return false
    this.flags = this.#words[at]
    this.slotCount = this.#words[at + 1]
    this.address = at + 2
    this.nonce = at + HEAD_WORDS
    this.balance = this.nonce + ((this.flags & Change.Nonce) === 0 ? 0 : 2)
    this.code = this.balance + ((this.flags & Change.Balance) === 0 ? 0 : 8)
    this.slots = this.code + ((this.flags & Change.Code) === 0 ? 0 : 8)
    this.#next = this.slots + SLOT_WORDS * this.slotCount
    return true
  }

  /** To the change that begins there. */
  goTo(at: number): void {
    this.#next = at
    this.next()
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0
  }
}

/** Words of differences whose accounts nobody has looked at. */
const untouched = new WeakMap<StateDiff, Words>()

/**
 * A difference that is given in words.
 *
 * @param words - an account each once; the difference's own from now on
 */
export const diffOf = (words: Words, codes: ReadonlyMap<Hex, Uint8Array>): StateDiff => {
  const diff = lazily<Pick<StateDiff, 'accounts'>, object>(
    {},
    {
      accounts: () => {
        untouched.delete(diff)
        return accountsOf(words)
      },
    },
  ) as StateDiff & { codes: StateDiff['codes'] }
  Object.assign(diff, { codes })
  untouched.set(diff, words)
  return diff
}

/** The words of a difference that was made of them, unless somebody has seen or set its accounts since. */
export const wordsOfDiff = (diff: StateDiff): Words | undefined =>
  isUnread(diff, 'accounts') ? untouched.get(diff) : undefined

/** Whether words are of the same changes, whatever the order of accounts and of slots. */
export const isSameChanges = (a: Words, b: Words): boolean => {
  if (a === b) return true
  if (a.length !== b.length) return false
  const [first, second] = [startsOf(a), startsOf(b)]
  const [one, other] = [new ChangeCursor(a), new ChangeCursor(b)]
  return (
    first.length === second.length &&
    first.every((at, k) => {
      one.goTo(at)
      other.goTo(second[k])
      const head = one.slots - at
      if (head !== other.slots - second[k] || !equal(a, at, b, second[k], head)) return false
      const length = SLOT_WORDS * one.slotCount
      if (equal(a, one.slots, b, other.slots, length)) return true
      const [slots, others] = [sorted(a, slotsOf(one), 8), sorted(b, slotsOf(other), 8)]
      return slots.every((slot, n) => equal(a, slot, b, others[n], SLOT_WORDS))
    })
  )
}

/** Where changes begin, in some order of their addresses. */
const startsOf = (words: Words): number[] => {
  const starts: number[] = []
  for (const change = new ChangeCursor(words); change.next(); ) starts.push(change.address - 2)
  return sorted(words, starts, 5, 2)
}

const slotsOf = ({ slots, slotCount }: ChangeCursor): number[] =>
  Array.from({ length: slotCount }, (_, k) => slots + SLOT_WORDS * k)

/** Offsets in the order of the `count` words that lie `from` words behind them. */
const sorted = (words: Words, offsets: number[], count: number, from = 0): number[] =>
  offsets.sort((a, b) => {
    let k = from
    while (k < from + count - 1 && words[a + k] === words[b + k]) k++
    return words[a + k] - words[b + k]
  })

/** Accounts and slots in the order of their bytes. */
const accountsOf = (words: Words): AccountDiff[] => {
  const accounts: AccountDiff[] = []
  const change = new ChangeCursor(words)
  while (change.next()) {
    const slots: [Hex, Hex][] = []
    for (let k = 0, at = change.slots; k < change.slotCount; k++, at += SLOT_WORDS) {
      slots.push([wordHex(words, at), wordHex(words, at + 8)])
    }
    accounts.push({
      address: hexOfWords(words, change.address, 5),
      storage: new Map(slots.sort(([a], [b]) => (a < b ? -1 : 1))),
      storageCleared: change.has(Change.Cleared),
      deleted: change.has(Change.Deleted),
      ...(change.has(Change.Balance) ? { balance: toBigInt(words, change.balance) } : {}),
      ...(change.has(Change.Nonce) ? { nonce: toBigInt(words, change.nonce, 2) } : {}),
      ...(change.has(Change.Code) ? { codeHash: codeHashOf(words, change.code) } : {}),
    })
  }
  return accounts.sort((a, b) => (a.address < b.address ? -1 : 1))
}

/** Zeros are the hash of no code. */
const codeHashOf = (words: Words, at: number): Hex => (isZero8(words, at) ? EMPTY_CODE_HASH : hexOfWords(words, at, 8))

/** Hex digits as bytes, four a word. */
const putBytes = (hex: string, words: Words, at: number, count: number): void => {
  for (let k = 0; k < count; k++) {
    const word = Number.parseInt(hex.slice(2 + 8 * k, 10 + 8 * k), 16)
    words[at + k] = ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
  }
}

/** Hex digits of a number of at most 256 bits as limbs. */
const putLimbs = (hex: string, words: Words, at: number): void => {
  for (let k = 0; k < 8; k++) {
    const end = hex.length - 8 * k
    words[at + k] = end <= 2 ? 0 : Number.parseInt(hex.slice(Math.max(2, end - 8), end), 16) | 0
  }
}

const flagsOf = ({ nonce, balance, codeHash, storageCleared, deleted }: AccountDiff): number =>
  deleted
    ? Change.Deleted
    : (nonce === undefined ? 0 : Change.Nonce) |
      (balance === undefined ? 0 : Change.Balance) |
      (codeHash === undefined ? 0 : Change.Code) |
      (storageCleared ? Change.Cleared : 0)

/** Words of the fields that flags announce. */
const fieldWords = (flags: number): number =>
  ((flags & Change.Nonce) === 0 ? 0 : 2) +
  ((flags & Change.Balance) === 0 ? 0 : 8) +
  ((flags & Change.Code) === 0 ? 0 : 8)

/**
 * The words of a difference in objects.
 *
 * @param diff - well-formed: hex of the lengths that `AccountDiff` names, numbers in range; `checkDiff` says so
 */
export const packDiff = ({ accounts }: StateDiff): Words => {
  const total = accounts.reduce(
    (sum, account) => sum + HEAD_WORDS + fieldWords(flagsOf(account)) + SLOT_WORDS * account.storage.size,
    0,
  )
  const words = new Int32Array(total)
  let at = 0
  for (const account of accounts) {
    const { address, nonce, balance, codeHash, storage, deleted } = account
    words[at] = flagsOf(account)
    words[at + 1] = storage.size
    putBytes(address, words, at + 2, 5)
    at += HEAD_WORDS
    if (!deleted) {
      if (nonce !== undefined) {
        fromBigInt(nonce, words, at, 2)
        at += 2
      }
      if (balance !== undefined) {
        fromBigInt(balance, words, at)
        at += 8
      }
      if (codeHash !== undefined) {
        // Zeros stand for no code.
        if (codeHash.toLowerCase() !== EMPTY_CODE_HASH) putBytes(codeHash, words, at, 8)
        at += 8
      }
    }
    for (const [key, value] of storage) {
      putLimbs(key, words, at)
      putLimbs(value, words, at + 8)
      at += SLOT_WORDS
    }
  }
  return words
}

/** Adds changes to a trie's version under way, a room at a time. */
export const putChanges = (trie: StateTrie, words: Words): void => {
  const writer = new ChangeWriter(trie)
  const change = new ChangeCursor(words)
  while (change.next()) {
    if (change.has(Change.Deleted)) {
      writer.account(Change.Deleted, words, change.address)
      continue
    }
    writer.account(change.flags, words, change.address)
    writer.field(words, change.nonce, change.slots - change.nonce)
    for (let k = 0, at = change.slots; k < change.slotCount; k++, at += SLOT_WORDS) {
      writer.slot(words, at, words, at + 8)
    }
  }
  writer.end()
}

/**
 * Collects changes of accounts whose number is not known beforehand.
 *
 * An account begins with its address; its fields follow in the order of their flags, then its slots.
 */
export class ChangeList {
  #words = new Int32Array(1 << 12)
  #at = 0
  #head = 0

  account(address: Words, from: number, slots: number): void {
    this.#room(HEAD_WORDS + 18 + SLOT_WORDS * slots)
    this.#head = this.#at
    const w = this.#words
    w[this.#at] = 0
    w[this.#at + 1] = slots
    for (let k = 0; k < 5; k++) w[this.#at + 2 + k] = address[from + k]
    this.#at += HEAD_WORDS
  }

  mark(flag: number): void {
    this.#words[this.#head] |= flag
  }

  nonce(words: Words, from: number): void {
    this.mark(Change.Nonce)
    this.#words[this.#at] = words[from]
    this.#words[this.#at + 1] = words[from + 1]
    this.#at += 2
  }

  /** Balance or code hash. */
  field(flag: number, words: Words, from: number): void {
    this.mark(flag)
    this.#put8(words, from)
  }

  slot(keys: Words, key: number, values: Words, value: number): void {
    this.#put8(keys, key)
    this.#put8(values, value)
  }

  /** True where the account at hand has nothing but its address. */
  get isEmpty(): boolean {
    return this.#words[this.#head] === 0 && this.#words[this.#head + 1] === 0
  }

  /** Takes the account at hand out again. */
  drop(): void {
    this.#at = this.#head
  }

  /** A copy of all that was collected. */
  end(): Words {
    return this.#words.slice(0, this.#at)
  }

  #put8(words: Words, from: number): void {
    copy8(this.#words, this.#at, words, from)
    this.#at += 8
  }

  #room(words: number): void {
    const wanted = this.#at + words
    if (wanted <= this.#words.length) return
    const larger = new Int32Array(2 * wanted)
    larger.set(this.#words.subarray(0, this.#at))
    this.#words = larger
  }
}
