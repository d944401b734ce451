/**
 * Kinds of location, and where a state record keeps each one's head and base value.
 *
 * A location's id is the word offset of its head in the state memory, so that following it costs nothing.
 * The kind tells where, from there, the base value lies and how long it is; a kind tag is part of every
 * key, so that a marker of an account can never be one of its slots (hazard 8).
 *
 * ```text
 * account record, 32 words                      slot record, 32 words
 *  0 tag  1-5 address  6 watched  7 chain        0 tag  1 account id  2-9 key  10 head  11 watched
 *  8 balance head  9 nonce head  10 life head   12-19 value  20 chain  21 next slot of the account
 *  11 first slot of the account
 * 12-19 balance  20-21 nonce
 * 22-29 code hash  30 generation  31 exists
 *                                               byte-string record (tasks), 32 words
 *                                                0 tag  1 hash  2 key bytes  3 key offset  6 watched  7 chain
 *                                                10 value head  12-19 links of the order of keys
 *                                                20-21 value: length in bytes (-1: none), where it lies
 *                                                22-31 key, if it has at most six words, and value, if it fits
 * ```
 * `life` is what changes when an account is created, delegated or destroyed: its code hash, the generation
 * of its storage (one more than the place that last emptied it), and whether it exists in the sense of the rules before
 * EIP-161. Code and hash are one value, so they are never read from two versions (hazard 6).
 */

export const RECORD_WORDS = 32
export const RECORD_SHIFT = 5

/** Tags of records: what a key is the key of. */
export const Tag = { Free: 0, Account: 1, Slot: 2, Bytes: 3 } as const

export const AccountRecord = { Tag: 0, Address: 1, Chain: 7, FirstSlot: 11, Balance: 12, Nonce: 20, Life: 22 } as const
export const SlotRecord = { Tag: 0, Account: 1, Key: 2, Chain: 20, NextSlot: 21, Value: 12 } as const
export const BytesRecord = { Tag: 0, Hash: 1, KeyLength: 2, KeyOffset: 3, Chain: 7, Value: 20, Room: 22 } as const

/**
 * Longest key in words that lies in its record; beside it there is room for a number, at least. What lies elsewhere is a
 * line of memory more for each that looks: 0.4 us a task of two keys among 10,000 (docs/tasks.md).
 */
export const INLINE_KEY_WORDS = 6

/** Kinds of location. A kind is an index of the tables below. */
export const Kind = { Balance: 0, Nonce: 1, Life: 2, Slot: 3, Bytes: 4 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Offset of the head in its record. */
const HEAD = [8, 9, 10, 10, 10] as const
/** Offset of the base value, counted from the head. */
export const BASE = [
  AccountRecord.Balance - 8,
  AccountRecord.Nonce - 9,
  AccountRecord.Life - 10,
  SlotRecord.Value - 10,
  BytesRecord.Value - 10,
] as const
/** Words of a value that are compared. */
export const LENGTH = [8, 2, 10, 8, 2] as const
/** Words of a value in a record: a life also says where in the engine memory new code lies. */
export const STORED = [8, 2, 12, 8, 2] as const

/** Offset of the flag word that marks a record's locations as watched, counted from the record. */
export const WATCHED = [6, 6, 6, 11, 6] as const

/** Words of a life value. */
export const Life = { CodeHash: 0, Generation: 8, Exists: 9, CodeOffset: 10, CodeBytes: 11 } as const

export const locationOf = (record: number, kind: Kind): number => record + HEAD[kind]
export const recordOf = (location: number): number => location & ~(RECORD_WORDS - 1)

/** Kind of a location whose record is in the table. */
export const kindOf = (state: Int32Array, location: number): Kind => {
  const record = recordOf(location)
  const head = location - record
  if (head === HEAD[Kind.Balance]) return Kind.Balance
  if (head === HEAD[Kind.Nonce]) return Kind.Nonce
  return state[record] === Tag.Account ? Kind.Life : state[record] === Tag.Slot ? Kind.Slot : Kind.Bytes
}
