/**
 * Reads one run out of a file of records.
 *
 * A file may hold several runs (`blockloom run` records every run that it makes); without a number the last one that
 * speculated is taken, and the last one where none did.
 */
import { readFile } from 'node:fs/promises'
import { InvalidInputError } from '../../index.ts'
import { decodeTrace, type RunRecord } from '../../records.ts'

export interface ReadRun {
  readonly record: RunRecord
  /** Which run of the file it is, from 1 on, of how many. */
  readonly number: number
  readonly of: number
  /** Where the file breaks off, in words; undefined where it is whole. */
  readonly broken: string | undefined
}

/**
 * @param number - which run of the file, from 1 on; undefined for the one to look at
 * @throws {InvalidInputError} RECORDS_FORMAT for a file of another kind or version, or one without a run;
 *   INVALID_OPTION for a run that is not there; an error of Node with its own code where the file cannot be read
 */
export async function readRun(path: string, number: number | undefined): Promise<ReadRun> {
  const { runs, broken } = decodeTrace(await readFile(path))
  if (runs.length === 0) throw new InvalidInputError('RECORDS_FORMAT', 'the file holds no run', { where: 'file' })
  if (number !== undefined && number > runs.length) {
    throw new InvalidInputError('INVALID_OPTION', `--run is ${number}, but the file holds ${runs.length} runs`, {
      option: 'run',
      limit: runs.length,
      actual: number,
    })
  }
  const speculated = runs.findLastIndex(({ executions }) => executions.some(({ mode }) => mode !== 'sequential'))
  const index = number !== undefined ? number - 1 : speculated >= 0 ? speculated : runs.length - 1
  return { record: runs[index], number: index + 1, of: runs.length, broken: broken?.reason }
}
