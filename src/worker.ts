/** Entry of the worker file. It serves one executor and ends with it. */
import { serve } from './executor/workerMain.ts'

serve()
