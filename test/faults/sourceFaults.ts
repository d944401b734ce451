/**
 * Faults of a state whose values come from a source, which fails, closes, is silent or answers with what is none.
 *
 * The point is the number of a question, counted over all that the block asks; every second seed lets nothing be asked
 * before the run, so that places meet what is missing. Afterwards the same state, on a source that answers again, must
 * give the right result: nothing of the failed run may be left in it.
 */
import { type AsyncStateSource, createSourceState, type MemoryState, type SourceState } from '../../src/index.ts'
import { toHex, word } from '../support/evm.ts'
import { after, between, type Fault, meanwhile, type Random, two } from './fault.ts'
import { type BlockWorld, PEOPLE, SCATTER, type WorldOptions, workBlock } from './world.ts'

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))

/** Payments, a counter, and a hundred slots that the source has to be asked for. */
const scattered = (length: number) =>
  workBlock(
    length,
    Array.from({ length: 10 }, (_, k) => ({
      from: PEOPLE[k] as (typeof PEOPLE)[number],
      to: SCATTER,
      data: `${word(10)}${word(k * 1000).slice(2)}` as const,
      gas: 1_000_000,
    })),
  )
const cold: WorldOptions = { ...two, file: scattered(60) }
const coldEthereumjs: WorldOptions = { ...two, adapter: 'ethereumjs', file: scattered(12) }
/** Questions that such a block asks, about. */
const QUESTIONS = 110

/** What the source does instead of answering question `number`. */
type Trouble = (number: number) => Promise<unknown> | undefined

/** A source over a state in memory that is asked one question after another. */
const sourceOver = (state: MemoryState, trouble: Trouble = () => undefined): AsyncStateSource => {
  let asked = 0
  const question = async <T>(answer: () => T): Promise<T> => {
    const number = asked++
    // Every third answer comes a little later than the others.
    await (number % 3 === 0 ? after(1) : undefined)
    return ((await trouble(number)) as T | undefined) ?? answer()
  }
  return {
    getAccount: (bytes) =>
      question(() => {
        const account = state.getAccount(bytes)
        if (account === undefined) return undefined
        const { balance, nonce, codeHash } = account
        return { balance, nonce, ...(codeHash === undefined ? {} : { codeHash: fromHex(codeHash) }) }
      }),
    getStorage: (bytes, key) => question(() => fromHex(word(state.getStorage(bytes, toHex(key))))),
    getCode: (bytes) => question(() => state.getCode(state.getAccount(bytes)?.codeHash as string) as Uint8Array),
  }
}

/** Runs the block on a source in trouble, and then, whatever became of that, on one that answers. */
const onSource = async (
  world: BlockWorld,
  random: Random,
  trouble: Trouble,
  run: (state: SourceState) => Promise<unknown> = (state) => world.run({ state }),
  timeout = 10_000,
): Promise<unknown> => {
  const state = createSourceState(sourceOver(world.state, trouble), { timeout, maxBytes: 2 ** 24 })
  if (random() < 0.5) Object.assign(state, { prefetch: async () => undefined })
  try {
    return await run(state)
  } finally {
    state.attach(sourceOver(world.state), 10_000)
    await world.run({ state })
  }
}

const fails = (random: Random): Trouble => {
  const at = between(random, 0, QUESTIONS)
  return (number) => (number === at ? Promise.reject(new Error('the disk is gone')) : undefined)
}

export const sourceFaults = {
  'block: the state source fails': {
    world: cold,
    codes: ['STATE_SOURCE_FAILED'],
    run: (world, random) => onSource(world, random, fails(random)),
  },
  'block: the state source closes': {
    world: cold,
    codes: ['STATE_SOURCE_FAILED'],
    run(world, random) {
      let closed = false
      const trouble: Trouble = () => (closed ? Promise.reject(new Error('the connection is closed')) : undefined)
      return meanwhile(
        random() * 20,
        () => {
          closed = true
        },
        () => onSource(world, random, trouble),
      )
    },
  },
  'block: the state source is silent': {
    world: cold,
    codes: ['STATE_SOURCE_FAILED'],
    run(world, random) {
      const at = between(random, 0, QUESTIONS)
      const silent: Trouble = (number) => (number === at ? new Promise(() => undefined) : undefined)
      return onSource(world, random, silent, (state) => world.run({ state }), 400)
    },
  },
  'block: the state source answers with nonsense': {
    world: cold,
    codes: ['STATE_SOURCE_FAILED'],
    run(world, random) {
      const at = between(random, 0, QUESTIONS)
      const nonsense = [{ balance: -1n, nonce: 0n }, new Uint8Array(33), 'nothing'][between(random, 0, 3)]
      return onSource(world, random, (number) => (number === at ? Promise.resolve(nonsense) : undefined))
    },
  },
  'block: a signal is aborted while the source is asked': {
    world: cold,
    codes: ['ABORTED'],
    run(world, random) {
      const controller = new AbortController()
      const { signal } = controller
      const at = between(random, 0, QUESTIONS)
      const trouble: Trouble = (number) => {
        if (number === at) controller.abort()
        return undefined
      }
      return onSource(world, random, trouble, (state) => world.run({ state, signal }))
    },
  },
  'block: a thread is ended while the source is asked': {
    world: cold,
    codes: ['WORKER_LOST'],
    run(world, random) {
      const at = between(random, 0, QUESTIONS)
      const which = random()
      return onSource(world, random, (number) => {
        if (number !== at) return undefined
        return world.threads.end(which).then(() => undefined)
      })
    },
  },
  'ethereumjs: the state source fails': {
    world: coldEthereumjs,
    codes: ['STATE_SOURCE_FAILED'],
    run: (world, random) => onSource(world, random, fails(random)),
  },
} as const satisfies Record<string, Fault<BlockWorld>>
