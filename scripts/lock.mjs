/**
 * `npm run lock`: makes package-lock.json whole after a dependency has changed; prints what it added.
 *
 * npm leaves a platform's binary out of the lock where the registry in use does not carry it, and `npm ci` then refuses
 * that lock everywhere. Such a binary is an optional dependency of an exact version whose name tells its platform, so
 * its entry can be written without asking: no integrity (nobody has seen the file), the rest as npm would. Addresses of
 * the registry are taken out too.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
/** @type {Record<string, Record<string, any>>} */
const packages = lock.packages
const known = {
  os: ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'],
  cpu: ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'],
  libc: /** @type {Record<string, string>} */ ({ gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' }),
}

/**
 * @param {string} from - place of the package that asks
 * @param {string} name
 */
function resolves(from, name) {
  const owners = from.split('/node_modules/')
  return owners.some((_, depth) => {
    const owner = owners.slice(0, depth + 1).join('/node_modules/')
    return packages[`${owner}/node_modules/${name}`] !== undefined
  })
}

const added = []
for (const [from, owner] of Object.entries(packages)) {
  delete owner['resolved']
  for (const [name, version] of Object.entries(owner['optionalDependencies'] ?? {})) {
    if (packages[`node_modules/${name}`] !== undefined || resolves(from, name)) continue
    const words = name.split(/[/-]/)
    const os = words.filter((word) => known.os.includes(word))
    const cpu = words.filter((word) => known.cpu.includes(word))
    const libc = os[0] === 'linux' ? words.flatMap((word) => known.libc[word] ?? []) : []
    if (os.length !== 1 || cpu.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) {
      throw new Error(`${from}: cannot tell the platform of ${name}@${version}`)
    }
    const place = `${from.slice(0, Math.max(0, from.lastIndexOf('node_modules/')))}node_modules/${name}`
    packages[place] = {
      version,
      cpu,
      ...(owner['dev'] && { dev: true }),
      ...(libc.length > 0 && { libc }),
      optional: true,
      os,
    }
    added.push(`${name}@${version}`)
  }
}
const byName = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
lock.packages = Object.fromEntries(byName)
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length === 0 ? 'package-lock.json: nothing to add' : `package-lock.json: added ${added.join(', ')}`)
