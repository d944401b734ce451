/** Entry of `dist/model-worker.js`: the library's worker, its atomic operations steps of a machine (tsup.config.ts). */
import { serve } from '../../executor/workerMain.ts'
import { threadData } from '../../platform/threads.ts'
import { attach, clock } from './door.ts'
import type { Machine } from './machine.ts'

attach(threadData<Machine>())
const now = performance.now.bind(performance)
performance.now = () => clock() ?? now()
serve()

/** True: this file is a module. Without an export, tools take the bundled file for CommonJS. */
export const isWorker = true
