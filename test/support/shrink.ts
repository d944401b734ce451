/**
 * Makes a case that fails smaller, while it still fails.
 *
 * Removes ever smaller runs of transactions, snippets, payments or tasks (delta debugging, Zeller and Hildebrandt
 * 2002). A failure may need an interleaving, so each candidate is tried more than once; one that is lucky every time
 * stays larger than it could be, and nothing else is lost.
 */
import type { Case } from './cases.ts'

/** @param fails - one try */
export interface ShrinkOptions {
  readonly fails: (one: Case) => Promise<boolean>
  /** Tries of each candidate. */
  readonly tries: number
  /** Milliseconds after which the smallest case so far is good enough. */
  readonly budget: number
}

export async function shrink(one: Case, { fails, tries, budget }: ShrinkOptions): Promise<Case> {
  const end = performance.now() + budget
  const still = async (candidate: Case): Promise<boolean> => {
    for (let k = 0; k < tries; k++) {
      if (performance.now() > end) return false
      if (await fails(candidate)) return true
    }
    return false
  }
  let smallest = one
  for (let before = -1; before !== sizeOf(smallest) && performance.now() < end; ) {
    before = sizeOf(smallest)
    for (const path of listsOf(smallest)) smallest = await fewer(smallest, path, still)
  }
  return smallest
}

/** Where a list is inside a case: names and numbers from the outside in. */
type Path = readonly (string | number)[]

/** A removal on the way may have taken a list away; then it is empty. */
const at = (value: unknown, path: Path): readonly unknown[] =>
  (path.reduce<unknown>((inside, key) => (inside as Record<string, unknown> | undefined)?.[key], value) ??
    []) as readonly unknown[]

const replaced = <T>(value: T, path: Path, list: readonly unknown[]): T => {
  if (path.length === 0) return list as T
  const [key, ...rest] = path as [string | number, ...Path]
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string | number, unknown>
  copy[key] = replaced(copy[key], rest, list)
  return copy as T
}

/** Lists that may be shorter: all but pairs and triples, accounts, and the contracts, whose number is their address. */
const listsOf = (one: Case): Path[] => {
  const found: Path[] = []
  const visit = (value: unknown, path: Path): void => {
    if (typeof value !== 'object' || value === null || path[0] === 'people') return
    const isRecords = Array.isArray(value) && value.every((part) => typeof part === 'object' && !Array.isArray(part))
    const isCode = path[0] === 'contracts' && path.length === 2
    const isOuter = path.length === 1 && path[0] !== 'contracts'
    if (Array.isArray(value) && (isRecords || isCode || isOuter)) found.push(path)
    for (const [key, part] of Object.entries(value)) visit(part, [...path, Array.isArray(value) ? Number(key) : key])
  }
  visit(one, [])
  return found
}

const sizeOf = (one: Case): number => listsOf(one).reduce((sum, path) => sum + at(one, path).length, 0)

async function fewer(one: Case, path: Path, still: (candidate: Case) => Promise<boolean>): Promise<Case> {
  let smallest = one
  for (let run = Math.ceil(at(one, path).length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
    for (let from = 0; from < at(smallest, path).length; ) {
      const list = at(smallest, path)
      const candidate = replaced(smallest, path, [...list.slice(0, from), ...list.slice(from + run)])
      if (await still(candidate)) smallest = candidate
      else from += run
    }
  }
  return smallest
}
