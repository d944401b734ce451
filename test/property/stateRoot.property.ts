/**
 * Generated differences over few accounts and slots, so that leaves collide, branches collapse and accounts come back.
 *
 * After each step a state's root equals that of @ethereumjs/mpt over everything the state should contain. Two states
 * share one store, so that a node which one of them frees while the other holds it would show.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffOf, packDiff } from '../../src/core/packedDiff.ts'
import {
  type AccountDiff,
  createMemoryState,
  type Hex,
  type MemoryState,
  type StateDiff,
  stateRootOf,
} from '../../src/index.ts'
import { address, toHex, word } from '../support/evm.ts'
import { applyToModel, copyOf, type Model, modelRoot, openStore } from '../support/tries.ts'

const MIB = 2 ** 20
const EMPTY_CODE = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'

const accountNumber = fc.integer({ min: 0, max: 9 })
const slotNumber = fc.integer({ min: 0, max: 5 })
const value = fc.oneof(fc.constant(0n), fc.bigInt(1n, 300n), fc.bigInt(0n, 2n ** 256n - 1n))
const codeHash = fc.constantFrom<Hex>(EMPTY_CODE, word(77), word(2n ** 255n))

const accountDiff: fc.Arbitrary<AccountDiff> = fc
  .record({
    account: accountNumber,
    balance: fc.option(value, { nil: undefined }),
    nonce: fc.option(fc.bigInt(0n, 2n ** 64n - 1n), { nil: undefined }),
    codeHash: fc.option(codeHash, { nil: undefined }),
    storage: fc.array(fc.tuple(slotNumber, value), { maxLength: 4 }),
    storageCleared: fc.boolean(),
    deleted: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  })
  .map(({ account, balance, nonce, codeHash, storage, ...flags }) => ({
    address: address(account),
    ...(balance === undefined ? {} : { balance }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(codeHash === undefined ? {} : { codeHash }),
    storage: new Map(storage.map(([key, value]) => [word(key), word(value)])),
    ...flags,
  }))
const diff: fc.Arbitrary<StateDiff> = fc
  .array(accountDiff, { minLength: 1, maxLength: 4 })
  .map((accounts) => ({ accounts, codes: new Map() }))

type Step =
  | { readonly kind: 'stage' | 'apply'; readonly diff: StateDiff }
  | { readonly kind: 'parts'; readonly parts: readonly StateDiff[] }
  | { readonly kind: 'applyStaged' | 'rollback' | 'root' | 'clear' | 'walk' }
  | { readonly kind: 'putAccount'; readonly account: number; readonly balance: bigint; readonly slot: number }
  | { readonly kind: 'putStorage'; readonly account: number; readonly slot: number; readonly value: bigint }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('stage' as const), diff }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('apply' as const), diff }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('parts' as const),
      parts: fc.array(diff, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('applyStaged', 'rollback', 'root', 'walk') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('putAccount' as const),
      account: accountNumber,
      balance: value,
      slot: slotNumber,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('putStorage' as const), account: accountNumber, slot: slotNumber, value }),
  },
)

/** A state beside what it should contain, and what should be staged on it. */
class Pair {
  readonly state: MemoryState
  model: Model = new Map()
  /** Model after what is staged, and the difference alone where there is just one. */
  staged: { model: Model; alone: StateDiff | undefined } | undefined
  /** Storage that was put for an account that does not exist. */
  readonly early = new Map<string, Map<string, bigint>>()

  constructor(state: MemoryState) {
    this.state = state
  }

