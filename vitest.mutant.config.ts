import { mergeConfig, type Plugin } from 'vitest/config'
import { apply, type Edit } from './test/model/build.ts'
import base from './vitest.config.ts'

/** The bug that test/model/evm.ts plants: the worker built with it, and the edits for the main thread's sources. */
const { worker, edits } = JSON.parse(process.env['BLOCKLOOM_MUTANT'] ?? '{"worker":"","edits":[]}') as {
  readonly worker: string
  readonly edits: readonly Edit[]
}

const planted: Plugin = {
  name: 'blockloom:planted',
  enforce: 'pre',
  transform(code, id) {
    const mine = edits.filter(({ file }) => id.endsWith(`/${file}`))
    const replaced = mine
      .reduce(apply, code)
      .replace(/new URL\(\s*'\.\/worker\.js',\s*import\.meta\.url\s*,?\s*\)/g, `new URL('${worker}')`)
    return replaced === code ? undefined : { code: replaced, map: null }
  },
}

/** The edits come first: the base replaces addresses of workers too. */
export default mergeConfig({ plugins: [planted] }, base)
