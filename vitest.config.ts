import { pathToFileURL } from 'node:url'
import { defineConfig, type Plugin } from 'vitest/config'

const here = (path: string): string => new URL(path, import.meta.url).pathname

/**
 * In dist every module sits beside worker.js and the kernels; in src it does not. Sources under test therefore get the built
 * worker and the committed kernel in place of `new URL('./worker.js', import.meta.url)`.
 */
const builtFiles: Plugin = {
  name: 'blockloom:built-files',
  enforce: 'pre',
  transform(code, id) {
    if (!id.startsWith(here('./src/'))) return
    const replaced = code.replace(
      /new URL\(\s*'\.\/([\w-]+\.(?:js|wasm))',\s*import\.meta\.url\s*,?\s*\)/g,
      (_, file: string) => {
        const url = pathToFileURL(here(file.endsWith('.wasm') ? `./src/wasm/${file}` : `./dist/${file}`))
        return `new URL('${url.href}')`
      },
    )
    return replaced === code ? undefined : { code: replaced, map: null }
  },
}

const slow = process.env['BLOCKLOOM_SLOW'] === '1'

export default defineConfig({
  plugins: [builtFiles],
  resolve: {
    alias: [
      { find: /^blockloom$/, replacement: here('./src/index.ts') },
      { find: /^blockloom\/(tasks|evm|ethereumjs|wasm|worker|testing)$/, replacement: `${here('./src/')}$1.ts` },
    ],
  },
  test: {
    include: [
      'test/**/*.test.ts', // examples; *.vectors.test.ts: published truth
      'test/**/*.property.ts', // generated blocks
      'test/**/*.diff.ts', // parallel equals sequential
      'test/**/*.model.ts', // every interleaving of a tiny case
      ...(slow ? ['test/**/*.slow.ts'] : []),
    ],
    exclude: ['test/package/**', 'node_modules/**'],
    // Type errors elsewhere are for `npm run types` to tell.
    typecheck: {
      enabled: true,
      include: ['test/**/*.test-d.ts'],
      tsconfig: './tsconfig.json',
      ignoreSourceErrors: true,
    },
    globalSetup: ['test/support/globalSetup.ts'],
    pool: 'forks',
    // Tests start real workers: more files at once than this and they starve each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    passWithNoTests: false,
    reporters: ['default', './test/support/countReporter.ts'],
  },
})
