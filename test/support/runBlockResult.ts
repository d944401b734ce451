/** A `RunBlockResult` as plain values, without what a result of ours does not have (docs/ethereumjs.md). */
import type { RunBlockResult, RunTxResult } from '@ethereumjs/vm'
import { toHex } from './evm.ts'

/** Where a refund is capped, @ethereumjs/vm tells the one before the cap; gas spent tells the other. */
const plainTx = ({ execResult, createdAddress, bloom, receipt, gasRefund: _gasRefund, ...rest }: RunTxResult) => ({
  ...rest,
  bloom: toHex(bloom.bitvector),
  receipt,
  createdAddress: createdAddress?.toString(),
  execResult: {
    returnValue: toHex(execResult.returnValue),
    logs: execResult.logs ?? [],
    failed: execResult.exceptionError?.error,
  },
})

/** Bytes as text, so that a failure can be read. */
const readable = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null || value instanceof Map) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, readable(item)]))
}

export const comparable = (result: RunBlockResult) => readable(fieldsOf(result)) as object

const fieldsOf = ({ results, requests, ...rest }: RunBlockResult) => {
  const { run: _run, ...fields } = rest as RunBlockResult & { run?: unknown }
  return {
    ...fields,
    blockLevelAccessList: fields.blockLevelAccessList,
    requestsHash: fields.requestsHash,
    requests: requests?.map(({ type, data }) => [type, toHex(data)]),
    results: results.map(plainTx),
  }
}
