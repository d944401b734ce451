/** Runs a script of test/support in a process of its own: for what may end, or hang, a whole process. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ChildEnding {
  /** Null where it had to be killed. */
  readonly code: number | null
  readonly output: string
  readonly ms: number
}

/** @param flags - for Node itself */
export function runChild(
  script: string,
  args: readonly string[],
  timeout = 15_000,
  flags: readonly string[] = [],
): Promise<ChildEnding> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += String(chunk)
    })
    child.stderr.on('data', (chunk) => {
      output += String(chunk)
    })
    // A thread that spins does not hear SIGTERM.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, output, ms: performance.now() - began })
    })
  })
}
