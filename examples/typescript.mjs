/** Lets a worker import TypeScript where Node cannot by itself, which it can from 22.18 on. */
import { register } from 'tsx/esm/api'

register()
