/** Starts the built command as a user does, and the files that it is given. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

export const CLI = path('../../dist/cli.js')
const BLOCKS = path('../../../shared/data/blocks')

export const haveBlocks = existsSync(BLOCKS)
if (!haveBlocks) process.stderr.write(`skipped: the real blocks of ${BLOCKS} are not here\n`)

/** A real block's file. */
export const realBlock = (number: number): string => `${BLOCKS}/${number}.json.gz`

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs `blockloom` to its end.
 *
 * @param onOutput - called with each piece of stdout, to send a signal or to close the pipe
 */
export function blockloom(
  args: readonly string[],
  onOutput?: (child: ChildProcessWithoutNullStreams) => void,
  cli = CLI,
  cwd = process.cwd(),
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      onOutput?.(child)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** The lines of a text, without the empty ones. */
export const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '')

/** What a line of `--json` holds, as far as tests look at it. */
export interface Line {
  readonly file: string
  readonly txs: number
  readonly gasUsed: number
  readonly matches: Readonly<Record<'gasUsed' | 'logsBloom' | 'receiptsRoot', boolean | null>>
  readonly sequentialMs: number
  readonly parallelMs: number | null
  readonly workers: number
  readonly executions: number
  readonly speculative: number
  readonly fallback: number
  readonly equal?: boolean
  readonly digests?: Readonly<
    Record<string, { readonly sequential: string; readonly parallel: string; readonly equal: boolean }>
  >
}

export const jsonOf = (text: string): Line[] => linesOf(text).map((line) => JSON.parse(line) as Line)
