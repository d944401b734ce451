/** Faults of runs of blocks, on a state in memory. */
import { chainAtFork, stateRootOf } from '../../src/index.ts'
import { address, asm, stateOf, word } from '../support/evm.ts'
import { between, type Fault, meanwhile, OwnError, seedFrom, three, two } from './fault.ts'
import { type BlockWorld, LOGGER, PEOPLE, SCATTER, type WorldOptions, workBlock } from './world.ts'

const MIB = 2 ** 20
const given = { chain: chainAtFork('shanghai'), senders: 'trust' as const, speculation: 'always' as const }

/** The other EVM answers with promises, a thousand times slower. */
const ethereumjs: WorldOptions = { ...three, adapter: 'ethereumjs', file: workBlock(30) }

type Run = Fault<BlockWorld>['run']

/** Each some milliseconds after the call, `most` at most. */
const threadEnds =
  (most: number): Run =>
  (world, random) =>
    meanwhile(
      random() * most,
      () => world.threads.end(random()),
      () => world.run(),
    )
const signalAborts =
  (most: number): Run =>
  (world, random) => {
    const controller = new AbortController()
    return meanwhile(
      random() * most,
      () => controller.abort(),
      () => world.run({ signal: controller.signal }),
    )
  }
const executorCloses =
  (most: number): Run =>
  (world, random) =>
    meanwhile(
      random() * most,
      () => world.executor.close(),
      () => world.run(),
    )

export const blockFaults = {
  'block: a thread is ended': {
    world: three,
    codes: ['WORKER_LOST'],
    run: threadEnds(10),
  },
  'block: a signal is aborted': {
    world: three,
    codes: ['ABORTED'],
    run: signalAborts(10),
  },
  'block: the executor is closed': {
    world: three,
    codes: ['CLOSED'],
    ends: true,
    run: executorCloses(10),
  },
  'block: two at once': {
    world: two,
    codes: [],
    run: (world) => Promise.all([world.run(), world.run({ speculation: 'auto' })]),
  },
  'block: a callback throws': {
    world: two,
    codes: ['own'],
    run: (world, random) => {
      const at = between(random, 0, 300)
      return world.run({
        onCommit: ({ from, results }) => {
          if (from <= at && at < from + results.length) throw new OwnError('the caller has seen enough')
        },
      })
    },
  },
  'block: the working memory is full': {
    world: { ...two, memoryLimit: 16 * MIB },
    codes: ['CAPACITY'],
    must: true,
    run: (world, random) => {
      const bytes = between(random, 150_000, 250_000)
      const log = (k: number) => ({ from: PEOPLE[k % 12], to: LOGGER, data: word(bytes), gas: 10_000_000 })
      const file = workBlock(
        between(random, 0, 200),
        Array.from({ length: 160 }, (_, k) => log(k)),
      )
      return world.executor.executeBlock(file.block, { ...given, state: world.state })
    },
  },
  'block: the tables of the state are full': {
    world: two,
    codes: ['CAPACITY'],
    must: true,
    run: (world, random) => {
      const write = (k: number) => ({
        from: PEOPLE[k % 12],
        to: SCATTER,
        data: `${word(1000)}${word(k * 1000).slice(2)}`,
        gas: 30_000_000,
      })
      const file = workBlock(
        between(random, 0, 200),
        Array.from({ length: 80 }, (_, k) => write(k)),
      )
      return world.executor.executeBlock(file.block, { ...given, state: world.state })
    },
  },
  'block: the state has no code': {
    world: two,
    codes: ['MISSING_CODE'],
    must: true,
    run: (world, random) => {
      // Code of its own: what a worker has once seen by its hash it need not ask for again.
      const code = asm(`${seedFrom(random)} POP`)
      const unknown = { from: PEOPLE[0], to: address(0x400), gas: 50_000 }
      const file = workBlock(between(random, 0, 200), [unknown], { [address(0x400)]: { nonce: 1, code } })
      const codes = Object.fromEntries(Object.entries(file.codes).filter(([, text]) => text !== code))
      return world.executor.executeBlock(file.block, { ...given, state: stateOf({ ...file, codes }) })
    },
  },
  'block: a transaction is not valid': {
    world: three,
    codes: ['INVALID_TRANSACTION'],
    must: true,
    run: (world, random) => {
      const payment = { from: PEOPLE[0], to: PEOPLE[1], gas: 21_000 }
      const bad = [
        { ...payment, nonce: 10_000 },
        { ...payment, value: 10n ** 30n },
        { ...payment, gas: 20_000 },
      ][between(random, 0, 3)]
      const file = workBlock(between(random, 0, 200), [bad, ...Array.from({ length: 100 }, () => payment)])
      return world.executor.executeBlock(file.block, { ...given, state: world.state })
    },
  },
  'block: the trie of the state fails': {
    world: two,
    codes: ['own'],
    must: true,
    async run(world, random) {
      const state = stateOf(world.file)
      await stateRootOf(state, { wasm: new URL('../../src/wasm/hash-core.wasm', import.meta.url) })
      // Whatever the run asks of it, one of the calls goes wrong.
      const failing = between(random, 0, 2) === 0 ? 'stage' : 'rollback'
      Object.defineProperty(state, failing, {
        value: () => {
          throw new OwnError('the disk of the trie is gone')
        },
      })
      await world.executor.executeBlock(world.file.block, { ...given, state })
    },
  },
  'ethereumjs: a thread is ended': {
    world: ethereumjs,
    codes: ['WORKER_LOST'],
    run: threadEnds(60),
  },
  'ethereumjs: a signal is aborted': {
    world: ethereumjs,
    codes: ['ABORTED'],
    run: signalAborts(60),
  },
  'ethereumjs: the executor is closed': {
    world: ethereumjs,
    codes: ['CLOSED'],
    ends: true,
    run: executorCloses(60),
  },
} as const satisfies Record<string, Fault<BlockWorld>>
