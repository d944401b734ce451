/** Whose Amsterdam a fixture is of. Fixtures do not say; the releases that they come from do. */
import type { AmsterdamDialect } from '../../evm.ts'

/** Releases of fixtures by a part of the path of a source or of the file in it. */
const RELEASES: readonly (readonly [path: RegExp, dialect: AmsterdamDialect])[] = [
  [/bal[-@]v5\.1\./, 'bal-devnet-2'],
  [/blockchain_tests_devnet\//, 'bal-devnet-4'],
]

/** The dialect of a case that stands in `file` of `source`; undefined where neither names a release. */
export function dialectOf(source: string, file: string): AmsterdamDialect | undefined {
  return RELEASES.find(([path]) => path.test(source) || path.test(file))?.[1]
}
