/** Files that grow while a run goes on, and values as bytes. Node only: a page has callbacks. */
import { InvalidInputError } from '../core/errors.ts'

interface FileHandle {
  appendFile(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}
interface NodeProcess {
  getBuiltinModule?(name: string): unknown
}
interface V8 {
  serialize(value: unknown): Uint8Array
  deserialize(bytes: Uint8Array): unknown
}

const builtin = <T>(name: string): T | undefined =>
  (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.(`node:${name}`) as T | undefined

/** A file that is written from its beginning. */
export interface GrowingFile {
  append(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a file for writing, empty.
 *
 * @throws what the system says, where it cannot be opened
 * @throws {InvalidInputError} INVALID_OPTION where there are no files
 */
export const createFile = async (path: string | URL): Promise<GrowingFile> => {
  const fs = builtin<{ open(path: string | URL, flags: string): Promise<FileHandle> }>('fs/promises')
  if (fs === undefined) {
    throw new InvalidInputError('INVALID_OPTION', 'there are no files here: give `onChunk` in place of `file`', {
      option: 'records',
    })
  }
  const handle = await fs.open(path, 'w')
  return { append: (bytes) => handle.appendFile(bytes), close: () => handle.close() }
}

const v8 = (): V8 => {
  const module = builtin<V8>('v8')
  if (module !== undefined) return module
  throw new InvalidInputError('INVALID_OPTION', "tasks' inputs can be recorded, and replayed, in Node alone", {
    option: 'record',
  })
}

/** What structured clone copies, as bytes. */
export const serialize = (value: unknown): Uint8Array => v8().serialize(value)
export const deserialize = (bytes: Uint8Array): unknown => v8().deserialize(bytes)
