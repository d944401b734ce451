/**
 * An adapter whose inputs are [account, amount] in bytes: adds the amount to the account, and answers what was there.
 * Amount 0 is invalid. `await` makes it asynchronous.
 *
 * @param {{ readonly await?: boolean } | undefined} options
 * @param {import('blockloom/tasks').AdapterHost} host
 * @returns {import('blockloom/tasks').CustomAdapter}
 */
export function createAdapter(options, host) {
  /** @type {import('../../src/adapters/custom/adapter.ts').CustomAdapter['execute']} */
  const execute = ({ input: [account = 0, amount = 0] }, memory) => {
    if (amount === 0) return host.invalid('nothing to add')
    const there = memory.get(`account ${account}`)
    if (there === host.BLOCKED) return host.blocked()
    const before = there?.[0] ?? 0
    memory.set(`account ${account}`, Uint8Array.of(before + amount))
    return host.done(Uint8Array.of(before))
  }
  return options?.await === true
    ? { kind: 'async', execute: async (place, memory) => execute(place, memory) }
    : { kind: 'sync', execute }
}
