//! Layouts of nodes, in 32-bit words.
//!
//! ```text
//! branch          0 header | 1 mask of nibbles, dirty children << 16 | a ref a child | 8 words a child: its reference
//! storage leaf    0 header | 1-8 key | value, as many little-endian limbs as it needs
//! account leaf    0 header | 1-8 key | nonce limbs | balance limbs | code hash? | storage ref, its root (8 words)?
//!
//! header          bits 0-1 kind, 2 fresh, and
//!                 branch: 4-9 depth, 16-31 children embedded in their parent
//!                 leaves: 4-7 limbs of value or balance, 8-9 of nonce, 10 code, 11 storage, 12 storage dirty
//! ```
//! Leaves hold the whole hashed key; a branch holds the depth of the nibble at which its keys part and no path. So an
//! extension is no node: it is the gap between a branch's depth and its parent's, its nibbles are read from any leaf
//! below, and adding or removing a key never splits or joins paths.
//!
//! A child's *reference* is what its parent's RLP contains: the hash, or the RLP itself where that is shorter than
//! 32 bytes. References lie together in the parent, so that hashing it again reads one place, not sixteen.

use super::store::Ref;

pub type Words8 = [u32; 8];

pub const BRANCH: u32 = 1;
pub const SLOT: u32 = 2;
pub const ACCOUNT: u32 = 3;

/// Made since the last commit: may be changed in place, goes at a rollback.
pub const FRESH: u32 = 1 << 2;

const HAS_CODE: u32 = 1 << 10;
const HAS_STORAGE: u32 = 1 << 11;
const STORAGE_DIRTY: u32 = 1 << 12;

/// Nibbles of a key.
pub const NIBBLES: u32 = 64;

#[inline(always)]
pub fn kind(node: &[u32]) -> u32 {
    node[0] & 3
}

#[inline(always)]
pub fn nibble(key: &[u32], at: u32) -> u32 {
    (key[(at >> 3) as usize] >> (((at >> 1) & 3) * 8 + 4 * (!at & 1))) & 15
}

/// The first nibble at which two keys differ, or `NIBBLES`.
pub fn first_difference(a: &[u32], b: &[u32]) -> u32 {
    for k in 0..8 {
        let x = a[k] ^ b[k];
        if x != 0 {
            let byte = x.trailing_zeros() >> 3;
            let high = (x >> (byte * 8)) & 0xf0 != 0;
            return k as u32 * 8 + byte * 2 + u32::from(!high);
        }
    }
    NIBBLES
}

pub fn words_of(node: &[u32]) -> usize {
    let h = node[0];
    match kind(node) {
        BRANCH => branch_words(node[1] & 0xffff),
        SLOT => 9 + ((h >> 4) & 15) as usize,
        // A node that was let go of before it was ever committed (edit.rs).
        0 => node[2] as usize,
        _ => {
            let limbs = ((h >> 4) & 15) + ((h >> 8) & 3);
            9 + limbs as usize + 8 * usize::from(h & HAS_CODE != 0) + 9 * usize::from(h & HAS_STORAGE != 0)
        }
    }
}

// ---- branches ----

pub fn branch_words(mask: u32) -> usize {
    2 + 9 * mask.count_ones() as usize
}

pub fn branch_header(depth: u32) -> u32 {
    BRANCH | FRESH | (depth << 4)
}

#[inline(always)]
pub fn depth(node: &[u32]) -> u32 {
    (node[0] >> 4) & 63
}

#[inline(always)]
pub fn mask(node: &[u32]) -> u32 {
    node[1] & 0xffff
}

/// Place of a nibble's child among the children there are.
#[inline(always)]
pub fn rank(mask: u32, nibble: u32) -> usize {
    (mask & ((1 << nibble) - 1)).count_ones() as usize
}

#[inline(always)]
pub fn child(node: &[u32], rank: usize) -> Ref {
    node[2 + rank]
}

pub fn is_dirty(node: &[u32], nibble: u32) -> bool {
    node[1] >> (16 + nibble) & 1 != 0
}

/// Where the reference of the child of a rank begins.
#[inline(always)]
pub fn reference_at(mask: u32, rank: usize) -> usize {
    2 + mask.count_ones() as usize + 8 * rank
}

