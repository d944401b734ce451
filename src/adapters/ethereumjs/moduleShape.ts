/**
 * The shape of what a user's module adds, looked at once when it is loaded: a name that is mistyped would otherwise add
 * nothing without a word, and a wrong shape would fail inside @ethereumjs/evm, in the middle of a block.
 */

const isObject = (given: unknown): given is Readonly<Record<string, unknown>> =>
  typeof given === 'object' && given !== null && !Array.isArray(given)
const isFunction = (given: unknown): boolean => typeof given === 'function'
const isFlag = (given: unknown): boolean => typeof given === 'boolean'
const isByte = (given: unknown): boolean => Number.isInteger(given) && (given as number) >= 0 && (given as number) < 256
const isWhole = (given: unknown): boolean => Number.isInteger(given) && (given as number) >= 0

const isAddress = (given: unknown): boolean =>
  typeof given === 'string'
    ? /^0x[0-9a-f]{40}$/i.test(given)
    : isObject(given) && given['bytes'] instanceof Uint8Array && given['bytes'].length === 20

/** Without a function an opcode or a precompile is taken away. */
const mayHave = (given: unknown, name: string): boolean =>
  isObject(given) && (given[name] === undefined || isFunction(given[name]))

const isOpcode = (given: unknown): boolean =>
  isObject(given) && isByte(given['opcode']) && mayHave(given, 'logicFunction') && mayHave(given, 'gasFunction')
const isPrecompile = (given: unknown): boolean =>
  isObject(given) && isAddress(given['address']) && mayHave(given, 'function')
const listOf =
  (isOne: (given: unknown) => boolean) =>
  (given: unknown): boolean =>
    Array.isArray(given) && given.every(isOne)

const HOOKS = ['beforeTx', 'afterTx', 'step', 'beforeMessage', 'afterMessage', 'newContract']

/** What each field is, and how that is told. */
const FIELDS: Readonly<Record<string, readonly [isRight: (given: unknown) => boolean, what: string]>> = {
  customOpcodes: [listOf(isOpcode), 'a list of { opcode, logicFunction, … } with bytes and functions'],
  customPrecompiles: [listOf(isPrecompile), 'a list of { address, function } with 20 bytes each'],
  params: [isObject, 'an object of parameters by EIP'],
  eips: [listOf(isWhole), 'a list of numbers'],
  hooks: [isObject, 'an object of functions'],
  kzg: [(given) => isObject(given) && isFunction(given['verifyProof']), 'an object with verifyProof'],
  bls: [isObject, 'an object'],
  bn254: [isObject, 'an object'],
  allowUnlimitedContractSize: [isFlag, 'true or false'],
  allowUnlimitedInitCodeSize: [isFlag, 'true or false'],
}

/** What is wrong with what a factory made, in words; undefined where nothing is. */
export const moduleProblem = (made: unknown): string | undefined => {
  if (!isObject(made)) return 'its factory returned no object'
  for (const [name, given] of Object.entries(made)) {
    const field = FIELDS[name]
    if (field === undefined) return `'${name}' is none of ${Object.keys(FIELDS).join(', ')}`
    const [isRight, what] = field
    if (given !== undefined && !isRight(given)) return `'${name}' is not ${what}`
  }
  for (const [name, hook] of Object.entries((made['hooks'] as object | undefined) ?? {})) {
    if (!HOOKS.includes(name)) return `hook '${name}' is none of ${HOOKS.join(', ')}`
    if (hook !== undefined && !isFunction(hook)) return `hook '${name}' is not a function`
  }
  return undefined
}

/** What is wrong with what a precompile returned; undefined where nothing is. */
export const precompileProblem = (result: unknown): string | undefined => {
  if (!isObject(result)) return 'a precompile returned no object'
  const { executionGasUsed, returnValue } = result
  // Less than nothing would be gas for the transaction.
  if (typeof executionGasUsed !== 'bigint' || executionGasUsed < 0n)
    return 'a precompile used gas that is no bigint from 0 on'
  if (!(returnValue instanceof Uint8Array)) return 'a precompile returned a value that is not bytes'
  return undefined
}
