//! Hashing what changed: dirty nodes are gathered by level, then hashed deepest first, one batch a level.
//!
//! A level is the nibble at which a node's path begins or, for a branch, at which its keys part; a node's children
//! are on deeper levels, so a level's nodes are independent of each other and go through Keccak together, two at a
//! time. All storage tries share their levels, since none of them depends on another; they come before the accounts
//! whose leaves hold their roots.
//!
//! A dirty bit stands in the parent, by child, and is cleared when the child's reference is written: a pass that
//! fails half-way leaves what it did not do dirty.

use super::node::*;
use super::rlp::{self, words_of_bytes};
use super::store::{push, Full, Ref, Store};
use crate::keccak::keccak256_batch;
use alloc::vec::Vec;

/// Levels of a trie: nibbles of a key, and the leaf below the last one.
const LEVELS: usize = NIBBLES as usize + 1;
/// Bytes of RLP that are hashed at a time: small enough to stay in the second-level cache.
const BATCH_BYTES: usize = 1 << 16;

/// Who keeps a reference.
#[derive(Clone, Copy)]
enum Holder {
    /// A branch, for the child of a nibble.
    Branch(Ref, u32),
    /// An account's leaf, for the root of its storage.
    Storage(Ref),
    /// An extension, for the branch below it.
    Extension(u32),
    /// The trie itself.
    Root,
}

#[derive(Clone, Copy)]
enum Item {
    /// A leaf whose path begins at a nibble, or a branch.
    Node(Ref, u32),
    /// The extension of a number.
    Extension(u32),
}

#[derive(Clone, Copy)]
struct Entry {
    item: Item,
    holder: Holder,
}

/// The gap between a branch and its parent. Not a node of the store: it is built while its level is hashed.
struct Extension {
    branch: Ref,
    /// Nibble at which its path begins; it ends at the branch's depth.
    from: u32,
    reference: Words8,
    embedded: bool,
}

/// Room for a pass, and counts of what passes did.
pub struct Hasher {
    levels: Vec<Vec<Entry>>,
    extensions: Vec<Extension>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    holders: Vec<Holder>,
    digests: Vec<[u8; 32]>,
    root: [u8; 32],
    /// Nodes whose reference was computed, hashed or embedded.
    pub nodes: u64,
    /// Calls of the batch function.
    pub batches: u64,
}

impl Hasher {
    pub fn new() -> Self {
        Hasher {
            levels: (0..LEVELS).map(|_| Vec::new()).collect(),
            extensions: Vec::new(),
            bytes: Vec::with_capacity(BATCH_BYTES),
            ends: Vec::new(),
            holders: Vec::new(),
            digests: Vec::new(),
            root: [0; 32],
            nodes: 0,
            batches: 0,
        }
    }

    /// The root of a trie whose root node is dirty; clears every dirty mark below it.
    pub fn root(&mut self, store: &mut Store, root: Ref) -> Result<[u8; 32], Full> {
        if root == 0 {
            return Ok(rlp::EMPTY_ROOT);
        }
        let passes = self.storages(store, root).and_then(|()| self.sweep(store)).and_then(|()| {
            self.gather(store, root, 0, Holder::Root)?;
            self.sweep(store)
        });
        for level in &mut self.levels {
            level.clear();
            level.shrink_to(1 << 12);
        }
        self.extensions.clear();
        self.bytes.clear();
        self.ends.clear();
        self.holders.clear();
        passes.map(|()| self.root)
    }