/// Writes the reference of a nibble's child: a hash, or fewer than 32 bytes of RLP padded with zeros.
pub fn set_reference(node: &mut [u32], nibble: u32, reference: &Words8, embedded: bool) {
    let mask = mask(node);
    let at = reference_at(mask, rank(mask, nibble));
    node[at..at + 8].copy_from_slice(reference);
    node[0] = node[0] & !(1 << (16 + nibble)) | u32::from(embedded) << (16 + nibble);
    node[1] &= !(1 << (16 + nibble));
}

// ---- leaves ----

/// The key of either leaf.
#[inline(always)]
pub fn key(node: &[u32]) -> &[u32] {
    &node[1..9]
}

fn limbs(value: &[u32]) -> usize {
    value.len() - value.iter().rev().take_while(|word| **word == 0).count()
}

pub fn slot_words(value: &Words8) -> usize {
    9 + limbs(value)
}

pub fn write_slot(node: &mut [u32], key: &Words8, value: &Words8) {
    let count = limbs(value);
    node[0] = SLOT | FRESH | (count as u32) << 4;
    node[1..9].copy_from_slice(key);
    node[9..9 + count].copy_from_slice(&value[..count]);
}

pub fn slot_value(node: &[u32]) -> Words8 {
    let mut value = [0; 8];
    let count = ((node[0] >> 4) & 15) as usize;
    value[..count].copy_from_slice(&node[9..9 + count]);
    value
}

/// What an account's leaf says.
#[derive(Clone, Default)]
pub struct Account {
    pub nonce: [u32; 2],
    pub balance: Words8,
    pub code: Option<Words8>,
    /// Root node of the storage trie, 0 where it is empty.
    pub storage: Ref,
    /// Hash of that node, unless dirty.
    pub root: Words8,
    pub dirty: bool,
}

pub fn account_words(account: &Account) -> usize {
    let limbs = limbs(&account.nonce) + limbs(&account.balance);
    9 + limbs + 8 * usize::from(account.code.is_some()) + 9 * usize::from(account.storage != 0)
}

pub fn write_account(node: &mut [u32], key: &Words8, account: &Account) {
    let (nonce, balance) = (limbs(&account.nonce), limbs(&account.balance));
    let mut header = ACCOUNT | FRESH | (balance as u32) << 4 | (nonce as u32) << 8;
    node[1..9].copy_from_slice(key);
    let mut at = 9;
    let mut write = |words: &[u32]| {
        node[at..at + words.len()].copy_from_slice(words);
        at += words.len();
    };
    write(&account.nonce[..nonce]);
    write(&account.balance[..balance]);
    if let Some(code) = &account.code {
        header |= HAS_CODE;
        write(code);
    }
    if account.storage != 0 {
        header |= HAS_STORAGE | if account.dirty { STORAGE_DIRTY } else { 0 };
        write(&[account.storage]);
        write(&account.root);
    }
    node[0] = header;
}

pub fn read_account(node: &[u32]) -> Account {
    let h = node[0];
    let (balance, nonce) = (((h >> 4) & 15) as usize, ((h >> 8) & 3) as usize);
    let mut account = Account::default();
    let mut at = 9;
    let mut read = |to: &mut [u32]| {
        to.copy_from_slice(&node[at..at + to.len()]);
        at += to.len();
    };
    read(&mut account.nonce[..nonce]);
    read(&mut account.balance[..balance]);
    if h & HAS_CODE != 0 {
        let mut code = [0; 8];
        read(&mut code);
        account.code = Some(code);
    }
    if h & HAS_STORAGE != 0 {
        let mut storage = [0];
        read(&mut storage);
        account.storage = storage[0];
        read(&mut account.root);
        account.dirty = h & STORAGE_DIRTY != 0;
    }
    account
}

/// The storage trie of an account's leaf, 0 where it has none; and whether its root must be hashed.
pub fn storage_of(node: &[u32]) -> (Ref, bool) {
    if node[0] & HAS_STORAGE == 0 {
        return (0, false);
    }
    (node[words_of(node) - 9], node[0] & STORAGE_DIRTY != 0)
}

pub fn set_storage_root(node: &mut [u32], root: &Words8) {
    let end = words_of(node);
    node[end - 8..end].copy_from_slice(root);
    node[0] &= !STORAGE_DIRTY;
}
