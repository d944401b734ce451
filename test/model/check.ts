/** Walks scenarios on the engine as it is, and plants each bug to see whether a walk finds it. */
import { Controller, type Schedule } from './controller.ts'
import { exhaust, roll, shrink, type Walk } from './explore.ts'
import type { Mutation } from './mutations.ts'
import { scenarios } from './scenarios.ts'
import type { Scenario } from './subjects/subjects.ts'

/** A walk that found something, or did not. */
export interface Finding {
  readonly scenario: string
  readonly failure: string | undefined
  /** Schedules until it failed, or all of them. */
  readonly schedules: number
  /** The failing schedule, made small: paste it into regressions.ts. */
  readonly schedule: Schedule
  /** Schedules that only a timeout helped. */
  readonly stalls: number
  readonly milliseconds: number
}

export const scenarioOf = (name: string): Scenario => {
  const found = scenarios.find((scenario) => scenario.name === name)
  if (found === undefined) throw new Error(`there is no scenario '${name}'`)
  return found
}

const finding = (controller: Controller, scenario: Scenario, began: number, found: Walk): Finding => {
  const { failure, schedule, schedules, stalls } = found
  const small = failure === undefined ? undefined : shrink(controller, schedule)
  return {
    scenario: scenario.name,
    failure: small?.outcome.failure ?? failure,
    schedules,
    schedule: small?.schedule ?? [],
    stalls,
    milliseconds: performance.now() - began,
  }
}

/** Walks all schedules of a scenario up to a bound. */
export const walk = (controller: Controller, scenario: Scenario, preemptions: number): Finding => {
  const began = performance.now()
  controller.take(scenario)
  const bound = Math.min(preemptions, scenario.preemptions ?? preemptions)
  return finding(controller, scenario, began, exhaust(controller, { preemptions: bound }))
}

/** Draws schedules of a scenario, with three change points. */
export const draw = (controller: Controller, scenario: Scenario, schedules: number, seed: number): Finding => {
  const began = performance.now()
  controller.take(scenario)
  return finding(controller, scenario, began, roll(controller, { schedules, seed, depth: 4 }))
}

/** True where the engine is sound with the smaller limits of a bug, and without the bug. */
export const control = async (mutation: Mutation, preemptions: number): Promise<boolean> => {
  if (mutation.setting === undefined) return true
  const controller = await Controller.make(mutation.setting)
  try {
    return mutation.on.every((name) => walk(controller, scenarioOf(name), preemptions).failure === undefined)
  } finally {
    await controller.close()
  }
}

/** Plants a bug and looks for it, scenario by scenario; the last finding, with the schedules of all. */
export const hunt = async (mutation: Mutation, preemptions: number): Promise<Finding> => {
  const controller = await Controller.make([...(mutation.setting ?? []), ...mutation.edits])
  try {
    let schedules = 0
    let milliseconds = 0
    let last: Finding | undefined
    for (const name of mutation.on) {
      last = walk(controller, scenarioOf(name), preemptions)
      schedules += last.schedules
      milliseconds += last.milliseconds
      if (last.failure !== undefined) break
    }
    // A name that is gone since: what was planted does not run, and says nothing of the checker.
    if (/\bis not (defined|a function)\b/.test(last?.failure ?? '')) {
      throw new Error(`the bug '${mutation.name}' does not run: ${last?.failure}`)
    }
    if (last === undefined) throw new Error(`the bug '${mutation.name}' is looked for nowhere`)
    return { ...last, schedules, milliseconds }
  } finally {
    await controller.close()
  }
}
