/**
 * `node scripts/readme-table.mjs`: writes the measured table of README.md from benchmarks/results/latest.json, between
 * the two comments that mark its place. `--check` writes nothing and exits 1 where README.md says something else.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DIGEST_ROW, judge, time, times, worst } from './goals.mjs'

/** @typedef {import('../benchmarks/report.ts').Results} Results */
/** @typedef {import('../benchmarks/report.ts').BlockRow} BlockRow */
/** @typedef {import('../benchmarks/report.ts').ParallelRow} ParallelRow */
/** @typedef {import('../benchmarks/report.ts').Spread} Spread */

export const BEGIN = '<!-- bench:begin -->'
export const END = '<!-- bench:end -->'

/**
 * The pool that goals and tables speak of.
 *
 * @param {BlockRow} row
 * @returns {ParallelRow | undefined}
 */
const shown = (row) => row.pools.find(({ workers }) => workers === 2) ?? row.pools.find(({ workers }) => workers > 1)

/**
 * The rows of the table: every synthetic block, the real ones together, and the best and worst among them.
 *
 * @param {readonly BlockRow[]} rows
 * @returns {{ name: string, row: BlockRow }[]}
 */
function chosen(rows) {
  const real = rows
    .filter((row) => row.kind === 'real' && shown(row) !== undefined)
    .sort((a, b) => (shown(b)?.ratio.ofMedians ?? 0) - (shown(a)?.ratio.ofMedians ?? 0))
  const picked = rows.filter((row) => row.kind === 'synthetic').map((row) => ({ name: `\`${row.name}\``, row }))
  for (const row of rows) if (row.kind === 'sum') picked.push({ name: row.name, row })
  const [best] = real
  const last = real.at(-1)
  if (best !== undefined) picked.push({ name: `block ${best.name}, the best of them`, row: best })
  if (last !== undefined && last !== best) picked.push({ name: `block ${last.name}, the worst of them`, row: last })
  return picked
}

/**
 * What is not execution alone, beside the library that one would take else; empty where nothing of it was measured.
 *
 * @param {Results} results
 * @returns {string[]} lines of Markdown
 */
function others({ hashes = [], roots = [], whole = [], runBlock = [], adapter = [], native = [] }) {
  /** @type {string[]} */
  const lines = []
  /**
   * @param {string} name
   * @param {Spread} own
   * @param {string} unit
   * @param {string} other
   * @param {Spread | undefined} theirs
   */
  const add = (name, own, unit, other, theirs) => {
    const [text, gain] =
      theirs === undefined
        ? ['n/a', 'n/a']
        : [`${time(theirs.median)} ${unit}, ${other}`, `${time(theirs.median / own.median)}x`]
    lines.push(`| ${name} | ${time(own.median)} ${unit} | ${text} | ${gain} |`)
  }
  const noble = hashes.find(({ name, bytes }) => name.startsWith('@noble/hashes') && bytes === 32)
  const batch = hashes.find(({ name, bytes }) => name === DIGEST_ROW && bytes === 32)
  if (batch !== undefined) add('Keccak-256 of 32 bytes, in batches', batch.ns, 'ns', '@noble/hashes', noble?.ns)
  for (const { accounts, changed, stage, ethereumjs } of roots) {
    const name = `state root, ${accounts.toLocaleString('en')} accounts, ${changed} changes`
    add(name, stage, 'us', '@ethereumjs/mpt', ethereumjs)
  }
  for (const { name, transactions, ms, edr } of whole) {
    const block = `whole block of ${transactions.toLocaleString('en')} \`${name}\`, two workers`
    add(block, ms, 'ms', '@nomicfoundation/edr `evm_mine`', edr)
  }
  /** @param {{ name: string, kind: string, transactions: number }} row */
  const told = ({ name, kind, transactions }) =>
    kind === 'sum' ? name : `${transactions.toLocaleString('en')} \`${name}\``
  /** @param {number} median */
  const once = (median) => ({ median, min: median, max: median })
  for (const row of runBlock) {
    if (row.kind === 'real') continue
    const { plain, revm, ethereumjs } = row
    const block = `\`runBlock\` of ${told(row)}, two workers`
    add(`${block}, revm`, once(revm), 'ms', '@ethereumjs/vm `runBlock`', once(plain))
    add(`${block}, ethereumjs`, once(ethereumjs), 'ms', '@ethereumjs/vm `runBlock`', once(plain))
  }
  for (const row of adapter) {
    if (row.kind === 'real') continue
    const { merkle, flat, sequential } = row
    const block = `adapter ethereumjs, ${told(row)}, one worker`
    add(block, once(sequential), 'ms', '`runTx`, MerkleStateManager', once(merkle))
    add(block, once(sequential), 'ms', '`runTx`, flat state', once(flat))
  }
  for (const row of native) {
    if (row.kind === 'real') continue
    const block = told(row)
    add(`${block}, a transaction, sequential`, row.sequential, 'us', 'native revm, one thread', row.revm)
    add(`${block}, a transaction, two workers`, row.parallel, 'us', 'native revm, one thread', row.revm)
  }
  if (lines.length === 0) return []
  return ['', '| what | here | the other | times faster |', '|---|---:|---:|---:|', ...lines]
}

