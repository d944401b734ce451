/** Adapters from outside that answer what is no answer: a failed result of that input, never a fault of the library. */
import { expect, test } from 'vitest'
import { createAdapterExecutor } from '../../src/tasks.ts'

const adapter = new URL('../support/oddAdapter.mjs', import.meta.url)
const MIB = 2 ** 20
const bytes = (text: string) => new TextEncoder().encode(text)

test('each odd answer fails its input alone, with a reason', async () => {
  await using executor = await createAdapterExecutor({ adapter, options: {}, workers: 2, memoryLimit: 32 * MIB })
  const names = ['nothing', 'text', 'unknown', 'silent', 'promise', 'trap', 'throw']
  const inputs = names.flatMap((name) => [bytes('good'), bytes(name)])
  for (const options of [{ speculation: 'always' }, {}, { sequential: true }] as const) {
    const { results } = await executor.run(inputs, options)
    for (const [k, result] of results.entries()) {
      if (k % 2 === 0) expect(result).toMatchObject({ status: 'done', value: Uint8Array.of(1) })
      else expect(result).toMatchObject({ status: expect.stringMatching(/failed|invalid/), reason: expect.any(String) })
    }
  }
})

test.each(['beginBlock', 'endBlock'])('%s that throws: MODULE_FAILED with what it threw', async (throws) => {
  await using executor = await createAdapterExecutor({
    adapter,
    options: { throws },
    workers: 2,
    memoryLimit: 32 * MIB,
  })
  for (const options of [{ speculation: 'always' }, { sequential: true }] as const) {
    await expect(executor.run([bytes('good')], options)).rejects.toMatchObject({
      code: 'MODULE_FAILED',
      fields: { reason: `${throws} is broken` },
    })
  }
})
