/** Counts the instructions that @ethereumjs/evm executes, in every incarnation. */
import { threadId, workerData } from 'node:worker_threads'

const work = new Float64Array(workerData.work)

const factory = () => ({
  hooks: {
    step: () => {
      work[threadId % work.length] += 1
    },
  },
})

export default factory
