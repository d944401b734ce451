//! RLP of nodes, built into a buffer that the caller bounds.
//!
//! Source: Ethereum yellow paper, appendices B (RLP), C (hex prefix) and D (trie).

use super::node::{nibble, Account, Words8, NIBBLES};
use alloc::vec::Vec;

/// Root of a trie without keys: Keccak-256 of the RLP of an empty string.
pub const EMPTY_ROOT: [u8; 32] = [
    0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48, 0xe0,
    0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,
];
/// Keccak-256 of no code.
pub const EMPTY_CODE: [u8; 32] = [
    0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6,
    0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
];
/// Longest RLP of a node: a branch with 16 hashes.
pub const LONGEST: usize = 3 + 16 * 33 + 1;

pub fn bytes_of(words: &Words8) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (k, word) in words.iter().enumerate() {
        bytes[4 * k..4 * k + 4].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

pub fn words_of_bytes(bytes: &[u8; 32]) -> Words8 {
    core::array::from_fn(|k| u32::from_le_bytes([bytes[4 * k], bytes[4 * k + 1], bytes[4 * k + 2], bytes[4 * k + 3]]))
}

/// A number's big-endian bytes on the right of 32, and how many there are.
pub fn big_endian(limbs: &[u32]) -> ([u8; 32], usize) {
    let mut bytes = [0; 32];
    for (k, limb) in limbs.iter().enumerate() {
        bytes[28 - 4 * k..32 - 4 * k].copy_from_slice(&limb.to_be_bytes());
    }
    (bytes, 32 - bytes.iter().take_while(|byte| **byte == 0).count())
}

/// Header of a string (`offset` 0x80) or list (0xc0) of `length` bytes.
fn header(out: &mut Vec<u8>, offset: u8, length: usize) {
    if length < 56 {
        out.push(offset + length as u8);
    } else if length < 256 {
        out.extend_from_slice(&[offset + 56, length as u8]);
    } else {
        out.extend_from_slice(&[offset + 57, (length >> 8) as u8, length as u8]);
    }
}

pub fn list(out: &mut Vec<u8>, length: usize) {
    header(out, 0xc0, length);
}

fn header_length(length: usize) -> usize {
    1 + usize::from(length >= 56) + usize::from(length >= 256)
}

/// A number of `length` bytes on the right of 32.
fn number(out: &mut Vec<u8>, bytes: &[u8; 32], length: usize) {
    if length != 1 || bytes[31] >= 0x80 {
        out.push(0x80 + length as u8);
    }
    out.extend_from_slice(&bytes[32 - length..]);
}

fn number_length(bytes: &[u8; 32], length: usize) -> usize {
    length + usize::from(length != 1 || bytes[31] >= 0x80)
}

/// Bytes of a path's hex prefix form as a string.
fn path_length(from: u32, to: u32) -> usize {
    let bytes = ((to - from) / 2 + 1) as usize;
    // One byte below 0x80 is its own RLP, and the first byte is at most 0x3f.
    bytes + usize::from(bytes > 1)
}

/// Nibbles `from..to` of a key in hex prefix form, as a string.
fn path(out: &mut Vec<u8>, key: &[u32], from: u32, to: u32, leaf: bool) {
    let bytes = (to - from) / 2 + 1;
    if bytes > 1 {
        out.push(0x80 + bytes as u8);
    }
    let flag = if leaf { 0x20 } else { 0 };
    let mut at = from;
    if (to - from) & 1 == 1 {
        out.push(flag | 0x10 | nibble(key, at) as u8);
        at += 1;
    } else {
        out.push(flag);
    }
    while at < to {
        out.push((nibble(key, at) << 4 | nibble(key, at + 1)) as u8);
        at += 2;
    }
}

/// A storage leaf whose path begins at nibble `from`; its value is the RLP of the number, as a string.
pub fn slot_leaf(out: &mut Vec<u8>, key: &[u32], from: u32, value: &Words8) {
    let (bytes, length) = big_endian(value);
    let inner = number_length(&bytes, length);
    // One byte below 0x80 needs no second header.
    let outer = inner + usize::from(inner > 1);
    list(out, path_length(from, NIBBLES) + outer);
    path(out, key, from, NIBBLES, true);
    if inner > 1 {
        out.push(0x80 + inner as u8);
    }
    number(out, &bytes, length);
}

/// An account's leaf: [nonce, balance, storage root, code hash] as a string.
pub fn account_leaf(out: &mut Vec<u8>, key: &[u32], from: u32, account: &Account) {
    let (nonce, nonce_length) = big_endian(&account.nonce);
    let (balance, balance_length) = big_endian(&account.balance);
    let inner = number_length(&nonce, nonce_length) + number_length(&balance, balance_length) + 66;
    let string = inner + header_length(inner);
    list(out, path_length(from, NIBBLES) + string + header_length(string));
    path(out, key, from, NIBBLES, true);
    header(out, 0x80, string);
    list(out, inner);
    number(out, &nonce, nonce_length);
    number(out, &balance, balance_length);
    let root = if account.storage == 0 { EMPTY_ROOT } else { bytes_of(&account.root) };
    let code = account.code.as_ref().map_or(EMPTY_CODE, bytes_of);
    for hash in [root, code] {
        out.push(0xa0);
        out.extend_from_slice(&hash);
    }
}

/// Length of an embedded node: its own list header says it.
pub fn embedded_length(reference: &[u32]) -> usize {
    (reference[0] & 0xff) as usize - 0xc0 + 1
}

/// A child's reference, as it stands in its parent.
pub fn reference(out: &mut Vec<u8>, words: &[u32], embedded: bool) {
    let mut bytes = [0; 32];
    for (k, word) in words[..8].iter().enumerate() {
        bytes[4 * k..4 * k + 4].copy_from_slice(&word.to_le_bytes());
    }
    if embedded {
        out.extend_from_slice(&bytes[..embedded_length(words)]);
    } else {
        out.push(0xa0);
        out.extend_from_slice(&bytes);
    }
}

pub fn extension(out: &mut Vec<u8>, key: &[u32], from: u32, to: u32, words: &Words8, embedded: bool) {
    let length = if embedded { embedded_length(words) } else { 33 };
    list(out, path_length(from, to) + length);
    path(out, key, from, to, false);
    reference(out, words, embedded);
}
