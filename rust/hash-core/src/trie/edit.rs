//! Putting and removing keys, on copies of what is committed.
//!
//! A change copies the path from the root to its leaf once between two commits; nodes made since then (`FRESH`)
//! change in place. What the new version no longer uses is noted as retired. So the committed version stays whole
//! until a commit frees what is retired, and a rollback frees what is fresh; neither looks at anything else.

use super::node::*;
use super::store::{push, Full, Ref, Store, LARGEST};
use alloc::vec::Vec;

/// Most nodes that a change of one key makes or retires.
const MOST_A_CHANGE: usize = 2 * NIBBLES as usize + 8;

/// What the version under way made and no longer uses.
pub struct Log {
    /// Every node made since the commit, once, also those that were let go of again.
    fresh: Vec<Ref>,
    /// Nodes of the committed version that the one under way does not contain.
    retired: Vec<Ref>,
    /// First fresh node let go of, by size. They stay the log's own until its end: given back to the store, one could
    /// become another trie's while this list still names it.
    spare: [Ref; LARGEST + 1],
}

impl Log {
    pub fn new() -> Self {
        Log { fresh: Vec::new(), retired: Vec::new(), spare: [0; LARGEST + 1] }
    }

    /// Makes the version under way the committed one.
    pub fn commit(&mut self, store: &mut Store) {
        for r in self.retired.drain(..) {
            store.free(r);
        }
        for r in self.fresh.drain(..) {
            if kind(store.node(r)) == 0 {
                store.free(r);
            } else {
                store.node_mut(r)[0] &= !FRESH;
            }
        }
        self.end();
    }

    /// Drops the version under way.
    pub fn roll_back(&mut self, store: &mut Store) {
        self.retired.clear();
        for r in self.fresh.drain(..) {
            store.free(r);
        }
        self.end();
    }

    /// The first filling of a large state leaves lists that no block needs again.
    fn end(&mut self) {
        const KEPT: usize = 1 << 16;
        self.spare = [0; LARGEST + 1];
        self.fresh.shrink_to(KEPT);
        self.retired.shrink_to(KEPT);
    }
}

pub struct Edit<'a> {
    pub store: &'a mut Store,
    pub log: &'a mut Log,
}

