/**
 * The codec of task values: CBOR (RFC 8949) by cbor-x, with structured cloning's types.
 *
 * Chosen over msgpackr, @msgpack/msgpack and v8.serialize: as fast as the fastest, runs in browsers, and a Map comes
 * back as a Map (docs/decisions/0011-task-values-and-ranges.md; `npm run bench -- --only codec`).
 */
import { addExtension, Encoder } from 'cbor-x'
import type { ValueCodec } from '../core/values.ts'

/** Tags that nothing is ever encoded with: what cannot be copied is refused instead of becoming `{}`. */
const REFUSED = [Promise, WeakMap, WeakSet, WeakRef] as const
const FIRST_TAG = 40_700

REFUSED.forEach((Class, k) => {
  addExtension({
    Class: Class as new () => object,
    tag: FIRST_TAG + k,
    encode() {
      throw new TypeError(`a ${Class.name} cannot leave its thread`)
    },
    decode: () => ({}),
  })
})

/** A date is its milliseconds: seconds in floating point, as CBOR's own tag has them, lose one far from now. */
addExtension<Date, number>({
  Class: Date as unknown as new () => Date,
  tag: FIRST_TAG + REFUSED.length,
  encode: (date, encode) => encode(date.getTime()),
  decode: (ms) => new Date(ms),
})

/** Makes a codec. Encoders keep buffers, so each owner has its own. */
export const createValueCodec = (): ValueCodec => {
  // No records: they would make the bytes of a value depend on those encoded before it.
  const encoder = new Encoder({
    useRecords: false,
    structuredClone: true,
    mapsAsObjects: true,
    tagUint8Array: true,
    copyBuffers: true,
  })
  return {
    encode(value) {
      try {
        return encoder.encode(value)
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        throw new TypeError(`a value cannot be encoded: ${reason}`, { cause })
      }
    },
    decode: (bytes) => encoder.decode(bytes),
  }
}
