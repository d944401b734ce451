/** Keccak-256 of anything, singly and in ragged batches: each kind says what @noble/hashes says. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createHasher, type HashKind } from '../../src/wasm.ts'

const RATE = 136

/** Mostly short, as keys and nodes are; some of many blocks; some at the edge of one, where padding changes. */
const input = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 1200 }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: -1, max: 1 }))
      .chain(([blocks, more]) => fc.uint8Array({ minLength: blocks * RATE + more, maxLength: blocks * RATE + more })),
  },
)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe.each<HashKind>(['simd', 'scalar', 'javascript'])('hash, %s', (kind) => {
  const made = createHasher({ kind })

  test('a single hash is that of @noble/hashes', async () => {
    const { keccak256 } = await made
    fc.assert(
      fc.property(input, (bytes) => hex(keccak256(bytes)) === hex(keccak_256(bytes))),
      { numRuns: 300 },
    )
  })

  test('a batch of ragged lengths is its hashes one by one', async () => {
    const { keccak256Flat, keccak256Many } = await made
    fc.assert(
      fc.property(fc.array(input, { maxLength: 30 }), (inputs) => {
        const expected = inputs.map((bytes) => hex(keccak_256(bytes)))
        let end = 0
        const ends = Uint32Array.from(inputs, ({ length }) => (end += length))
        expect(keccak256Many(inputs).map(hex)).toEqual(expected)
        expect(hex(keccak256Flat(Uint8Array.from(Buffer.concat(inputs)), ends))).toBe(expected.join(''))
      }),
      { numRuns: 200 },
    )
  })
})
