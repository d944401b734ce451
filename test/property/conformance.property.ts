/** Whatever stands where a fixture should be: a value or a FixtureError, never another error. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFixture } from '../../src/cli/conformance/fixture.ts'
import { FixtureError, parseJson } from '../../src/cli/conformance/json.ts'
import { smallTest } from '../support/fixtures.ts'

function onlyFixtureErrors(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(FixtureError)
  }
}

describe('conformance: fuzz', () => {
  test('text with a piece replaced or cut off', () => {
    const text = JSON.stringify(smallTest())
    fc.assert(
      fc.property(
        fc.nat(text.length),
        fc.nat(40),
        fc.oneof(fc.string(), fc.constantFrom('"', '{', '}', '\\', 'null', '-1')),
        (from, cut, piece) => {
          onlyFixtureErrors(() =>
            decodeFixture(parseJson(text.slice(0, from) + piece + text.slice(from + cut), ['f']), ['f']),
          )
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('any JSON in the place of any field', () => {
    const names = [
      'pre',
      'postState',
      'blocks',
      'network',
      'config',
      'genesisBlockHeader',
      'genesisRLP',
      'lastblockhash',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, value) => {
        onlyFixtureErrors(() => decodeFixture({ ...smallTest(), [name]: value }, ['f']))
      }),
      { numRuns: 2000 },
    )
  })

  test('a text without equal keys is read as JSON.parse reads it; with one key twice it is refused', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { minKeys: 1 }), (value) => {
        const text = JSON.stringify(value)
        expect(parseJson(text, [])).toEqual(JSON.parse(text))
        const [key] = Object.keys(value)
        expect(() => parseJson(`{${JSON.stringify(key)}:0,${text.slice(1)}`, [])).toThrow(/given twice/)
      }),
      { numRuns: 1000 },
    )
  })
})
