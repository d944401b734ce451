/** What user code throws can be anything, also what cannot be looked at: a revoked proxy, a getter that throws. */

export const isError = (thrown: unknown): thrown is Error => {
  try {
    return thrown instanceof Error
  } catch {
    return false
  }
}

/** A text that user code has a hand in; `otherwise` where it cannot be had. */
export const textOf = (read: () => unknown, otherwise: string): string => {
  try {
    return String(read())
  } catch {
    return otherwise
  }
}

/** What an error says, or what was thrown in its place. */
export const messageOf = (thrown: unknown): string =>
  textOf(() => (isError(thrown) ? thrown.message : thrown), 'what was thrown cannot be printed')
