/**
 * The parameters that @ethereumjs packages of version 10.1.3 fill into a Common, which are those of the protocol: what the
 * kernel runs by. A Common that has others was given its own.
 *
 * Compared with the packages by test/ethereumjs/params.test.ts.
 */

/** `eip:<number>`, then the names and values of that EIP; alternatives where two packages differ. */
const TABLE = `
eip:1 minGasLimit=5000 gasLimitBoundDivisor=1024 targetBlobGasPerBlock=0 blobGasPerBlob=0 maxBlobGasPerBlock=0
maxExtraDataSize=32 minimumDifficulty=131072 difficultyBoundDivisor=2048 durationLimit=13 difficultyBombDelay=0
maxRefundQuotient=2 basefeeGas=2 expGas=10 expByteGas=10 keccak256Gas=30 keccak256WordGas=6 sloadGas=50
sstoreSetGas=20000 sstoreResetGas=5000 sstoreRefundGas=15000 jumpdestGas=1 logGas=375 logDataGas=8 logTopicGas=375
createGas=32000 callGas=40 callStipendGas=2300 callValueTransferGas=9000 callNewAccountGas=25000
selfdestructRefundGas=24000 memoryGas=3 quadCoefficientDivGas=512 createDataGas=200 copyGas=3 ecRecoverGas=3000
sha256Gas=60 sha256WordGas=12 ripemd160Gas=600 ripemd160WordGas=120 identityGas=15 identityWordGas=3 stopGas=0
addGas=3 mulGas=5 subGas=3 divGas=5 sdivGas=5 modGas=5 smodGas=5 addmodGas=8 mulmodGas=8 signextendGas=5 ltGas=3
gtGas=3 sltGas=3 sgtGas=3 eqGas=3 iszeroGas=3 andGas=3 orGas=3 xorGas=3 notGas=3 byteGas=3 addressGas=2
balanceGas=20 originGas=2 callerGas=2 callvalueGas=2 calldataloadGas=3 calldatasizeGas=2 calldatacopyGas=3
codesizeGas=2 codecopyGas=3 gaspriceGas=2 extcodesizeGas=20 extcodecopyGas=20 blockhashGas=20 coinbaseGas=2
timestampGas=2 numberGas=2 difficultyGas=2 gaslimitGas=2 slotnumGas=2 popGas=2 mloadGas=3 mstoreGas=3 mstore8Gas=3
sstoreGas=0 jumpGas=8 jumpiGas=10 pcGas=2 msizeGas=2 gasGas=2 pushGas=3 dupGas=3 swapGas=3 callcodeGas=40
returnGas=0 invalidGas=0 selfdestructGas=0 prevrandaoGas=0 stackLimit=1024 txGas=21000 txCreationGas=32000
txDataZeroGas=4 txDataNonZeroGas=68 accessListStorageKeyGas=0 accessListAddressGas=0 minerReward=5000000000000000000
eip:606 delegatecallGas=40 eip:607 expByteGas=50 maxCodeSize=24576 eip:608 sloadGas=200 callGas=700
extcodesizeGas=700 extcodecopyGas=700 balanceGas=400 delegatecallGas=700 callcodeGas=700 selfdestructGas=5000
eip:609 difficultyBombDelay=3000000 modexpGquaddivisorGas=20 bn254AddGas=500 bn254MulGas=40000
bn254PairingGas=100000 bn254PairingWordGas=80000 revertGas=0 staticcallGas=700 returndatasizeGas=2
returndatacopyGas=3 minerReward=3000000000000000000 eip:1013 difficultyBombDelay=5000000 netSstoreNoopGas=200
netSstoreInitGas=20000 netSstoreCleanGas=5000 netSstoreDirtyGas=200 netSstoreClearRefundGas=15000
netSstoreResetRefundGas=4800 netSstoreResetClearRefundGas=19800 shlGas=3 shrGas=3 sarGas=3 extcodehashGas=400
create2Gas=32000 minerReward=2000000000000000000 eip:1153 tstoreGas=100 tloadGas=100 eip:1559
baseFeeMaxChangeDenominator=8 elasticityMultiplier=2 initialBaseFee=1000000000 eip:1679 blake2RoundGas=1
bn254AddGas=150 bn254MulGas=6000 bn254PairingGas=45000 bn254PairingWordGas=34000 sstoreSentryEIP2200Gas=2300
sstoreNoopEIP2200Gas=800 sstoreDirtyEIP2200Gas=800 sstoreInitEIP2200Gas=20000 sstoreInitRefundEIP2200Gas=19200
sstoreCleanEIP2200Gas=5000 sstoreCleanRefundEIP2200Gas=4200 sstoreClearRefundEIP2200Gas=15000 balanceGas=700
extcodehashGas=700 chainidGas=2 selfbalanceGas=5 sloadGas=800 txDataNonZeroGas=16 eip:1716 netSstoreNoopGas=null
netSstoreInitGas=null netSstoreCleanGas=null netSstoreDirtyGas=null netSstoreClearRefundGas=null
netSstoreResetRefundGas=null netSstoreResetClearRefundGas=null eip:2384 difficultyBombDelay=9000000 eip:2537
bls12381G1AddGas=375 bls12381G1MulGas=12000 bls12381G2AddGas=600 bls12381G2MulGas=22500 bls12381PairingBaseGas=37700
bls12381PairingPerPairGas=32600 bls12381MapG1Gas=5500 bls12381MapG2Gas=23800 eip:2565 modexpGquaddivisorGas=3
eip:2780 txValueCost=6000 transferLogCost=1756 txRecipientAccessGas=3000 txGas=12000 eip:2929 coldsloadGas=2100
coldaccountaccessGas=2600 warmstoragereadGas=100 sstoreCleanEIP2200Gas=2900 sstoreNoopEIP2200Gas=100
sstoreDirtyEIP2200Gas=100 sstoreInitRefundEIP2200Gas=19900 sstoreCleanRefundEIP2200Gas=4900 callGas=0 callcodeGas=0
delegatecallGas=0 staticcallGas=0 balanceGas=0 extcodesizeGas=0 extcodecopyGas=0 extcodehashGas=0 sloadGas=0
sstoreGas=0 eip:2930 accessListStorageKeyGas=1900 accessListAddressGas=2400 eip:2935
historyStorageAddress=0x0000F90827F1C53A10CB7A02335B175320002935 historyServeWindow=8192|8191
systemAddress=0xfffffffffffffffffffffffffffffffffffffffe eip:3198 basefeeGas=2 eip:3529 maxRefundQuotient=5
selfdestructRefundGas=0 sstoreClearRefundEIP2200Gas=4800 eip:3554 difficultyBombDelay=9500000 eip:3855 push0Gas=2
eip:3860 initCodeWordGas=2 maxInitCodeSize=49152 eip:4200 rjumpGas=2 rjumpiGas=4 rjumpvGas=4 eip:4345
difficultyBombDelay=10700000 eip:4399 prevrandaoGas=2 eip:4750 callfGas=5 retfGas=3 eip:4788
historicalRootsLength=8191 eip:4844 targetBlobGasPerBlock=393216 blobGasPerBlob=131072 maxBlobGasPerBlock=786432
blobGasPriceUpdateFraction=3338477 minBlobGas=1 blobBaseCost=8192 kzgPointEvaluationPrecompileGas=50000
blobhashGas=3 blobCommitmentVersionKzg=1 fieldElementsPerBlob=4096 eip:5133 difficultyBombDelay=11400000 eip:5656
mcopyGas=3 eip:6206 jumpfGas=5 eip:7002 systemAddress=0xfffffffffffffffffffffffffffffffffffffffe
withdrawalRequestPredeployAddress=0x00000961EF480EB55E80D19AD83579A64C007002 systemCallGasLimit=30000000 eip:7069
extcallGas=0 extdelegatecallGas=0 extstaticcallGas=0 returndataloadGas=3 minRetainedGas=5000 minCalleeGas=2300
eip:7251 systemAddress=0xfffffffffffffffffffffffffffffffffffffffe
consolidationRequestPredeployAddress=0x0000BBDDC7CE488642FB579F8B00F3A590007251 systemCallGasLimit=30000000 eip:7480
dataloadGas=4 dataloadnGas=3 datasizeGas=2 datacopyGas=3 eip:7516 blobbasefeeGas=2 eip:7594 maxBlobsPerTx=6 eip:7620
eofcreateGas=32000 returncontractGas=0 eip:7623 totalCostFloorPerToken=10 eip:7691 targetBlobGasPerBlock=786432
maxBlobGasPerBlock=1179648 blobGasPriceUpdateFraction=5007716 eip:7702 perAuthBaseGas=12500
perEmptyAccountCost=25000 eip:7825 maxTransactionGasLimit=16777216 eip:7939 clzGas=5 eip:7954 maxCodeSize=65536
maxInitCodeSize=131072 eip:7976 totalCostFloorPerToken=16 eip:7981 accessListStorageKeyGas=3000
accessListAddressGas=3000 eip:8024 dupnGas=3 swapnGas=3 exchangeGas=3 eip:8037 createGas=11000 create2Gas=11000
callNewAccountGas=0 createDataGas=0 codeDepositHashWordGas=6 costPerStateByte=1530 stateBytesPerStorageSet=64
stateBytesPerNewAccount=120 stateBytesPerAuthBase=23 systemMaxSstoresPerCall=16 perAuthBaseGas=7816
perEmptyAccountCost=0 accountWriteGas=8000 txCreationGas=11000 eip:8038 coldsloadGas=2100 coldaccountaccessGas=3000
storageWriteGas=10000 refundStorageClearGas=11616 callValueTransferGas=11300 accountWriteGas=9000 createGas=12000
create2Gas=12000 accessListStorageKeyGas=2000 accessListAddressGas=2900 txCreationGas=12000 eip:8282
systemAddress=0xfffffffffffffffffffffffffffffffffffffffe
builderDepositContractAddress=0x0000BFF46984E3725691FA540A8C7589300D8282
builderExitContractAddress=0x000064D678505AD48F8CCB093BC65613800E8282 systemCallGasLimit=30000000
`

