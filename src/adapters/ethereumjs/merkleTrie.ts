/**
 * A Merkle Patricia trie over somebody else's store of nodes, for one block: read node by node as keys are asked for,
 * changed in memory, hashed once at the end.
 *
 * @ethereumjs/mpt decodes every node on the way at each read, and hashes every node on the way at each write. Here a node
 * is decoded once a block, and hashed once however many of its leaves have changed.
 * Keys are hashes, all of 32 bytes, so that no branch has a value.
 *
 * Source: Ethereum yellow paper, appendix D.
 * Concurrency: main thread. Reads may overlap, and may load a node twice; nothing is read while something is written.
 */
import { RLP } from '@ethereumjs/rlp'

/** Nodes by their hashes; undefined where there is none. */
export type LoadNode = (hash: Uint8Array) => Promise<Uint8Array | undefined>
export type SaveNode = (hash: Uint8Array, node: Uint8Array) => Promise<void>

interface Leaf {
  readonly kind: 'leaf'
  readonly path: Uint8Array
  value: Uint8Array
}
interface Extension {
  readonly kind: 'extension'
  readonly path: Uint8Array
  child: Ref
}
interface Branch {
  readonly kind: 'branch'
  readonly children: (Ref | undefined)[]
}
type Node = Leaf | Extension | Branch

/** What a parent holds of a node: its hash, or itself where it is shorter than one. */
type Encoded = Uint8Array | readonly unknown[]

/** A node by what its parent holds, itself, or both. What was changed has no encoding until it is hashed. */
interface Ref {
  encoded: Encoded | undefined
  node: Node | undefined
}

/** A node that the store lacks. */
export class MissingNode extends Error {
  override readonly name = 'Blockloom.MissingNode'
}

const NOTHING = new Uint8Array(0)
const HASH = 32

const refOf = (node: Node): Ref => ({ encoded: undefined, node })

/** A key as its 64 nibbles. */
const nibblesOf = (key: Uint8Array): Uint8Array => {
  const nibbles = new Uint8Array(2 * key.length)
  key.forEach((byte, k) => {
    nibbles[2 * k] = byte >> 4
    nibbles[2 * k + 1] = byte & 15
  })
  return nibbles
}

/** A path with its length's parity and what it leads to. */
const packed = (path: Uint8Array, isLeaf: boolean): Uint8Array => {
  const odd = path.length & 1
  const bytes = new Uint8Array(1 + (path.length >> 1))
  bytes[0] = (isLeaf ? 32 : 0) | (odd === 1 ? 16 | path[0] : 0)
  for (let k = odd; k < path.length; k += 2) bytes[1 + (k >> 1)] = (path[k] << 4) | path[k + 1]
  return bytes
}

const unpacked = (bytes: Uint8Array): { readonly path: Uint8Array; readonly isLeaf: boolean } => {
  const nibbles = nibblesOf(bytes)
  return { path: nibbles.subarray((bytes[0] & 16) !== 0 ? 1 : 2), isLeaf: (bytes[0] & 32) !== 0 }
}

const linkOf = (encoded: unknown): Ref | undefined =>
  (encoded as Encoded).length === 0 ? undefined : { encoded: encoded as Encoded, node: undefined }

const nodeOf = (items: readonly unknown[]): Node => {
  if (items.length === 17) return { kind: 'branch', children: items.slice(0, 16).map(linkOf) }
  const { path, isLeaf } = unpacked(items[0] as Uint8Array)
  if (isLeaf) return { kind: 'leaf', path, value: items[1] as Uint8Array }
  return { kind: 'extension', path, child: linkOf(items[1]) as Ref }
}

/** How many nibbles of `path` the key has from `at` on. */
const common = (path: Uint8Array, key: Uint8Array, at: number): number => {
  let k = 0
  while (k < path.length && path[k] === key[at + k]) k++
  return k
}

const joined = (front: Uint8Array, back: Uint8Array): Uint8Array => {
  const path = new Uint8Array(front.length + back.length)
  path.set(front)
  path.set(back, front.length)
  return path
}

export class MerkleTrie {
  readonly #load: LoadNode
  readonly #keccak256: (bytes: Uint8Array) => Uint8Array
  readonly #emptyRoot: Uint8Array
  #root: Ref | undefined

  constructor(root: Uint8Array, load: LoadNode, keccak256: (bytes: Uint8Array) => Uint8Array) {
    this.#load = load
    this.#keccak256 = keccak256
    this.#emptyRoot = keccak256(Uint8Array.of(0x80))
    const isEmpty = root.every((byte, k) => byte === this.#emptyRoot[k])
    this.#root = isEmpty ? undefined : { encoded: root, node: undefined }
  }

  /** @throws {MissingNode} */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const path = nibblesOf(key)
    let at = 0
    for (let ref = this.#root; ref !== undefined; ) {
      const node = ref.node ?? (await this.#loaded(ref))
      if (node.kind === 'branch') ref = node.children[path[at++]]
      else {
        if (common(node.path, path, at) < node.path.length) return undefined
        if (node.kind === 'leaf') return node.value
        at += node.path.length
        ref = node.child
      }
    }
    return undefined
  }

  /** @param value - not empty. @throws {MissingNode} */
  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#root = await this.#put(this.#root, nibblesOf(key), 0, value)
  }

