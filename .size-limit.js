/** Budgets: what a bundler takes into an application (minified, brotli), and the kernels that are fetched beside it. */
const bundled = {
  ignore: ['node:*'],
  /** @param {object} config */
  modifyEsbuildConfig: (config) => ({ ...config, format: 'esm', target: 'es2022', logLevel: 'error' }),
}

export default [
  // 2 kB of it and of `ethereumjs` check options and measure light blocks, 1.5 kB wait for stuck threads no longer, 4 kB make
  // receipts and differences from words, learn what calls take and recover signers ahead.
  { name: 'library', path: 'dist/index.js', limit: '70 kB', ...bundled },
  { name: 'tasks', path: 'dist/tasks.js', limit: '60 kB', ...bundled },
  { name: 'records', path: 'dist/records.js', limit: '60 kB', ...bundled },
  // No part of an application. 1.5 kB of it explore schedules, 2 kB replay adapters.
  { name: 'testing', path: 'dist/testing.js', limit: '68 kB', ...bundled },
  {
    name: 'ethereumjs, without its peers',
    path: 'dist/ethereumjs.js',
    // 3 kB more than the library's read and write the tries of a MerkleStateManager.
    limit: '74 kB',
    ...bundled,
    ignore: ['node:*', '@ethereumjs/*'],
  },
  { name: 'model worker', path: 'dist/model-worker.js', limit: '62 kB', ...bundled },
  { name: 'worker', path: 'dist/worker.js', limit: '60 kB', ...bundled },
  {
    name: 'evm kernel, as it is',
    path: 'dist/evm-core.wasm',
    // 37 kB of it are the dialects of Amsterdam and the fees of rollups, 122 kB recover signers and multiply and divide, 79
    // are bn254, 42 raise to powers.
    limit: '1.87 MB',
    disablePlugins: ['@size-limit/esbuild'],
    brotli: false,
  },
  {
    name: 'page of a report, as it is',
    path: 'dist/report-page.js',
    limit: '750 kB',
    disablePlugins: ['@size-limit/esbuild'],
    brotli: false,
  },
  ...['hash-core', 'hash-core-scalar'].map((name) => ({
    name: `${name}, as it is`,
    path: `dist/${name}.wasm`,
    limit: '70 kB',
    disablePlugins: ['@size-limit/esbuild'],
    brotli: false,
  })),
]
