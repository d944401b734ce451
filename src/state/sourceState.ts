/**
 * A state whose values come from an asynchronous source on the main thread: a store, a node, a state manager.
 *
 * To a run it is a table like any other, but that a record says whether its base value is here (core/cold.ts). A place
 * that meets one that is not waits for it while its worker does other work; main asks the source, writes the answer into
 * the record and wakes whoever waits. Answers are kept until the state is forgotten, so that a block asks once for each.
 *
 * Concurrency: main thread, but for the words that core/cold.ts describes.
 * Not here: roots and walks over all accounts, which take the whole state.
 */
import * as atomics from '../core/atomics.ts'
import { answer, coolDown, isKnown, REQUESTS, takeRequest } from '../core/cold.ts'
import type { StateDiff } from '../core/diff.ts'
import { InvalidInputError, ParallelExecutionError } from '../core/errors.ts'
import { hexOf, readHex, wordHex } from '../core/hex.ts'
import { AccountRecord, Life, RECORD_SHIFT, RECORD_WORDS, SlotRecord, Tag } from '../core/location.ts'
import type { AsyncStateSource, SourceAccount } from '../core/source.ts'
import { StateHeader } from '../core/table.ts'
import { fromBigInt, toBigInt } from '../core/words.ts'
import type { AccountInfo, AccountInput, BytesLike, Quantity } from './accounts.ts'
import { findAccount } from './find.ts'
import { MemoryState } from './memoryState.ts'

/** Options of a state whose values come later. */
export interface SourceStateOptions {
  /** Milliseconds that the source may take for one answer; 10,000 by default, 0 for ever. */
  readonly timeout?: number
  /** Keccak-256, by which codes are checked; @noble/hashes' by default. */
  readonly keccak256?: (bytes: Uint8Array) => Uint8Array
  /** Address space to reserve for what a block meets, in bytes; 256 MiB by default. */
  readonly maxBytes?: number
}

const DEFAULT_BYTES = 2 ** 28
const DEFAULT_TIMEOUT = 10_000
const EMPTY_HASH = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
const LIMIT = 1n << 256n
/** Questions that wait for an answer at a time: a source over a network answers many as fast as one. */
const AT_ONCE = 64

/** What was asked for and could not be had. */
type Question = { readonly address: string; readonly key?: string }

interface AccountAnswer {
  readonly account: SourceAccount | undefined
  readonly code: Uint8Array | undefined
}

const failure = (
  what: string,
  question: Question,
  details: { readonly reason: string; readonly limit?: number },
  cause?: unknown,
): ParallelExecutionError =>
  new ParallelExecutionError(
    'STATE_SOURCE_FAILED',
    `the state source ${what} when it was asked for ${question.key === undefined ? 'account' : `slot ${question.key} of`} ${question.address}`,
    { ...question, ...details },
    cause === undefined ? {} : { cause },
  )

export class SourceState extends MemoryState {
  override readonly isPartial = true
  #source: AsyncStateSource
  #timeout: number
  readonly #accounts = new Map<string, AccountAnswer>()
  readonly #slots = new Map<string, bigint>()
  /** Answers that no record outside of a run holds yet, by the names that the maps above have for them. */
  readonly #fresh = new Map<string, () => void>()
  /** Grows with each run: an answer that comes too late is for nobody. */
  #run = 0
  /** Questions that the source has not answered yet, and those that wait for their turn. */
  #asking = 0
  readonly #turns: (() => void)[] = []
  /** Answers that are under way, and who waits for there to be none. */
  #answering = 0
  #idle: (() => void)[] = []
  /** A slot of nobody knows which key, behind the slots of accounts that have storage and no code. */
  #hidden = 0
  /** Grows as answers are forgotten: one to a question from before is not kept. */
  #generation = 0

  constructor(source: AsyncStateSource, options: SourceStateOptions = {}) {
    const { maxBytes = DEFAULT_BYTES, timeout = DEFAULT_TIMEOUT, keccak256 } = options
    super({ maxBytes, ...(keccak256 === undefined ? {} : { keccak256 }) })
    this.#source = checkedSource(source)
    this.#timeout = checkedTimeout(timeout)
    this.#layOutCold()
  }

  /**
   * Asks another source from now on; `clear` before it forgets what the last one answered.
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state
   */
  attach(source: AsyncStateSource, timeout: number): void {
    this.assertIdle('attach a source to')
    this.#source = checkedSource(source)
    this.#timeout = checkedTimeout(timeout)
  }

