import { copyFile, readdir } from 'node:fs/promises'
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

export default defineConfig([
  {
    ...common,
    name: 'library',
    entry: {
      index: 'src/index.ts',
      tasks: 'src/tasks.ts',
      testing: 'src/testing.ts',
      evm: 'src/evm.ts',
      wasm: 'src/wasm.ts',
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
    ...common,
    name: 'types',
    entry: {
      index: 'src/index.ts',
      tasks: 'src/tasks.ts',
      evm: 'src/evm.ts',
      wasm: 'src/wasm.ts',
      worker: 'src/worker.ts',
      testing: 'src/testing.ts',
    },
    dts: { only: true },
  },
])
