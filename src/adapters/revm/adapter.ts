/**
 * The EVM adapter: revm compiled to WebAssembly, its reads answered from `TaskMemory`, its effects written there.
 *
 * Balance, nonce, life (code, storage generation, existence) and slots are locations of their own. A balance
 * goes out as a guess and comes back with what was observed of it: a credit is a delta, a debit a delta with
 * a lower bound, and only BALANCE and its like assert the exact value. The sender's nonce is a predicate.
 *
 * Cost: one crossing a read, none a write; no string, BigInt or object a transaction (docs/performance.md).
 * Not here: versions (mvmemory), order (scheduler), the decoding of blocks (adapters/evm).
 */
import { findBlockHash, findCode } from '../../core/codes.ts'
import { type Complaint, Outcome, Predicate, Seen, type SyncAdapter, type TaskMemory } from '../../core/contracts.ts'
import { Control, Fault } from '../../core/layout.ts'
import { AccountRecord, Kind, Life, locationOf, RECORD_SHIFT, recordOf, SlotRecord } from '../../core/location.ts'
import { FULL, TableFull } from '../../core/table.ts'
import { copy, copy2, copy8, equal8, isZero8, zero8 } from '../../core/words.ts'
import { EvmFlag } from '../evm/flags.ts'
import { hasStorage } from '../evm/stored.ts'
import { Flag, Kernel, type KernelHost, Output, Request, RequestFlag } from './kernel.ts'
import { createItemRecovery, type RecoverKey } from './recoverItem.ts'
import { resultDigest } from './resultDigest.ts'

type Words = Int32Array

/** Deltas that a guess of a balance is worth folding; beyond, the base value will do. */
const FOLD_FOR_A_GUESS = 4

/** Words of input copied into the kernel at a time: one copy serves the next dozen transactions. */
const INPUT_WINDOW = 2048

/** Words of an encoded block environment (adapters/evm/encode.ts). */
const ENVIRONMENT_WORDS = 54

/** Keccak-256 of nothing, as words: the hash of an account without code. The state keeps zeros for it. */
const EMPTY_HASH = new Int32Array(
  new Uint8Array([
    0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6,
    0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
  ]).buffer,
)

const BALANCE_FLAGS = Flag.BalanceWritten | Flag.BalanceObserved | Flag.BalanceBound
const NONCE_FLAGS = Flag.NonceWritten | Flag.NonceObserved | Flag.NonceNotZero
const LIFE_FLAGS = Flag.CodeWritten | Flag.Created | Flag.Destroyed | Flag.ExistenceSet | Flag.ExistenceCleared

const ONE = new Int32Array([1, 0])
const ZERO = new Int32Array(8)

const hex = (words: Words, at: number, count: number): string => {
  const bytes = new Uint8Array(words.slice(at, at + count).buffer)
  return `0x${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`
}

