/**
 * The consensus tests as a sieve for the decoder: what they call valid must decode, what they do not must not crash.
 */

import { hexToBytes, type PrefixedHexString } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { decodeBlock } from '../../src/adapters/evm/block.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { consensusTests, hasConsensusTests } from './evm-data.ts'

describe('decodeBlock: consensus tests', () => {
  test.skipIf(!hasConsensusTests).each([
    ['ethereum-tests', 4397],
    ['ethereum-legacytests', 5165],
    ['eest', 6154],
    ['eest-bal-v5.1.0', 307],
  ])(
    '%s: all %s valid blocks decode, the others decode or say why',
    async (file, valid) => {
      let decoded = 0
      for await (const { name, test: testCase } of consensusTests(file)) {
        for (const block of testCase.blocks) {
          const isValid = !Object.keys(block).some((key) => key.startsWith('expectException'))
          try {
            decodeBlock(hexToBytes(block.rlp as PrefixedHexString))
            if (isValid) decoded++
          } catch (error) {
            expect(error, name).toBeInstanceOf(InvalidInputError)
            expect(isValid, `${name}: ${(error as InvalidInputError).message}`).toBe(false)
          }
        }
      }
      expect(decoded).toBe(valid)
    },
    180_000,
  )
})
