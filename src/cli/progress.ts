/** The progress bar: on stderr, on a terminal, and gone before anything else is printed. */
import cliProgress from 'cli-progress'

/** Progress of one file. */
export interface Progress {
  /** One step more, or several. */
  step(steps?: number): void
  /** Takes the bar off the screen. May be called more than once. */
  stop(): void
}

/**
 * Shows a bar for one file, or a count where nobody knows how much there is.
 *
 * @param steps - 0 where it is not known
 * @param wanted - false shows nothing; neither is anything shown where stderr is no terminal
 */
export function showProgress(wanted: boolean, label: string, steps: number, unit = 'steps'): Progress {
  if (!wanted || !process.stderr.isTTY) return { step: () => undefined, stop: () => undefined }
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: steps > 0 ? `{label} [{bar}] {value}/{total} ${unit}` : `{value} ${unit} {label}`,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    clearOnComplete: true,
    hideCursor: false,
    // The command ends by itself on a signal and stops the bar on its way out.
    gracefulExit: false,
    // Ten lines a second cost nothing that a run beside them would show.
    fps: 10,
  })
  bar.start(steps, 0, { label })
  return { step: (count = 1) => bar.increment(count), stop: () => bar.stop() }
}
