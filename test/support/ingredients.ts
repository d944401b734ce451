/**
 * What random blocks are made of, counted where it happened: a call that a generator meant to run out of gas and that did
 * not is no such call.
 */
import type { BlockResult } from '../../src/index.ts'
import { authority, since } from './evm.ts'
import { type BlockCase, CHILD, CONTRACTS, MAKER, NOBODY, TOKEN } from './randomBlock.ts'

export const INGREDIENTS = [
  'transfers',
  'token transfers',
  'contracts made',
  'made and destroyed in one block',
  'made, destroyed and made again',
  'fee recipient sends',
  'fee recipient is paid or called',
  'fee recipient is a contract',
  'delegations',
  'calls of delegated accounts',
  'reverts',
  'out of gas',
  'nonce gaps',
] as const
export type Ingredient = (typeof INGREDIENTS)[number]
export type Ingredients = Record<Ingredient, number>

export const noIngredients = (): Ingredients => Object.fromEntries(INGREDIENTS.map((name) => [name, 0])) as Ingredients

export const addIngredients = (sum: Ingredients, more: Ingredients): void => {
  for (const name of INGREDIENTS) sum[name] += more[name]
}

/** One line, most of it numbers. */
export const ingredientsText = (counts: Ingredients): string =>
  INGREDIENTS.map((name) => `${counts[name]} ${name}`).join(', ')

/** More than a payment takes, whatever its call data: the code of a contract was run. */
const RAN_CODE = 30_000n

/** Counts what a block was made of. Without a result it was not valid. */
export function ingredientsOf(one: BlockCase, result: BlockResult | undefined): Ingredients {
  const counts = noIngredients()
  if (result === undefined) {
    if (one.steps.some(({ gap = 0 }) => gap !== 0)) counts['nonce gaps']++
    return counts
  }
  if (CONTRACTS.includes(one.coinbase)) counts['fee recipient is a contract']++
  const delegated = new Set<string>()
  let child: 'none' | 'there' | 'destroyed' = 'none'
  for (const [k, step] of one.steps.entries()) {
    const { status, haltReason, totalGasSpent, createdAddress } = result.results[k] as BlockResult['results'][number]
    const { to, from, data, value } = step
    const succeeded = status === 'success'
    const count = (name: Ingredient, really: boolean): void => {
      if (really) counts[name]++
    }
    count('reverts', status === 'revert')
    count('out of gas', haltReason === 'outOfGas')
    count('fee recipient sends', from === one.coinbase)
    count('fee recipient is paid or called', to === one.coinbase)
    count('contracts made', succeeded && createdAddress !== undefined)
    if (succeeded && to !== undefined) {
      count(
        'transfers',
        data === '0x' && value !== '0' && !CONTRACTS.includes(to) && to !== TOKEN && to !== MAKER && to !== CHILD,
      )
      count('token transfers', to === TOKEN && totalGasSpent > RAN_CODE)
      count('calls of delegated accounts', delegated.has(to) && totalGasSpent > RAN_CODE)
    }
    // They count whatever becomes of the call.
    for (const { key, to: target, shift } of step.authorisations ?? []) {
      if (shift !== 0) continue
      counts.delegations++
      if (target === NOBODY) delegated.delete(authority(key).address)
      else delegated.add(authority(key).address)
    }
    if (!succeeded) continue
    if (to === MAKER && child !== 'there') {
      if (child === 'destroyed') counts['made, destroyed and made again']++
      child = 'there'
    } else if (
      to === CHILD &&
      child === 'there' &&
      value !== '0' &&
      totalGasSpent > RAN_CODE &&
      !since(one.fork, 'cancun')
    ) {
      // From Cancun on what another transaction made stays (EIP-6780).
      counts['made and destroyed in one block']++
      child = 'destroyed'
    }
  }
  return counts
}
