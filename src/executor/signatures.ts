/**
 * Signatures whose signers workers are to find: laid out for them as soon as a block is known, which may be long before its
 * turn; read when the block is due.
 *
 * Owns the room at the end of the engine memory: what is asked for lies there until it is let go, whatever runs meanwhile.
 * Room is handed out upwards; when nobody asks any more it is handed out anew from the start. Who comes when it is full
 * is not posted, and when his turn comes may drive out the others, whose turns come later. Does not own who recovers
 * (recoverer.ts), what is a good signature, or what a bad one is told (senders.ts).
 *
 * Concurrency: main thread. Words of an item are written once, before `End` publishes them, and again only where nobody can
 * be at an item any more (recoverer.ts, G2).
 */
import { type BlockTransaction, signingPayload } from '../adapters/evm/transaction.ts'
import * as atomics from '../core/atomics.ts'
import { CapacityError } from '../core/errors.ts'
import { ANSWER_WORDS, ItemState, MESSAGES_PER_ITEM, SignatureItem, Signatures, signaturesAt } from '../core/layout.ts'
import { fromBigInt } from '../core/words.ts'
import { wakeParked } from '../scheduler/joining.ts'
import type { BatchOptions, Engine } from './engine.ts'
import { isRecovering } from './recoverer.ts'

type Words = Int32Array

/** Words of a message before its payload; its layout: `recover_all` in rust/evm-core/src/recovery.rs. */
const HEAD = 18
const SIGNER_BYTES = 20

/** Milliseconds between two looks whether workers have left the items that others are to lie upon. */
const LOOK = 1

/** The signatures of one block. */
export interface Asked {
  /** Their signers, once they are due: 20 bytes each, undefined where no key fits. */
  signers(engine: Engine, options: BatchOptions): Promise<readonly (Uint8Array | undefined)[]>
  /** Lets them go, answered or not. */
  release(): void
}

export class SignatureRoom {
  readonly #words: Words
  readonly #workers: number
  readonly #at: number
  #next: number
  /** In the order in which they came. */
  readonly #asked = new Set<Question>()

