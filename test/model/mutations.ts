/**
 * Bugs that are planted to see that they are found: hazards of DESIGN.md section 7, turned into what each would be in this
 * engine, which validates at the commit cursor (docs/decisions/0003); and some of its own kind.
 *
 * Edits exist in builds of the tests alone. A control build with `setting` and without the bug must be sound, so what is
 * found is the bug.
 */
import type { Edit } from './build.ts'

export interface Mutation {
  readonly name: string
  /** Number of the hazard, 0 for a bug that is not on the list. */
  readonly hazard: number
  /** What is wrong, for the table. */
  readonly what: string
  readonly edits: readonly Edit[]
  /** Names of the scenarios that are walked, in this order. */
  readonly on: readonly string[]
  /** Smaller limits that the bug needs; by themselves they are no bug. */
  readonly setting?: readonly Edit[]
}

const SCHEDULER = 'src/scheduler/scheduler.ts'
const MEMORY = 'src/mvmemory/mvmemory.ts'
const WRITES = 'src/mvmemory/writeSet.ts'
const ENTRIES = 'src/mvmemory/entries.ts'
const COMMITS = 'src/mvmemory/commitStage.ts'
const RUN = 'src/executor/blockRun.ts'
const PARTS = 'src/executor/runParts.ts'
const TABLE = 'src/core/table.ts'
const JOINING = 'src/scheduler/joining.ts'
const READY = 'src/scheduler/ready.ts'
const RECOVERER = 'src/executor/recoverer.ts'
const SIGNATURES = 'src/executor/signatures.ts'
const SIGNERS = ['signers nobody waits for', 'signers, no room', 'signers']

const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace })

