/**
 * Checks of what callers give. An option of the wrong kind is told by its name, at once, and not by whatever stumbles
 * over it first, inside a worker perhaps.
 */
import { type ErrorFields, InvalidInputError } from './errors.ts'

/** The error of an option that cannot be used. */
export const badOption = (option: string, message: string, fields: ErrorFields = {}): InvalidInputError =>
  new InvalidInputError('INVALID_OPTION', message, { option, ...fields })

/** @throws {InvalidInputError} INVALID_OPTION unless `options` is an object */
export const checkObject = (options: unknown): void => {
  if (typeof options !== 'object' || options === null) {
    throw badOption('options', `options are an object, not ${String(options)}`)
  }
}

/** @throws {InvalidInputError} INVALID_OPTION where one of the named options is there, and neither true nor false */
export const checkFlags = <O extends object>(options: O, ...names: readonly (keyof O & string)[]): void => {
  for (const name of names) {
    const value: unknown = options[name]
    if (value === undefined || typeof value === 'boolean') continue
    throw badOption(name, `${name} is true or false, not ${String(value)}`)
  }
}

/** @throws {InvalidInputError} INVALID_OPTION where the option is there, and none of `choices` */
export const checkChoice = (name: string, value: unknown, choices: readonly string[]): void => {
  if (value === undefined || choices.includes(value as string)) return
  const quoted = choices.map((choice) => `'${choice}'`)
  const last = quoted.pop()
  throw badOption(name, `${name} is ${quoted.join(', ')} or ${last}, not ${String(value)}`)
}

/**
 * An option that is a whole number in a range, or what stands for it where it is absent.
 *
 * @throws {InvalidInputError} INVALID_OPTION with the limit and the number
 */
export const wholeNumber = (
  name: string,
  value: number | undefined,
  least: number,
  most: number,
  absent: number,
): number => {
  if (value === undefined) return absent
  if (Number.isInteger(value) && value >= least && value <= most) return value
  const message = `${name} is not a whole number from ${least} to ${most}: ${String(value)}`
  throw badOption(name, message, { limit: most, actual: value })
}
