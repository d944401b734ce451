/**
 * The goals of the benchmark, each once, and what was measured of them: README.md and `npm run bench` print it.
 *
 * They are for a machine of two cores that does nothing else. A goal whose row was not measured is told, without a verdict.
 */

/** @typedef {import('../benchmarks/report.ts').Results} Results */
/** @typedef {import('../benchmarks/report.ts').BlockRow} BlockRow */
/** @typedef {{ goal: string, limit: string, actual: string, met: boolean | undefined }} Verdict */

/** Microseconds a transaction on the sequential path, at most. */
const SEQUENTIAL = { transfers: 1.0, erc20: 6.5, uniswap: 28 }
/** Microseconds that the speculative path adds to a payment on one worker, at most. */
const ENGINE = 0.35
/** Sequential time over the time of two workers, at least. `sum` is the real blocks above 100 transactions together. */
const SPEED_UP = { erc20: 1.9, uniswap: 1.9, transfers: 1.5, chain: 1.5, 'erc20-hot': 1.2, sum: 1.6 }
/** The same of each real block that next to one sender fills with payments. */
const NONCE_CHAIN = 1.3
const NONCE_CHAINS = ['13287210', '11814555', '12300570', '12520364', '2179522']
/** The least that any block may have, made to conflict or not. */
const NEVER_BELOW = 0.95
/** Nanoseconds a digest of 32 bytes in batches, measured from JavaScript, at most. */
const DIGEST = 220
/** What the goal is judged by: the row of benchmarks/hash.ts. */
export const DIGEST_ROW = 'SIMD, flat batch'

/** @ethereumjs/vm's time for `runBlock` over ours with its EVM on two workers, at least. `sum` as above. */
const RUN_BLOCK = { erc20: 1.8, uniswap: 1.8, sum: 1.5 }
/** Time of the ethereumjs adapter with one worker over that of `runTx` on a flat state, at most. */
const ADAPTER = { erc20: 1.1, uniswap: 1.1, sum: 1.1 }
/** Times as fast as `runTx` of @ethereumjs/vm as `createVM` makes it, at least: that does 244 of them a second. */
const RUN_TX = { erc20: 1000 }
/** Times as fast as `evm_mine` of @nomicfoundation/edr, at least, whatever the block. */
const EDR = 10
const WHOLE = ['transfers', 'erc20', 'uniswap']

/** Time of the sequential path over that of native revm on one thread, at most. `sum` as above. */
const NATIVE = { transfers: 1.2, erc20: 2, uniswap: 2, sum: 2 }
/**
 * Time of two workers over that of native revm on one thread, at most: they must be ahead of it, and take no more than
 * native pevm with two threads, on `transfers` that by 1.8. pevm is not on crates.io (0.1.0 there is empty), so its part of
 * revm's time is from another machine: 5.7 ms to 3.4 for `transfers`, 14.1 to 13.7 for `erc20`, 50.3 to 62.5 for
 * `uniswap`, 99.0 to 103.7 for 45 real blocks.
 */
const NATIVE_PARALLEL = { transfers: 5.7 / 3.4 / 1.8, erc20: 1, uniswap: 50.3 / 62.5, sum: 99 / 103.7 }

/** Rows of costs by how their names begin, in microseconds, at most. */
const COSTS = {
  'a place of 2 reads and 2 writes, 1 always': 0.4,
  'a place of 2 reads and 2 writes, 2 always': 0.2,
  'a read, with its validation, 1 always': 0.05,
  'a run of one place: waking, the place, the news': 50,
  'sender recovery, a signature, 1 worker': 220,
}
/** Milliseconds from nothing to the result of a first block, two workers: the kernel compiled, threads started; at most. */
const FIRST_BLOCK = 150
/** Milliseconds to import the package, at most: what a module that holds nothing takes. */
const IMPORT = 10
/** Time of a block of 1 to 20 transactions over the sequential path, at most. */
const SHORT = 1.1
/** Time a transaction of the slowest size of block over the fastest, 1,000 to 50,000, at most; and bytes of a payment. */
const GROWTH = 1.2
const PAYMENT_BYTES = 2000
const GROWING = ['transfers', 'erc20-hot', 'chain']
/** Time of the slowest pool of up to 16 workers over that of two, at most. */
const POOLS = 1.1
const POOLED = ['transfers', 'erc20', 'uniswap']
/** Speed-up of places that sleep, by workers, at least. */
const NAPS = /** @type {const} */ ([
  [16, 14],
  [32, 26],
])