  async run(step: Step): Promise<void> {
    const { state } = this
    switch (step.kind) {
      case 'stage': {
        const model = copyOf(this.staged?.model ?? this.model)
        this.#applyTo(model, step.diff)
        this.staged = { model, alone: this.staged === undefined ? step.diff : undefined }
        expect(toHex(state.stage(step.diff))).toBe(toHex(await modelRoot(model)))
        return
      }
      case 'parts': {
        // A block in parts: what they add up to is named with the last of them.
        state.rollback()
        this.staged = undefined
        const whole: StateDiff = { accounts: step.parts.flatMap(({ accounts }) => accounts), codes: new Map() }
        const model = copyOf(this.model)
        for (const [k, part] of step.parts.entries()) {
          this.#applyTo(model, part)
          const root = state.stage(part, k === step.parts.length - 1 ? whole : undefined)
          expect(toHex(root)).toBe(toHex(await modelRoot(model)))
        }
        await state.apply(whole)
        this.#advance(model, whole)
        break
      }
      case 'applyStaged': {
        if (this.staged?.alone === undefined) return
        await state.apply(this.staged.alone)
        this.#advance(this.staged.model, this.staged.alone)
        break
      }
      case 'apply': {
        const model = copyOf(this.model)
        this.#applyTo(model, step.diff)
        await state.apply(step.diff)
        this.#advance(model, step.diff)
        break
      }
      case 'rollback':
        state.rollback()
        this.staged = undefined
        break
      case 'clear':
        state.clear()
        this.#advance(new Map(), undefined)
        this.early.clear()
        break
      case 'putAccount': {
        const at = address(step.account)
        state.putAccount(at, { balance: step.balance, storage: { [word(step.slot)]: 7 } })
        const storage = this.model.get(at)?.storage ?? this.early.get(at) ?? new Map<string, bigint>()
        this.early.delete(at)
        this.model.set(at, {
          balance: step.balance,
          nonce: 0n,
          codeHash: undefined,
          storage: new Map(storage).set(word(step.slot), 7n),
        })
        this.staged = undefined
        break
      }
      case 'putStorage': {
        const at = address(step.account)
        state.putStorage(at, word(step.slot), step.value)
        const storage = this.model.get(at)?.storage ?? this.early.get(at) ?? new Map<string, bigint>()
        if (!this.model.has(at)) this.early.set(at, storage)
        if (step.value === 0n) storage.delete(word(step.slot))
        else storage.set(word(step.slot), step.value)
        this.staged = undefined
        break
      }
      case 'walk': {
        const walked: Model = new Map()
        for (const { address, storage, ...account } of state.accounts()) {
          walked.set(address, {
            ...account,
            storage: new Map([...storage].map(([key, value]) => [key, BigInt(value)])),
          })
        }
        const sorted = (model: Model) => new Map([...copyOf(model)].sort(([a], [b]) => (a < b ? -1 : 1)))
        expect(sorted(walked)).toEqual(
          sorted(
            new Map(
              [...this.model].map(([at, a]) => [
                at,
                { ...a, codeHash: a.codeHash === EMPTY_CODE ? undefined : a.codeHash },
              ]),
            ),
          ),
        )
        return
      }
      case 'root':
        break
    }
    expect(toHex(await state.stateRoot())).toBe(toHex(await modelRoot(this.model)))
  }

  #advance(model: Model, diff: StateDiff | undefined): void {
    this.model = model
    this.staged = undefined
    for (const { address } of diff?.accounts ?? []) this.early.delete(address)
  }

  #applyTo(model: Model, diff: StateDiff): void {
    applyToModel(model, diff)
  }
}

describe('state root', () => {
  test('equals that of @ethereumjs/mpt after every step, for two states in one store', async () => {
    const store = await openStore()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), step), { minLength: 1, maxLength: 60 }), async (steps) => {
        const pairs = [0, 1].map(() => new Pair(createMemoryState({ maxBytes: 4 * MIB, trie: store.create() })))
        for (const [first, step] of steps) await pairs[first ? 0 : 1]?.run(step)
      }),
      { numRuns: 120 },
    )
  }, 180_000)
})

describe('a staged difference that is changed before it is applied', () => {
  test.each([false, true])('the root is that of what was applied (read and left alone: %s)', async (isLeft) => {
    const made = {
      address: address(1),
      balance: 5n,
      storage: new Map([
        [word(2), word(1)],
        [word(1), word(3)],
      ]),
      storageCleared: false,
      deleted: false,
    }
    const other = { address: address(2), balance: 7n, storage: new Map(), storageCleared: false, deleted: false }
    const unread = diffOf(packDiff({ accounts: [other, made], codes: new Map() }), new Map())
    const byHand: StateDiff = { accounts: [other, made], codes: new Map() }
    for (const diff of [unread, byHand]) {
      const states = [createMemoryState({ maxBytes: 8 * MIB }), createMemoryState({ maxBytes: 8 * MIB })] as const
      for (const state of states) await stateRootOf(state)
      const staged = states[0].stage(diff)
      if (!isLeft) (diff.accounts[0] as { balance?: bigint }).balance = 6n
      await states[0].apply(diff)
      await states[1].apply({ ...diff })
      expect(toHex(await states[0].stateRoot())).toBe(toHex(await states[1].stateRoot()))
      expect(toHex(staged) === toHex(await states[0].stateRoot())).toBe(isLeft)
      ;(other as { balance: bigint }).balance = 7n
    }
  })
})
