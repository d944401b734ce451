/**
 * The end of an incarnation: what was held becomes predicates and writes, field by field.
 *
 * What equals what was found is no write. A balance that nobody observed is a delta with its lower bound; a nonce is
 * asserted where it was read; slots and lives were noted as read when they were (stateManager.ts).
 */
import { Predicate, Seen, type TaskMemory } from '../../core/contracts.ts'
import { AccountRecord, Kind, Life, locationOf } from '../../core/location.ts'
import { copy, fromBigInt } from '../../core/words.ts'
import type { Held } from './held.ts'

const value = new Int32Array(8)
const bound = new Int32Array(8)
const life = new Int32Array(12)
const ONE = new Int32Array([1, 0])

const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => a === b || a.every((byte, k) => byte === b[k])

export const publish = (memory: TaskMemory, accounts: Iterable<Held>, emptyHash: Uint8Array): void => {
  for (const held of accounts) {
    publishBalance(memory, held)
    publishNonce(memory, held)
    publishLife(memory, held, emptyHash)
    for (const slot of held.slots.values()) {
      if (slot.current === slot.start) continue
      fromBigInt(slot.current, value, 0)
      memory.write(locationOf(slot.record, Kind.Slot), Kind.Slot, value, 0)
    }
  }
}

const publishBalance = (memory: TaskMemory, held: Held): void => {
  const location = locationOf(held.record, Kind.Balance)
  const changed = held.balance !== held.startBalance
  if (memory.strict) {
    if (!changed) return
    fromBigInt(held.balance, value, 0)
    memory.write(location, Kind.Balance, value, 0)
    return
  }
  if (held.balanceObserved) {
    fromBigInt(held.startBalance, value, 0)
    memory.expect(location, Kind.Balance, Predicate.ValueEquals, value, 0)
  } else if (held.bound > 0n && (held.balanceIsSet || !changed)) {
    fromBigInt(held.bound, value, 0)
    memory.expect(location, Kind.Balance, Predicate.AtLeast, value, 0)
  }
  if (held.balanceIsSet || (held.balanceObserved && changed)) {
    fromBigInt(held.balance, value, 0)
    memory.write(location, Kind.Balance, value, 0)
  } else if (changed) {
    fromBigInt(BigInt.asUintN(256, held.balance - held.startBalance), value, 0)
    fromBigInt(held.bound, bound, 0)
    memory.add(location, value, 0, bound, 0)
  }
}

const publishNonce = (memory: TaskMemory, held: Held): void => {
  const location = locationOf(held.record, Kind.Nonce)
  if (!memory.strict) {
    if (held.nonceObserved) {
      fromBigInt(held.startNonce, value, 0, 2)
      memory.expect(location, Kind.Nonce, Predicate.ValueEquals, value, 0)
    } else if (held.nonceNotZero) memory.expect(location, Kind.Nonce, Predicate.AtLeast, ONE, 0)
  }
  // What a destroyed account had is not always known.
  if (held.nonce === held.startNonce && !(held.destroyed && !memory.strict)) return
  fromBigInt(held.nonce, value, 0, 2)
  memory.write(location, Kind.Nonce, value, 0)
}

const publishLife = (memory: TaskMemory, held: Held, emptyHash: Uint8Array): void => {
  const sameCode = equalBytes(held.codeHash, held.startCodeHash)
  if (sameCode && !held.cleared && held.exists === held.existed) return
  if (held.life === Seen.Base) {
    copy(life, 0, memory.state, held.record + AccountRecord.Life, 10)
    life[Life.CodeOffset] = 0
    life[Life.CodeBytes] = 0
  } else copy(life, 0, memory.engine, held.life, 12)
  if (!sameCode || held.destroyed) {
    const bare = equalBytes(held.codeHash, emptyHash)
    const hash = new Uint8Array(32)
    if (!bare) hash.set(held.codeHash)
    copy(life, Life.CodeHash, new Int32Array(hash.buffer), 0, 8)
    const code = bare ? undefined : held.code
    life[Life.CodeBytes] = code?.length ?? 0
    life[Life.CodeOffset] = code === undefined || code.length === 0 ? 0 : keepCode(memory, code)
  }
  // Entries of places before are invisible: storage written before is gone (hazard 7). One more, since 0 is none.
  if (held.cleared) life[Life.Generation] = memory.place + 1
  life[Life.Exists] = held.exists ? 1 : 0
  memory.write(locationOf(held.record, Kind.Life), Kind.Life, life, 0)
}

const keepCode = (memory: TaskMemory, code: Uint8Array): number => {
  const words = (code.length + 3) >> 2
  const at = memory.allocate(words)
  const padded = new Uint8Array(4 * words)
  padded.set(code)
  memory.engine.set(new Int32Array(padded.buffer), at)
  return at
}
