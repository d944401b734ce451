/** Chain files, and RLP made to exhaust memory. Oracle: @ethereumjs/rlp's own streaming. */

import { RLP } from '@ethereumjs/rlp'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ChainEntry, decodeRlp, readChain, splitChain } from '../../src/adapters/evm/rlp.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { gethChain } from './evm-data.ts'

const chainFile = gethChain()

/** Everything that comes before the end, and the error that was the end, if one was. */
async function collect(entries: Iterable<ChainEntry> | AsyncIterable<ChainEntry>) {
  const blocks: { offset: number; bytes: Uint8Array }[] = []
  try {
    for await (const { offset, bytes } of entries) blocks.push({ offset, bytes: Uint8Array.from(bytes) })
    return { blocks, error: undefined }
  } catch (error) {
    if (error instanceof InvalidInputError) return { blocks, error: { ...error.fields, code: error.code } }
    throw error
  }
}

/** The bytes in pieces of the lengths given, again and again. */
function* pieces(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, k = 0; at < bytes.length; k++) {
    const length = Math.max(1, lengths[k % lengths.length] ?? 1)
    yield bytes.subarray(at, at + length)
    at += length
  }
}

describe('splitChain, readChain', () => {
  test.skipIf(chainFile === undefined)(
    'give the 600 blocks of a file with their offsets, in pieces of any length',
    async () => {
      const bytes = Uint8Array.from(chainFile ?? [])
      const { blocks, error } = await collect(splitChain(bytes))
      expect(error).toBeUndefined()
      expect(blocks).toHaveLength(600)
      let rest: Uint8Array = bytes
      for (const block of blocks) {
        const { remainder } = RLP.decode(rest, true)
        expect(block.offset).toBe(bytes.length - rest.length)
        expect(block.bytes.length).toBe(rest.length - remainder.length)
        rest = remainder
      }
      for (const lengths of [[bytes.length], [1 << 16], [1000, 1, 7], [3]]) {
        const streamed = await collect(readChain(pieces(bytes, lengths)))
        expect(streamed.error).toBeUndefined()
        expect(streamed.blocks.map(({ offset }) => offset)).toEqual(blocks.map(({ offset }) => offset))
        expect(Buffer.compare(Buffer.concat(streamed.blocks.map((block) => block.bytes)), bytes)).toBe(0)
      }
    },
  )

  test('an empty file has no blocks', async () => {
    expect(await collect(splitChain(new Uint8Array(0)))).toEqual({ blocks: [], error: undefined })
    expect(await collect(readChain([]))).toEqual({ blocks: [], error: undefined })
  })

  const ok = RLP.encode([new Uint8Array(100)])

  test.each<[string, Uint8Array, RegExp]>([
    ['a byte that is no list', Uint8Array.of(0x80), /first byte is 0x80, not a list's/],
    ['a list cut off', ok.subarray(0, 50), /cut off: 50 bytes are left of 104/],
    ['a head cut off', Uint8Array.of(0xf9, 1), /cut off: 2 bytes are left of a length that is itself cut off/],
    ['a length with a zero before it', Uint8Array.of(0xf9, 0, 60, ...new Uint8Array(60)), /not canonical/],
    ['a long length for a short list', Uint8Array.of(0xf8, 55, ...new Uint8Array(55)), /not canonical/],
    ['a length of 2^64 - 1', new Uint8Array(9).fill(0xff), /more than the limit of 33554432/],
    ['a length just above the limit', Uint8Array.of(0xfb, 1, 255, 255, 253), /says it has 33554434 bytes/],
  ])('%s is an error that names its byte', async (_, bad, reason) => {
    const bytes = Uint8Array.of(...ok, ...ok, ...bad)
    for (const entries of [splitChain(bytes), readChain([bytes]), readChain(pieces(bytes, [1]))]) {
      const { blocks, error } = await collect(entries)
      expect(blocks.map(({ offset }) => offset)).toEqual([0, 104])
      expect(error).toMatchObject({ code: 'UNDECODABLE_BLOCK', where: 'byte 208', offset: 208 })
      expect(error).toMatchObject({ reason: expect.stringMatching(reason) })
    }
  })

  test('the limit can be given', async () => {
    expect((await collect(splitChain(ok, { maxBlockBytes: ok.length }))).error).toBeUndefined()
    expect((await collect(splitChain(ok, { maxBlockBytes: ok.length - 1 }))).error).toBeDefined()
    expect((await collect(splitChain(ok, { maxBlockBytes: 0 }))).error).toMatchObject({ option: 'maxBlockBytes' })
  })

  test('a reader that stops is asked for no more of the file', async () => {
    let asked = 0
    const endless = (function* () {
      for (;;) {
        asked++
        yield ok
      }
    })()
    for await (const { offset } of readChain(endless)) if (offset === 104 * 5) break
    expect(asked).toBe(6)
  })

  test('a stream holds one block and one piece, not the file', async () => {
    const piece = new Uint8Array(1 << 20)
    const block = RLP.encode([new Uint8Array(100_000)])
    for (let at = 0; at + block.length <= piece.length; at += block.length) piece.set(block, at)
    const file = function* () {
      // 10 blocks a piece, and a cut-off one between pieces never: what is left of the piece is not given.
      for (let k = 0; k < 300; k++) yield piece.subarray(0, 10 * block.length)
    }
    let most = 0
    let count = 0
    for await (const { bytes } of readChain(file())) {
      count++
      most = Math.max(most, bytes.buffer.byteLength)
    }
    expect(count).toBe(3000)
    expect(most).toBe(block.length)
  })

  test('mangled bytes give blocks or an error, the same from memory as in pieces', async () => {
    const start = Uint8Array.from(chainFile?.subarray(0, 20_000) ?? RLP.encode([new Uint8Array(500)]))
    const change = fc.array(fc.tuple(fc.nat(start.length - 1), fc.nat(255)), { maxLength: 20 })
    const lengths = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(change, lengths, fc.nat(start.length), async (changes, sizes, length) => {
        const bytes = start.slice(0, length)
        for (const [at, value] of changes) if (at < length) bytes[at] = value
        const whole = await collect(splitChain(bytes))
        const streamed = await collect(readChain(pieces(bytes, sizes)))
        expect(streamed).toEqual(whole)
        const end = whole.blocks.reduce((sum, block) => sum + block.bytes.length, 0)
        expect(whole.error === undefined ? end : whole.error).toEqual(
          whole.error === undefined ? length : expect.objectContaining({ offset: end }),
        )
      }),
    )
  })
})

