/** The hazards of the EVM and of the block's ends, on the ethereumjs adapter: the same tests, the same expectations. */
process.env['BLOCKLOOM_ADAPTER'] = 'ethereumjs'
await import('../hazards/evm.test.ts')
await import('../hazards/fees.test.ts')
await import('../hazards/ends.test.ts')
await import('../hazards/reviewed.test.ts')
await import('../hazards/gas.test.ts')
