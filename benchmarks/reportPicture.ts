/** The picture of a report that README.md shows: a real block on two workers, its page, a browser's view of it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chainAtFork } from 'blockloom'
import { chromium } from 'playwright-core'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const WARM_UP = 12

/** Records a block, writes its report, and takes a picture of the upper part of the page. @returns what was done */
export async function reportPicture(
  file: BenchFile & { readonly fork: Parameters<typeof chainAtFork>[0] },
  to: string,
): Promise<string> {
  const executablePath = process.env['BLOCKLOOM_CHROMIUM'] ?? BROWSERS.find((one) => existsSync(one))
  if (executablePath === undefined) return 'no Chromium here, so report.png stays as it is'
  const folder = mkdtempSync(join(tmpdir(), 'blockloom-plots-'))
  try {
    const records = join(folder, 'run.trace')
    await recordTo(records, file)
    const page = join(folder, 'report.html')
    const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
    execFileSync(process.execPath, [cli, 'report', records, '--out', page], { stdio: 'ignore' })
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    try {
      const tab = await browser.newPage({ colorScheme: 'light', viewport: { width: 1000, height: 1300 } })
      await tab.goto(`file://${page}`)
      await tab.waitForSelector('body[data-drawn]')
      await tab.screenshot({ path: to })
    } finally {
      await browser.close()
    }
    return 'report.png is a picture of the page'
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function recordTo(
  path: string,
  file: BenchFile & { readonly fork: Parameters<typeof chainAtFork>[0] },
): Promise<void> {
  const executor = await openExecutor(2)
  try {
    const state = stateOf(file, executor)
    const options = { state, chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
    const prepared = await executor.prepareBlock(file.block, options)
    for (let k = 0; k < WARM_UP; k++) await executor.timePrepared(prepared, options)
    await executor.runPrepared(prepared, { ...options, records: { file: path } })
  } finally {
    await executor.close()
  }
}
