//! Secure Merkle Patricia tries of states, kept between blocks and hashed by what changed.
//!
//! Owns: accounts by Keccak-256 of their address, slots by Keccak-256 of their key, and the hashes of the nodes over
//! them. Refuses to own: codes, what an empty account means under a fork's rules, and who keeps the difference.
//!
//! A trie has a committed version and at most one under way. `stage` adds changes to the one under way, as often as
//! is wanted with a root after each; `commit` makes it the committed one, `roll_back` drops it. Both cost what was
//! changed (edit.rs). Nodes lie in one store for all tries (store.rs), their layout is in node.rs, hashing in hash.rs.
//!
//! Always true (checked in tests.rs):
//!   H1  A trie's root depends on its keys and values alone, not on the order of changes or on what was rolled back.
//!   H2  Until a commit no word of a committed node changes, but for references that were out of date.
//!   H3  A node is reached from one version of one trie, or from both versions of it, or is free.
//!
//! Source: Ethereum yellow paper, appendix D. Single-threaded.

mod edit;
mod exports;
mod hash;
mod input;
mod node;
mod rlp;
mod store;
#[cfg(test)]
mod tests;

use crate::keccak::keccak256_batch;
use alloc::vec::Vec;
use edit::{Edit, Log};
use hash::Hasher;
use node::{kind, read_account, Account, Words8, BRANCH};
use rlp::{big_endian, words_of_bytes, EMPTY_CODE, EMPTY_ROOT};
use store::{Full, Ref, Store};

/// Why changes were not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The words are no changes; nothing was done.
    Malformed,
    /// Memory ran out; the version under way was dropped.
    Full,
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Refusal::Full
    }
}

#[derive(Clone, Copy)]
struct Version {
    root: Ref,
    /// Hash of the root node, unless dirty.
    hash: [u8; 32],
    dirty: bool,
    accounts: u32,
}

const EMPTY: Version = Version { root: 0, hash: EMPTY_ROOT, dirty: false, accounts: 0 };

impl Version {
    fn hash(&mut self, store: &mut Store, hasher: &mut Hasher) -> Result<[u8; 32], Full> {
        if self.dirty {
            self.hash = hasher.root(store, self.root)?;
            self.dirty = false;
        }
        Ok(self.hash)
    }
}

struct Trie {
    version: Version,
    committed: Version,
    log: Log,
}

