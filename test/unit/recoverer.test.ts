/** Who does an item of signatures, and when its words may be written over: one thread that plays all workers. */
import { describe, expect, test } from 'vitest'
import * as atomics from '../../src/core/atomics.ts'
import { Control, ItemState, SignatureItem, Signatures, signaturesAt, WorkerBlock } from '../../src/core/layout.ts'
import { isRecovering, Recoverer } from '../../src/executor/recoverer.ts'

const ITEM_WORDS = SignatureItem.Messages + 30

/** A memory with items that are open, and workers that note which ones they did. */
const open = (items: number, workers = 2) => {
  const engine = new Int32Array(new SharedArrayBuffer(1 << 20))
  const at = signaturesAt(engine)
  const first = at + Signatures.Items
  const offsets = Array.from({ length: items }, (_, k) => first + k * ITEM_WORDS)
  for (const item of offsets) engine[item + SignatureItem.Size] = ITEM_WORDS
  atomics.store(engine, at + Signatures.Next, first)
  atomics.store(engine, at + Signatures.End, first + items * ITEM_WORDS)
  const done: number[][] = Array.from({ length: workers }, () => [])
  const recoverers = done.map((list, k) => new Recoverer(engine, k, (_, item) => void list.push(offsets.indexOf(item))))
  const state = (k: number) => atomics.load(engine, (offsets[k] as number) + SignatureItem.State)
  const word = (name: keyof typeof Signatures) => atomics.load(engine, at + Signatures[name])
  const blockOf = (worker: number) => Control.WorkerBlocks + worker * WorkerBlock.Size
  return { engine, offsets, done, recoverers, state, word, blockOf, at }
}

describe('without a run', () => {
  test('a worker takes what is posted, once, and passes over what was withdrawn or is had by others', () => {
    const { engine, offsets, done, recoverers, state, word } = open(5)
    atomics.store(engine, (offsets[1] as number) + SignatureItem.State, ItemState.Withdrawn)
    atomics.store(engine, (offsets[3] as number) + SignatureItem.State, ItemState.Taken)
    recoverers[0]?.ahead(0)
    recoverers[1]?.ahead(0)
    expect(done).toEqual([[0, 2, 4], []])
    expect([0, 1, 2, 3, 4].map(state)).toEqual([2, 3, 2, 1, 2])
    expect([word('Ahead'), word('Done')]).toEqual([3, 3])
  })

  test('a worker that is called leaves the rest to others', () => {
    const { engine, done, recoverers, blockOf, offsets } = open(3)
    const called = new Recoverer(engine, 0, (_, item) => {
      done[0]?.push(offsets.indexOf(item))
      atomics.store(engine, blockOf(0) + WorkerBlock.Epoch, 7)
    })
    called.ahead(0)
    recoverers[1]?.ahead(0)
    expect(done).toEqual([[0], [1, 2]])
  })

  test('what throws is neither done nor in the way: the worker goes on later, and touches nothing meanwhile', () => {
    const { engine, done, recoverers, state } = open(2)
    const broken = new Recoverer(engine, 0, () => {
      throw new Error('no kernel')
    })
    broken.ahead(0)
    expect([state(0), state(1)]).toEqual([ItemState.Taken, ItemState.Open])
    expect(isRecovering(engine)).toBe(false)
    recoverers[1]?.ahead(0)
    expect(done).toEqual([[], [1]])
  })

  test('a cursor that is closed hands out nothing, though items lie behind it', () => {
    const { engine, done, recoverers, at } = open(2)
    atomics.store(engine, at + Signatures.End, 0)
    recoverers[0]?.ahead(0)
    expect(done).toEqual([[], []])
  })
})

describe('in a batch', () => {
  test('an item that somebody took before it is neither taken again nor left out', () => {
    const { offsets, done, recoverers } = open(3)
    recoverers[0]?.ahead(0)
    for (const item of offsets) recoverers[1]?.serve(item)
    for (const item of offsets) recoverers[1]?.settle(item)
    expect(done).toEqual([[0, 1, 2], []])
  })

  test('an item that was lost with its worker is done again (G1)', () => {
    const { engine, offsets, done, recoverers, state } = open(2)
    atomics.store(engine, (offsets[0] as number) + SignatureItem.State, ItemState.Taken)
    for (const item of offsets) recoverers[1]?.serve(item)
    for (const item of offsets) recoverers[1]?.settle(item)
    expect(done).toEqual([[], [1, 0]])
    expect([state(0), state(1)]).toEqual([ItemState.Done, ItemState.Done])
  })

  test('a batch that is halted waits for nobody', () => {
    const { engine, offsets, done, recoverers, blockOf } = open(1)
    atomics.store(engine, (offsets[0] as number) + SignatureItem.State, ItemState.Taken)
    atomics.store(engine, blockOf(0) + WorkerBlock.Recovering, 1)
    atomics.store(engine, Control.Halt, 2)
    recoverers[1]?.settle(offsets[0] as number)
    expect(done).toEqual([[], []])
  })
})
