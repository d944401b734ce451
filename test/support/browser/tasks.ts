/** Tasks of the browser's page, in TypeScript: a bundler makes a file of its own of them, which workers import. */
import { defineTasks } from 'blockloom/tasks'

export default defineTasks({
  count(memory, by: number) {
    const before = memory.get<{ total: number }>('count')?.total ?? 0
    memory.set('count', { total: before + by })
    memory.add('sum', by)
    memory.append('log', by)
    return before
  },
  keys(memory) {
    return memory.keys('')
  },
})
