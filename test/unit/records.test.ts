/** The trace format alone: what is written is read, and what is broken is told, never thrown at random. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIBRARY_VERSION } from '../../src/core/libraryVersion.ts'
import { decodeRecords, decodeTrace, ParallelExecutionError, type RunRecord, streamRecords } from '../../src/index.ts'
import { ChunkKind, encodeChunk, encodeHeader, encodeJson, TraceReader } from '../../src/records/format.ts'
import { sampleTrace } from '../support/sampleTrace.ts'

const trace = await sampleTrace()
const [whole] = decodeRecords(trace) as [RunRecord]

/** Decodes, and lets errors of the format pass. */
function decodeOrRefuse(bytes: Uint8Array): readonly RunRecord[] | undefined {
  try {
    return decodeTrace(bytes).runs
  } catch (error) {
    if (error instanceof ParallelExecutionError && error.code === 'RECORDS_FORMAT') return undefined
    throw error
  }
}

async function streamed(bytes: Uint8Array, piece: number): Promise<RunRecord[]> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
  }
  const runs: RunRecord[] = []
  for await (const run of streamRecords(pieces())) runs.push(run)
  return runs
}

describe('a trace', () => {
  test('names the version of the library, which is the one of package.json', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(LIBRARY_VERSION).toBe(version)
    expect(decodeTrace(trace)).toMatchObject({ libraryVersion: version, broken: undefined })
  })

  test('read in pieces of any size is the same', async () => {
    expect(await streamed(trace, 7)).toEqual([whole])
    expect(await streamed(trace, 1 << 12)).toEqual([whole])
  })

  test('that lies anywhere in a buffer of Node is the same, and keeps nothing of it', async () => {
    for (const offset of [1, 2, 3]) {
      const buffer = Buffer.alloc(offset + trace.length)
      buffer.set(trace, offset)
      expect(decodeRecords(buffer.subarray(offset))).toEqual([whole])
    }
    async function* reused(): AsyncGenerator<Uint8Array> {
      const buffer = Buffer.alloc(50)
      for (let at = 0; at < trace.length; at += 49) {
        const piece = trace.subarray(at, at + 49)
        buffer.set(piece, 1)
        yield buffer.subarray(1, 1 + piece.length)
        buffer.fill(255)
      }
    }
    const runs: unknown[] = []
    for await (const run of streamRecords(reused())) runs.push(run)
    expect(runs).toEqual([whole])
  })

  test('of two runs holds both', () => {
    const header = encodeHeader(LIBRARY_VERSION).length
    const twice = new Uint8Array([...trace, ...trace.subarray(header)])
    expect(decodeRecords(twice)).toEqual([whole, whole])
  })

  test('leaves out a run that was begun again', () => {
    const header = encodeHeader(LIBRARY_VERSION).length
    const discard = encodeChunk(ChunkKind.Discard, new Uint8Array(0))
    const again = new Uint8Array([...trace, ...discard, ...trace.subarray(header)])
    expect(decodeRecords(again)).toEqual([whole])
  })

  test.each([
    ['nothing', new Uint8Array(0)],
    ['no bytes', undefined as never],
    ['a buffer', trace.buffer as never],
    ['text', new TextEncoder().encode('{"block": {}, "pre": {}}')],
    ['a header that breaks off', trace.subarray(0, 10)],
  ])('that is %s is refused', (_, bytes) => {
    expect(() => decodeRecords(bytes)).toThrow(expect.objectContaining({ code: 'RECORDS_FORMAT', retryable: false }))
  })

  test('of another version of the format is refused with both versions', () => {
    const later = trace.slice()
    later[8] = 9
    expect(() => decodeRecords(later)).toThrow(
      expect.objectContaining({
        code: 'RECORDS_FORMAT',
        fields: expect.objectContaining({ version: 9, supported: 1 }),
      }),
    )
  })

  test('that says more than there is behind a right checksum is refused', () => {
    const begin = encodeChunk(
      ChunkKind.Begin,
      encodeJson({ kind: 'block', places: 1e12, workers: 1, startedAt: 0, label: '' }),
    )
    const events = (...words: number[]): Uint8Array =>
      encodeChunk(ChunkKind.Events, new Uint8Array(new Int32Array([0, 0, 0, ...words]).buffer))
    const header = encodeHeader('x')
    const small = encodeChunk(ChunkKind.Begin, encodeJson({ kind: 'block', places: 1, workers: 1, startedAt: 0 }))
    for (const bytes of [
      [...header, ...begin],
      [...header, ...small, ...events(1, 99)],
      [...header, ...small, ...events(1, 0)],
      [...header, ...small, ...events(3, 6, 32, 0, 0, 0)],
      [...header, ...events(1, 2)],
      [...header, ...encodeChunk(ChunkKind.Begin, new Uint8Array([1, 2, 3]))],
    ]) {
      expect(() => decodeRecords(new Uint8Array(bytes))).toThrow(expect.objectContaining({ code: 'RECORDS_FORMAT' }))
    }
  })

  test('cut anywhere gives all whole chunks and says where it breaks off', () => {
    fc.assert(
      fc.property(fc.nat(trace.length - 1), (length) => {
        const runs = decodeOrRefuse(trace.subarray(0, length))
        if (runs === undefined) return length < 24
        const reader = new TraceReader()
        reader.push(trace.subarray(0, length))
        reader.end()
        const broken = reader.broken
        expect(broken === undefined || (broken.at <= length && broken.reason !== '')).toBe(true)
        const [run] = runs
        if (run !== undefined) expect(run.executions.length).toBeLessThanOrEqual(whole.executions.length)
        return run === undefined || run.run.duration === undefined || run.executions.length === whole.executions.length
      }),
      { numRuns: 60 },
    )
  })

  test('with any bit flipped is told or read, and never crashes the reader', () => {
    fc.assert(
      fc.property(fc.nat(trace.length - 1), fc.nat(7), (at, bit) => {
        const bytes = trace.slice()
        bytes[at] = (bytes[at] as number) ^ (1 << bit)
        decodeOrRefuse(bytes)
      }),
      { numRuns: 100 },
    )
  })

  test('with any word of a chunk changed and its checksum right never crashes the reader', () => {
    const reader = new TraceReader()
    const chunks = reader.push(trace)
    const header = encodeHeader(LIBRARY_VERSION)
    fc.assert(
      fc.property(fc.nat(chunks.length - 1), fc.nat(), fc.integer(), (index, at, value) => {
        const parts = chunks.map(({ kind, payload }, k) => {
          if (k !== index || payload.length < 4) return encodeChunk(kind, payload)
          const copy = payload.slice()
          new DataView(copy.buffer).setInt32(4 * (at % (copy.length >> 2)), value, true)
          return encodeChunk(kind, copy)
        })
        decodeOrRefuse(new Uint8Array([header, ...parts].flatMap((part) => [...part])))
      }),
      { numRuns: 100 },
    )
  })
})
