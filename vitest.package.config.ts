import { defineConfig } from 'vitest/config'

/** `npm run test:package`: the packed package in foreign projects. Apart from `npm test`, since it installs from the registry. */
export default defineConfig({
  test: {
    include: ['test/package/*.slow.ts'],
    globalSetup: ['test/support/globalSetup.ts'],
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 300_000,
    reporters: ['default', './test/support/countReporter.ts'],
  },
})