/** Parameters that are taken over from a Common (`resolveChain`). */
export const TAKEN_OVER: readonly string[] = [
  'target',
  'max',
  'blobGasPriceUpdateFraction',
  'targetBlobGasPerBlock',
  'maxBlobGasPerBlock',
]

let standard: ReadonlyMap<string, readonly string[]> | undefined

/** Values by `<eip>.<name>`. */
export const standardParams = (): ReadonlyMap<string, readonly string[]> => {
  standard ??= parsed()
  return standard
}

const parsed = (): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, readonly string[]>()
  let eip = ''
  for (const word of TABLE.trim().split(/\s+/)) {
    if (word.startsWith('eip:')) eip = word.slice(4)
    else {
      const at = word.indexOf('=')
      found.set(`${eip}.${word.slice(0, at)}`, word.slice(at + 1).split('|'))
    }
  }
  return found
}

/**
 * Parameters of a Common that are not the protocol's. Those that nobody here knows are none: a later version of the
 * packages may bring them.
 *
 * @param chain - whatever was given as a chain
 * @returns their names, as `<eip>.<name>`
 */
export const ownParamsOf = (chain: unknown): string[] => {
  if (typeof chain !== 'object' || chain === null || !('_params' in chain)) return []
  const params = chain._params as Readonly<Record<string, Readonly<Record<string, unknown>>>>
  const known = standardParams()
  return Object.entries(params).flatMap(([eip, values]) =>
    Object.entries(values)
      .filter(([name, value]) => {
        const expected = known.get(`${eip}.${name}`)
        return !TAKEN_OVER.includes(name) && expected !== undefined && !expected.includes(String(value))
      })
      .map(([name]) => `${eip}.${name}`),
  )
}
