/** The synthetic blocks of the benchmark, which are those of the tests and, for one of them, of the demo. */
export * from '../src/cli/workloads.ts'
