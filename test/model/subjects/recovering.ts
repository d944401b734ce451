/**
 * Signers found ahead of runs: main's room for signatures and the workers' side of it, both the engine's own, with a
 * recovery that takes an item's messages for numbers.
 *
 * Main's batch is played by main itself, as one worker of it.
 */
import type { BlockTransaction } from '../../../src/adapters/evm/transaction.ts'
import * as atomics from '../../../src/core/atomics.ts'
import {
  ANSWER_WORDS,
  Control,
  SignatureItem,
  Signatures,
  signaturesAt,
  WorkerBlock,
} from '../../../src/core/layout.ts'
import type { BatchOptions, Engine } from '../../../src/executor/engine.ts'
import { isRecovering, Recoverer } from '../../../src/executor/recoverer.ts'
import { type Asked, SignatureRoom } from '../../../src/executor/signatures.ts'
import { wakeParked } from '../../../src/scheduler/joining.ts'
import { note } from '../door.ts'
import { Note } from './tinyTasks.ts'

type Words = Int32Array

/** What main does, in this order, with the signatures of blocks: each is a list of numbers, whose signers are others. */
export interface RecoveringScenario {
  readonly workers: number
  readonly steps: readonly (
    | readonly ['ask', block: number, signatures: readonly number[]]
    | readonly ['signers', block: number]
    /** Waits until so many items were ever done. */
    | readonly ['done', items: number]
    | readonly ['release', block: number]
  )[]
}

/** The signer of a signature. */
export const signerOf = (signature: number): number => 1000 + signature

const transactionOf = (signature: number): BlockTransaction => ({
  type: 0,
  nonce: 0n,
  gasLimit: 0n,
  maxFeePerGas: 0n,
  value: 0n,
  // Items of one size would lie where others lay.
  data: new Uint8Array(signature % 2 === 0 ? 0 : 40),
  accessList: [],
  blobVersionedHashes: [],
  authorizationList: [],
  signature: { yParity: 0, r: BigInt(signature), s: 0n },
})

/** Words of a message before its payload (executor/signatures.ts). */
const HEAD = 18

const recover = (engine: Words, item: number): void => {
  let at = item + SignatureItem.Messages
  for (let k = 0; k < engine[item + SignatureItem.Count]; k++) {
    const answer = item + SignatureItem.Answers + k * ANSWER_WORDS
    engine[answer] = signerOf(engine[at])
    engine[answer + ANSWER_WORDS - 1] = 0
    at += HEAD + ((engine[at + 17] + 3) >> 2)
  }
}

const epochWord = (worker: number): number => Control.WorkerBlocks + worker * WorkerBlock.Size + WorkerBlock.Epoch

/** As `park` of executor/workerMain.ts, without runs. */
const work = (thread: number, engine: Words): void => {
  const recoverer = new Recoverer(engine, thread, recover)
  while (atomics.load(engine, epochWord(thread)) === 0) {
    recoverer.ahead(0)
    atomics.wait(engine, epochWord(thread), 0)
  }
}

/** Who parks right when he is woken misses that: it is a hint, and main does what is left. */
const awaitDone = (engine: Words, items: number, workers: number): void => {
  const word = signaturesAt(engine) + Signatures.Done
  for (;;) {
    const done = atomics.load(engine, word)
    if (done >= items) return
    wakeParked(engine, workers)
    atomics.wait(engine, word, done, 1)
  }
}

export const recoveringBody = async (
  thread: number,
  [engine]: readonly Words[],
  { workers, steps }: RecoveringScenario,
): Promise<void> => {
  if (thread < workers) return work(thread, engine)
  const room = new SignatureRoom(engine, workers)
  const own = new Recoverer(engine, workers, recover)
  const batches = {
    batch: async (items: Words) => {
      for (const item of items) own.serve(item)
      for (const item of items) own.settle(item)
    },
    unlessStopped: (work: () => Promise<void>) => work(),
  } as unknown as Engine
  const asked = new Map<number, Asked>()
  for (const [what, block, signatures = []] of steps) {
    if (what === 'ask') asked.set(block, room.ask(signatures.map(transactionOf)))
    else if (what === 'release') asked.get(block)?.release()
    else if (what === 'done') awaitDone(engine, block, workers)
    else {
      for (const signer of (await asked.get(block)?.signers(batches, {} as BatchOptions)) ?? []) {
        note(Note.Found, block, signer === undefined ? 0 : new DataView(signer.buffer).getInt32(0, true))
      }
    }
  }
  for (let k = 0; k < workers; k++) {
    atomics.store(engine, epochWord(k), 1)
    atomics.notify(engine, epochWord(k))
  }
  // Nobody stays at an item that is not there any more.
  while (isRecovering(engine));
}
