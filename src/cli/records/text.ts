/** Explanations and simulations as text for people; pure functions, words and ASCII only. */
import type { Explanation } from '../../records/explanation.ts'
import { THINGS } from '../../records/runRecord.ts'
import type { Simulation } from '../../records/simulate.ts'
import { printable } from '../text.ts'

/** Lines of a list that people read; `--json` has all. */
const LINES = 10

export const grouped = (value: number): string =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')

export const count = (value: number, noun: string): string => `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`

/** Microseconds in the unit that reads best. */
export function micros(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} s`
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} ms`
  if (value >= 1e3) return `${(value / 1e3).toFixed(2)} ms`
  return `${value.toFixed(value < 10 ? 1 : 0)} us`
}

export const times = (ratio: number): string => `${ratio.toFixed(2)}x`

const share = (part: number): string => `${Math.round(part * 100)} %`

export function explanationText(told: Explanation): string {
  const thing = THINGS[told.kind]
  const { criticalPath, bound, hottest, conflicts } = told
  const shown = conflicts.slice(0, LINES)
  const steps = [...criticalPath.steps].sort((a, b) => b.cost - a.cost).slice(0, LINES)
  return [
    printable(
      `${told.label}: ${count(told.places, thing)} on ${count(told.workers, 'worker')}, ` +
        `${told.duration === undefined ? 'the record breaks off' : micros(told.duration)}`,
    ),
    `  work ${micros(told.work)}; ${count(told.executions, 'execution')}, ${grouped(told.aborts)} thrown away, ` +
      `${count(told.waits, 'wait')}, ${grouped(told.fallback)} on the sequential path`,
    '',
    shown.length === 0 ? `No ${thing} read what another one wrote.` : 'Locations, what cost most first',
    ...shown.flatMap(({ name, address, slot, aborts, wasted, waits, waited, dependencies }) => [
      `  ${printable(name)}`,
      `    ${[
        ...(aborts > 0 ? [`${count(aborts, 'execution')} thrown away (${micros(wasted)})`] : []),
        ...(waits > 0 ? [`${count(waits, 'wait')} (${micros(waited)})`] : []),
        count(dependencies, 'conflict'),
      ].join(', ')}`,
      ...(address === undefined ? [] : [`    ${address}${slot === undefined ? '' : ` slot ${slot}`}`]),
    ]),
    ...more(conflicts.length - shown.length, 'location'),
    '',
    `Critical path: ${count(criticalPath.steps.length, thing)}, ${micros(criticalPath.length)}, ` +
      `${share(criticalPath.share)} of all work; its longest steps`,
    ...steps.map(
      ({ name, cost, via }) =>
        `  ${printable(name)}  ${micros(cost)}${via === undefined ? '' : `  needs ${printable(via.name)}`}`,
    ),
    ...more(criticalPath.steps.length - steps.length, 'step'),
    '',
    `Any number of workers could gain ${times(bound.speedup)} without overhead; ` +
      `this engine is simulated to reach ${times(bound.reached)}, with ${count(bound.workers, 'worker')}.`,
    ...(hottest === undefined
      ? []
      : [
          `Without ${printable(hottest.location.name)}: bound ${times(hottest.boundBefore)} to ${times(hottest.boundAfter)}, ` +
            `${micros(hottest.makespanBefore)} to ${micros(hottest.makespanAfter)} on ${count(hottest.workers, 'worker')}.`,
        ]),
    '',
    'Advice',
    ...(told.advice.length === 0
      ? ['  Nothing stands out.']
      : told.advice.map((sentence) => `  ${printable(sentence)}`)),
  ].join('\n')
}

const more = (left: number, noun: string): string[] =>
  left > 0 ? [`  and ${count(left, `more ${noun}`)}: --json`] : []

const COLUMNS = ['policy', 'workers', 'time', 'speed-up', 'aborts', 'waits', 'busy'] as const
const WIDTHS = [12, 8, 10, 9, 8, 8, 7] as const

export const simulationHead = (): string => row([...COLUMNS])

export const simulationRow = (told: Simulation): string =>
  row([
    told.policy,
    grouped(told.workers),
    micros(told.makespan),
    times(told.speedup),
    grouped(told.aborts),
    grouped(told.waits),
    share(told.utilisation),
  ])

const row = (cells: readonly string[]): string =>
  cells.map((cell, k) => (k === 0 ? cell.padEnd(WIDTHS[k]) : cell.padStart(WIDTHS[k]))).join(' ')
