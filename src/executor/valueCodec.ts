/**
 * The codec of task values: CBOR (RFC 8949) by cbor-x, with structured cloning's types.
 *
 * Chosen over msgpackr, @msgpack/msgpack and v8.serialize: as fast as the fastest, runs in browsers, and a Map comes
 * back as a Map (docs/decisions/0011-task-values-and-ranges.md; `npm run bench -- --only codec`).
 */
import { addExtension, Encoder } from 'cbor-x'
import type { ValueCodec } from '../core/values.ts'
import { checkCbor } from './checkCbor.ts'

/** Tags that nothing is ever encoded with: what cannot be copied is refused instead of becoming `{}` or a list. */
const REFUSED = [
  ...[Promise, WeakMap, WeakSet, WeakRef],
  ...[String, Number, Boolean, BigInt],
  ...(typeof SharedArrayBuffer === 'undefined' ? [] : [SharedArrayBuffer]),
] as const
const FIRST_TAG = 40_700
const DATE_TAG = 40_720
const BUFFER_TAG = 40_721
const VIEW_TAG = 40_722

REFUSED.forEach((Class, k) => {
  addExtension({
    Class: Class as unknown as new () => object,
    tag: FIRST_TAG + k,
    encode() {
      throw new TypeError(`an object of class ${Class.name} cannot leave its thread`)
    },
    decode: () => ({}),
  })
})

/** A date is its milliseconds: seconds in floating point, as CBOR's own tag has them, lose one far from now. */
addExtension<Date, number>({
  Class: Date as unknown as new () => Date,
  tag: DATE_TAG,
  encode: (date, encode) => encode(date.getTime()),
  decode: (ms) => new Date(ms),
})

/** Bytes with a type of their own, which would come back as a Uint8Array. */
addExtension<ArrayBuffer, Uint8Array>({
  Class: ArrayBuffer as unknown as new () => ArrayBuffer,
  tag: BUFFER_TAG,
  encode: (buffer, encode) => encode(new Uint8Array(buffer)),
  decode: (bytes) => bytes.slice().buffer as ArrayBuffer,
})
addExtension<DataView, Uint8Array>({
  Class: DataView as unknown as new () => DataView,
  tag: VIEW_TAG,
  encode: (view, encode) => encode(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)),
  decode: (bytes) => new DataView(bytes.slice().buffer),
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
        const bytes = encoder.encode(value)
        checkCbor(bytes)
        return bytes
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        throw new TypeError(`a value cannot be encoded: ${reason}`, { cause })
      }
    },
    decode: (bytes) => encoder.decode(bytes),
  }
}
