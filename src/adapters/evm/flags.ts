/** Bits of `beginBlock`'s flags, for every EVM adapter. */
export const EvmFlag = { SpuriousDragon: 1 } as const