/** @param loadRecover - asked, when many signers were wanted, for what finds keys faster than the kernel */
export const createRevmAdapter = (
  module: WebAssembly.Module,
  loadRecover: () => RecoverKey | undefined = () => undefined,
): SyncAdapter => {
  let memory: TaskMemory
  let spuriousDragon = true
  /** Record of the fee recipient. */
  let feeRecipient = 0
  /** Places of the block that are transactions: 1 to this. */
  let transactions = 0
  let complaint: Complaint = { fault: Fault.None, message: '' }
  /** The first account a transaction loads is its sender, whose nonce the kernel takes from the transaction. */
  let senderLoaded = false
  /** Accounts of this transaction whose storage has a generation: pairs of id and generation. */
  const generations: number[] = []
  /**
   * Pairs of an account and the life value that this transaction read of it. Not an array: emptied, it allocates anew.
   */
  let lives = new Int32Array(512)
  let livesEnd = 0
  /** Codes written in this block that this transaction loaded: triples of life value, offset, bytes. */
  const codes: number[] = []
  /** Where `code_length` found the code that `code_copy` wants. */
  let foundCode: Words = ZERO
  let foundOffset = 0
  let foundBytes = 0
  const life = new Int32Array(12)

  const record = (found: number): number => {
    if (found === FULL) throw new TableFull('the state has no room for another record')
    return found
  }

  const host: KernelHost = {
    basic() {
      const m = kernel.view()
      const request = kernel.request
      const { state, engine } = memory
      const r = record(memory.table.account(m, request))
      const id = r >> RECORD_SHIFT
      const seen = memory.read(locationOf(r, Kind.Life), Kind.Life, 0)
      if (seen === Seen.Blocked) return 2
      const from = seen === Seen.Base ? state : engine
      const at = seen === Seen.Base ? r + AccountRecord.Life : seen
      const generation = from[at + Life.Generation]
      if (generation !== 0) generations.push(id, generation)
      if (livesEnd === lives.length) {
        const larger = new Int32Array(2 * livesEnd)
        larger.set(lives)
        lives = larger
      }
      lives[livesEnd] = id
      lives[livesEnd + 1] = seen
      livesEnd += 2
      if (seen !== Seen.Base && from[at + Life.CodeBytes] !== 0) codes.push(at)

      const exact = memory.fold(
        locationOf(r, Kind.Balance),
        m,
        request + Request.Answer,
        memory.exact ? Number.MAX_SAFE_INTEGER : FOLD_FOR_A_GUESS,
      )
      if (!senderLoaded && !memory.strict) {
        senderLoaded = true
        m[request + Request.Nonce] = 0
        m[request + Request.Nonce + 1] = 0
      } else {
        const nonce = memory.glance(locationOf(r, Kind.Nonce), Kind.Nonce)
        if (nonce === Seen.Base) copy2(m, request + Request.Nonce, state, r + AccountRecord.Nonce)
        else copy2(m, request + Request.Nonce, engine, nonce)
      }
      // Before EIP-161 a fee, be it zero, brings its recipient into existence; but the fee of the transaction that
      // destroyed it, the one right below where its generation is this place, went with it.
      const paid = !spuriousDragon && r === feeRecipient && memory.place > 1 && generation !== memory.place
      const exists = paid ? 1 : from[at + Life.Exists]
      m[request + Request.Id] = id
      m[request + Request.Flags] = (exact ? RequestFlag.Exact : 0) | (exists !== 0 ? RequestFlag.Exists : 0)
      if (!isZero8(from, at + Life.CodeHash)) {
        copy8(m, request + Request.CodeHash, from, at + Life.CodeHash)
        return 1
      }
      copy8(m, request + Request.CodeHash, EMPTY_HASH, 0)
      if (state[r + AccountRecord.FirstSlot] !== 0 && generation === 0 && hasStorage(state, r)) {
        m[request + Request.Flags] |= RequestFlag.Stored
      }
      if (exists !== 0) return 1
      if (!spuriousDragon) {
        // Who is absent has nothing, whatever the guess says: it may be older than the life that was read, and a delta
        // counts from what the kernel was told.
        zero8(m, request + Request.Answer)
        return 0
      }
      const nonceIsZero = (m[request + Request.Nonce] | m[request + Request.Nonce + 1]) === 0
      return nonceIsZero && isZero8(m, request + Request.Answer) ? 0 : 1
    },

    storage() {
      const m = kernel.view()
      const request = kernel.request
      const id = m[request]
      const r = record(memory.table.slot(id, m, request + 1))
      let floor = 0
      for (let k = generations.length - 2; k >= 0; k -= 2) {
        if (generations[k] === id) {
          floor = generations[k + 1]
          break
        }
      }
      const seen = memory.read(locationOf(r, Kind.Slot), Kind.Slot, floor)
      if (seen === Seen.Base) copy8(m, request + Request.Answer, memory.state, r + SlotRecord.Value)
      else if (seen > 0) copy8(m, request + Request.Answer, memory.engine, seen)
      else if (seen === Seen.Cleared) zero8(m, request + Request.Answer)
      else return 2
      return 1
    },

    balance() {
      const m = kernel.view()
      const location = locationOf(m[kernel.request] << RECORD_SHIFT, Kind.Balance)
      return memory.fold(location, m, kernel.request + Request.Answer, Number.MAX_SAFE_INTEGER) ? 1 : 2
    },

    code_length() {
      const m = kernel.view()
      for (const at of codes) {
        if (!equal8(memory.engine, at + Life.CodeHash, m, kernel.request)) continue
        foundCode = memory.engine
        foundOffset = memory.engine[at + Life.CodeOffset]
        foundBytes = memory.engine[at + Life.CodeBytes]
        return foundBytes
      }
      const entry = findCode(memory.state, m, kernel.request)
      if (entry === 0) {
        complaint = { fault: Fault.MissingCode, message: hex(m, kernel.request, 8) }
        return -1
      }
      foundCode = memory.state
      foundBytes = memory.state[entry]
      foundOffset = entry + 1
      return foundBytes
    },

    code_copy(pointer) {
      const m = kernel.view()
      const whole = foundBytes >> 2
      const bytes = kernel.bytes(pointer, foundBytes)
      if ((pointer & 3) === 0) m.set(foundCode.subarray(foundOffset, foundOffset + whole), pointer >>> 2)
      for (let k = (pointer & 3) === 0 ? whole << 2 : 0; k < foundBytes; k++) {
        bytes[k] = foundCode[foundOffset + (k >> 2)] >> ((k & 3) * 8)
      }
    },

    block_hash(low, high) {
      const m = kernel.view()
      const at = findBlockHash(memory.state, low, high)
      if (at === 0) {
        const number = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
        complaint = { fault: Fault.MissingBlockHash, message: number.toString() }
        return 4
      }
      copy8(m, kernel.request + Request.Answer, memory.state, at)
      return 1
    },
  }

  const kernel = new Kernel(module, host)
  const answerItem = createItemRecovery(kernel, loadRecover)
  // A constant function is called directly; a property of the exports object is looked up each time.
  const executeTransaction = kernel.exports.execute
  const executeEnd = kernel.exports.execute_end
  /** The window of the engine's input words that lies in the kernel. */
  let windowFrom = 0
  let windowTo = 0
  let windowAt = 0

  /** Pointer of the encoded transaction inside the kernel. */
  const bringInput = (engine: Words, input: number, words: number): number => {
    if (input < windowFrom || input + words > windowTo) {
      const count = Math.max(words, INPUT_WINDOW)
      windowAt = kernel.reserve(count)
      kernel.words.set(engine.subarray(input, input + count), windowAt)
      windowFrom = input
      windowTo = input + count
    }
    return (windowAt + input - windowFrom) << 2
  }

  /** Copies code out of the kernel into the arena. */
  const keepCode = (pointer: number, bytes: number): number => {
    const words = (bytes + 3) >> 2
    const at = memory.allocate(words)
    const source = kernel.bytes(pointer, bytes)
    memory.engine.fill(0, at, at + words)
    for (let k = 0; k < bytes; k++) memory.engine[at + (k >> 2)] |= source[k] << ((k & 3) * 8)
    return at
  }

  /** Predicates and writes of one account's record at `at`; returns where the next one begins. */
  const publishAccount = (m: Words, start: number): number => {
    const id = m[start]
    const flags = m[start + 1]
    const r = id << RECORD_SHIFT
    let at = start + 2
    if ((flags & BALANCE_FLAGS) !== 0) {
      const location = locationOf(r, Kind.Balance)
      const written = (flags & Flag.BalanceWritten) !== 0
      if (memory.strict) {
        memory.write(location, Kind.Balance, m, at)
        at += 8
      } else if ((flags & Flag.BalanceObserved) !== 0) {
        memory.expect(location, Kind.Balance, Predicate.ValueEquals, m, at)
        at += 8
        if (written) {
          memory.write(location, Kind.Balance, m, at)
          at += 8
        }
      } else if (written) {
        memory.add(location, m, at, m, at + 8)
        at += 16
      } else {
        memory.expect(location, Kind.Balance, Predicate.AtLeast, m, at)
        at += 8
      }
    }
    if ((flags & NONCE_FLAGS) !== 0) {
      const location = locationOf(r, Kind.Nonce)
      if ((flags & Flag.NonceObserved) !== 0) {
        memory.expect(location, Kind.Nonce, Predicate.ValueEquals, m, at)
        at += 2
      } else if ((flags & Flag.NonceNotZero) !== 0) memory.expect(location, Kind.Nonce, Predicate.AtLeast, ONE, 0)
      if ((flags & Flag.NonceWritten) !== 0) {
        memory.write(location, Kind.Nonce, m, at)
        at += 2
      }
    }
    if ((flags & LIFE_FLAGS) !== 0) at = publishLife(m, r, flags, at)
    const slots = m[at++]
    for (let k = 0; k < slots; k++, at += 16) {
      const slot = record(memory.table.slot(id, m, at))
      memory.write(locationOf(slot, Kind.Slot), Kind.Slot, m, at + 8)
    }
    return at
  }

  const publishLife = (m: Words, r: number, flags: number, start: number): number => {
    const location = locationOf(r, Kind.Life)
    // The value that was read, which validation answers for; a second look could see another one.
    let before: number = Seen.Base
    for (let k = 0; k < livesEnd; k += 2) if (lives[k] === r >> RECORD_SHIFT) before = lives[k + 1]
    if (before === Seen.Base) {
      copy(life, 0, memory.state, r + AccountRecord.Life, 10)
      life[Life.CodeOffset] = 0
      life[Life.CodeBytes] = 0
    } else copy(life, 0, memory.engine, before, 12)
    let at = start
    if ((flags & Flag.CodeWritten) !== 0) {
      const bytes = m[at + 9]
      if (equal8(m, at, EMPTY_HASH, 0)) zero8(life, Life.CodeHash)
      else copy8(life, Life.CodeHash, m, at)
      life[Life.CodeBytes] = bytes
      life[Life.CodeOffset] = bytes === 0 ? 0 : keepCode(m[at + 8], bytes)
      at += 10
    }
    // Entries of places before are invisible: storage written before is gone (hazard 7). One more, since 0 is none.
    if ((flags & (Flag.Created | Flag.Destroyed)) !== 0) life[Life.Generation] = memory.place + 1
    if ((flags & (Flag.Created | Flag.ExistenceSet)) !== 0) life[Life.Exists] = 1
    if ((flags & Flag.ExistenceCleared) !== 0) life[Life.Exists] = 0
    if ((flags & Flag.Destroyed) !== 0) {
      zero8(life, Life.CodeHash)
      life[Life.Exists] = 0
      life[Life.CodeOffset] = 0
      life[Life.CodeBytes] = 0
    }
    memory.write(location, Kind.Life, life, 0)
    return at
  }

  return {
    kind: 'sync',

    beginBlock(engine, environment, flags) {
      spuriousDragon = (flags & EvmFlag.SpuriousDragon) !== 0
      feeRecipient = recordOf(engine[Control.DenseLocation])
      transactions = engine[Control.Places]
      windowFrom = 0
      windowTo = 0
      const at = kernel.reserve(Math.max(ENVIRONMENT_WORDS, INPUT_WINDOW))
      copy(kernel.words, at, engine, environment, ENVIRONMENT_WORDS)
      if (kernel.exports.begin_block(at << 2) !== 0) throw new Error(kernel.message())
      kernel.view()
    },

    execute(taskMemory, input, words) {
      memory = taskMemory
      const isEnd = memory.place === 0 || memory.place > transactions
      // An end has no sender.
      senderLoaded = isEnd
      if (generations.length > 0) generations.length = 0
      if (codes.length > 0) codes.length = 0
      livesEnd = 0
      const pointer = bringInput(memory.engine, input, words)
      const strict = memory.strict ? 1 : 0
      const code = isEnd ? executeEnd(pointer, strict) : executeTransaction(pointer, strict)
      if (code !== Outcome.Done) {
        if (code === Outcome.Invalid) complaint = { fault: Fault.InvalidTransaction, message: kernel.message() }
        return code as Outcome
      }
      const out = kernel.output()
      const m = kernel.words
      const { engine } = memory
      const resultWords = m[out + Output.Accounts]
      const result = memory.allocate(resultWords)
      copy(engine, result, m, out, resultWords)
      memory.result(result, resultWords)
      let at = out + resultWords
      let feeIsBurnt = false
      for (let count = m[out + Output.AccountCount]; count > 0; count--) {
        // A fee recipient that destroys itself is deleted after it was paid.
        if ((m[at + 1] & Flag.Destroyed) !== 0 && m[at] << RECORD_SHIFT === feeRecipient) feeIsBurnt = true
        at = publishAccount(m, at)
      }
      if (!feeIsBurnt && !isZero8(m, out + Output.Fee)) memory.dense(m, out + Output.Fee)
      return Outcome.Done
    },

    complaint: () => complaint,

    batchItem(engine, item) {
      windowTo = 0
      answerItem(engine, item)
    },

    resultDigest,

    endBlock() {
      windowTo = 0
    },

    dispose() {},
  }
}