/// All tries of an instance, by number.
pub(crate) struct Tries {
    pub store: Store,
    pub hasher: Hasher,
    tries: Vec<Option<Trie>>,
    /// Hashed addresses and slot keys of the changes at hand, in their order.
    keys: Vec<[u8; 32]>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

/// Keys that are hashed at a time.
const KEYS_A_BATCH: usize = 1024;

impl Tries {
    pub fn new() -> Self {
        Tries {
            store: Store::new(),
            hasher: Hasher::new(),
            tries: Vec::new(),
            keys: Vec::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Makes an empty trie and returns its number.
    pub fn create(&mut self) -> Result<u32, Full> {
        let trie = Trie { version: EMPTY, committed: EMPTY, log: Log::new() };
        if let Some(free) = self.tries.iter().position(Option::is_none) {
            self.tries[free] = Some(trie);
            return Ok(free as u32);
        }
        store::push(&mut self.tries, Some(trie))?;
        Ok(self.tries.len() as u32 - 1)
    }

    fn trie(&mut self, number: u32) -> Option<(&mut Store, &mut Hasher, &mut Trie)> {
        let trie = self.tries.get_mut(number as usize)?.as_mut()?;
        Some((&mut self.store, &mut self.hasher, trie))
    }

    /// Empties a trie; its nodes are free for others.
    pub fn clear(&mut self, number: u32) -> Option<()> {
        let (store, _, trie) = self.trie(number)?;
        trie.log.roll_back(store);
        free_all(store, trie.committed.root);
        trie.version = EMPTY;
        trie.committed = EMPTY;
        Some(())
    }

    pub fn dispose(&mut self, number: u32) -> Option<()> {
        self.clear(number)?;
        self.tries[number as usize] = None;
        Some(())
    }

    /// Adds changes to the version under way. Nothing is hashed but keys.
    pub fn stage(&mut self, number: u32, words: &[u32]) -> Option<Result<(), Refusal>> {
        self.trie(number)?;
        let taken = self.hash_keys(words).and_then(|()| self.change_all(number, words));
        if taken == Err(Refusal::Full) {
            self.roll_back(number);
        }
        Some(taken)
    }

    fn change_all(&mut self, number: u32, words: &[u32]) -> Result<(), Refusal> {
        // `hash_keys` has looked at every change, so all of them can be taken.
        let mut rest = words;
        let mut at = 0;
        while let Some(change) = input::take(&mut rest) {
            let slots = change.slots.len() / 16;
            let Some(trie) = self.tries[number as usize].as_mut() else { break };
            let mut edit = Edit { store: &mut self.store, log: &mut trie.log };
            apply(&mut edit, &mut trie.version, &change, &self.keys[at..at + 1 + slots])?;
            at += 1 + slots;
        }
        Ok(())
    }

    /// Checks the changes and hashes their addresses and slot keys, in batches.
    fn hash_keys(&mut self, words: &[u32]) -> Result<(), Refusal> {
        self.keys.clear();
        self.keys.shrink_to(1 << 16);
        self.bytes.clear();
        self.ends.clear();
        let mut rest = words;
        while !rest.is_empty() {
            let change = input::take(&mut rest).ok_or(Refusal::Malformed)?;
            for word in change.address {
                self.bytes.extend_from_slice(&word.to_le_bytes());
            }
            self.end_key()?;
            for slot in change.slots.chunks_exact(16) {
                self.bytes.extend_from_slice(&big_endian(&slot[..8]).0);
                self.end_key()?;
            }
        }
        self.flush_keys()?;
        Ok(())
    }

    fn end_key(&mut self) -> Result<(), Full> {
        self.ends.push(self.bytes.len() as u32);
        if self.ends.len() == KEYS_A_BATCH {
            self.flush_keys()?;
        }
        Ok(())
    }

    fn flush_keys(&mut self) -> Result<(), Full> {
        let (from, count) = (self.keys.len(), self.ends.len());
        self.keys.try_reserve(count).map_err(|_| Full)?;
        self.keys.resize(from + count, [0; 32]);
        keccak256_batch(&self.bytes, &self.ends, &mut self.keys[from..]);
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }

    /// The root of the version under way, which is the committed one where nothing is staged.
    pub fn root(&mut self, number: u32) -> Option<Result<[u8; 32], Full>> {
        let (store, hasher, trie) = self.trie(number)?;
        Some(trie.version.hash(store, hasher))
    }

    pub fn committed_root(&mut self, number: u32) -> Option<Result<[u8; 32], Full>> {
        let (store, hasher, trie) = self.trie(number)?;
        Some(trie.committed.hash(store, hasher))
    }

    /// Makes the version under way the committed one.
    pub fn commit(&mut self, number: u32) -> Option<()> {
        let (store, _, trie) = self.trie(number)?;
        trie.log.commit(store);
        trie.committed = trie.version;
        Some(())
    }

    /// Drops the version under way.
    pub fn roll_back(&mut self, number: u32) -> Option<()> {
        let (store, _, trie) = self.trie(number)?;
        trie.log.roll_back(store);
        trie.version = trie.committed;
        Some(())
    }

    pub fn accounts(&mut self, number: u32) -> Option<u32> {
        self.trie(number).map(|(_, _, trie)| trie.version.accounts)
    }
}

/// Changes one account. `keys` are its hashed address and those of its slots.
fn apply(edit: &mut Edit, version: &mut Version, change: &input::Change, keys: &[[u8; 32]]) -> Result<(), Refusal> {
    let key = words_of_bytes(&keys[0]);
    edit.ensure()?;
    let leaf = edit.find(version.root, &key);
    let mut account = if leaf == 0 { Account::default() } else { read_account(edit.store.node(leaf)) };
    if change.flags & (input::DELETED | input::CLEARED) != 0 {
        edit.remove_all(account.storage)?;
        account.storage = 0;
        account.dirty = false;
        edit.ensure()?;
    }
    if change.flags & input::DELETED != 0 {
        if leaf != 0 {
            version.root = edit.remove(version.root, &key);
            version.dirty = true;
            version.accounts -= 1;
        }
        return Ok(());
    }
    for (slot, key) in change.slots.chunks_exact(16).zip(&keys[1..]) {
        change_slot(edit, &mut account, &words_of_bytes(key), &input::words8(&slot[8..]))?;
    }
    account.nonce = change.nonce().unwrap_or(account.nonce);
    account.balance = change.balance().unwrap_or(account.balance);
    if let Some(code) = change.code() {
        let none = code == [0; 8] || code == words_of_bytes(&EMPTY_CODE);
        account.code = if none { None } else { Some(code) };
    }
    edit.ensure()?;
    let new = edit.account_leaf(&key, &account);
    version.root = edit.put(version.root, &key, new);
    version.dirty = true;
    version.accounts += u32::from(leaf == 0);
    Ok(())
}

fn change_slot(edit: &mut Edit, account: &mut Account, key: &Words8, value: &Words8) -> Result<(), Full> {
    edit.ensure()?;
    if *value != [0; 8] {
        let leaf = edit.slot_leaf(key, value);
        account.storage = edit.put(account.storage, key, leaf);
    } else if edit.find(account.storage, key) != 0 {
        account.storage = edit.remove(account.storage, key);
    } else {
        return Ok(());
    }
    account.dirty = true;
    Ok(())
}

/// Frees a committed trie with all its storage tries.
fn free_all(store: &mut Store, r: Ref) {
    if r == 0 {
        return;
    }
    match kind(store.node(r)) {
        BRANCH => {
            for k in 0..node::mask(store.node(r)).count_ones() as usize {
                let below = node::child(store.node(r), k);
                free_all(store, below);
            }
        }
        node::ACCOUNT => {
            let (storage, _) = node::storage_of(store.node(r));
            free_all(store, storage);
        }
        _ => {}
    }
    store.free(r);
}
