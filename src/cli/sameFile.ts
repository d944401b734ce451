/** Keeps commands from writing over what they read. */
import { stat } from 'node:fs/promises'
import { InvalidInputError } from '../index.ts'
import { printable } from './text.ts'

/**
 * Refuses an output that is one of the inputs, under whatever name.
 *
 * @throws {InvalidInputError} INVALID_OPTION
 */
export async function refuseSame(option: string, out: string, inputs: readonly string[]): Promise<void> {
  const there = await identityOf(out)
  if (there === undefined) return
  for (const input of inputs) {
    if ((await identityOf(input)) !== there) continue
    const message = `--${option} is ${printable(input)}, which is read; name another file`
    throw new InvalidInputError('INVALID_OPTION', message, { option })
  }
}

/** Undefined where there is no file yet, and of devices and pipes, which lose nothing when they are written. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path, { bigint: true })
    return found.isFile() ? `${found.dev}:${found.ino}` : undefined
  } catch {
    return undefined
  }
}
