/**
 * Builds the code that a thread of the machine runs: the engine's own sources, with the door swapped, some numbers made
 * small, and, where asked, a bug planted.
 *
 * An edit replaces one snippet of one file. It must stand there exactly once, or the build fails: an edit that does not
 * apply any more would otherwise pass for a bug that nobody found.
 */
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

export interface Edit {
  /** File, from the root of the project. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Applies one edit. @throws Error where the snippet is not there exactly once */
export const apply = (source: string, edit: Edit): string => {
  const pieces = source.split(edit.find)
  if (pieces.length !== 2) {
    throw new Error(
      `an edit of ${edit.file} is out of date: its snippet stands there ${pieces.length - 1} times:\n${edit.find}`,
    )
  }
  return pieces.join(edit.replace)
}

const edited = (edits: readonly Edit[], applied: Set<Edit>): Plugin => ({
  name: 'edits',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const file = relative(root, path).replaceAll('\\', '/')
      let contents = await readFile(path, 'utf8')
      for (const edit of edits) {
        if (edit.file !== file) continue
        contents = apply(contents, edit)
        applied.add(edit)
      }
      return { contents, loader: 'ts' }
    })
  },
})

const swapped: Plugin = {
  name: 'door',
  setup({ onResolve }) {
    // The machine's own words are no part of what is checked.
    onResolve({ filter: /\/atomics\.ts$/ }, ({ importer }) =>
      /[\\/]src[\\/]testing[\\/]/.test(importer) ? undefined : { path: here('door.ts') },
    )
    // The control plane of a worker: here it is not reached by messages.
    onResolve({ filter: /^comlink/ }, () => ({ path: here('noComlink.ts') }))
  },
}

/**
 * Numbers that only say how patient or how large something is, made small: what happens after a thousand turns, or in
 * the second sample, then happens within the few steps that can all be looked at.
 */
const limits: readonly Edit[] = [
  { file: 'src/scheduler/scheduler.ts', find: 'const SPINS = 400', replace: 'const SPINS = 1' },
  { file: 'src/scheduler/scheduler.ts', find: 'const LEAST_SHARED = 4', replace: 'const LEAST_SHARED = 2' },
  { file: 'src/mvmemory/waiting.ts', find: 'const SPINS = 1000', replace: 'const SPINS = 2' },
  { file: 'src/mvmemory/waiting.ts', find: 'const PARKS = 20', replace: 'const PARKS = 1' },
  { file: 'src/scheduler/judge.ts', find: 'SAMPLE = 32', replace: 'SAMPLE = 1' },
  { file: 'src/scheduler/judge.ts', find: 'FIRST_STRETCH = 128', replace: 'FIRST_STRETCH = 1' },
  { file: 'src/executor/runParts.ts', find: 'ADVANCE_EVERY = 16', replace: 'ADVANCE_EVERY = 2' },
  { file: 'src/executor/runParts.ts', find: 'const OWN_COMMITS = 4', replace: 'const OWN_COMMITS = 2' },
  { file: 'src/executor/runParts.ts', find: 'const CALM_CLAIMS = 32', replace: 'const CALM_CLAIMS = 1' },
  { file: 'src/executor/asyncRun.ts', find: 'const TURNS = 100', replace: 'const TURNS = 1' },
  { file: 'src/core/layout.ts', find: 'ARENA_CHUNK = 1 << 15', replace: 'ARENA_CHUNK = 1 << 8' },
  { file: 'src/core/layout.ts', find: 'MESSAGES_PER_ITEM = 4', replace: 'MESSAGES_PER_ITEM = 1' },
  { file: 'src/core/layout.ts', find: 'MOST_SIGNATURE_WORDS = 1 << 24', replace: 'MOST_SIGNATURE_WORDS = 320' },
  { file: 'src/executor/recoverer.ts', find: 'k < MAX_WORKERS', replace: 'k < 4' },
  {
    // Main waits in its turn: as a thread of the machine it has no timers.
    file: 'src/executor/signatures.ts',
    find: 'setTimeout(resolve, LOOK)',
    replace:
      'resolve(atomics.wait(this.#words, this.#at + Signatures.Done, atomics.load(this.#words, this.#at + Signatures.Done), LOOK))',
  },
  { file: 'src/core/cold.ts', find: 'REQUESTS = 1 << 17', replace: 'REQUESTS = 1 << 3' },
  { file: 'src/core/table.ts', find: 'RECORDS_A_CHUNK = 32', replace: 'RECORDS_A_CHUNK = 2' },
]

/** The bundle of a thread, as the text of a module. @throws Error where an edit does not apply */
export const bundle = async (edits: readonly Edit[] = []): Promise<string> => {
  const all = [...limits, ...edits]
  const applied = new Set<Edit>()
  const { outputFiles } = await build({
    entryPoints: [here('thread.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'silent',
    plugins: [swapped, edited(all, applied)],
  })
  const missed = all.filter((edit) => !applied.has(edit))
  if (missed.length > 0) throw new Error(`edits of files that no thread runs: ${missed.map((e) => e.file).join(', ')}`)
  return outputFiles[0]?.text ?? ''
}

/** The library's worker file with `edits`, as the text of a module. @throws Error where an edit does not apply */
export const workerBundle = async (edits: readonly Edit[]): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'node20',
    external: ['node:*'],
    logLevel: 'silent',
    plugins: [edited(edits, new Set())],
  })
  return outputFiles[0]?.text ?? ''
}
