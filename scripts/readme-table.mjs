/**
 * `node scripts/readme-table.mjs`: writes the measured table of README.md from benchmarks/results/latest.json, between
 * the two comments that mark its place. `--check` writes nothing and exits 1 where README.md says something else.
 *
 * The goals stand here once; the benchmark prints its verdicts from them too.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** @typedef {import('../benchmarks/report.ts').Results} Results */
/** @typedef {import('../benchmarks/report.ts').BlockRow} BlockRow */
/** @typedef {import('../benchmarks/report.ts').ParallelRow} ParallelRow */
/** @typedef {import('../benchmarks/report.ts').Spread} Spread */

export const BEGIN = '<!-- bench:begin -->'
export const END = '<!-- bench:end -->'

/** Microseconds a transaction on the sequential path, at most. For a machine of two cores, as all of these. */
const SEQUENTIAL = { transfers: 1.0, erc20: 6.5, uniswap: 28 }
/** Sequential time over the time of two workers, at least. `sum` is the real blocks above 100 transactions together. */
const SPEED_UP = { erc20: 1.8, uniswap: 1.8, transfers: 1.35, sum: 1.4 }
/** The least that any block may have, made to conflict or not. */
const NEVER_BELOW = 0.95
/** Nanoseconds a digest of 32 bytes in batches, measured from JavaScript, at most. */
const DIGEST = 220
/** What the goal is judged by: the row of benchmarks/hash.ts. */
const DIGEST_ROW = 'SIMD, flat batch'

/** @ethereumjs/vm's time for `runBlock` over ours with its EVM on two workers, at least. `sum` as above. */
const RUN_BLOCK = { erc20: 1.8, uniswap: 1.8, sum: 1.5 }
/** Time of the ethereumjs adapter with one worker over that of `runTx` on a flat state, at most. */
const ADAPTER = { erc20: 1.1, uniswap: 1.1, sum: 1.1 }

/** Time of the sequential path over that of native revm on one thread, at most. `sum` as above. */
const NATIVE = { transfers: 1.2, erc20: 2, uniswap: 2, sum: 2 }
/**
 * Time of two workers over that of native revm on one thread, at most. On transfers they must be ahead of it. The others
 * are what native pevm with two threads takes of revm's time, times what is allowed of pevm's: pevm is not on crates.io
 * (0.1.0 there is empty), so its part is from another machine: 5.7 ms to 3.4 for `transfers`, 14.1 to 13.7 for `erc20`,
 * 50.3 to 62.5 for `uniswap`, 99.0 to 103.7 for 45 real blocks.
 */
const NATIVE_PARALLEL = { transfers: 1, erc20: 14.1 / 13.7, uniswap: 50.3 / 62.5, sum: 99 / 103.7 }

/**
 * The pool that goals and tables speak of.
 *
 * @param {BlockRow} row
 * @returns {ParallelRow | undefined}
 */
const shown = (row) => row.pools.find(({ workers }) => workers === 2) ?? row.pools.find(({ workers }) => workers > 1)

/** @param {number} value */
const time = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))
/** @param {number} value */
const times = (value) => `${value.toFixed(2)}x`

/**
 * Goal by goal, what was measured. A goal whose row was not measured has no verdict.
 *
 * @param {Results} results
 * @returns {{ goal: string, limit: string, actual: string, met: boolean | undefined }[]}
 */
