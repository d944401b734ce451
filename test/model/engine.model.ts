/**
 * The short part of `npm run model`: every schedule of small cases up to the bound, on the engine as it is; a few planted bugs;
 * and the schedules that once failed.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decisionsOf } from '../../src/testing/schedules/schedule.ts'
import { apply } from './build.ts'
import { draw, hunt, scenarioOf, walk } from './check.ts'
import { Controller } from './controller.ts'
import { evmMutations } from './evm.ts'
import { type Mutation, mutations } from './mutations.ts'
import { regressions } from './regressions.ts'
import { largerScenarios, scenarios } from './scenarios.ts'
import type { Scenario } from './subjects/subjects.ts'

const SEED = 7
/** Cases with few schedules: these are walked to the bound. */
const walked = [
  'scheduler',
  'memory',
  'memory, deltas',
  'table',
  'joining',
  'window of one',
  'three writers',
  'begun alone',
]

describe('the engine as it is', () => {
  let controller: Controller
  beforeAll(async () => {
    controller = await Controller.make()
  })
  afterAll(() => controller.close())

  test.each(walked)('every schedule of %s with two pre-emptions is sound', (name) => {
    const { failure, schedules } = walk(controller, scenarioOf(name), 2)
    expect(failure).toBeUndefined()
    expect(schedules).toBeGreaterThan(400)
  })

  test.each(scenarios.map(({ name }) => name).filter((name) => name !== 'parking' && !walked.includes(name)))(
    'every schedule of %s with few pre-emptions is sound',
    // Three threads, of whom two wait for the third: sixteen thousand schedules. Here only those without a pre-emption.
    (name) => expect(walk(controller, scenarioOf(name), name.startsWith('late') ? 0 : 1).failure).toBeUndefined(),
  )

  test.each(largerScenarios(SEED).map((scenario) => [scenario.name, scenario] as const))(
    'random schedules of %s are sound',
    (_, scenario) => expect(draw(controller, scenario, 100, SEED).failure).toBeUndefined(),
  )

  test('a random run is run again by its decisions, step for step', () => {
    controller.take(scenarioOf('fallback'))
    controller.run([], true, { seed: SEED, depth: 4, steps: 200 })
    const story = controller.story()
    const schedule = decisionsOf(controller.machine)
    expect(controller.run(schedule, true)).toMatchObject({ failure: undefined, steps: story.length })
    expect(controller.story()).toEqual(story)
  })

  test.each(regressions.map((r) => [r.what, r] as const))('%s: not any more', (_, { scenario, schedule }) => {
    controller.take(scenario)
    const { failure } = controller.run(schedule, true)
    expect(failure === undefined || failure.startsWith('not a schedule')).toBe(true)
  })
})

describe('planted bugs', () => {
  test.each([
    'done-while-owed',
    'parks-past-the-end',
    'old-write-survives',
    'looks-before-it-moves',
    'two-committers',
    'two-records',
    'head-loaded-plainly',
    'status-plainly',
  ])('%s is found, and its schedule, made small, is of two decisions at most', async (name) => {
    const mutation = mutations.find((m) => m.name === name)
    if (mutation === undefined) throw new Error(`there is no bug '${name}'`)
    const { failure, schedule } = await hunt(mutation, 2)
    expect(failure).toBeDefined()
    expect(schedule.length).toBeLessThanOrEqual(2)
  })

  test('a bug is found by random schedules too, and what is left of one still fails', async () => {
    const mutation = mutations.find(({ name }) => name === 'two-committers')
    const controller = await Controller.make(mutation?.edits ?? [])
    try {
      const { failure, schedule } = draw(controller, largerScenarios(SEED)[0] as Scenario, 1000, SEED)
      expect(failure).toBeDefined()
      expect(controller.run(schedule, true).failure).toBe(failure)
    } finally {
      await controller.close()
    }
  })

  test('an edit whose snippet is not there exactly once is refused', async () => {
    const edit = { file: 'src/scheduler/scheduler.ts', find: 'no such text', replace: '' }
    expect(() => apply('a a', { ...edit, find: 'a' })).toThrow('stands there 2 times')
    await expect(Controller.make([edit])).rejects.toThrow('stands there 0 times')
    await expect(Controller.make([{ ...edit, file: 'src/cli/main.ts' }])).rejects.toThrow('no thread runs')
  })

  test('the edits of every bug fit the sources', () => {
    const planted: readonly Pick<Mutation, 'edits' | 'setting'>[] = [...mutations, ...evmMutations]
    for (const { edits, setting = [] } of planted) {
      for (const edit of [...edits, ...setting]) {
        const text = readFileSync(new URL(`../../${edit.file}`, import.meta.url), 'utf8')
        expect(apply(text, edit)).not.toBe(text)
      }
    }
  })

  test('every hazard of the engine is planted', () => {
    const planted = new Set(mutations.map(({ hazard }) => hazard))
    for (const hazard of [1, 2, 3, 4, 5, 12, 13, 16, 17, 19, 20, 21]) expect(planted).toContain(hazard)
  })
})
