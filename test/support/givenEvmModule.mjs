/** An EVM module that is what its options say: `made` itself, or a precompile at 0xaaa that gives `answer`. */
/** @param {{ readonly made?: unknown, readonly answer?: unknown }} options */
export default ({ made, answer }) =>
  made ?? { customPrecompiles: [{ address: '0x0000000000000000000000000000000000000aaa', function: () => answer }] }
