/** A spreadsheet: each cell with a formula is a task that comes after the cells it names. */
import { defineTasks } from 'blockloom/tasks'

export interface Formula {
  readonly cell: string
  readonly operator: 'sum' | 'max' | 'mean'
  readonly of: readonly string[]
}

/** What a cell is worth, given those that it names; with some work, as real formulas have. */
export const evaluate = ({ operator, of }: Formula, worth: (cell: string) => number): number => {
  const values = of.map(worth)
  let drift = 0
  for (let k = 0; k < 20_000; k++) drift += Math.sin(k)
  const total = values.reduce((sum, value) => sum + value, 0)
  const exact = operator === 'max' ? Math.max(...values) : operator === 'sum' ? total : total / values.length
  return Math.round((exact + drift * 1e-12) * 1000) / 1000
}

export default defineTasks(
  {
    recalculate(memory, formula: Formula) {
      const value = evaluate(formula, (cell) => memory.get<number>(`cell:${cell}`) ?? 0)
      memory.set(`cell:${formula.cell}`, value)
      return value
    },
  },
  { url: import.meta.url },
)