    /// Gathers the dirty nodes of the storage tries below dirty accounts.
    fn storages(&mut self, store: &Store, r: Ref) -> Result<(), Full> {
        let node = store.node(r);
        match kind(node) {
            BRANCH => {
                for (_, below) in dirty_children(node) {
                    self.storages(store, below)?;
                }
                Ok(())
            }
            ACCOUNT => match storage_of(node) {
                (storage, true) => self.gather(store, storage, 0, Holder::Storage(r)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Gathers a node and the dirty ones below it. Its path, or its extension's, begins at nibble `from`.
    fn gather(&mut self, store: &Store, r: Ref, from: u32, holder: Holder) -> Result<(), Full> {
        let node = store.node(r);
        if kind(node) != BRANCH {
            return push(&mut self.levels[from as usize], Entry { item: Item::Node(r, from), holder });
        }
        let depth = depth(node);
        let mut own = holder;
        if depth > from {
            let number = self.extensions.len() as u32;
            push(&mut self.extensions, Extension { branch: r, from, reference: [0; 8], embedded: false })?;
            push(&mut self.levels[from as usize], Entry { item: Item::Extension(number), holder })?;
            own = Holder::Extension(number);
        }
        push(&mut self.levels[depth as usize], Entry { item: Item::Node(r, 0), holder: own })?;
        for (nibble, below) in dirty_children(node) {
            self.gather(store, below, depth + 1, Holder::Branch(r, nibble))?;
        }
        Ok(())
    }

    /// Computes the references of all that is gathered.
    fn sweep(&mut self, store: &mut Store) -> Result<(), Full> {
        for level in (0..LEVELS).rev() {
            let entries = core::mem::take(&mut self.levels[level]);
            let mut done = Ok(());
            for entry in &entries {
                done = self.build(store, entry);
                if done.is_err() {
                    break;
                }
            }
            done = done.and_then(|()| self.flush(store));
            self.nodes += entries.len() as u64;
            self.levels[level] = entries;
            self.levels[level].clear();
            done?;
        }
        self.extensions.clear();
        Ok(())
    }

    /// Writes an entry's RLP, for the next batch or, where it is short, for its holder.
    fn build(&mut self, store: &mut Store, entry: &Entry) -> Result<(), Full> {
        if self.bytes.len() + rlp::LONGEST > BATCH_BYTES {
            self.flush(store)?;
        }
        let start = self.bytes.len();
        let out = &mut self.bytes;
        match entry.item {
            Item::Node(r, from) => {
                let node = store.node(r);
                match kind(node) {
                    BRANCH => branch(out, node),
                    SLOT => rlp::slot_leaf(out, key(node), from, &slot_value(node)),
                    _ => rlp::account_leaf(out, key(node), from, &read_account(node)),
                }
            }
            Item::Extension(number) => {
                let e = &self.extensions[number as usize];
                let depth = depth(store.node(e.branch));
                rlp::extension(out, key_below(store, e.branch), e.from, depth, &e.reference, e.embedded);
            }
        }
        let length = self.bytes.len() - start;
        let always = matches!(entry.holder, Holder::Root | Holder::Storage(_));
        if length < 32 && !always {
            let mut padded = [0; 32];
            padded[..length].copy_from_slice(&self.bytes[start..]);
            self.bytes.truncate(start);
            self.hand_over(store, entry.holder, &padded, true);
            return Ok(());
        }
        push(&mut self.holders, entry.holder)?;
        push(&mut self.ends, self.bytes.len() as u32)
    }

    /// Hashes what is built and hands the digests to their holders.
    fn flush(&mut self, store: &mut Store) -> Result<(), Full> {
        let count = self.holders.len();
        if count == 0 {
            return Ok(());
        }
        while self.digests.len() < count {
            push(&mut self.digests, [0; 32])?;
        }
        keccak256_batch(&self.bytes, &self.ends, &mut self.digests[..count]);
        self.batches += 1;
        for k in 0..count {
            let digest = self.digests[k];
            self.hand_over(store, self.holders[k], &digest, false);
        }
        self.bytes.clear();
        self.ends.clear();
        self.holders.clear();
        Ok(())
    }

    fn hand_over(&mut self, store: &mut Store, holder: Holder, bytes: &[u8; 32], embedded: bool) {
        let words = words_of_bytes(bytes);
        match holder {
            Holder::Branch(r, nibble) => set_reference(store.node_mut(r), nibble, &words, embedded),
            Holder::Storage(r) => set_storage_root(store.node_mut(r), &words),
            Holder::Extension(number) => {
                let extension = &mut self.extensions[number as usize];
                extension.reference = words;
                extension.embedded = embedded;
            }
            Holder::Root => self.root = *bytes,
        }
    }
}

/// Nibbles and refs of a branch's children whose references are out of date.
fn dirty_children(node: &[u32]) -> impl Iterator<Item = (u32, Ref)> + '_ {
    let mask = mask(node);
    (0..16).filter(|nibble| is_dirty(node, *nibble)).map(move |nibble| (nibble, child(node, rank(mask, nibble))))
}

/// The key of any leaf below a node: they share what an extension above it spans.
fn key_below(store: &Store, r: Ref) -> &[u32] {
    let mut r = r;
    while kind(store.node(r)) == BRANCH {
        r = child(store.node(r), 0);
    }
    key(store.node(r))
}

fn branch(out: &mut Vec<u8>, node: &[u32]) {
    let mask = mask(node);
    let is_embedded = |nibble: u32| node[0] >> (16 + nibble) & 1 != 0;
    // Sixteen children, the empty ones a byte, and the empty value.
    let mut length = 17;
    for nibble in 0..16 {
        if mask >> nibble & 1 != 0 {
            let words = &node[reference_at(mask, rank(mask, nibble))..];
            length += if is_embedded(nibble) { rlp::embedded_length(words) - 1 } else { 32 };
        }
    }
    rlp::list(out, length);
    for nibble in 0..16 {
        if mask >> nibble & 1 == 0 {
            out.push(0x80);
        } else {
            rlp::reference(out, &node[reference_at(mask, rank(mask, nibble))..], is_embedded(nibble));
        }
    }
    out.push(0x80);
}
