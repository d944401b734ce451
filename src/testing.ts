/** Tools that test what others build on this library. */
export {
  type AdapterProblem,
  type AdapterReport,
  type CheckAdapterOptions,
  checkAdapter,
} from './testing/checkAdapter.ts'
