/**
 * Colours of the charts, light and dark: told apart by people who see few colours, and dark or bright enough to be
 * seen.
 */
export interface Theme {
  readonly text: string
  readonly muted: string
  readonly line: string
  readonly background: string
  /** By `FATES`: committed, executed again, thrown away, left to the committer, sequential path. */
  readonly fates: readonly string[]
  readonly wait: string
  /** From few to many. */
  readonly heat: readonly string[]
  readonly point: string
  readonly edge: string
  readonly critical: string
  /** Lines of the curve: oracle, access list, graph, Block-STM. */
  readonly lines: Readonly<Record<string, string>>
}

export const LIGHT: Theme = {
  text: '#1b2430',
  muted: '#55606e',
  line: '#d5dbe3',
  background: '#ffffff',
  fates: ['#2f6fc4', '#d98a00', '#c2403c', '#8a5bb5', '#7b8794'],
  wait: '#1b243055',
  heat: ['#fdf1dc', '#f5b35c', '#d9602f', '#7a1f1f'],
  point: '#2f6fc4',
  edge: '#8a97a888',
  critical: '#c2403c',
  lines: { oracle: '#55606e', 'access-list': '#0a8270', graph: '#8a5bb5', 'block-stm': '#2f6fc4' },
}

export const DARK: Theme = {
  text: '#e6ebf2',
  muted: '#a3afbf',
  line: '#37414f',
  background: '#161b22',
  fates: ['#6aa5f2', '#f0b040', '#f0736d', '#c195ec', '#8d99a8'],
  wait: '#e6ebf266',
  heat: ['#3a2b1c', '#8f5217', '#e08a2e', '#ffe3a3'],
  point: '#6aa5f2',
  edge: '#a3afbf77',
  critical: '#f0736d',
  lines: { oracle: '#a3afbf', 'access-list': '#3fc8b0', graph: '#c195ec', 'block-stm': '#6aa5f2' },
}