  #layOutCold(): void {
    const w = this.words
    w[StateHeader.Known] = this.reserve(w.length >> RECORD_SHIFT)
    w[StateHeader.Requests] = this.reserve(REQUESTS)
    this.codes.fit(REQUESTS)
    this.#hidden = this.reserve(RECORD_WORDS)
    w.set(globalThis.crypto.getRandomValues(new Int32Array(8)), this.#hidden + SlotRecord.Key)
    w[this.#hidden + SlotRecord.Value] = 1
  }

  /** Of the words beside the records those alone may not be zero that stand for a record. */
  protected override erase(end: number): void {
    const w = this.words
    const known = w[StateHeader.Known]
    w.fill(0, 0, known + (end >> RECORD_SHIFT))
    w.fill(0, known + (w.length >> RECORD_SHIFT), end)
  }

  /** Forgets every answer: the source has moved on. */
  override clear(): void {
    super.clear()
    this.#layOutCold()
    this.#accounts.clear()
    this.#slots.clear()
    this.#fresh.clear()
    this.#generation++
  }

  /**
   * Advances the source, and forgets what it answered before, also where it fails: how far it came is not known. No run
   * can open meanwhile.
   *
   * @throws {InvalidInputError} INVALID_OPTION where the source cannot be advanced; STATE_BUSY while a run reads the state
   */
  override async apply(diff: StateDiff): Promise<void> {
    this.assertIdle('apply')
    if (this.#source.apply === undefined) {
      throw new InvalidInputError('INVALID_OPTION', 'the state source has no `apply`', { option: 'source' })
    }
    this.hold()
    try {
      await this.#source.apply(diff)
    } finally {
      this.release()
      this.clear()
    }
  }

  /** Puts an account as into a state in memory; the source is not asked for it until the state is forgotten. */
  override putAccount(address: BytesLike, account: AccountInput): void {
    super.putAccount(address, account)
    const bytes = readHex(address, 20, 'address')
    const { balance, nonce, codeHash } = this.getAccount(bytes) as AccountInfo
    const put =
      codeHash === undefined ? { balance, nonce } : { balance, nonce, codeHash: readHex(codeHash, 32, 'codeHash') }
    const name = hexOf(bytes)
    this.#accounts.set(name, { account: put, code: codeHash === undefined ? undefined : this.getCode(codeHash) })
    this.#fresh.delete(name)
    answer(this.words, findAccount(this.words, new Int32Array(bytes.slice().buffer)))
  }

  /** Puts a slot as into a state in memory; the source is not asked for it until the state is forgotten. */
  override putStorage(address: BytesLike, key: Quantity, value: Quantity): number {
    const slot = super.putStorage(address, key, value)
    const name = hexOf(readHex(address, 20, 'address')) + wordHex(this.words, slot + SlotRecord.Key)
    this.#slots.set(name, toBigInt(this.words, slot + SlotRecord.Value))
    this.#fresh.delete(name)
    answer(this.words, slot)
    return slot
  }

  // ---- runs ----

  override open(records: number): void {
    super.open(records)
    this.words[StateHeader.Asked] = 0
    this.#run++
  }

  override close(inserted: readonly number[]): void {
    this.#coolDown(false)
    super.close(inserted)
    this.#install()
  }

  override scrub(): void {
    this.#coolDown(true)
    super.scrub()
    this.#install()
  }

  /** What came in the run lies in memory that the run gives back; the answers are kept here for the next one. */
  #coolDown(failed: boolean): void {
    coolDown(this.words, failed)
    this.codes.dropOfRun()
    this.#run++
  }

