/**
 * A sheet of 1,200 formulas, recalculated on every core and on one thread:
 * `npx tsx --tsconfig examples/tsconfig.json examples/spreadsheet.ts`
 */
import { createKeyValueState, createTaskExecutor } from 'blockloom/tasks'
import tasks, { evaluate, type Formula } from './spreadsheet.tasks.ts'

const ROWS = 200
const columns = ['B', 'C', 'D', 'E', 'F', 'G']
/** Each column is made of the one on its left: the row, the one above and the one below. */
const formulas: Formula[] = columns.flatMap((column, c) =>
  Array.from({ length: ROWS }, (_, row): Formula => {
    const left = String.fromCharCode(column.charCodeAt(0) - 1)
    const rows = [row, (row + 1) % ROWS, (row + ROWS - 1) % ROWS]
    return {
      cell: `${column}${row}`,
      operator: (['sum', 'max', 'mean'] as const)[c % 3] ?? 'sum',
      of: rows.map((r) => `${left}${r}`),
    }
  }),
)
const given = Array.from({ length: ROWS }, (_, row) => [`cell:A${row}`, (row * 17) % 101] as const)

const sheet = new Map<string, number>(given)
const alone = performance.now()
for (const formula of formulas) {
  sheet.set(
    `cell:${formula.cell}`,
    evaluate(formula, (cell) => sheet.get(`cell:${cell}`) ?? 0),
  )
}
const oneThread = performance.now() - alone

// Formulas come in any order; `after` says which cells must be there first.
const shuffled = formulas.map((_, k) => formulas[(k * 7) % formulas.length] as Formula)
const at = new Map(shuffled.map(({ cell }, k) => [cell, k]))
const calls = shuffled.map((input) => ({
  task: 'recalculate' as const,
  input,
  after: input.of.flatMap((cell) => at.get(cell) ?? []),
}))
const executor = await createTaskExecutor(tasks, { setup: new URL('./typescript.mjs', import.meta.url) })
try {
  const state = createKeyValueState({ entries: given })
  await executor.run(calls.slice(0, 1).map(({ task, input }) => ({ task, input })))
  const began = performance.now()
  const { stateDiff, run } = await executor.run(calls, { state, order: 'graph' })
  const ms = performance.now() - began
  await state.apply(stateDiff)
  const same = [...sheet].every(([key, value]) => state.get(key) === value)
  console.log(`${calls.length} cells, ${run.executions} executions; equal to one thread: ${same}`)
  console.log(`${executor.workers} workers ${ms.toFixed(0)} ms, one thread ${oneThread.toFixed(0)} ms`)
} finally {
  await executor.close()
}
