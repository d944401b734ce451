/**
 * The layers of docs/architecture.md, type-only imports included:
 *
 *                      src/*.ts, cli
 *                           |
 *                       executor
 *    +--------+--------+----+---+-------+-------+---------+
 * scheduler mvmemory adapters  wasm   state  records  platform     no edge between any two of these
 *    +--------+--------+--------+-------+-------+---------+
 *                         core                                     imports nothing, not even Node
 */
const parts = 'scheduler|mvmemory|adapters|wasm|state|records|platform'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'core-imports-nothing',
      comment: 'src/core imports only itself: no other folder, no package, no node: module.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: '^src/core/' },
    },
    {
      name: 'no-edge-between-parts',
      comment: 'The parts meet in the executor; what two of them share belongs to src/core.',
      severity: 'error',
      from: { path: `^src/(${parts})/` },
      to: { path: `^src/(${parts})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'parts-do-not-look-up',
      comment: 'A part imports src/core and packages; not the executor, the command or the public modules.',
      severity: 'error',
      from: { path: `^src/(${parts})/` },
      to: { path: '^src/', pathNot: `^src/(core|${parts})/` },
    },
    {
      name: 'executor-does-not-look-up',
      comment: 'The executor imports the parts and src/core; not the command or the public modules.',
      severity: 'error',
      from: { path: '^src/executor/' },
      to: { path: '^src/', pathNot: `^src/(executor|core|${parts})/` },
    },
    {
      name: 'library-does-not-import-cli',
      comment: 'The command is a user of the library.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'known-folders-only',
      comment: 'A new folder needs a place in the layers first.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(core|executor|cli|testing|${parts})/` },
      to: {},
    },
    {
      name: 'node-only-at-the-edge',
      comment: 'node: modules are reached through src/platform; the command and the worker entry may use them too.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(platform|cli)/', '^src/worker\\.ts$'] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'only-declared-packages',
      comment:
        'Code of the package imports its dependencies; a development package only as JSON, which the build copies in.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'],
        pathNot: '\\.json$',
      },
    },
    {
      name: 'no-optional-peers',
      comment:
        'Objects of ethereumjs are typed by their shape, so that a project without these packages compiles and runs; what ' +
        'cannot do without them is behind an entry of its own.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(ethereumjs\\.ts$|adapters/ethereumjs/|executor/dropIn/)' },
      to: { path: 'node_modules/@ethereumjs/(?!rlp/)' },
    },
    {
      name: 'no-optional-peers-behind-other-entries',
      comment: 'Types count: declarations of these entries are read where the packages are not installed.',
      severity: 'error',
      from: { path: '^src/(index|tasks|records|evm|wasm|testing|worker)\\.ts$' },
      to: { path: 'node_modules/@ethereumjs/(?!rlp/)', reachable: true },
    },
    {
      name: 'nothing-outside-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['local'], pathNot: '^src/' },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