export const mutations: readonly Mutation[] = [
  {
    name: 'done-while-owed',
    hazard: 1,
    what: 'the cursor passes a place before its second execution, so the block is done while it runs',
    edits: [
      edit(
        PARTS,
        'this.advance(next)\n      this.again = !scheduler.halted()',
        'this.advance(next + 1)\n      this.again = !scheduler.halted()',
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'end-not-told',
    hazard: 1,
    what: 'nobody wakes a parked worker when the cursor moves or the block ends',
    edits: [
      edit(
        SCHEDULER,
        'if (atomics.load(engine, Control.Waiting) !== 0) atomics.notify(engine, Control.CommitIndex)',
        '',
      ),
      edit(PARTS, 'atomics.notify(this.engine, Control.CommitIndex)', ''),
    ],
    on: ['chain'],
  },
  {
    name: 'parks-past-the-end',
    hazard: 1,
    what: 'a worker that read the cursor past the end parks on it (this engine had it; found by this checker)',
    edits: [edit(SCHEDULER, 'if (turn < this.#spins || seen > this.#last) return', 'if (turn < this.#spins) return')],
    on: ['chain'],
  },
  {
    name: 'status-in-two-steps',
    hazard: 2,
    what: 'the state is stored first and the incarnation after it',
    edits: [
      edit(
        SCHEDULER,
        'atomics.store(this.engine, word, pack(incarnationOf(this.engine[word]), Executed))',
        'const incarnation = incarnationOf(this.engine[word])\n' +
          '    atomics.store(this.engine, word, pack(0, Executed))\n' +
          '    atomics.store(this.engine, word, pack(incarnation, Executed))',
      ),
    ],
    on: ['scheduler'],
  },
  {
    name: 'old-write-survives',
    hazard: 3,
    what: 'an entry that the second incarnation did not write again keeps its first record',
    edits: [
      edit(
        WRITES,
        'if ((atomics.load(engine, word) & ESTIMATE) !== 0) atomics.store(engine, word, 0)',
        'if ((atomics.load(engine, word) & ESTIMATE) !== 0) atomics.store(engine, word, atomics.load(engine, word) & ~ESTIMATE)',
      ),
    ],
    on: ['changing writes', 'memory'],
  },
  {
    name: 'new-location-missed',
    hazard: 4,
    what: 'validation takes a read of the base for good, though a place below has written there since',
    edits: [
      edit(
        COMMITS,
        'if (now !== seen && !this.#sameWords(',
        'if (seen !== Seen.Base && now !== seen && !this.#sameWords(',
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'first-write-lost',
    hazard: 4,
    what: 'the first entry of a location is stored, not exchanged: two first writers, one entry',
    edits: [
      edit(
        ENTRIES,
        'if (atomics.compareExchange(state, location, 0, fresh) !== 0) return 0',
        'atomics.store(state, location, fresh)',
      ),
    ],
    on: ['memory', 'changing writes'],
  },
  {
    name: 'waits-for-the-next-move',
    hazard: 5,
    what: 'an idle worker reads the cursor again when it parks, and misses the move that it should wake for',
    edits: [
      edit(
        SCHEDULER,
        'atomics.wait(engine, Control.CommitIndex, seen, 1)',
        'atomics.wait(engine, Control.CommitIndex, atomics.load(engine, Control.CommitIndex), 1)',
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'looks-before-it-moves',
    hazard: 5,
    what: 'the committer looks for parked workers before it moves the cursor',
    edits: [
      edit(
        SCHEDULER,
        'atomics.store(engine, Control.CommitIndex, next)\n    if (atomics.load(engine, Control.Waiting) !== 0) atomics.notify(engine, Control.CommitIndex)',
        'const parked = atomics.load(engine, Control.Waiting) !== 0\n    atomics.store(engine, Control.CommitIndex, next)\n    if (parked) atomics.notify(engine, Control.CommitIndex)',
      ),
    ],
    on: ['scheduler'],
  },
  {
    name: 'resumed-too-early',
    hazard: 5,
    what: 'speculation begins again before the execution cursor is set: places are given out twice',
    edits: [
      edit(
        SCHEDULER,
        'atomics.store(engine, Control.ExecutionIndex, place)\n    atomics.store(engine, Control.Mode, Mode.Speculative)',
        'atomics.store(engine, Control.Mode, Mode.Speculative)\n    atomics.store(engine, Control.ExecutionIndex, place)',
      ),
    ],
    on: ['scheduler, fallback', 'fallback'],
  },
  {
    name: 'not-alone',
    hazard: 5,
    what: 'a fallback does not wait for the others to drain: what they execute is resumed over it',
    edits: [edit(RUN, 'while (!scheduler.alone) {', 'while (scheduler.halted()) {')],
    on: ['fallback'],
  },
  {
    name: 'waits-for-who-left',
    hazard: 5,
    what: 'who begins alone waits for a worker that has ended the run and left',
    edits: [edit(RUN, 'if (scheduler.done()) {', 'if (scheduler.halted()) {')],
    on: ['begun alone'],
  },
  {
    name: 'absent-read-untracked',
    hazard: 12,
    what: 'a read that finds no entry is not noted',
    edits: [edit(MEMORY, 'this.#note(location, kind, seen, floor)\n      return seen\n', 'return seen\n')],
    on: ['chain'],
  },
  {
    name: 'two-committers',
    hazard: 13,
    what: 'the commit lock is looked at and taken in two steps',
    edits: [
      edit(
        SCHEDULER,
        'return atomics.compareExchange(engine, Control.CommitLock, 0, 1) === 0',
        'atomics.store(engine, Control.CommitLock, 1)\n    return true',
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'unlocked-before-final',
    hazard: 13,
    what: 'the commit lock is released between the validation of a place and its commit',
    edits: [
      edit(
        PARTS,
        'if (this.memory.validate(next)) {',
        'if (this.memory.validate(next)) {\n          scheduler.unlock()',
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'estimate-kept',
    hazard: 16,
    what: 'the estimate of a place whose last incarnation writes nothing there stays',
    edits: [
      edit(WRITES, 'if ((atomics.load(engine, word) & ESTIMATE) !== 0) atomics.store(engine, word, 0)', 'void word'),
    ],
    on: ['changing writes', 'memory'],
  },
  {
    name: 'hash-alone',
    hazard: 17,
    what: 'byte keys are told apart by hash and length alone',
    edits: [edit(TABLE, 'for (let k = 0; k < count; k++) if (w[own + k] !== key[at + k]) return false', 'void own')],
    on: ['table'],
  },
  {
    name: 'two-records',
    hazard: 17,
    what: 'a free word of the index is taken without an exchange: one key, two records (T1)',
    edits: [
      edit(TABLE, 'if (atomics.compareExchange(w, word, 0, BUSY) !== 0) return 0', 'atomics.store(w, word, BUSY)'),
    ],
    on: ['table'],
  },
  {
    name: 'speculative-fault',
    hazard: 19,
    what: 'a fault in speculation halts the run, though a later incarnation would not fail',
    edits: [
      edit(
        PARTS,
        'this.#deferrals++\n      this.scheduler.defer(place)',
        'this.#deferrals++\n      if (outcome === Outcome.Fault) this.complain(place, outcome)\n      else this.scheduler.defer(place)',
      ),
    ],
    on: ['fails in one incarnation only'],
  },
  {
    name: 'delta-not-folded',
    hazard: 20,
    what: 'a committed delta is not replaced by its value: whoever reads next reads the change',
    edits: [edit(COMMITS, 'if (folded[k] !== 0) atomics.store(engine, entry + Entry.Record, folded[k] << 1)', '')],
    on: ['deltas', 'memory, deltas'],
  },
  {
    name: 'read-as-a-bound',
    hazard: 20,
    what: 'a number that was read is validated as if it had only been bounded',
    edits: [
      edit(
        COMMITS,
        '? equal(this.#below, 0, engine, r + Read.Size, length)',
        '? atLeast(this.#below, 0, engine, r + Read.Size, length)',
      ),
    ],
    on: ['deltas', 'memory, deltas', 'collected on the side'],
  },
  {
    name: 'side-sum-forgotten',
    hazard: 20,
    what: 'a delta of the fee recipient is folded without what was collected and not folded yet',
    edits: [
      edit(COMMITS, 'add256(this.#below, 0, from, at, engine, Control.DenseSum)', 'copy(this.#below, 0, from, at, 8)'),
    ],
    on: ['collected on the side'],
  },
  {
    name: 'incarnation-wraps',
    hazard: 21,
    what: 'the last incarnation that the word can hold is followed by the first',
    setting: [
      edit(
        'src/core/status.ts',
        'export const MAX_INCARNATION = (1 << (31 - STATE_BITS)) - 1',
        'export const MAX_INCARNATION = 0',
      ),
    ],
    edits: [
      edit(SCHEDULER, 'if (incarnation > MAX_INCARNATION) return false', ''),
      edit(
        'src/core/status.ts',
        '(incarnation << STATE_BITS) | state',
        '((incarnation & MAX_INCARNATION) << STATE_BITS) | state',
      ),
    ],
    on: ['one incarnation'],
  },
  {
    name: 'arena-runs-over',
    hazard: 21,
    what: 'a chunk is handed out that ends behind the end of the memory',
    edits: [edit('src/core/arena.ts', 'if (at < 0 || at + size > this.words[Control.ArenaEnd]) {', 'if (at < 0) {')],
    on: ['small memory'],
  },
  {
    name: 'link-without-exchange',
    hazard: 0,
    what: 'an entry is put in front of a list by a store',
    edits: [
      edit(
        ENTRIES,
        'if (atomics.compareExchange(state, location, head, fresh) !== head) continue',
        'atomics.store(state, location, fresh)',
      ),
    ],
    on: ['three writers'],
  },
  {
    name: 'executed-before-published',
    hazard: 0,
    what: 'a place says that it is executed before its writes and reads are there (M2)',
    edits: [
      edit(
        PARTS,
        `if (outcome === Outcome.Done) this.memory.publish()
    this.recording?.executed(RecordedMode.Speculative, outcome)
    if (outcome === Outcome.Done) {
      this.engine[this.engine[Control.PlaceTable] + place * Place.Size + Place.Worker] = this.#index
      this.scheduler.executed(place)`,
        `if (outcome === Outcome.Done) {
      this.engine[this.engine[Control.PlaceTable] + place * Place.Size + Place.Worker] = this.#index
      this.scheduler.executed(place)
      this.memory.publish()`,
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'head-loaded-plainly',
    hazard: 0,
    what: 'a reader follows a head that it has loaded plainly: the entry may not be there yet',
    edits: [
      edit(
        MEMORY,
        `const record = newest(this.engine, atomics.load(this.state, location), this.place, floor)
      if (record > 0 &&`,
        `const record = newest(this.engine, atomics.peek(this.state, location), this.place, floor)
      if (record > 0 &&`,
      ),
    ],
    on: ['chain'],
  },
  {
    name: 'record-loaded-plainly',
    hazard: 0,
    what: 'a record of the table is read without the load that orders it after its inserter (T2)',
    edits: [edit(TABLE, 'const id = atomics.load(this.words, word)', 'const id = atomics.peek(this.words, word)')],
    on: ['table'],
  },
  {
    name: 'status-plainly',
    hazard: 0,
    what: 'a status word is written plainly',
    edits: [
      edit(
        SCHEDULER,
        'atomics.store(this.engine, word, pack(incarnationOf(this.engine[word]), Deferred))',
        'this.engine[word] = pack(incarnationOf(this.engine[word]), Deferred)',
      ),
    ],
    on: ['scheduler'],
  },
  {
    name: 'withdrawn-in-part',
    hazard: 0,
    what: 'a fallback leaves what speculation wrote above it',
    edits: [edit(PARTS, 'if (scheduler.isExecuted(place)) withdraw(place)', '')],
    on: ['fallback'],
  },
  {
    name: 'begun-twice',
    hazard: 0,
    what: 'who claims in order executes a place that somebody has begun before its turn',
    edits: [
      edit(
        SCHEDULER,
        'return state === Ready || (state === Early && this.#exchange(place, Early, Ready))',
        'return state === Ready || state === Early',
      ),
    ],
    on: ['before its turn'],
  },
  {
    name: 'begun-and-kept',
    hazard: 0,
    what: 'a fallback leaves what was begun before its turn above all that was claimed in order',
    edits: [
      edit(
        PARTS,
        'scheduler.recallEarly(Math.max(from, end), withdraw)',
        'scheduler.recallEarly(Math.max(from, end), () => {})',
      ),
    ],
    on: ['before its turn, fallback'],
  },
  {
    name: 'recalled-when-final',
    hazard: 0,
    what: 'a fallback takes back what was begun before its turn and is final (this engine had it; found by this checker)',
    edits: [edit(PARTS, 'scheduler.recallEarly(Math.max(from, end),', 'scheduler.recallEarly(end,')],
    on: ['before its turn, fallback'],
  },
  {
    name: 'extended-by-a-store',
    hazard: 0,
    what: 'a claim is extended over the rest of a row by a store: who has claimed that executes it as well',
    edits: [
      edit(
        SCHEDULER,
        'return to > end && atomics.compareExchange(engine, Control.ExecutionIndex, end, to) === end ? to : end',
        'if (to <= end) return end\n    atomics.store(engine, Control.ExecutionIndex, to)\n    return to',
      ),
    ],
    on: ['row'],
  },
  {
    name: 'extended-regardless',
    hazard: 0,
    what: 'a claim is extended though the exchange says that others have claimed on',
    edits: [
      edit(
        SCHEDULER,
        'return to > end && atomics.compareExchange(engine, Control.ExecutionIndex, end, to) === end ? to : end',
        'if (to <= end) return end\n    atomics.compareExchange(engine, Control.ExecutionIndex, end, to)\n    return to',
      ),
    ],
    on: ['row'],
  },
  {
    name: 'row-kept',
    hazard: 0,
    what: 'a worker keeps the rest of its row through a fallback, which gives it out anew',
    edits: [edit(PARTS, 'this.#held.length = 0\n    this.#rowEnd = 0', 'this.#held.length = 0')],
    on: ['row, fallback', 'row, claims of several'],
  },
  {
    name: 'joined-without-exchange',
    hazard: 0,
    what: 'a worker adds itself to a run by a store: two come, one is counted',
    edits: [
      edit(
        JOINING,
        'if (atomics.compareExchange(engine, Control.Join, word, word + 1) === word) return true',
        'atomics.store(engine, Control.Join, word + 1)\n    return true',
      ),
    ],
    on: ['joining'],
  },
  {
    name: 'left-open',
    hazard: 0,
    what: 'the first to leave does not close the run',
    edits: [
      edit(
        JOINING,
        'export const leave = (engine: Int32Array, worker: number): void => {\n  closeJoin(engine)',
        'export const leave = (engine: Int32Array, worker: number): void => {',
      ),
    ],
    on: ['joining'],
  },
  {
    name: 'claimed-without-exchange',
    hazard: 0,
    what: 'a place of a schedule is claimed by a store: two see it free, and both execute it',
    edits: [
      edit(
        READY,
        'if (atomics.compareExchange(engine, row + ScheduleRow.Claimed, 0, 1) === 0) return true',
        'atomics.store(engine, row + ScheduleRow.Claimed, 1)\n    if (place > 0) return true',
      ),
    ],
    on: ['by rank'],
  },
  {
    name: 'taken-without-exchange',
    hazard: 0,
    what: 'units are taken by a store: two take the same',
    edits: [
      edit(
        READY,
        'if (atomics.compareExchange(engine, word, free, free - units) === free) return true',
        'atomics.store(engine, word, free - units)\n      return true',
      ),
    ],
    on: ['units'],
  },
  {
    name: 'executed-without-units',
    hazard: 0,
    what: 'a second execution takes no units, and gives some back',
    edits: [edit(PARTS, 'return this.ready?.acquire(place) ?? true', 'return true')],
    on: ['units', 'by rank'],
  },
  {
    name: 'units-kept',
    hazard: 5,
    what: 'a second execution does not give back its units',
    edits: [edit(PARTS, 'this.ready?.release(place)', 'void this.ready')],
    on: ['units'],
  },
  {
    name: 'late-value-not-awaited',
    hazard: 12,
    what: 'an execution that missed a value of the state is published as if it had read it',
    edits: [
      edit(
        PARTS,
        `// Left Ready: nobody else claims it, and this worker looks after it when the values are here.
      this.#held.push({ place, records: [...this.memory.cold], again: false })
      this.recording?.waited(RecordedMode.Speculative)
      return`,
        '',
      ),
    ],
    on: ['late values'],
  },
  {
    name: 'kept-over-a-fallback',
    hazard: 5,
    what: 'places that wait for a value are kept over a fallback, which gives them out anew: they are executed twice',
    edits: [edit(PARTS, 'this.memory.forgetWalks()\n    this.#held.length = 0', 'this.memory.forgetWalks()')],
    on: ['late values, fallback', 'late values, alone'],
  },
  {
    name: 'called-back',
    hazard: 5,
    what: 'a worker that wakes the next ones late puts them back to a run that is over (this engine had it; found by this checker)',
    edits: [
      edit(JOINING, 'if (((epoch - before) | 0) <= 0) continue', ''),
      edit(
        JOINING,
        'if (atomics.compareExchange(engine, word, before, epoch) === before) atomics.notify(engine, word)',
        'atomics.store(engine, word, epoch)\n    atomics.notify(engine, word)',
      ),
    ],
    on: ['parking, called again'],
  },
  {
    name: 'parks-on-the-next-epoch',
    hazard: 5,
    what: 'a worker parks on the epoch that it finds, not on the one that it has served',
    edits: [
      edit(
        'src/executor/workerMain.ts',
        'atomics.wait(engine, word, seen)',
        'atomics.wait(engine, word, atomics.load(engine, word))',
      ),
    ],
    on: ['parking'],
  },
  {
    name: 'written-over',
    hazard: 0,
    what: 'main hands the room for signatures out anew without a look who is at an item (G2)',
    edits: [edit(SIGNATURES, 'if (isRecovering(this.#words)) {', 'if (this.#words.length === 0) {')],
    on: SIGNERS,
  },
  {
    name: 'recovers-unseen',
    hazard: 0,
    what: 'a worker looks where the items end before it says that it is at one (G2)',
    edits: [
      edit(
        RECOVERER,
        '      this.#begin()\n      try {\n        const item = this.#next()',
        '      try {\n        const item = this.#next()\n        this.#begin()',
      ),
    ],
    on: SIGNERS,
  },
  {
    name: 'closed-too-late',
    hazard: 0,
    what: 'main looks who is at an item before it closes their end (G2)',
    edits: [
      edit(
        SIGNATURES,
        '    this.#publish(0)\n    if (isRecovering(this.#words)) {',
        '    const isAtWork = isRecovering(this.#words)\n    this.#publish(0)\n    if (isAtWork) {',
      ),
    ],
    on: SIGNERS,
  },
  {
    name: 'taken-by-two',
    hazard: 0,
    what: 'an item is taken by a store: two see it open, and both write its answers',
    edits: [
      edit(
        RECOVERER,
        'if (atomics.compareExchange(this.#engine, state, ItemState.Open, ItemState.Taken) !== ItemState.Open) return false',
        'if (atomics.load(this.#engine, state) !== ItemState.Open) return false\n    atomics.store(this.#engine, state, ItemState.Taken)',
      ),
    ],
    on: SIGNERS,
  },
  {
    name: 'done-before-answered',
    hazard: 0,
    what: 'an item is said to be done before its answers are there',
    edits: [
      edit(
        RECOVERER,
        'this.#recover(engine, item)\n    atomics.store(engine, item + SignatureItem.State, ItemState.Done)',
        'atomics.store(engine, item + SignatureItem.State, ItemState.Done)\n    this.#recover(engine, item)',
      ),
    ],
    on: SIGNERS,
  },
]