  /** @throws {MissingNode} */
  async delete(key: Uint8Array): Promise<void> {
    if ((await this.get(key)) !== undefined) this.#root = await this.#delete(this.#root as Ref, nibblesOf(key), 0)
  }

  /** Hashes what has changed, and hands its nodes to `save`. */
  async commit(save: SaveNode): Promise<Uint8Array> {
    if (this.#root === undefined) return this.#emptyRoot
    const nodes: [Uint8Array, Uint8Array][] = []
    let root = this.#encode(this.#root, nodes)
    if (!(root instanceof Uint8Array)) {
      const bytes = RLP.encode(root as never)
      root = this.#keccak256(bytes)
      nodes.push([root, bytes])
      this.#root.encoded = root
    }
    for (const [hash, bytes] of nodes) await save(hash, bytes)
    return root
  }

  async #loaded(ref: Ref): Promise<Node> {
    const { encoded } = ref
    let items: unknown = encoded
    if (encoded instanceof Uint8Array) {
      const bytes = await this.#load(encoded)
      if (bytes === undefined) throw new MissingNode('the store of nodes lacks one')
      items = RLP.decode(bytes)
    }
    ref.node ??= nodeOf(items as readonly unknown[])
    return ref.node
  }

  async #put(ref: Ref | undefined, key: Uint8Array, at: number, value: Uint8Array): Promise<Ref> {
    if (ref === undefined) return refOf({ kind: 'leaf', path: key.slice(at), value })
    const node = ref.node ?? (await this.#loaded(ref))
    ref.encoded = undefined
    if (node.kind === 'branch') {
      node.children[key[at]] = await this.#put(node.children[key[at]], key, at + 1, value)
      return ref
    }
    const same = common(node.path, key, at)
    if (same === node.path.length) {
      if (node.kind === 'leaf') node.value = value
      else node.child = await this.#put(node.child, key, at + same, value)
      return ref
    }
    const children: (Ref | undefined)[] = new Array(16).fill(undefined)
    const rest = node.path.slice(same + 1)
    children[node.path[same]] =
      node.kind === 'leaf'
        ? refOf({ ...node, path: rest })
        : rest.length === 0
          ? node.child
          : refOf({ ...node, path: rest })
    children[key[at + same]] = refOf({ kind: 'leaf', path: key.slice(at + same + 1), value })
    const branch = refOf({ kind: 'branch', children })
    return same === 0 ? branch : refOf({ kind: 'extension', path: node.path.slice(0, same), child: branch })
  }

  /** Of a key that is there; undefined where nothing is left. */
  async #delete(ref: Ref, key: Uint8Array, at: number): Promise<Ref | undefined> {
    const node = ref.node ?? (await this.#loaded(ref))
    if (node.kind === 'leaf') return undefined
    ref.encoded = undefined
    if (node.kind === 'extension') {
      // Below an extension lies a branch, which keeps one child at least.
      const child = (await this.#delete(node.child, key, at + node.path.length)) as Ref
      return this.#extended(node.path, child)
    }
    const { children } = node
    const child = children[key[at]] as Ref
    children[key[at]] = await this.#delete(child, key, at + 1)
    const left = children.flatMap((one, nibble) => (one === undefined ? [] : [nibble]))
    if (left.length > 1) return ref
    const [nibble] = left as [number]
    return this.#extended(Uint8Array.of(nibble), children[nibble] as Ref)
  }

  /** What stands for a path to `child`, which takes it up unless it is a branch. */
  async #extended(path: Uint8Array, child: Ref): Promise<Ref> {
    const node = child.node ?? (await this.#loaded(child))
    if (node.kind === 'branch') return refOf({ kind: 'extension', path, child })
    return refOf({ ...node, path: joined(path, node.path) })
  }

  /** What a parent holds of the node. */
  #encode(ref: Ref, nodes: [Uint8Array, Uint8Array][]): Encoded {
    if (ref.encoded !== undefined) return ref.encoded
    const items = this.#items(ref.node as Node, nodes)
    const bytes = RLP.encode(items as never)
    if (bytes.length < HASH) ref.encoded = items
    else {
      const hash = this.#keccak256(bytes)
      nodes.push([hash, bytes])
      ref.encoded = hash
    }
    return ref.encoded
  }

  #items(node: Node, nodes: [Uint8Array, Uint8Array][]): readonly unknown[] {
    if (node.kind === 'leaf') return [packed(node.path, true), node.value]
    if (node.kind === 'extension') return [packed(node.path, false), this.#encode(node.child, nodes)]
    return [...node.children.map((child) => (child === undefined ? NOTHING : this.#encode(child, nodes))), NOTHING]
  }
}