/**
 * @param {Results} results
 * @param {string} link - where the results file is, from README.md
 * @returns {string} Markdown, without the marks around it
 */
export function render(results, link = 'benchmarks/results/latest.json') {
  const { machine, node, commit, date, command } = { ...results, node: results.machine.node }
  const rows = chosen(results.rows)
  const workers = rows.map(({ row }) => shown(row)?.workers).find((count) => count !== undefined) ?? 2
  const lowest = worst(results.rows)
  const lines = [
    `Microseconds a transaction, medians of ${results.rows[0]?.runs ?? 0} runs on ${machine.cpu}, ${machine.cores} cores,`,
    `Node ${node.replace('v', '')}; \`${command}\` at commit ${commit}, ${date} ([results](${link})).`,
    '',
    `| block | transactions | @ethereumjs/vm | sequential | ${workers} workers | speed-up | executions a transaction | aborts | by fallback |`,
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
  ]
  for (const { name, row } of rows) {
    const pool = shown(row)
    const outsider = row.ethereumjs === undefined ? 'n/a' : time(row.ethereumjs.withCaches)
    const cells = [name, String(row.transactions), outsider, time(row.pools[0].sequential.median)]
    if (pool === undefined) cells.push('n/a', 'n/a', 'n/a', 'n/a', 'n/a')
    else {
      const { ratio, counts } = pool
      const gain = `${times(ratio.ofMedians)} (${ratio.ofPairs.min.toFixed(2)} to ${ratio.ofPairs.max.toFixed(2)})`
      cells.push(
        time(pool.parallel.median),
        row === lowest?.row ? `**${gain}, the slowest**` : gain,
        (counts.executions / row.transactions).toFixed(2),
        String(counts.aborts),
        String(counts.fallback),
      )
    }
    lines.push(`| ${cells.join(' | ')} |`)
  }
  lines.push(
    '',
    'Speed-up is the sequential path of this engine over the parallel one, and in brackets its extremes over pairs of runs.',
    'By fallback: transactions that the sequential path ran, since speculation did not gain. `@ethereumjs/vm` is `runTx` with',
    'MerkleStateManager and caches, on shorter synthetic blocks and on whole real ones.',
    ...others(results),
    '',
    '| goal on two cores | limit | measured | |',
    '|---|---|---|---|',
    ...judge(results).map(({ goal, limit, actual, met }) => {
      const verdict = met === undefined ? 'n/a' : met ? 'met' : '**missed**'
      return `| ${goal} | ${limit} | ${actual} | ${verdict} |`
    }),
  )
  return lines.join('\n')
}

/**
 * @param {string} readme
 * @param {string} content
 * @returns {string} `readme` with `content` between the marks
 * @throws {Error} where the marks are not there, once each and in order
 */
export function insert(readme, content) {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin < 0 || end < begin || readme.indexOf(BEGIN, begin + 1) >= 0 || readme.indexOf(END, end + 1) >= 0) {
    throw new Error(`README.md needs ${BEGIN} and, below it, ${END}, once each`)
  }
  return `${readme.slice(0, begin + BEGIN.length)}\n${content}\n${readme.slice(end)}`
}

function main() {
  const path = fileURLToPath(new URL('../README.md', import.meta.url))
  const latest = new URL('../benchmarks/results/latest.json', import.meta.url)
  if (!existsSync(latest)) throw new Error('benchmarks/results/latest.json is missing; `npm run bench` writes it')
  const readme = readFileSync(path, 'utf8')
  const wanted = insert(readme, render(JSON.parse(readFileSync(latest, 'utf8'))))
  if (process.argv[2] === '--check') {
    if (readme === wanted) return
    throw new Error('the table in README.md is not that of latest.json; `node scripts/readme-table.mjs` writes it')
  }
  writeFileSync(path, wanted)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main()
  } catch (error) {
    console.error(`readme-table: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
