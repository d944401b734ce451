/**
 * The cases that are walked: two workers, three tasks, each with one thing in its centre. Keys are numbers, values small.
 *
 * Conflicts depend on what is read and on the incarnation: otherwise second executions would do what the first did, and
 * nothing that a first one leaves behind would show.
 */
import type { Scenario } from './subjects/subjects.ts'
import type { Op, Program } from './subjects/tinyTasks.ts'

/** Byte keys of 16 bytes with one hash (test/hazards/engine.test.ts, hazard 17, finds such pairs). */
const TWINS = ['collision 060603', 'collision 090000'] as const

/** The second task fails where the first has run; the third reads what both write. */
const failingTasks: readonly Program[] = [
  [
    ['read', 0],
    ['write', 0, 1],
  ],
  [['read', 0], ['demandOdd'], ['write', 1, 4]],
  [
    ['read', 1],
    ['write', 0, 2],
  ],
]

/** A halt in the midst: of a claim, of reserved places, of a fallback, of who begins alone, of a schedule. */
const failing: readonly Scenario[] = (
  [
    ['fails', {}],
    ['fails among reserved places', { fallback: true, short: true }],
    ['fails after a fallback', { fallback: true }],
    ['fails alone', { fallback: true, alone: true }],
    ['fails with promises', { promises: true, fallback: true }],
    [
      'fails by rank',
      { hints: [{}, { after: [0], resources: { seat: 1 } }, { resources: { seat: 1 } }], capacities: { seat: 1 } },
    ],
  ] as const
).map(([name, how]) => ({
  subject: 'block',
  name,
  workers: 2,
  initial: [1, 2],
  tasks: failingTasks,
  mayHalt: 'fault',
  stalls: 'allowed',
  ...how,
}))

/** The same where the memory is full, whoever is first to find it so. */
const short: readonly Scenario[] = (
  [
    ['small memory, reserved places', { fallback: true, short: true }],
    ['small memory, fallback', { fallback: true }],
    ['small memory, alone', { fallback: true, alone: true }],
    ['small memory, promises', { promises: true, fallback: true }],
  ] as const
).map(([name, how]) => ({
  subject: 'block',
  name,
  workers: 2,
  initial: [1, 2],
  arenaWords: 256,
  mayHalt: 'capacity',
  stalls: 'allowed',
  tasks: [
    [
      ['read', 0],
      ['write', 0, 1],
    ],
    [
      ['read', 0],
      ['write', 0, 2],
    ],
    [
      ['read', 0],
      ['write', 1, 0],
    ],
  ],
  ...how,
}))

/** Base values come when they have been asked for: two workers, and main. One pre-emption is 16,000 schedules and more. */
const late: readonly Scenario[] = (
  [
    ['late values', {}],
    ['late values, fallback', { fallback: true }],
    ['late values, alone', { fallback: true, alone: true }],
    ['late values, promises', { promises: true }],
  ] as const
).map(([name, how]) => ({
  subject: 'block',
  name,
  workers: 2,
  initial: [1, 2],
  cold: true,
  stalls: 'allowed',
  preemptions: 1,
  tasks: [
    [
      ['read', 0],
      ['write', 0, 1],
    ],
    [
      ['read', 0],
      ['read', 1],
      ['write', 0, 2],
    ],
    [['read', 0]],
  ],
  ...how,
}))

/** Some places are begun before their turn, by others than the first worker; and what they write depends on what they read. */
const early: readonly Scenario[] = (
  [
    ['before its turn', { early: [1, 3] }],
    ['before its turn, fallback', { early: [4, 2], fallback: true }],
    ['before its turn, alone', { early: [3], fallback: true, alone: true }],
    ['before its turn, promises', { early: [4], fallback: true, promises: true }],
  ] as const
).map(([name, how]) => ({
  subject: 'block',
  name,
  workers: 2,
  initial: [1, 2, 3],
  short: true,
  stalls: 'allowed',
  tasks: [
    [
      ['read', 0],
      ['write', 1, 2],
    ],
    [
      ['read', 1],
      ['write', 2, 1],
    ],
    [
      ['read', 2],
      ['ifOdd', [['write', 0, 1]], [['write', 1, 5]]],
    ],
    [
      ['read', 1],
      ['ifOdd', [['write', 2, 2]], [['write', 0, 3]]],
    ],
  ],
  ...how,
}))

