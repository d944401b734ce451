/**
 * Finds fixtures: official JSON files, folders of them, and lines `{file, name, test}`; plain or gzip.
 *
 * Owns files, lines and limits of size; what a test says is read in fixture.ts. Lines are streamed, so a file of lines
 * may be of any length; one document is held at a time.
 */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { FixtureError, parseJson } from './json.ts'

/** One test as it stands in its file, not decoded. */
export interface RawCase {
  /** The file that was read. */
  readonly source: string
  /** Line of it, from 1 on; undefined where the file is one document. */
  readonly line: number | undefined
  /** The official file that the test is from: named by the line, or the file itself. */
  readonly file: string
  readonly name: string
  readonly test: unknown
}

/** Longest document, a file or a line, in bytes. Its objects take about three times this. */
const MOST_DOCUMENT = 128 * 2 ** 20

const FIXTURE_FILE = /\.(?:json|jsonl)(?:\.gz)?$/

/**
 * Lists the files to read.
 *
 * @param paths - files and folders; folders are looked through to their ends, without files and folders whose names
 *   begin with a dot
 * @returns files, in the order of `paths`, those of a folder sorted
 * @throws {FixtureError} where a path cannot be read or a folder holds no fixtures
 */
export async function listFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
      throw new FixtureError([path], cause.code === 'ENOENT' ? 'no such file or folder' : cause.message, cause)
    })
    if (!info.isDirectory()) {
      files.push(path)
      continue
    }
    const found = await listFolder(path)
    if (found.length === 0) throw new FixtureError([path], 'holds no .json, .jsonl or .gz of these')
    files.push(...found)
  }
  return files
}

async function listFolder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: Error) => {
    throw new FixtureError([folder], cause.message, cause)
  })
  const files: string[] = []
  // By code units, so that the order is the same on every machine.
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) files.push(...(await listFolder(path)))
    else if (entry.isFile() && FIXTURE_FILE.test(entry.name)) files.push(path)
  }
  return files
}

/**
 * Reads the tests of one file.
 *
 * @throws {FixtureError} with file and place, where the file cannot be read, unpacked or parsed, a document is longer
 *   than `limit` bytes, or it does not hold tests by name; tests before the place have been yielded
 */
export async function* readCases(source: string, limit: number = MOST_DOCUMENT): AsyncGenerator<RawCase> {
  if (/\.jsonl(?:\.gz)?$/.test(source)) {
    yield* readLines(source, limit)
    return
  }
  const text = (await readAll(source, limit)).toString('utf8')
  const tests = parseJson(text, [source])
  if (!isRecord(tests)) throw new FixtureError([source], 'is not an object from names to tests')
  for (const [name, test] of Object.entries(tests)) {
    yield { source, line: undefined, file: basename(source), name, test }
  }
}

async function* readLines(source: string, limit: number): AsyncGenerator<RawCase> {
  let line = 0
  for await (const bytes of splitLines(source, limit)) {
    line++
    if (bytes.length === 0) continue
    const place = [source, `line ${line}`]
    const value = parseJson(bytes.toString('utf8'), place)
    if (!isRecord(value)) throw new FixtureError(place, 'is not an object with file, name and test')
    const { file, name, test } = value
    if (typeof file !== 'string') throw new FixtureError(place, 'file is missing or not a string')
    if (typeof name !== 'string') throw new FixtureError(place, 'name is missing or not a string')
    yield { source, line, file, name, test }
  }
}

async function readAll(source: string, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of chunksOf(source)) {
    length += piece.length
    if (length > limit) throw tooLong([source], limit)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** The lines of a file without their ends; the last may lack one. */
async function* splitLines(source: string, limit: number): AsyncGenerator<Buffer> {
  let pending: Buffer[] = []
  let length = 0
  let line = 1
  for await (const chunk of chunksOf(source)) {
    let from = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      if (length + end - from > limit) throw tooLong([source, `line ${line}`], limit)
      yield Buffer.concat([...pending, chunk.subarray(from, end)])
      pending = []
      length = 0
      line++
      from = end + 1
    }
    if (from < chunk.length) {
      pending.push(chunk.subarray(from))
      length += chunk.length - from
      if (length > limit) throw tooLong([source, `line ${line}`], limit)
    }
  }
  if (length > 0) yield Buffer.concat(pending)
}

/** The unpacked bytes of a file. Two bytes tell gzip: no JSON begins with them. */
async function* chunksOf(source: string): AsyncGenerator<Buffer> {
  const file = createReadStream(source, { highWaterMark: 1 << 18 })
  try {
    const bytes = file[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    const first = await bytes.next()
    if (first.done === true) return
    if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
      yield first.value
      for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) yield next.value
      return
    }
    yield* unpack(source, first.value, bytes)
  } catch (cause) {
    if (cause instanceof FixtureError) throw cause
    throw new FixtureError([source], cause instanceof Error ? cause.message : String(cause), cause)
  } finally {
    file.destroy()
  }
}

async function* unpack(source: string, first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: 1 << 18 })
  const feed = async (): Promise<void> => {
    for (let piece = first; ; ) {
      if (gunzip.destroyed) return
      // A full buffer is waited for: else a file that unpacks a thousandfold would be unpacked into memory.
      if (!gunzip.write(piece)) {
        if (gunzip.destroyed) return
        await new Promise<void>((resolve) => {
          const goOn = (): void => {
            gunzip.off('drain', goOn).off('close', goOn)
            resolve()
          }
          gunzip.on('drain', goOn).on('close', goOn)
        })
      }
      const next = await rest.next()
      if (next.done === true) break
      piece = next.value
    }
    gunzip.end()
  }
  const fed = feed().catch((error: Error) => void gunzip.destroy(error))
  try {
    for await (const piece of gunzip) yield piece as Buffer
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new FixtureError([source], `the gzip file cannot be unpacked: ${reason}`, cause)
  } finally {
    gunzip.destroy()
    await fed
  }
}

const tooLong = (place: readonly string[], limit: number): FixtureError =>
  new FixtureError(place, `is longer than ${limit} bytes: split it`)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
