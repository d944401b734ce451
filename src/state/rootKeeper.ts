/**
 * Keeps a trie in step with the records of a state.
 *
 * The trie is filled from all records when a root is first asked for. From then on it is told what changed: by a
 * difference that is staged and later applied, or by the records that were put meanwhile.
 *
 * Always true (checked in test/property/stateRoot.property.ts):
 *   K1  What is staged lies on the records as they are. Whatever changes a record drops it first, unless it is the very
 *       difference that was staged.
 *   K2  The trie's committed version is the records', but for those in `touched`.
 */
import type { StateDiff } from '../core/diff.ts'
import { InvalidInputError } from '../core/errors.ts'
import { AccountRecord, Life, SlotRecord } from '../core/location.ts'
import { isSameChanges, putChanges, wordsOfDiff } from '../core/packedDiff.ts'
import { Change, ChangeWriter, type StateTrie } from '../core/stateRoot.ts'
import { isZero8 } from '../core/words.ts'

type Words = Int32Array

/** A trie is one state's: two of them would take turns at overwriting it. */
const taken = new WeakSet<StateTrie>()

interface Staged {
  readonly whole: StateDiff | undefined
  /** What `whole` said then, where that is known: it may have been changed since. */
  readonly changes: Words | undefined
}

const FIELDS = Change.Nonce | Change.Balance | Change.Code

export class RootKeeper {
  readonly #trie: StateTrie
  readonly #words: Words
  readonly #records: () => Iterable<number>
  #filled = false
  /** Account records that were put since the trie saw them, each with its slots that were; null for all slots. */
  readonly #touched = new Map<number, Set<number> | null>()
  /** What is staged: nothing, parts of a difference that is still unknown, or all of `whole`. */
  #staged: Staged | undefined

  /** @param records - account records of the state, absent accounts among them */
  constructor(trie: StateTrie, words: Words, records: () => Iterable<number>) {
    if (taken.has(trie)) {
      throw new InvalidInputError('INVALID_OPTION', 'the trie belongs to a state already; create one for each', {
        option: 'trie',
      })
    }
    taken.add(trie)
    this.#trie = trie
    this.#words = words
    this.#records = records
  }

  /** Root after the difference, whose words are `changes`, on top of what is staged. See `MemoryState.stage`. */
  stage(diff: StateDiff, changes: Words, whole: StateDiff | undefined): Uint8Array {
    this.#refresh()
    const first = this.#staged === undefined
    this.#put(changes)
    if (whole !== undefined) this.#staged = { whole, changes: wordsOfDiff(whole) }
    else this.#staged = { whole: first ? diff : undefined, changes }
    return this.#trie.root()
  }

  rollback(): void {
    if (this.#staged === undefined) return
    this.#staged = undefined
    this.#trie.rollback()
  }

  /** Root of the records; what is staged stays. */
  root(): Uint8Array {
    this.#refresh()
    return this.#trie.committedRoot()
  }

  /** Before a difference goes into the records. If it cannot, the trie has dropped it and what was staged. */
  begin(diff: StateDiff, changes: Words): void {
    const staged = this.#staged
    if (staged?.whole === diff && (staged.changes === undefined || isSameChanges(staged.changes, changes))) return
    this.rollback()
    if (!this.#filled) return
    this.#refresh()
    this.#put(changes)
    this.#staged = { whole: diff, changes }
  }

  /** After it went in. */
  commit(): void {
    if (this.#staged !== undefined) this.#trie.commit()
    this.#staged = undefined
  }

  /** Forgets the trie's contents, after records changed in a way that it was not told. */
  invalidate(): void {
    this.#staged = undefined
    this.#touched.clear()
    this.#filled = false
  }

  /** The state has no records any more. */
  clear(): void {
    this.invalidate()
    this.#trie.clear()
    this.#filled = true
  }

  dispose(): void {
    this.#trie.dispose()
  }

  /** Before an account is put. One that did not exist brings along the slots that were put for it. */
  touch(account: number): void {
    this.rollback()
    if (!this.#filled) return
    if (this.#words[account + AccountRecord.Life + Life.Exists] === 0) this.#touched.set(account, null)
    else if (!this.#touched.has(account)) this.#touched.set(account, new Set())
  }

  /** Before a slot is put. It counts once its account exists. */
  touchSlot(account: number, slot: number): void {
    this.rollback()
    if (!this.#filled || this.#words[account + AccountRecord.Life + Life.Exists] === 0) return
    this.touch(account)
    this.#touched.get(account)?.add(slot)
  }

  #put(changes: Words): void {
    try {
      putChanges(this.#trie, changes)
    } catch (error) {
      // A difference goes in by pieces; those that went in before the one that failed must go too.
      this.#staged = undefined
      this.#trie.rollback()
      throw error
    }
  }

  /** Brings the committed version up to the records. */
  #refresh(): void {
    if (this.#filled && this.#touched.size === 0) return
    this.#staged = undefined
    try {
      if (this.#filled) this.#trie.rollback()
      else this.#trie.clear()
      const writer = new ChangeWriter(this.#trie)
      if (this.#filled) for (const [account, slots] of this.#touched) this.#write(writer, account, slots)
      else for (const account of this.#records()) this.#write(writer, account, null)
      writer.end()
    } catch (error) {
      this.invalidate()
      this.#trie.clear()
      throw error
    }
    this.#trie.commit()
    this.#touched.clear()
    this.#filled = true
  }

  #write(writer: ChangeWriter, r: number, slots: Set<number> | null): void {
    const w = this.#words
    if (w[r + AccountRecord.Life + Life.Exists] === 0) return
    writer.account(slots === null ? FIELDS | Change.Cleared : FIELDS, w, r + AccountRecord.Address)
    writer.field(w, r + AccountRecord.Nonce, 2)
    writer.field(w, r + AccountRecord.Balance, 8)
    // Zeros where there is no code, which the trie reads as the hash of none.
    writer.field(w, r + AccountRecord.Life + Life.CodeHash, 8)
    if (slots !== null) {
      for (const s of slots) writer.slot(w, s + SlotRecord.Key, w, s + SlotRecord.Value)
      return
    }
    for (let s = w[r + AccountRecord.FirstSlot]; s !== 0; s = w[s + SlotRecord.NextSlot]) {
      if (!isZero8(w, s + SlotRecord.Value)) writer.slot(w, s + SlotRecord.Key, w, s + SlotRecord.Value)
    }
  }
}