/** @param {number} value */
export const time = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))
/** @param {number} value */
export const times = (value) => `${value.toFixed(2)}x`

/**
 * @param {string} goal
 * @param {number | undefined} actual
 * @param {number} limit
 * @param {(value: number) => string} text
 * @returns {Verdict}
 */
const atMost = (goal, actual, limit, text) => ({
  goal,
  limit: `at most ${text(limit)}`,
  actual: actual === undefined ? 'not measured' : text(actual),
  met: actual === undefined ? undefined : actual <= limit,
})

/** @type {typeof atMost} */
const atLeast = (goal, actual, limit, text) => ({
  ...atMost(goal, actual, limit, text),
  limit: `at least ${text(limit)}`,
  met: actual === undefined ? undefined : actual >= limit,
})

/** @param {number} value */
const us = (value) => `${time(value)} us`

/**
 * @template {{ name: string, kind: string }} Row
 * @param {readonly Row[]} rows
 * @param {string} name - `sum` for the row of all real blocks
 */
const find = (rows, name) => rows.find((row) => (name === 'sum' ? row.kind === 'sum' : row.name === name))

/**
 * Goal by goal, what was measured.
 *
 * @param {Results} results
 * @returns {Verdict[]}
 */
export const judge = (results) => [
  ...judgeBlocks(results.rows),
  ...judgeDigest(results),
  ...judgeNative(results.native),
  ...judgeEthereumjs(results.runBlock, results.adapter),
  ...judgePeers(results),
  ...judgeEngine(results),
  ...judgeGrowth(results),
]

/** @param {readonly BlockRow[]} rows */
function judgeBlocks(rows) {
  const verdicts = []
  for (const [name, limit] of Object.entries(SEQUENTIAL)) {
    verdicts.push(atMost(`${name}, sequential path`, find(rows, name)?.pools[0]?.sequential.median, limit, us))
  }
  const one = find(rows, 'transfers')?.pools.find(({ workers }) => workers === 1)
  const added = one === undefined ? undefined : one.parallel.median - one.sequential.median
  verdicts.push(atMost('transfers, what speculation adds on one worker', added, ENGINE, us))
  /** @param {BlockRow | undefined} row */
  const gain = (row) => row?.pools.find(({ workers }) => workers === 2)?.ratio.ofMedians
  for (const [name, limit] of Object.entries(SPEED_UP)) {
    const row = find(rows, name)
    const goal = `${row?.name ?? told(name)}, two workers`
    verdicts.push(atLeast(goal, gain(row), limit, times))
  }
  for (const name of NONCE_CHAINS) {
    verdicts.push(atLeast(`block ${name}, a nonce chain`, gain(find(rows, name)), NONCE_CHAIN, times))
  }
  const least = worst(rows)
  verdicts.push({
    goal: 'the slowest of all, two workers',
    limit: `at least ${times(NEVER_BELOW)}`,
    actual: least === undefined ? 'not measured' : `${times(least.ratio)} (${label(least.row)})`,
    met: least === undefined ? undefined : least.ratio >= NEVER_BELOW,
  })
  return verdicts
}

/** @param {Results} results */
function judgeDigest({ hashes = [] }) {
  const digest = hashes.find(({ name, bytes }) => name === DIGEST_ROW && bytes === 32)?.ns.median
  return [atMost('Keccak-256 of 32 bytes, in batches', digest, DIGEST, (ns) => `${time(ns)} ns`)]
}

/** @param {Results['native']} native */
function judgeNative(native = []) {
  const verdicts = []
  for (const [path, what, limits] of /** @type {const} */ ([
    ['sequential', 'sequential path', NATIVE],
    ['parallel', 'two workers', NATIVE_PARALLEL],
  ])) {
    for (const [name, limit] of Object.entries(limits)) {
      const row = find(native, name)
      const goal = `${row?.name ?? told(name)}, ${what} over native revm on one thread`
      verdicts.push(atMost(goal, row && row[path].median / row.revm.median, limit, times))
    }
  }
  return verdicts
}

/**
 * @param {Results['runBlock']} runBlock
 * @param {Results['adapter']} adapter
 */