  /** @param workers - those that are worth waking: no more than there are cores */
  constructor(words: Words, workers: number) {
    this.#words = words
    this.#workers = workers
    this.#at = signaturesAt(words)
    this.#next = this.#at + Signatures.Items
    this.#publish(this.#next)
    atomics.store(words, this.#at + Signatures.Next, this.#next)
  }

  /** Asks for the signers of transactions, all of which have a signature. Parked workers begin at once. */
  ask(transactions: readonly BlockTransaction[]): Asked {
    const asked = new Question(this, transactions)
    // Behind one that found no room nobody gets any: it would be driven out.
    const isFull = [...this.#asked].some((other) => !other.isPosted)
    this.#asked.add(asked)
    if (this.#asked.size === 1) this.#restart()
    if (!isFull) asked.post()
    return asked
  }

  get words(): Words {
    return this.#words
  }

  /** Offset of room for an item of so many words, or undefined. */
  take(count: number): number | undefined {
    const at = this.#next
    if (at + count > this.#words.length) return undefined
    this.#next = at + count
    return at
  }

  /** Lets workers see the item that was written last, and wakes one of those that are parked. */
  publish(): void {
    this.#publish(this.#next)
    wakeParked(this.#words, this.#workers)
  }

  /** Gives all the room to one of those who ask: his turn has come. */
  async clearFor(asked: Question, engine: Engine, signal: AbortSignal | undefined): Promise<void> {
    for (const other of this.#asked) if (other !== asked) other.withdraw()
    asked.withdraw()
    // What is asked of main goes on when it is stopped: then the room is another's, and is not to be handed out again.
    let isWaiting = true
    try {
      await engine.unlessStopped(async () => {
        while (isWaiting && !this.#restart()) await new Promise((resolve) => setTimeout(resolve, LOOK))
      }, signal)
    } finally {
      isWaiting = false
    }
  }

  release(asked: Question): void {
    asked.withdraw()
    this.#asked.delete(asked)
  }

  #publish(end: number): void {
    atomics.store(this.#words, this.#at + Signatures.End, end)
  }

  /** Hands room out from the start again; false where a worker may be at an item. */
  #restart(): boolean {
    const first = this.#at + Signatures.Items
    if (this.#next === first) return true
    this.#publish(0)
    if (isRecovering(this.#words)) {
      this.#publish(this.#next)
      return false
    }
    atomics.store(this.#words, this.#at + Signatures.Next, first)
    this.#next = first
    return true
  }
}

/** See `Asked`. */
class Question implements Asked {
  readonly #room: SignatureRoom
  readonly #transactions: readonly BlockTransaction[]
  readonly #signers: (Uint8Array | undefined)[] = []
  /** Items that are posted, from the first transaction on that has no answer yet. */
  #items: number[] = []
  #posted = 0

  constructor(room: SignatureRoom, transactions: readonly BlockTransaction[]) {
    this.#room = room
    this.#transactions = transactions
  }

  /** True where all that is left to answer is posted. */
  get isPosted(): boolean {
    return this.#signers.length + this.#posted === this.#transactions.length
  }

  async signers(engine: Engine, task: BatchOptions): Promise<readonly (Uint8Array | undefined)[]> {
    const { words } = this.#room
    while (this.#signers.length < this.#transactions.length) {
      if (this.#items.length === 0) await this.#postInTurn(engine, task.signal)
      const isOpen = (item: number): boolean => atomics.load(words, item + SignatureItem.State) !== ItemState.Done
      const open = this.#items.filter(isOpen)
      if (open.length > 0) await engine.batch(Int32Array.from(open), task)
      this.#collect()
      if (!this.isPosted) this.post()
    }
    return this.#signers
  }

  release(): void {
    this.#room.release(this)
  }

  /** Posts as many as there is room for. */
  post(): void {
    const { words } = this.#room
    for (;;) {
      const from = this.#signers.length + this.#posted
      const some = this.#transactions.slice(from, from + MESSAGES_PER_ITEM)
      if (some.length === 0) return
      const payloads = some.map(signingPayload)
      const messageWords = payloads.reduce((sum, { length }) => sum + HEAD + ((length + 3) >> 2), 0)
      const item = this.#room.take(SignatureItem.Messages + messageWords)
      if (item === undefined) return
      words[item + SignatureItem.Size] = SignatureItem.Messages + messageWords
      words[item + SignatureItem.Count] = some.length
      words[item + SignatureItem.MessageWords] = messageWords
      let at = item + SignatureItem.Messages
      payloads.forEach((payload, k) => {
        at = putMessage(words, at, some[k] as BlockTransaction, payload)
      })
      atomics.store(words, item + SignatureItem.State, ItemState.Open)
      this.#items.push(item)
      this.#posted += some.length
      this.#room.publish()
    }
  }

  /** Takes back what nobody has begun; what is posted counts as not posted. */
  withdraw(): void {
    const { words } = this.#room
    for (const item of this.#items) {
      atomics.compareExchange(words, item + SignatureItem.State, ItemState.Open, ItemState.Withdrawn)
    }
    this.#items = []
    this.#posted = 0
  }

  async #postInTurn(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
    this.post()
    if (this.#items.length > 0) return
    await this.#room.clearFor(this, engine, signal)
    this.post()
    if (this.#items.length > 0) return
    const limit = 4 * (this.#room.words.length - signaturesAt(this.#room.words))
    throw new CapacityError('CAPACITY', 'a transaction does not fit into what memoryLimit leaves for signatures', {
      limit,
      actual: this.#transactions[this.#signers.length]?.data.length ?? 0,
    })
  }

  #collect(): void {
    const { words } = this.#room
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
    for (const item of this.#items) {
      for (let k = 0; k < words[item + SignatureItem.Count]; k++) {
        const at = item + SignatureItem.Answers + k * ANSWER_WORDS
        const found = words[at + ANSWER_WORDS - 1] === 0
        this.#signers.push(found ? bytes.slice(4 * at, 4 * at + SIGNER_BYTES) : undefined)
      }
    }
    this.#items = []
    this.#posted = 0
  }
}

/** Writes a message, and returns where the next one begins. */
const putMessage = (words: Words, at: number, { signature }: BlockTransaction, payload: Uint8Array): number => {
  const next = at + HEAD + ((payload.length + 3) >> 2)
  fromBigInt(signature?.r ?? 0n, words, at)
  fromBigInt(signature?.s ?? 0n, words, at + 8)
  words[at + 16] = signature?.yParity ?? 0
  words[at + 17] = payload.length
  new Uint8Array(words.buffer, words.byteOffset + 4 * (at + HEAD), payload.length).set(payload)
  return next
}
