/** Whose turn the room of signatures is; one thread plays main and a worker. */
import { expect, test } from 'vitest'
import type { BlockTransaction } from '../../src/adapters/evm/transaction.ts'
import * as atomics from '../../src/core/atomics.ts'
import { ANSWER_WORDS, Control, SignatureItem, WorkerBlock } from '../../src/core/layout.ts'
import type { BatchOptions, Engine } from '../../src/executor/engine.ts'
import { Recoverer } from '../../src/executor/recoverer.ts'
import { SignatureRoom } from '../../src/executor/signatures.ts'
import { Stopping } from '../../src/executor/stopping.ts'

const RECOVERING = Control.WorkerBlocks + WorkerBlock.Recovering

const transactions = (from: number, count: number, bytes = 0): BlockTransaction[] =>
  Array.from({ length: count }, (_, k) => ({
    type: 0,
    chainId: 1n,
    nonce: 0n,
    gasLimit: 21_000n,
    maxFeePerGas: 1n,
    to: new Uint8Array(20),
    value: 0n,
    data: new Uint8Array(bytes),
    accessList: [],
    blobVersionedHashes: [],
    authorizationList: [],
    signature: { yParity: 0, r: BigInt(from + k), s: 1n },
  }))

/** Says that r has signed, so that an answer tells whose it is. */
const recover = (engine: Int32Array, item: number): void => {
  let message = item + SignatureItem.Messages
  for (let k = 0; k < engine[item + SignatureItem.Count]; k++) {
    engine[item + SignatureItem.Answers + k * ANSWER_WORDS] = engine[message]
    message += 18 + ((engine[message + 17] + 3) >> 2)
  }
}

test('who gave up his turn hands out no room that others have taken since', async () => {
  const words = new Int32Array(new SharedArrayBuffer(1 << 18))
  const room = new SignatureRoom(words, 1)
  const worker = new Recoverer(words, 0, recover)
  const stopping = new Stopping()
  const engine = {
    unlessStopped: <T>(ask: () => Promise<T>, signal?: AbortSignal) => stopping.unlessStopped(ask, signal),
    batch: async (items: Int32Array) => {
      for (const item of items) worker.serve(item)
    },
  } as unknown as Engine
  const full = room.ask(transactions(1, 40, 700))
  const stopped = room.ask(transactions(1001, 8, 700))
  const stop = new AbortController()
  atomics.store(words, RECOVERING, 1)
  const turn = stopped.signers(engine, { signal: stop.signal } as unknown as BatchOptions)
  stop.abort()
  await expect(turn).rejects.toMatchObject({ code: 'ABORTED' })
  stopped.release()
  full.release()
  atomics.store(words, RECOVERING, 0)
  const first = room.ask(transactions(2001, 8))
  worker.ahead(0)
  await new Promise((resolve) => setTimeout(resolve, 10))
  room.ask(transactions(3001, 8))
  worker.ahead(0)
  const signers = await first.signers(engine, {} as BatchOptions)
  const numbers = signers.map((signer) => new Int32Array((signer as Uint8Array).slice().buffer)[0])
  expect(numbers).toEqual([2001, 2002, 2003, 2004, 2005, 2006, 2007, 2008])
})
