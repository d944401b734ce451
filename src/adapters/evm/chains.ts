/**
 * The public Ethereum chains: when their forks began, and the blob parameters each fork brought.
 *
 * Source: @ethereumjs/common 10.1.3, `Mainnet`, `Sepolia`, `Holesky`, `Hoodi` (a test compares every number); blob
 * parameters from EIP-4844, EIP-7691 and EIP-7892. Before the merge a fork begins at a block, after it at a time.
 */

import type { BlobParams, ChainConfig, ForkActivation, ForkName } from './forks.ts'

/** The chains known by name. */
export type ChainName = 'mainnet' | 'sepolia' | 'holesky' | 'hoodi'

/** Blob parameters by the fork that brought them, the same on all public chains. Osaka kept those of Prague. */
export const BLOB_SCHEDULE: { readonly [Name in ForkName]?: BlobParams } = {
  cancun: { target: 3, max: 6, baseFeeUpdateFraction: 3_338_477 },
  prague: { target: 6, max: 9, baseFeeUpdateFraction: 5_007_716 },
  bpo1: { target: 10, max: 15, baseFeeUpdateFraction: 8_346_193 },
  bpo2: { target: 14, max: 21, baseFeeUpdateFraction: 11_684_671 },
}

const AT_GENESIS: ForkActivation = { block: 0 }

/** Forks that a chain started after them has from its first block. */
const GENESIS_TO_LONDON = {
  chainstart: AT_GENESIS,
  homestead: AT_GENESIS,
  tangerineWhistle: AT_GENESIS,
  spuriousDragon: AT_GENESIS,
  byzantium: AT_GENESIS,
  constantinople: AT_GENESIS,
  petersburg: AT_GENESIS,
  istanbul: AT_GENESIS,
  muirGlacier: AT_GENESIS,
  berlin: AT_GENESIS,
  london: AT_GENESIS,
}

/** The chains by name. */
export const CHAINS: Readonly<Record<ChainName, ChainConfig>> = {
  mainnet: {
    chainId: 1,
    forks: {
      chainstart: { block: 0 },
      homestead: { block: 1_150_000 },
      dao: { block: 1_920_000 },
      tangerineWhistle: { block: 2_463_000 },
      spuriousDragon: { block: 2_675_000 },
      byzantium: { block: 4_370_000 },
      constantinople: { block: 7_280_000 },
      petersburg: { block: 7_280_000 },
      istanbul: { block: 9_069_000 },
      muirGlacier: { block: 9_200_000 },
      berlin: { block: 12_244_000 },
      london: { block: 12_965_000 },
      arrowGlacier: { block: 13_773_000 },
      grayGlacier: { block: 15_050_000 },
      paris: { block: 15_537_394 },
      shanghai: { timestamp: 1_681_338_455 },
      cancun: { timestamp: 1_710_338_135 },
      prague: { timestamp: 1_746_612_311 },
      osaka: { timestamp: 1_764_798_551 },
      bpo1: { timestamp: 1_765_290_071 },
      bpo2: { timestamp: 1_767_747_671 },
    },
    depositContract: '0x00000000219ab540356cbb839cbe05303d7705fa',
  },
  sepolia: {
    chainId: 11_155_111,
    forks: {
      ...GENESIS_TO_LONDON,
      paris: { block: 1_450_409 },
      mergeNetsplitBlock: { block: 1_735_371 },
      shanghai: { timestamp: 1_677_557_088 },
      cancun: { timestamp: 1_706_655_072 },
      prague: { timestamp: 1_741_159_776 },
      osaka: { timestamp: 1_760_427_360 },
      bpo1: { timestamp: 1_761_017_184 },
      bpo2: { timestamp: 1_761_607_008 },
    },
    depositContract: '0x7f02c3e3c98b133055b8b348b2ac625669ed295d',
  },
  holesky: {
    chainId: 17_000,
    forks: {
      ...GENESIS_TO_LONDON,
      paris: AT_GENESIS,
      mergeNetsplitBlock: AT_GENESIS,
      shanghai: { timestamp: 1_696_000_704 },
      cancun: { timestamp: 1_707_305_664 },
      prague: { timestamp: 1_740_434_112 },
      osaka: { timestamp: 1_759_308_480 },
      bpo1: { timestamp: 1_759_800_000 },
      bpo2: { timestamp: 1_760_389_824 },
    },
    depositContract: '0x4242424242424242424242424242424242424242',
  },
  hoodi: {
    chainId: 560_048,
    forks: {
      ...GENESIS_TO_LONDON,
      paris: AT_GENESIS,
      mergeNetsplitBlock: AT_GENESIS,
      shanghai: { timestamp: 0 },
      cancun: { timestamp: 0 },
      prague: { timestamp: 1_742_999_832 },
      osaka: { timestamp: 1_761_677_592 },
      bpo1: { timestamp: 1_762_365_720 },
      bpo2: { timestamp: 1_762_955_544 },
    },
    depositContract: '0x00000000219ab540356cbb839cbe05303d7705fa',
  },
}