/** Rows are claimed by one worker, from their first place or from the midst, by who comes first; others follow them. */
const rows: readonly Scenario[] = (
  [
    ['row', {}],
    ['row, fallback', { fallback: true }],
    ['row, alone', { fallback: true, alone: true }],
    ['row, promises', { promises: true, fallback: true }],
    ['row, before its turn', { fallback: true, early: [2] }],
    ['row, claims of several', { short: true }],
  ] as const
).map(([name, how]) => ({
  subject: 'block',
  name,
  workers: 2,
  initial: [1, 2],
  stalls: 'allowed',
  rows: [{ first: 1, end: 4 }],
  tasks: [
    [
      ['read', 0],
      ['write', 0, 1],
    ],
    [
      ['read', 0],
      ['ifOdd', [['write', 1, 1]], [['write', 1, 4]]],
    ],
    [
      ['read', 1],
      ['write', 0, 2],
    ],
    [
      ['read', 0],
      ['write', 1, 5],
    ],
  ],
  ...how,
}))

export const scenarios: readonly Scenario[] = [
  ...early,
  ...rows,
  { subject: 'scheduler', name: 'scheduler', workers: 2, places: 3, fails: [2], defers: [3] },
  {
    subject: 'scheduler',
    name: 'scheduler, claims of two',
    workers: 2,
    places: 3,
    fails: [1, 3],
    defers: [],
    chunk: 2,
  },
  {
    subject: 'scheduler',
    name: 'scheduler, reserved places',
    workers: 2,
    places: 4,
    fails: [2],
    defers: [4],
    reserve: 1,
  },
  {
    subject: 'scheduler',
    name: 'scheduler, fallback',
    workers: 2,
    places: 4,
    fails: [],
    defers: [],
    chunk: 2,
    fallbackAfter: 1,
    // A worker that has looked at the mode, and parks before it is asked to drain, is woken by its timeout.
    stalls: 'allowed',
  },
  {
    subject: 'memory',
    name: 'memory',
    workers: 2,
    initial: [1, 2, 3],
    places: [[1, 3], [2]],
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['ifAgain', [['write', 0, 1]], [['write', 2, 1]]],
        ['write', 1, 2],
      ],
      [
        ['read', 0],
        ['read', 2],
        ['write', 1, 4],
      ],
    ],
  },
  {
    subject: 'memory',
    name: 'memory, deltas',
    workers: 2,
    initial: [5, 0],
    places: [[2], [1, 3]],
    tasks: [
      [['add', 0, -3, 3]],
      [
        ['add', 0, -2, 2],
        ['add', 1, 1, 0],
      ],
      [
        ['number', 0],
        ['reach', 1, 1],
        ['add', 1, 1, 0],
      ],
    ],
  },
  {
    subject: 'table',
    name: 'table',
    lookups: [
      ['one', TWINS[0], 'two'],
      [TWINS[1], 'two', 'one'],
    ],
  },
  { subject: 'joining', name: 'joining', workers: 2 },
  {
    subject: 'recovering',
    name: 'signers',
    workers: 1,
    steps: [
      ['ask', 1, [1, 2]],
      ['signers', 1],
      ['release', 1],
      ['ask', 2, [3]],
      ['signers', 2],
    ],
  },
  {
    subject: 'recovering',
    name: 'signers nobody waits for',
    workers: 1,
    stalls: 'allowed',
    steps: [
      ['ask', 1, [2, 4]],
      ['done', 1],
      ['release', 1],
      ['ask', 2, [3, 6]],
      ['signers', 2],
    ],
  },
  {
    subject: 'recovering',
    name: 'signers, no room',
    workers: 1,
    stalls: 'allowed',
    steps: [
      ['ask', 1, [1, 2, 5]],
      ['ask', 2, [3, 4, 7]],
      ['signers', 2],
      ['release', 2],
      ['signers', 1],
    ],
  },
  { subject: 'parking', name: 'parking', workers: 2, runs: 1, items: 1, preemptions: 1 },
  { subject: 'parking', name: 'called late', workers: 2, runs: 2, items: 1, called: 1, preemptions: 1 },
  {
    subject: 'parking',
    name: 'parking, called again',
    workers: 2,
    runs: 1,
    items: 1,
    again: true,
    preemptions: 1,
  },
  {
    subject: 'block',
    name: 'chain',
    workers: 2,
    initial: [1, 2, 3],
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 2, 0],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'changing writes',
    workers: 2,
    initial: [2, 0, 0],
    tasks: [
      [['write', 0, 1]],
      [
        ['read', 0],
        ['ifOdd', [['write', 1, 5]], [['write', 2, 7]]],
      ],
      [
        ['read', 1],
        ['read', 2],
        ['write', 0, 0],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'second incarnations',
    workers: 2,
    initial: [2, 0, 0],
    tasks: [
      [['write', 0, 1]],
      [
        ['read', 0],
        ['ifAgain', [['write', 1, 5]], [['write', 2, 7]]],
      ],
      [
        ['read', 2],
        ['ifAgain', [], [['write', 1, 9]]],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'deltas',
    workers: 2,
    initial: [5, 0],
    tasks: [
      [['add', 0, -3, 3]],
      [
        ['add', 0, -2, 2],
        ['reach', 1, 1],
      ],
      [
        ['add', 1, 1, 0],
        ['number', 0],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'collected on the side',
    workers: 2,
    initial: [5, 0],
    denseKey: 0,
    tasks: [
      [
        ['add', 1, 1, 0],
        ['pay', 2],
      ],
      [
        ['number', 0],
        ['pay', 3],
      ],
      [
        ['add', 0, -4, 4],
        ['pay', 1],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'new keys',
    workers: 2,
    initial: [1],
    fresh: ['fresh 1', 'fresh 2'],
    tasks: [
      [['add', 1, 1, 0]],
      [['write', 2, 7]],
      [
        ['add', 1, 2, 0],
        ['read', 2],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'fails in one incarnation only',
    workers: 2,
    initial: [2, 0],
    tasks: [
      [['write', 0, 1]],
      [['read', 0], ['demandOdd'], ['write', 1, 4]],
      [
        ['read', 1],
        ['write', 0, 2],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'short tasks',
    workers: 2,
    initial: [1, 2, 3],
    short: true,
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [['write', 2, 1]],
      [
        ['read', 1],
        ['write', 0, 0],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'window of one',
    workers: 2,
    initial: [1, 2, 3],
    window: 1,
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 0, 1],
      ],
      [['read', 0]],
    ],
  },
  {
    subject: 'block',
    name: 'fallback',
    workers: 2,
    initial: [1, 2, 3],
    fallback: true,
    stalls: 'allowed',
    tasks: [
      [
        ['read', 0],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 1, 1],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'reserved places',
    workers: 2,
    initial: [1, 2, 3],
    fallback: true,
    short: true,
    stalls: 'allowed',
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['ifOdd', [['write', 0, 1]], [['write', 2, 1]]],
      ],
      [
        ['read', 0],
        ['write', 1, 4],
      ],
      [
        ['read', 1],
        ['read', 2],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'begun alone',
    workers: 2,
    initial: [1, 2, 3],
    fallback: true,
    alone: true,
    stalls: 'allowed',
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 2, 1],
      ],
      [
        ['read', 2],
        ['write', 0, 4],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'small memory',
    workers: 2,
    initial: [1, 2],
    arenaWords: 256,
    mayHalt: 'capacity',
    stalls: 'allowed',
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [['read', 1]],
      [['write', 0, 0]],
    ],
  },
  {
    subject: 'block',
    name: 'one incarnation',
    workers: 2,
    initial: [1, 2],
    mayHalt: 'incarnation',
    stalls: 'allowed',
    tasks: [
      [['write', 0, 1]],
      [
        ['read', 0],
        ['write', 1, 0],
      ],
      [['read', 1]],
    ],
  },
  {
    subject: 'memory',
    name: 'three writers',
    workers: 2,
    initial: [1, 0],
    places: [
      [1, 3],
      [2, 4],
    ],
    tasks: [
      [['write', 0, 2]],
      [['write', 0, 3]],
      [['write', 0, 4]],
      [
        ['write', 0, 5],
        ['read', 1],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'promises',
    workers: 2,
    initial: [1, 2, 3],
    promises: true,
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 0, 1],
      ],
      [['read', 0]],
    ],
  },
  {
    subject: 'block',
    name: 'promises, fallback',
    workers: 2,
    initial: [1, 2, 3],
    promises: true,
    fallback: true,
    stalls: 'allowed',
    tasks: [
      [
        ['read', 0],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 0, 1],
      ],
      [['read', 0]],
    ],
  },
  {
    subject: 'block',
    name: 'by rank',
    workers: 2,
    initial: [1, 2, 3],
    stalls: 'allowed',
    // The last task begins first; the second waits for the first, as it says itself.
    hints: [{}, { after: [0] }, { priority: 1 }],
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 2, 0],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'units',
    workers: 2,
    initial: [1, 2, 3],
    stalls: 'allowed',
    capacities: { seat: 2 },
    hints: [{ resources: { seat: 2 } }, { resources: { seat: 1 } }, { resources: { seat: 2 }, priority: 1 }],
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 0, 1],
      ],
      [
        ['read', 0],
        ['write', 2, 0],
      ],
    ],
  },
  {
    subject: 'block',
    name: 'promises, units',
    workers: 2,
    initial: [1, 2],
    promises: true,
    stalls: 'allowed',
    capacities: { seat: 1 },
    hints: [{ resources: { seat: 1 } }, { resources: { seat: 1 }, priority: 1 }, {}],
    tasks: [
      [
        ['read', 0],
        ['write', 1, 1],
      ],
      [
        ['read', 1],
        ['write', 0, 1],
      ],
      [['read', 0]],
    ],
  },
  ...failing,
  ...short,
  ...late,
]

/** Tasks drawn from a seed: three steps each, over keys 0 to 2 as values and 3 to 4 as numbers. */
const drawTasks = (seed: number, count: number, numbers = true): Program[] => {
  let x = Math.imul(seed + 1, 0x9e3779b1) | 1
  const draw = (below: number) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
  const step = (depth: number): Op => {
    const kind = draw(depth > 0 ? 6 : 8)
    if (kind < 2) return ['read', draw(3)]
    if (kind === 2) return ['write', draw(3), draw(9)]
    // A number is folded once its record was read: what is not here yet is found by reads alone.
    if (kind > 2 && kind < 6 && !numbers) return ['read', draw(3)]
    if (kind === 3) return ['add', 3 + draw(2), draw(5) - 2, draw(4)]
    if (kind === 4) return ['number', 3 + draw(2)]
    if (kind === 5) return ['reach', 3 + draw(2), draw(6)]
    return [kind === 6 ? 'ifOdd' : 'ifAgain', [step(1), step(1)], [step(1)]]
  }
  return Array.from({ length: count }, () => [step(0), step(0), step(0)])
}

/** Cases with too many schedules to walk all: three and four threads, more tasks. Random schedules are drawn of them. */
export const largerScenarios = (seed: number): readonly Scenario[] => {
  const block = { subject: 'block', initial: [1, 2, 3, 4, 5] } as const
  return [
    { ...block, name: '3 workers, 6 tasks', workers: 3, tasks: drawTasks(seed, 6) },
    { ...block, name: '4 workers, 8 tasks', workers: 4, tasks: drawTasks(seed + 1, 8), short: true },
    {
      ...block,
      name: '3 workers, 8 tasks, fallback',
      workers: 3,
      tasks: drawTasks(seed + 2, 8),
      fallback: true,
      stalls: 'allowed',
    },
    {
      ...block,
      name: '3 workers, 6 tasks, late values',
      workers: 3,
      initial: [1, 2, 3],
      tasks: drawTasks(seed + 5, 6, false),
      fallback: true,
      cold: true,
      stalls: 'allowed',
    },
    {
      ...block,
      name: '3 workers, 6 tasks, units',
      workers: 3,
      tasks: drawTasks(seed + 6, 6),
      capacities: { seat: 2 },
      hints: [
        { resources: { seat: 2 } },
        { resources: { seat: 1 }, priority: 1 },
        { after: [0, 1] },
        { resources: { seat: 2 }, priority: 2 },
        { resources: { seat: 1 }, after: [2] },
        { priority: 3 },
      ],
      stalls: 'allowed',
    },
    { ...block, name: '3 workers, 5 tasks, promises', workers: 3, tasks: drawTasks(seed + 3, 5), promises: true },
    {
      ...block,
      subject: 'memory',
      name: 'memory, 3 threads',
      workers: 3,
      tasks: drawTasks(seed + 4, 7),
      places: [
        [1, 4, 7],
        [2, 5],
        [3, 6],
      ],
    },
    {
      subject: 'scheduler',
      name: 'scheduler, 4 workers',
      workers: 4,
      places: 9,
      fails: [2, 5, 6],
      defers: [3, 8],
      chunk: 2,
    },
    {
      subject: 'table',
      name: 'table, 4 threads',
      lookups: [
        ['one', TWINS[0], 'two'],
        [TWINS[1], 'two', 'one'],
        ['three', TWINS[0]],
        ['two', TWINS[1], 'three'],
      ],
    },
    { subject: 'joining', name: 'joining, 3 workers', workers: 3 },
    {
      subject: 'recovering',
      name: 'signers, 3 workers',
      workers: 3,
      stalls: 'allowed',
      steps: [
        ['ask', 1, [1, 2, 3]],
        ['ask', 2, [4, 5]],
        ['release', 1],
        ['ask', 3, [6]],
        ['signers', 3],
        ['signers', 2],
        ['release', 2],
        ['release', 3],
        ['ask', 4, [7, 8, 9, 10]],
        ['signers', 4],
      ],
    },
    { subject: 'parking', name: 'parking, 3 workers, 3 runs', workers: 3, runs: 3, items: 2 },
    { subject: 'parking', name: 'called late, 3 workers, 3 runs', workers: 3, runs: 3, items: 2, called: 1 },
  ]
}