export function judge({ rows, hashes = [], runBlock, adapter, native }) {
  /** @param {string} name */
  const find = (name) => rows.find((row) => (name === 'sum' ? row.kind === 'sum' : row.name === name))
  const verdicts = []
  for (const [name, limit] of Object.entries(SEQUENTIAL)) {
    const actual = find(name)?.pools[0]?.sequential.median
    verdicts.push({
      goal: `${name}, sequential path`,
      limit: `at most ${limit.toFixed(1)} us`,
      actual: actual === undefined ? 'not measured' : `${time(actual)} us`,
      met: actual === undefined ? undefined : actual <= limit,
    })
  }
  for (const [name, limit] of Object.entries(SPEED_UP)) {
    const row = find(name)
    const pool = row?.pools.find(({ workers }) => workers === 2)
    const actual = pool?.ratio.ofMedians
    verdicts.push({
      goal: `${name === 'sum' ? (row?.name ?? 'real blocks') : name}, two workers`,
      limit: `at least ${times(limit)}`,
      actual: actual === undefined ? 'not measured' : times(actual),
      met: actual === undefined ? undefined : actual >= limit,
    })
  }
  const least = worst(rows)
  verdicts.push({
    goal: 'the slowest of all, two workers',
    limit: `at least ${times(NEVER_BELOW)}`,
    actual: least === undefined ? 'not measured' : `${times(least.ratio)} (${label(least.row)})`,
    met: least === undefined ? undefined : least.ratio >= NEVER_BELOW,
  })
  const digest = hashes.find(({ name, bytes }) => name === DIGEST_ROW && bytes === 32)?.ns.median
  verdicts.push({
    goal: 'Keccak-256 of 32 bytes, in batches',
    limit: `at most ${DIGEST} ns`,
    actual: digest === undefined ? 'not measured' : `${time(digest)} ns`,
    met: digest === undefined ? undefined : digest <= DIGEST,
  })
  return [...verdicts, ...judgeNative(native), ...judgeEthereumjs(runBlock, adapter)]
}

/**
 * Goals beside native revm, where that was measured.
 *
 * @param {Results['native']} native
 */
function judgeNative(native = []) {
  const verdicts = []
  for (const [path, what, limits] of /** @type {const} */ ([
    ['sequential', 'sequential path', NATIVE],
    ['parallel', 'two workers', NATIVE_PARALLEL],
  ])) {
    for (const [name, limit] of Object.entries(limits)) {
      const row = native.find((one) => (name === 'sum' ? one.kind === 'sum' : one.name === name))
      if (row === undefined) continue
      const actual = row[path].median / row.revm.median
      const goal = `${row.name}, ${what} over native revm on one thread`
      verdicts.push({ goal, limit: `at most ${times(limit)}`, actual: times(actual), met: actual <= limit })
    }
  }
  return verdicts
}

/**
 * Goals beside @ethereumjs/vm, where that was measured.
 *
 * @param {Results['runBlock']} runBlock
 * @param {Results['adapter']} adapter
 */
function judgeEthereumjs(runBlock = [], adapter = []) {
  const verdicts = []
  /**
   * @template {{ name: string, kind: string }} Row
   * @param {readonly Row[]} rows
   * @param {string} name
   */
  const find = (rows, name) => rows.find((row) => (name === 'sum' ? row.kind === 'sum' : row.name === name))
  for (const [name, limit] of Object.entries(RUN_BLOCK)) {
    const row = find(runBlock, name)
    if (row === undefined) continue
    const actual = row.plain / row.ethereumjs
    const goal = `runBlock of ${row.name}, adapter ethereumjs, two workers`
    verdicts.push({ goal, limit: `at least ${times(limit)}`, actual: times(actual), met: actual >= limit })
  }
  for (const [name, limit] of Object.entries(ADAPTER)) {
    const row = find(adapter, name)
    if (row === undefined) continue
    const actual = row.sequential / row.flat
    const goal = `${row.name}, adapter ethereumjs on one worker over runTx`
    verdicts.push({ goal, limit: `at most ${times(limit)}`, actual: times(actual), met: actual <= limit })
  }
  return verdicts
}

/** @param {BlockRow} row */
const label = (row) => (row.kind === 'real' ? `block ${row.name}` : row.name)

/**
 * @param {readonly BlockRow[]} rows
 * @returns {{ row: BlockRow, ratio: number } | undefined} the block that gains least from two workers
 */
function worst(rows) {
  return rows
    .flatMap((row) => {
      const pool = row.kind === 'sum' ? undefined : row.pools.find(({ workers }) => workers === 2)
      return pool === undefined ? [] : [{ row, ratio: pool.ratio.ofMedians }]
    })
    .sort((a, b) => a.ratio - b.ratio)[0]
}

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
