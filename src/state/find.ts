/**
 * Records of a state by key, found by main: nothing is inserted, as `LocationTable` would, so a question leaves no
 * trace.
 */
import { AccountRecord, BytesRecord, RECORD_SHIFT } from '../core/location.ts'
import { hashAddress, hashBytes, StateHeader } from '../core/table.ts'

type Words = Int32Array

/** Record of an address, 5 words; 0 where there is none. */
export const findAccount = (w: Words, address: Words): number => {
  const mask = w[StateHeader.AccountMask]
  let probe = hashAddress(address, 0) & mask
  for (;;) {
    const id = w[w[StateHeader.AccountIndex] + probe]
    if (id === 0) return 0
    const r = id << RECORD_SHIFT
    let k = 0
    while (k < 5 && w[r + AccountRecord.Address + k] === address[k]) k++
    if (k === 5) return r
    probe = (probe + 1) & mask
  }
}

/** Record of a key of so many bytes at `key[at]`, the last word padded with zeros; 0 where there is none. */
export const findBytes = (w: Words, key: Words, bytes: number, at = 0): number => {
  const mask = w[StateHeader.SlotMask]
  const hash = hashBytes(key, at, bytes)
  let probe = hash & mask
  for (;;) {
    const id = w[w[StateHeader.SlotIndex] + probe]
    if (id === 0) return 0
    const r = id << RECORD_SHIFT
    if (id > 0 && w[r + BytesRecord.Hash] === hash && w[r + BytesRecord.KeyLength] === bytes) {
      const from = w[r + BytesRecord.KeyOffset]
      const count = (bytes + 3) >> 2
      let k = 0
      while (k < count && w[from + k] === key[at + k]) k++
      if (k === count) return r
    }
    probe = (probe + 1) & mask
  }
}
