/** `checkAdapter` finds each rule broken by an adapter that breaks it, and nothing where none is. */
import { threadId } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { checkAdapter } from '../../src/testing.ts'

const module = new URL('../support/badAdapters.mjs', import.meta.url)
const inputs = Array.from({ length: 12 }, (_, k) => Uint8Array.of(k + 1))
const check = (breaks?: string) =>
  checkAdapter(module, { inputs, options: { ...(breaks === undefined ? {} : { breaks }), thread: threadId } })

test('an adapter that keeps the rules', async () => {
  expect(await check()).toMatchObject({ ok: true, problems: [] })
})

test.each([
  ['determinism', 'determinism'],
  ['purity', 'purity'],
  ['incarnation', 'purity'],
  ['poisoning', 'poisoning'],
  ['input', 'input'],
  ['dispose', 'dispose'],
  ['dispose of others', 'dispose'],
  ['parallel', 'parallel'],
])('an adapter that breaks: %s', async (breaks, rule) => {
  const { ok, problems } = await check(breaks)
  expect(ok).toBe(false)
  expect(problems.map((problem) => problem.rule)).toContain(rule)
  // Found by the rule that it is, before any other.
  expect(problems[0]?.rule).toBe(rule)
})

test('a module without an adapter', async () => {
  const { ok, problems } = await checkAdapter(new URL('../support/taskModule.mjs', import.meta.url), { inputs })
  expect([ok, problems.map(({ rule }) => rule)]).toEqual([false, ['loading']])
})
