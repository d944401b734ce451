/**
 * Fills a state with what an @ethereumjs state manager answers, as far as runs ask for it.
 *
 * Owns the questions, how many are asked at once, and what happens where the manager rejects, hangs or answers with
 * something that is no answer. Reads alone: the manager is written by writeBack.ts.
 */
import type { StateManagerInterface } from '@ethereumjs/common'
import { Address } from '@ethereumjs/util'
import type { Hex } from '../../core/diff.ts'
import { ParallelExecutionError } from '../../core/errors.ts'
import { hexOf, readHex } from '../../core/hex.ts'
import type { DemandState, Missed } from '../../state/demandState.ts'

/** Questions that wait for an answer at a time: a manager over a network answers many as fast as one. */
const AT_ONCE = 64

const EMPTY_CODE = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
const EMPTY_ROOT = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'

const isAmount = (value: unknown, bits: bigint): value is bigint =>
  typeof value === 'bigint' && value >= 0n && value < 1n << bits
const isBytes = (value: unknown, most: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length <= most

export class ManagerReader {
  readonly #manager: StateManagerInterface
  readonly #state: DemandState
  readonly #timeout: number
  readonly #present = new Set<Hex>()
  /**
   * Stands for storage of an account without code, which forbids to create a contract there (EIP-7610). Nobody knows
   * the key, so nobody reads it.
   */
  readonly #hiddenKey = hexOf(globalThis.crypto.getRandomValues(new Uint8Array(32)))

  /** @param timeout - milliseconds that one answer may take; 0 waits for ever */
  constructor(manager: StateManagerInterface, state: DemandState, timeout: number) {
    this.#manager = manager
    this.#state = state
    this.#timeout = timeout
  }

  /**
   * Puts what was missed.
   *
   * @returns true where an answer is something else than a run had taken for granted: absent, or zero
   * @throws {ParallelExecutionError} STATE_SOURCE_FAILED where the manager rejects, hangs or answers with garbage
   */
  async fill({ accounts, slots }: Missed): Promise<boolean> {
    let news = false
    const tell = (changed: boolean): void => {
      news ||= changed
    }
    await this.#each([...accounts], async (address) => tell(await this.#account(address)))
    const keys = [...slots].flatMap(([address, list]) => [...list].map((key) => [address, key] as const))
    await this.#each(keys, async ([address, key]) => tell(await this.#slot(address, key)))
    return news
  }

  async #account(address: Hex): Promise<boolean> {
    const name = new Address(readHex(address, 20, 'address'))
    const account = await this.#ask(`getAccount(${address})`, () => this.#manager.getAccount(name))
    if (account === undefined || account === null) {
      this.#state.putAbsent(address)
      return false
    }
    const { balance, nonce, codeHash, storageRoot } = account
    const isAccount = isAmount(balance, 256n) && isAmount(nonce, 64n) && isBytes(codeHash, 32) && codeHash.length === 32
    if (!isAccount) this.#garbage(`getAccount(${address})`, 'an account with balance, nonce and code hash')
    const hash = hexOf(codeHash)
    this.#present.add(address)
    this.#state.putAccount(address, { balance, nonce, codeHash: hash })
    if (hash !== EMPTY_CODE) {
      if (this.#state.getCode(hash) === undefined) await this.#code(address, hash, name)
    } else if (storageRoot instanceof Uint8Array && hexOf(storageRoot) !== EMPTY_ROOT) {
      this.#state.putStorage(address, this.#hiddenKey, 1n)
    }
    return true
  }

  async #code(address: Hex, hash: Hex, name: Address): Promise<void> {
    const code = await this.#ask(`getCode(${address})`, () => this.#manager.getCode(name))
    if (!(code instanceof Uint8Array) || code.length === 0) this.#garbage(`getCode(${address})`, `the code of ${hash}`)
    this.#state.putCode(code, hash)
  }

  async #slot(address: Hex, key: Hex): Promise<boolean> {
    if (!this.#present.has(address)) {
      this.#state.putStorage(address, key, 0n)
      return false
    }
    const what = `getStorage(${address}, ${key})`
    const [name, slot] = [new Address(readHex(address, 20, 'address')), readHex(key, 32, 'key')]
    const value = await this.#ask(what, () => this.#manager.getStorage(name, slot))
    if (!isBytes(value, 32)) this.#garbage(what, 'at most 32 bytes')
    const number = value.length === 0 ? 0n : BigInt(hexOf(value))
    this.#state.putStorage(address, key, number)
    return number !== 0n
  }

  /**
   * Does `work` for every item, some at a time. After the first that fails no other is begun, and those that are under
   * way are waited for: their answers belong to this block's state, which goes to another one next.
   */
  async #each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    let next = 0
    let failed: { readonly error: unknown } | undefined
    const turn = async (): Promise<void> => {
      try {
        while (next < items.length) await work(items[next++] as T)
      } catch (error) {
        failed ??= { error }
        next = items.length
      }
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, turn))
    if (failed !== undefined) throw failed.error
  }

  async #ask<T>(what: string, question: () => Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const limit = this.#timeout
    const late = new Promise<never>((_, reject) => {
      if (limit === 0) return
      const error = () => this.#failure(`${what} had no answer for ${limit} ms`, { limit })
      timer = setTimeout(() => reject(error()), limit)
    })
    try {
      return await Promise.race([question(), late])
    } catch (cause) {
      if (cause instanceof ParallelExecutionError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw this.#failure(`${what} failed: ${reason}`, {}, cause)
    } finally {
      clearTimeout(timer)
    }
  }

  #garbage(what: string, wanted: string): never {
    throw this.#failure(`${what} did not answer with ${wanted}`, {})
  }

  #failure(problem: string, fields: Record<string, unknown>, cause?: unknown): ParallelExecutionError {
    return new ParallelExecutionError(
      'STATE_SOURCE_FAILED',
      `the state manager: ${problem}`,
      fields,
      cause === undefined ? {} : { cause },
    )
  }
}
