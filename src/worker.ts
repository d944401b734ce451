/** Entry of the worker file. It serves one executor and ends with it. */
import { serve } from './executor/workerMain.ts'

serve()

/** True: this file is a module. Without an export, tools take the bundled file for CommonJS. */
export const isWorker = true