  /**
   * Gives every answer a record that stays, so that no run asks for it again. Where there is no room, or a run of
   * another executor reads the state, the rest waits for the next time: what is not here is answered from the maps.
   */
  #install(): void {
    for (const [name, install] of this.#fresh) {
      try {
        install()
      } catch (error) {
        if (error instanceof ParallelExecutionError) return
        throw error
      }
      this.#fresh.delete(name)
    }
  }

  /**
   * Asks for accounts that a block will need before it runs, all at once: without them each transaction would begin by
   * asking for its sender.
   *
   * @throws {ParallelExecutionError} STATE_SOURCE_FAILED
   */
  override async prefetch(
    addresses: Iterable<Uint8Array>,
    slots: Iterable<readonly [address: Uint8Array, key: Uint8Array]> = [],
  ): Promise<void> {
    await this.#counted(async () => {
      const accounts = new Map([...addresses].map((address) => [hexOf(address), address]))
      await all([...accounts.values()].map((address) => this.#accountOf(address)))
      const keys = new Map([...slots].map((slot) => [hexOf(slot[0]) + hexOf(slot[1]), slot]))
      await all([...keys.values()].map(([address, key]) => this.#slotOf(address, key)))
    })
    this.#install()
  }

  /** Whether the source has not answered yet all that it was asked. */
  get isAsking(): boolean {
    return this.#answering > 0
  }

  /** Resolves when the source has answered, or failed to answer, all that runs, and main for them, have asked. */
  async settled(): Promise<void> {
    if (this.#answering > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Writes the base value of the account at `record`, which is read without being asked for (the fee recipient). */
  async fetchAccount(record: number): Promise<void> {
    if (!isKnown(this.words, record)) await this.#answer(record, this.#run)
  }

  serve(fail: (error: unknown) => void, wake: () => void): () => void {
    const w = this.words
    const run = this.#run
    let open = true
    let next = 0
    const reply = async (record: number): Promise<void> => {
      try {
        await this.#answer(record, run)
        if (open) wake()
      } catch (error) {
        if (open) fail(error)
      }
    }
    const loop = async (): Promise<void> => {
      while (open) {
        const asked = atomics.load(w, StateHeader.Asked)
        let late = false
        while (next < asked && !late) {
          const record = takeRequest(w, next)
          // Its worker is between counting and writing it.
          if (record === 0) late = true
          else {
            next++
            reply(record).catch(fail)
          }
        }
        if (late) await new Promise((resolve) => setTimeout(resolve, 1))
        else await atomics.waitAsync(w, StateHeader.Asked, asked, 100)
      }
    }
    loop().catch(fail)
    return () => {
      open = false
      atomics.notify(w, StateHeader.Asked)
    }
  }

  // ---- answers ----

  #answer(record: number, run: number): Promise<void> {
    return this.#counted(() => this.#fill(record, run))
  }

  /** Work that `settled` waits for: whoever asked may have given up. */
  async #counted(work: () => Promise<void>): Promise<void> {
    this.#answering++
    try {
      await work()
    } finally {
      this.#answering--
      if (this.#answering === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  async #fill(record: number, run: number): Promise<void> {
    const w = this.words
    const isSlot = w[record] === Tag.Slot
    const account = isSlot ? w[record + SlotRecord.Account] << RECORD_SHIFT : record
    const address = new Uint8Array(w.slice(account + AccountRecord.Address, account + AccountRecord.Address + 5).buffer)
    if (isSlot) {
      const key = bigEndian(w, record + SlotRecord.Key)
      const value = await this.#slotOf(address, key)
      if (run !== this.#run) return
      fromBigInt(value, w, record + SlotRecord.Value)
    } else {
      const found = await this.#accountOf(address)
      if (run !== this.#run) return
      this.#writeAccount(record, found)
    }
    answer(w, record)
  }

  #writeAccount(record: number, { account, code }: AccountAnswer): void {
    if (account === undefined) return
    const w = this.words
    const life = record + AccountRecord.Life
    fromBigInt(account.balance, w, record + AccountRecord.Balance)
    fromBigInt(account.nonce, w, record + AccountRecord.Nonce, 2)
    if (code !== undefined && account.codeHash !== undefined) {
      this.codes.insertInRun(account.codeHash, code)
      w.set(new Int32Array(account.codeHash.slice().buffer), life + Life.CodeHash)
    }
    w[life + Life.Exists] = 1
    if (account.hasStorage === true) this.#hide(record)
  }

  /** Lets the account have a slot that is not zero, though nobody knows which. */
  #hide(record: number): void {
    const w = this.words
    let at = record + AccountRecord.FirstSlot
    while (w[at] !== 0 && w[at] !== this.#hidden) at = w[at] + SlotRecord.NextSlot
    w[at] = this.#hidden
  }

  #installAccount(address: Uint8Array, { account, code }: AccountAnswer): void {
    const words = new Int32Array(address.slice().buffer)
    const record = this.insert((table) => table.account(words, 0))
    if (account !== undefined) {
      const { balance, nonce } = account
      if (code !== undefined && account.codeHash !== undefined) {
        this.putCode(code, account.codeHash)
        super.putAccount(address, { balance, nonce, codeHash: account.codeHash })
      } else super.putAccount(address, { balance, nonce })
      if (account.hasStorage === true) this.#hide(record)
    }
    answer(this.words, record)
  }

  async #accountOf(address: Uint8Array): Promise<AccountAnswer> {
    const name = hexOf(address)
    const known = this.#accounts.get(name)
    if (known !== undefined) return known
    const question = { address: name }
    const generation = this.#generation
    const account = await this.#ask(question, () => this.#source.getAccount(address))
    const wrong = account === undefined ? undefined : accountProblem(account)
    if (wrong !== undefined) throw failure(`answered with ${wrong}`, question, { reason: wrong })
    let code: Uint8Array | undefined
    if (account?.codeHash !== undefined && hexOf(account.codeHash) !== EMPTY_HASH) {
      code = await this.#ask(question, () => this.#source.getCode(address))
      const reason = !(code instanceof Uint8Array)
        ? 'a code that is not bytes'
        : hexOf(this.hash(code)) === hexOf(account.codeHash)
          ? undefined
          : 'a code that has another hash'
      if (reason !== undefined) throw failure(`answered with ${reason}`, question, { reason })
    }
    const found = { account, code }
    if (generation !== this.#generation || this.#accounts.has(name)) return found
    this.#accounts.set(name, found)
    this.#fresh.set(name, () => this.#installAccount(address, found))
    return found
  }

  async #slotOf(address: Uint8Array, key: Uint8Array): Promise<bigint> {
    const question = { address: hexOf(address), key: hexOf(key) }
    const name = question.address + question.key
    const known = this.#slots.get(name)
    if (known !== undefined) return known
    const owner = this.#accounts.get(question.address)
    // What does not exist has no storage.
    if (owner !== undefined && owner.account === undefined) return 0n
    const generation = this.#generation
    const bytes = await this.#ask(question, () => this.#source.getStorage(address, key))
    if (!(bytes instanceof Uint8Array) || bytes.length > 32) {
      const reason = 'what is no value of up to 32 bytes'
      throw failure(`answered with ${reason}`, question, { reason })
    }
    const value = bytes.length === 0 ? 0n : BigInt(hexOf(bytes))
    if (generation !== this.#generation || this.#slots.has(name)) return value
    this.#slots.set(name, value)
    this.#fresh.set(name, () => void this.putStorage(address, question.key, value))
    return value
  }

  /** Asks when it is the question's turn. */
  async #ask<T>(question: Question, call: () => Promise<T>): Promise<T> {
    this.#asking++
    if (this.#asking > AT_ONCE) await new Promise<void>((resolve) => this.#turns.push(resolve))
    try {
      return await this.#answered(question, call)
    } finally {
      this.#asking--
      this.#turns.shift()?.()
    }
  }

  /** The source's answer, within the time it may take. */
  async #answered<T>(question: Question, call: () => Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const limit = this.#timeout
    const late = new Promise<never>((_, reject) => {
      if (limit === 0) return
      timer = setTimeout(() => {
        const reason = `gave no answer within ${limit} ms`
        reject(failure(reason, question, { reason, limit }))
      }, limit)
    })
    try {
      return await Promise.race([Promise.resolve().then(call), late])
    } catch (cause) {
      if (cause instanceof ParallelExecutionError && cause.code === 'STATE_SOURCE_FAILED') throw cause
      throw failure('failed', question, { reason: cause instanceof Error ? cause.message : String(cause) }, cause)
    } finally {
      clearTimeout(timer)
    }
  }
}

const checkedSource = (source: AsyncStateSource): AsyncStateSource => {
  for (const name of ['getAccount', 'getStorage', 'getCode'] as const) {
    if (typeof source?.[name] !== 'function') {
      throw new InvalidInputError('INVALID_OPTION', `the state source has no function ${name}`, { option: 'source' })
    }
  }
  return source
}

const checkedTimeout = (timeout: number): number => {
  if (Number.isInteger(timeout) && timeout >= 0 && timeout <= 2 ** 31 - 1) return timeout
  throw new InvalidInputError('INVALID_OPTION', `timeout is not a number of milliseconds: ${String(timeout)}`, {
    option: 'timeout',
  })
}

/** Waits for every one, also where one fails: what is asked for must be answered before its state goes to others. */
const all = async (work: readonly Promise<unknown>[]): Promise<void> => {
  const endings = await Promise.allSettled(work)
  for (const ending of endings) if (ending.status === 'rejected') throw ending.reason
}

/** What is wrong with an account, in words; undefined where nothing is. */
const accountProblem = (account: unknown): string | undefined => {
  if (typeof account !== 'object' || account === null) return 'what is no account'
  const { balance, nonce, codeHash } = account as Partial<Record<keyof SourceAccount, unknown>>
  if (typeof balance !== 'bigint' || balance < 0n || balance >= LIMIT) return 'a balance that is none'
  if (typeof nonce !== 'bigint' || nonce < 0n || nonce >= 1n << 64n) return 'a nonce that is none'
  if (codeHash !== undefined && !(codeHash instanceof Uint8Array && codeHash.length === 32)) {
    return 'a code hash that is not 32 bytes'
  }
  return undefined
}

/** Eight words, low word first, as 32 bytes. */
const bigEndian = (words: Int32Array, at: number): Uint8Array => {
  const bytes = new Uint8Array(32)
  for (let k = 0; k < 32; k++) bytes[31 - k] = words[at + (k >> 2)] >>> ((k & 3) * 8)
  return bytes
}

/** Makes a state whose values are asked for as blocks need them. */
export const createSourceState = (source: AsyncStateSource, options: SourceStateOptions = {}): SourceState =>
  new SourceState(source, options)
