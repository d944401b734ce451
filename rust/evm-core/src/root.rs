//! Roots of the tries that a header commits to: receipts, transactions, withdrawals.

use crate::input::Reader;
use alloc::vec::Vec;
use alloy_trie::{HashBuilder, Nibbles};
use revm::primitives::B256;

/// rlp(index): a single byte below 128, a length prefix and the big-endian bytes otherwise.
fn key(index: usize) -> Vec<u8> {
    if index == 0 {
        return alloc::vec![0x80];
    }
    if index < 0x80 {
        return alloc::vec![index as u8];
    }
    let bytes = (index as u32).to_be_bytes();
    let skip = bytes.iter().take_while(|b| **b == 0).count();
    let mut out = alloc::vec![0x80 + (4 - skip) as u8];
    out.extend_from_slice(&bytes[skip..]);
    out
}

/// Root over items laid out as a length word and padded bytes each. Keys are added in trie order, which
/// is not numeric order: rlp(0) = 0x80 sorts after rlp(127).
pub fn ordered_root(items: &Reader, count: usize) -> B256 {
    let mut at = 0;
    let mut pairs: Vec<(Vec<u8>, &[u8])> = (0..count)
        .map(|index| {
            let length = items.word(at) as usize;
            let bytes = items.bytes(at + 1, length);
            at += 1 + length.div_ceil(4);
            (key(index), bytes)
        })
        .collect();
    pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut builder = HashBuilder::default();
    for (key, value) in &pairs {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}
