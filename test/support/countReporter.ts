import { writeSync } from 'node:fs'
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node'

/**
 * Ends the output of a run with one plain line: `blockloom: 123 passed, 0 failed, 4 skipped`.
 *
 * A file that cannot be loaded, an error outside any test and a run that could not begin each count as one failure. The
 * line is written when the process ends, behind whatever the other reporters print.
 */
export default class CountReporter implements Reporter {
  private line = ''

  onInit(): void {
    process.once('exit', () => {
      if (this.line !== '') writeSync(1, this.line)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[], reason: TestRunEndReason): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      const before = count.failed
      for (const test of module.children.allTests()) count[test.result().state] += 1
      if (module.state() === 'failed' && count.failed === before) count.failed += 1
    }
    if (reason === 'failed' && count.failed === 0) count.failed = 1
    this.line = `blockloom: ${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped\n`
  }
}
