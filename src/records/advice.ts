/**
 * Advice, a sentence each: only what the record shows, most important first.
 *
 * Not here: how the figures came about (explain.ts).
 */
import type { Explanation, Relief } from './explanation.ts'
import type { RunGraph } from './graph.ts'
import type { LocationRole } from './names.ts'
import { THINGS } from './runRecord.ts'

/** A share of all work from which one place alone decides how long a run takes. */
const LONG_SHARE = 0.2
/** Work in microseconds below which waking workers is most of a run. */
const SHORT_RUN = 500
/** A gain from which it is worth to tell of it. */
const WORTH = 1.1

export function advise(told: Omit<Explanation, 'advice'>, graph: RunGraph): string[] {
  const { bound, criticalPath, workers, places, fallback, work } = told
  if (places === 0) return ['Nothing ran to an end, so there is nothing to say.']
  const thing = THINGS[told.kind]
  const advice: string[] = []
  if (work < SHORT_RUN) {
    advice.push(`All work takes ${us(work)}: waking workers costs a good part of that, so give the engine larger runs.`)
  }
  const longest = graph.cost.reduce((best, cost, index) => (cost > graph.cost[best] ? index : best), 0)
  const share = graph.cost[longest] / work
  if (share >= LONG_SHARE && places > 1) {
    const name = nameOf(graph.places[longest], thing)
    advice.push(
      `${name} alone takes ${percent(share)} of all work, so it bounds the gain at ${times(1 / share)}: split it or put it first.`,
    )
  }
  if (told.hottest !== undefined) advice.push(...ofHottest(told, told.hottest))
  if (criticalPath.share >= 0.5 && criticalPath.steps.length > 2) {
    advice.push(
      `${criticalPath.steps.length} ${thing}s need one another in a chain of ${percent(criticalPath.share)} of all work: ` +
        'more workers do not help, fewer shared locations do.',
    )
  }
  if (fallback > places / 10) {
    advice.push(
      `${percent(fallback / places)} of the ${thing}s were left to the sequential path, because too many were thrown away.`,
    )
  }
  if (bound.reached < WORTH) advice.push('Run it on one worker: no number of workers is simulated to be worth it.')
  else if (bound.workers > workers) {
    advice.push(`${bound.workers} workers are simulated to reach ${times(bound.reached)}; this run had ${workers}.`)
  } else if (bound.workers < workers) {
    advice.push(`${bound.workers} workers are simulated to do as well as ${workers}: ${times(bound.reached)}.`)
  }
  return advice
}

function ofHottest(told: Omit<Explanation, 'advice'>, hottest: Relief): string[] {
  const { location, makespanBefore, makespanAfter, workers, boundBefore, boundAfter } = hottest
  const gain = makespanAfter === 0 ? 1 : makespanBefore / makespanAfter
  if (gain < WORTH && boundAfter < boundBefore * WORTH) {
    return told.conflicts[0].dependencies + told.aborts + told.waits === 0
      ? []
      : [`No single location is worth removing: the hottest one, ${location.name}, would give ${times(gain)}.`]
  }
  return [
    `Without conflicts over ${location.name} the run would be ${times(gain)} as fast on ${workers} workers, ` +
      `and the bound ${times(boundAfter)} instead of ${times(boundBefore)}: ${REMEDIES[location.role]}.`,
  ]
}

/** What people do about such a location. */
const REMEDIES: Readonly<Record<LocationRole, string>> = {
  reserves: 'swaps of one pair are a chain; batch them, or spread them over pairs',
  tokenBalance: 'let the payments go to several addresses, or add up and pay once',
  totalSupply: 'mint or burn once for many',
  allowance: 'let each spender have allowances of its own',
  variable: 'keep it apart for each user, or read it before it is written',
  entry: 'keep it apart for each user, or read it before it is written',
  balance: 'do not ask for the exact balance where a bound would do',
  nonce: 'create the contracts from several accounts',
  life: 'create or destroy the account in another block than it is used in',
  value: 'add to it in place of get and set where it is a sum, or give each task a key of its own',
}

const nameOf = (place: number, thing: string): string =>
  place === 0 ? 'The prologue' : `${thing === 'task' ? 'Task' : 'Transaction'} ${place - 1}`

const percent = (share: number): string => `${Math.round(share * 100)} %`
const times = (ratio: number): string => `${ratio.toFixed(2)}x`
const us = (microseconds: number): string => `${Math.round(microseconds)} us`
