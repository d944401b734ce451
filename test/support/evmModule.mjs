/** Modules that extend the EVM in the tests: the factory's options say what they do. */
/**
 * @param {{ readonly throws?: boolean, readonly gas?: string, readonly params?: boolean, readonly hook?: string,
 *   readonly zero?: string, readonly sizes?: object }} options
 */
const factory = (options) => ({
  customPrecompiles: [
    {
      address: '0x0000000000000000000000000000000000000aaa',
      /** @param {{ readonly data: Uint8Array }} input */
      function: ({ data }) => {
        if (options.zero === 'throws' && data.every((byte) => byte === 0)) throw new RangeError('zero')
        if (options.throws === true) throw new RangeError('the precompile gave up')
        return { executionGasUsed: BigInt(options.gas ?? '7'), returnValue: data.slice().reverse() }
      },
    },
  ],
  customOpcodes: [
    {
      opcode: 0x21,
      opcodeName: 'TWICE',
      baseFee: 5,
      /** @param {{ readonly stack: { pop(): bigint, push(value: bigint): void } }} runState */
      logicFunction: (runState) => runState.stack.push(2n * runState.stack.pop()),
    },
  ],
  ...options.sizes,
  ...(options.params === true ? { params: { 1: { addGas: 1003 } } } : {}),
  ...(options.hook === undefined
    ? {}
    : {
        hooks: {
          beforeTx: () => {
            if (options.hook === 'throws') throw new TypeError('the hook gave up')
          },
        },
      }),
})

export default factory
