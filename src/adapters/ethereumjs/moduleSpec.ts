/**
 * The option `ethereumjs`: where the module is that extends the EVM, and what it is built from.
 *
 * Apart from module.ts because every executor's options name it, and types of packages that need not be installed must
 * not be part of them.
 */
import { InvalidInputError } from '../../core/errors.ts'

/** Where the module is, and what it is built from. */
export interface EthereumjsOptions {
  /** Address of a module whose default export is made by `defineEvmModule`; workers import it. */
  readonly module?: URL | string
  /** What its factory gets: anything that `structuredClone` takes. */
  readonly options?: unknown
}

/** The same as it is sent to a worker. */
export interface ModuleSpec {
  readonly module: string | undefined
  readonly options: unknown
}

const refuse = (option: string, reason: string, cause?: unknown): never => {
  throw new InvalidInputError('INVALID_OPTION', `${option} ${reason}`, { option }, cause === undefined ? {} : { cause })
}

const KNOWN: ReadonlySet<string> = new Set(['module', 'options'])

/**
 * Checks the option `ethereumjs` before a worker starts.
 *
 * @throws {InvalidInputError} INVALID_OPTION for what no thread can be sent
 */
export const moduleSpecOf = (given: EthereumjsOptions = {}): ModuleSpec => {
  if (typeof given !== 'object' || given === null) refuse('ethereumjs', `is an object, not ${String(given)}`)
  for (const name of Object.keys(given)) {
    if (KNOWN.has(name)) continue
    refuse(
      `ethereumjs.${name}`,
      'cannot be sent to a worker from here: export it from a module (defineEvmModule) and give the module, { module, options }',
    )
  }
  const module = given.module instanceof URL ? given.module.href : given.module
  if (module !== undefined && (typeof module !== 'string' || module === '')) {
    refuse('ethereumjs.module', 'is the URL of a module')
  }
  if (module === undefined && given.options !== undefined) refuse('ethereumjs.options', 'is nothing without a module')
  try {
    structuredClone(given.options)
  } catch (cause) {
    refuse(
      'ethereumjs.options',
      `cannot be sent to a worker (${cause instanceof Error ? cause.message : String(cause)}): functions belong into the module`,
      cause,
    )
  }
  return { module, options: given.options }
}
