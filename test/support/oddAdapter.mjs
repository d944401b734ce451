/** An adapter that answers, or throws, as its input says: text, one of the names below. */

/** @type {Readonly<Record<string, () => unknown>>} */
const answers = {
  good: () => ({ outcome: 'done', result: Uint8Array.of(1) }),
  nothing: () => undefined,
  text: () => ({ outcome: 'done', result: 'text' }),
  unknown: () => ({ outcome: 'perhaps' }),
  silent: () => ({ outcome: 'invalid' }),
  promise: () => Promise.reject(new Error('nobody listens')),
  trap: () => ({
    get outcome() {
      throw new RangeError('do not look')
    },
  }),
  throw: () => {
    throw Object.create(null)
  },
}

/** @param {{ throws?: string }} options */
export function createAdapter({ throws }) {
  /** @param {string} name */
  const hook = (name) => () => {
    if (throws === name) throw new RangeError(`${name} is broken`)
  }
  return {
    kind: 'sync',
    beginBlock: hook('beginBlock'),
    endBlock: hook('endBlock'),
    /** @param {{ input: Uint8Array }} place */
    execute: ({ input }) => answers[new TextDecoder().decode(input)]?.(),
  }
}