describe('decodeRlp', () => {
  test('is what the library decodes, or an error where it throws one', () => {
    const item = fc.letrec((tie) => ({
      item: fc.oneof({ maxDepth: 5 }, fc.uint8Array({ maxLength: 70 }), fc.array(tie('item'), { maxLength: 8 })),
    })).item
    fc.assert(
      fc.property(item, (value) => {
        const bytes = RLP.encode(value as Uint8Array)
        expect(decodeRlp(bytes)).toEqual(RLP.decode(bytes))
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let expected: unknown
        try {
          expected = RLP.decode(bytes)
        } catch {
          expect(() => decodeRlp(bytes)).toThrow()
          return
        }
        expect(decodeRlp(bytes)).toEqual(expected)
      }),
    )
  })

  /** Lists nested `depth` times, with long heads, in `4 * depth` bytes. */
  function nested(depth: number): Uint8Array {
    const bytes = new Uint8Array(4 * depth)
    for (let at = 0; at < bytes.length; at += 4) {
      const length = bytes.length - at - 4
      if (length < 1 << 16) break
      bytes.set([0xfa, length >> 16, (length >> 8) & 255, length & 255], at)
    }
    return bytes
  }

  test('16 MiB of nested lists are refused at once: the library would copy them at each level', () => {
    const bytes = nested(1 << 22)
    const before = performance.now()
    expect(() => decodeRlp(bytes)).toThrow(/nested deeper than 16 at byte 64/)
    expect(performance.now() - before).toBeLessThan(1000)
  })

  test('a list of 5 million items is refused before an object is made of each', () => {
    const bytes = new Uint8Array(5_000_004)
    bytes.set([0xfa, 5_000_000 >> 16, (5_000_000 >> 8) & 255, 5_000_000 & 255])
    expect(() => decodeRlp(bytes)).toThrow(/more than 4194304 RLP items/)
  })
})