function judgeEthereumjs(runBlock = [], adapter = []) {
  const verdicts = []
  for (const [name, limit] of Object.entries(RUN_BLOCK)) {
    const row = find(runBlock, name)
    const goal = `runBlock of ${row?.name ?? told(name)}, adapter ethereumjs, two workers`
    verdicts.push(atLeast(goal, row && row.plain / row.ethereumjs, limit, times))
  }
  for (const [name, limit] of Object.entries(ADAPTER)) {
    const row = find(adapter, name)
    const goal = `${row?.name ?? told(name)}, adapter ethereumjs on one worker over runTx`
    verdicts.push(atMost(goal, row && row.sequential / row.flat, limit, times))
  }
  return verdicts
}

/** @param {Results} results */
function judgePeers({ rows, whole = [] }) {
  const verdicts = []
  for (const [name, limit] of Object.entries(RUN_TX)) {
    const row = find(rows, name)
    const pool = row?.pools.find(({ workers }) => workers === 2)
    const actual = row?.ethereumjs && pool && row.ethereumjs.withoutCaches / pool.parallel.median
    verdicts.push(
      atLeast(
        `${name}, two workers over @ethereumjs/vm as createVM makes it`,
        actual,
        limit,
        (x) => `${x.toFixed(0)}x`,
      ),
    )
  }
  for (const name of WHOLE) {
    const row = whole.find((one) => one.name === name)
    verdicts.push(atLeast(`whole block of ${name} over edr`, row?.edr && row.edr.median / row.ms.median, EDR, times))
  }
  return verdicts
}

/** @param {Results} results */
function judgeEngine({ costs, engine }) {
  /** @param {string} name */
  const cost = (name) => costs.find((row) => row.name.startsWith(name))?.spread.median
  /** @param {number} value */
  const ms = (value) => `${time(value)} ms`
  const verdicts = Object.entries(COSTS).map(([name, limit]) => atMost(name, cost(name), limit, us))
  const [compiling, starting] = [cost('compile evm-core.wasm'), cost('pool of 2: start')]
  verdicts.push(atMost('importing the package', cost('import of the package'), IMPORT, ms))
  verdicts.push(atMost('first block, two workers', compiling && starting && compiling + starting, FIRST_BLOCK, ms))
  const ratios = engine?.short.map(({ sequentialUs, parallelUs }) => parallelUs / sequentialUs)
  verdicts.push(atMost('1 to 20 transactions, two workers over the sequential path', greatest(ratios), SHORT, times))
  for (const [workers, limit] of NAPS) {
    const nap = engine?.naps.find((row) => row.workers === workers)
    verdicts.push(atLeast(`places that sleep, ${workers} workers at once`, nap?.speedUp, limit, times))
  }
  return verdicts
}

/** @param {Results} results */
function judgeGrowth({ growth = [], pools = [] }) {
  const verdicts = []
  for (const name of GROWING) {
    const medians = growth.filter((row) => row.name === name).map(({ parallel }) => parallel.median)
    const most = greatest(medians)
    const actual = most && most / Math.min(...medians)
    verdicts.push(atMost(`${name}, the slowest of 1,000 to 50,000 over the fastest`, actual, GROWTH, times))
  }
  const bytes = greatest(growth.filter(({ name }) => name === 'transfers').map(({ memory }) => memory))
  verdicts.push(atMost('transfers, working memory a transaction', bytes, PAYMENT_BYTES, (value) => `${value} bytes`))
  for (const name of POOLED) {
    const worst = pools.find((row) => row.name === name)?.worst
    verdicts.push(atMost(`${name}, the slowest of 4, 8 and 16 workers over two`, worst, POOLS, times))
  }
  return verdicts
}

/** @param {readonly number[] | undefined} values */
const greatest = (values = []) => (values.length === 0 ? undefined : Math.max(...values))

/** @param {string} name */
const told = (name) => (name === 'sum' ? 'real blocks' : name)

/** @param {BlockRow} row */
const label = (row) => (row.kind === 'real' ? `block ${row.name}` : row.name)

/**
 * @param {readonly BlockRow[]} rows
 * @returns {{ row: BlockRow, ratio: number } | undefined} the block that gains least from two workers
 */
export function worst(rows) {
  return rows
    .flatMap((row) => {
      const pool = row.kind === 'sum' ? undefined : row.pools.find(({ workers }) => workers === 2)
      return pool === undefined ? [] : [{ row, ratio: pool.ratio.ofMedians }]
    })
    .sort((a, b) => a.ratio - b.ratio)[0]
}