impl Edit<'_> {
    /// Makes room for the change of one key.
    pub fn ensure(&mut self) -> Result<(), Full> {
        self.log.fresh.try_reserve(MOST_A_CHANGE).map_err(|_| Full)?;
        self.log.retired.try_reserve(MOST_A_CHANGE).map_err(|_| Full)?;
        self.store.ensure()
    }

    fn make(&mut self, words: usize) -> Ref {
        let spare = self.log.spare[words];
        if spare != 0 {
            self.log.spare[words] = self.store.node(spare)[1];
            return spare;
        }
        let r = self.store.allocate(words);
        self.log.fresh.push(r);
        r
    }

    /// Lets go of a node of the version under way.
    fn release(&mut self, r: Ref) {
        if self.store.node(r)[0] & FRESH != 0 {
            self.spare(r);
        } else {
            self.log.retired.push(r);
        }
    }

    fn spare(&mut self, r: Ref) {
        let node = self.store.node_mut(r);
        let words = words_of(node);
        node[0] = 0;
        node[1] = self.log.spare[words];
        node[2] = words as u32;
        self.log.spare[words] = r;
    }

    /// The node itself where it is fresh, else a copy that is.
    fn own(&mut self, r: Ref) -> Ref {
        if self.store.node(r)[0] & FRESH != 0 {
            return r;
        }
        let mut copy = [0u32; LARGEST];
        let words = words_of(self.store.node(r));
        copy[..words].copy_from_slice(&self.store.node(r)[..words]);
        copy[0] |= FRESH;
        let own = self.make(words);
        self.store.node_mut(own)[..words].copy_from_slice(&copy[..words]);
        self.log.retired.push(r);
        own
    }

    pub fn slot_leaf(&mut self, key: &Words8, value: &Words8) -> Ref {
        let r = self.make(slot_words(value));
        write_slot(self.store.node_mut(r), key, value);
        r
    }

    pub fn account_leaf(&mut self, key: &Words8, account: &Account) -> Ref {
        let r = self.make(account_words(account));
        write_account(self.store.node_mut(r), key, account);
        r
    }

    /// The leaf that a key's nibbles lead to: its own if there is one, else one that shares the longest prefix.
    fn nearest(&self, root: Ref, wanted: &Words8) -> Ref {
        let mut r = root;
        loop {
            let node = self.store.node(r);
            if kind(node) != BRANCH {
                return r;
            }
            let (mask, nibble) = (mask(node), nibble(wanted, depth(node)));
            r = child(node, if mask >> nibble & 1 != 0 { rank(mask, nibble) } else { 0 });
        }
    }

    /// The leaf of a key, or 0.
    pub fn find(&self, root: Ref, wanted: &Words8) -> Ref {
        if root == 0 {
            return 0;
        }
        let r = self.nearest(root, wanted);
        if key(self.store.node(r)) == wanted {
            r
        } else {
            0
        }
    }

    /// Puts a leaf, in place of the one with its key if there is one; returns the root.
    pub fn put(&mut self, root: Ref, wanted: &Words8, leaf: Ref) -> Ref {
        if root == 0 {
            return leaf;
        }
        let near = self.nearest(root, wanted);
        let near = key(self.store.node(near));
        let at = first_difference(wanted, near);
        let other = if at < NIBBLES { nibble(near, at) } else { 0 };
        self.put_below(root, wanted, leaf, at, other)
    }

    /// `at` is where the key parts from those below this node, whose nibble there is `other`.
    fn put_below(&mut self, r: Ref, wanted: &Words8, leaf: Ref, at: u32, other: u32) -> Ref {
        let node = self.store.node(r);
        if kind(node) != BRANCH || at < depth(node) {
            if at == NIBBLES {
                self.release(r);
                return leaf;
            }
            return self.part(at, (nibble(wanted, at), leaf), (other, r));
        }
        let (here, mask, nibble) = (depth(node), mask(node), nibble(wanted, depth(node)));
        if at == here {
            return self.add_child(r, nibble, leaf);
        }
        let below = child(node, rank(mask, nibble));
        let below = self.put_below(below, wanted, leaf, at, other);
        self.set_child(r, nibble, below)
    }

    /// A branch of two.
    fn part(&mut self, at: u32, one: (u32, Ref), two: (u32, Ref)) -> Ref {
        let mask = 1 << one.0 | 1 << two.0;
        let r = self.make(branch_words(mask));
        let node = self.store.node_mut(r);
        node[0] = branch_header(at);
        node[1] = mask | mask << 16;
        let (low, high) = if one.0 < two.0 { (one.1, two.1) } else { (two.1, one.1) };
        node[2] = low;
        node[3] = high;
        r
    }

    fn set_child(&mut self, r: Ref, nibble: u32, below: Ref) -> Ref {
        let own = self.own(r);
        let node = self.store.node_mut(own);
        node[2 + rank(mask(node), nibble)] = below;
        node[1] |= 1 << (16 + nibble);
        own
    }

    fn add_child(&mut self, r: Ref, nibble: u32, below: Ref) -> Ref {
        let resized = self.resize(r, mask(self.store.node(r)) | 1 << nibble);
        self.set_child(resized, nibble, below)
    }

    /// Writes a branch anew with another set of children; those in both keep their references.
    fn resize(&mut self, r: Ref, to: u32) -> Ref {
        let resized = self.make(branch_words(to));
        let mut old = [0u32; LARGEST];
        let words = words_of(self.store.node(r));
        old[..words].copy_from_slice(&self.store.node(r)[..words]);
        let from = mask(&old);
        let node = self.store.node_mut(resized);
        node[0] = (old[0] | FRESH) & (0xffff | to << 16);
        node[1] = to | old[1] & to << 16;
        for nibble in 0..16 {
            if (from & to) >> nibble & 1 != 0 {
                let (a, b) = (rank(from, nibble), rank(to, nibble));
                node[2 + b] = old[2 + a];
                let (a, b) = (reference_at(from, a), reference_at(to, b));
                node[b..b + 8].copy_from_slice(&old[a..a + 8]);
            }
        }
        self.release(r);
        resized
    }

    /// Removes the leaf of a key that is there; returns the root.
    pub fn remove(&mut self, r: Ref, wanted: &Words8) -> Ref {
        let node = self.store.node(r);
        if kind(node) != BRANCH {
            self.release(r);
            return 0;
        }
        let (mask, nibble) = (mask(node), nibble(wanted, depth(node)));
        let below = self.remove(child(node, rank(mask, nibble)), wanted);
        if below != 0 {
            return self.set_child(r, nibble, below);
        }
        let rest = mask & !(1 << nibble);
        if rest & (rest - 1) != 0 {
            return self.resize(r, rest);
        }
        // The last child takes the branch's place; its path grows, so whoever holds it marks it dirty.
        let last = child(self.store.node(r), rank(mask, rest.trailing_zeros()));
        self.release(r);
        last
    }

    /// Lets go of a whole trie, storage tries of its accounts included.
    ///
    /// Fails before anything is let go that a rollback could not bring back.
    pub fn remove_all(&mut self, r: Ref) -> Result<(), Full> {
        if r == 0 {
            return Ok(());
        }
        let node = self.store.node(r);
        match kind(node) {
            BRANCH => {
                for k in 0..mask(node).count_ones() as usize {
                    self.remove_all(child(self.store.node(r), k))?;
                }
            }
            ACCOUNT => self.remove_all(storage_of(node).0)?,
            _ => {}
        }
        if self.store.node(r)[0] & FRESH != 0 {
            self.spare(r);
            Ok(())
        } else {
            push(&mut self.log.retired, r)
        }
    }
}
