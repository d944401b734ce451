/** The trie of one block against @ethereumjs/mpt: whatever is put and deleted, the same root over the same store. */
import { createMPT } from '@ethereumjs/mpt'
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MerkleTrie } from '../../src/adapters/ethereumjs/merkleTrie.ts'

/** Keys with long common beginnings, so that there are extensions at every depth. */
const key = fc
  .tuple(fc.constantFrom(0, 1, 2, 15, 31), fc.integer({ min: 0, max: 6 }), fc.constantFrom(0, 1, 16, 17, 255))
  .map(([at, count, byte]) => {
    const bytes = new Uint8Array(32)
    for (let k = at; k < Math.min(32, at + count); k++) bytes[k] = byte
    return bytes
  })
/** Empty deletes. Short ones make nodes that lie in their parents. */
const value = fc.uint8Array({ maxLength: 40 })
const steps = fc.array(fc.tuple(key, value), { maxLength: 30 })

test('merkle trie: two blocks of puts and deletes end at the root of @ethereumjs/mpt, and it reads what was written', () =>
  fc.assert(
    fc.asyncProperty(steps, steps, async (first, second) => {
      const theirs = await createMPT()
      for (const [k, v] of first) await theirs.put(k, v)
      const db = theirs.database()
      const start = theirs.root()
      const own = new MerkleTrie(start, (hash) => db.get(hash), keccak_256)
      const held = new Map<string, Uint8Array>()
      for (const [k, v] of first) held.set(String(k), v)
      for (const [k, v] of second) {
        const before = held.get(String(k))
        expect(await own.get(k)).toEqual(before === undefined || before.length === 0 ? undefined : before)
        await (v.length === 0 ? own.delete(k) : own.put(k, v))
        held.set(String(k), v)
        await theirs.put(k, v)
      }
      const root = await own.commit((hash, node) => db.put(hash, node))
      expect(root).toEqual(theirs.root())
      // All that is reachable from the root is there: what mpt wrote itself is the same by its hash.
      const saved = new Map<string, Uint8Array>()
      const alone = new MerkleTrie(start, (hash) => db.get(hash), keccak_256)
      for (const [k, v] of second) await (v.length === 0 ? alone.delete(k) : alone.put(k, v))
      await alone.commit(async (hash, node) => void saved.set(String(hash), node))
      const reads = new MerkleTrie(root, async (hash) => saved.get(String(hash)) ?? db.get(hash), keccak_256)
      for (const [k] of [...first, ...second]) {
        const wanted = held.get(String(k)) as Uint8Array
        expect(await reads.get(k)).toEqual(wanted.length === 0 ? undefined : wanted)
      }
    }),
    { numRuns: 100 },
  ))
