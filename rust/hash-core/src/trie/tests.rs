//! The tries against a plain recursive construction from all keys and values, the truth here; the truth of that is
//! @ethereumjs/mpt, by way of the tests of `src/wasm/stateTrie.ts` and of the roots below that it computed.

extern crate std;

use super::edit::{Edit, Log};
use super::hash::Hasher;
use super::node::*;
use super::rlp::*;
use super::store::{Full, Store, CHUNK_BYTES};
use super::{input, Refusal, Tries};
use crate::keccak::keccak256;
use alloc::vec::Vec;
use std::collections::BTreeMap;
use std::vec;

// ---- the plain construction ----

fn string(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() == 1 && bytes[0] < 0x80 {
        return bytes.to_vec();
    }
    let mut out = prefix(0x80, bytes.len());
    out.extend_from_slice(bytes);
    out
}

fn prefix(offset: usize, length: usize) -> Vec<u8> {
    if length < 56 {
        return vec![(offset + length) as u8];
    }
    let bytes: Vec<u8> = length.to_be_bytes().iter().copied().skip_while(|b| *b == 0).collect();
    let mut out = vec![(offset + 55 + bytes.len()) as u8];
    out.extend(bytes);
    out
}

fn list_of(items: &[Vec<u8>]) -> Vec<u8> {
    let body: Vec<u8> = items.concat();
    let mut out = prefix(0xc0, body.len());
    out.extend(body);
    out
}

fn hex_prefix(nibbles: &[u8], leaf: bool) -> Vec<u8> {
    let odd = nibbles.len() & 1 == 1;
    let mut all = vec![(u8::from(leaf) << 1) | u8::from(odd)];
    if !odd {
        all.push(0);
    }
    all.extend_from_slice(nibbles);
    all.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

type Pairs = [(Vec<u8>, Vec<u8>)];

fn plain_reference(pairs: &Pairs, from: usize) -> Vec<u8> {
    let node = plain_node(pairs, from);
    if node.len() < 32 {
        node
    } else {
        string(&keccak256(&node))
    }
}

fn plain_node(pairs: &Pairs, from: usize) -> Vec<u8> {
    if let [(key, value)] = pairs {
        return list_of(&[string(&hex_prefix(&key[from..], true)), string(value)]);
    }
    let (first, last) = (&pairs[0].0, &pairs[pairs.len() - 1].0);
    let shared = (from..64).take_while(|k| first[*k] == last[*k]).count();
    if shared > 0 {
        let path = string(&hex_prefix(&first[from..from + shared], false));
        return list_of(&[path, plain_reference(pairs, from + shared)]);
    }
    let mut items: Vec<Vec<u8>> = (0..16)
        .map(|nibble| {
            let below: Vec<_> = pairs.iter().filter(|(key, _)| key[from] == nibble).cloned().collect();
            if below.is_empty() {
                vec![0x80]
            } else {
                plain_reference(&below, from + 1)
            }
        })
        .collect();
    items.push(vec![0x80]);
    list_of(&items)
}

fn nibbles(key: &[u8; 32]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

/// Keys are in order, as in a map.
fn plain_root<'a>(pairs: impl Iterator<Item = (&'a [u8; 32], Vec<u8>)>) -> [u8; 32] {
    let pairs: Vec<_> = pairs.map(|(key, value)| (nibbles(key), value)).collect();
    if pairs.is_empty() {
        return EMPTY_ROOT;
    }
    keccak256(&plain_node(&pairs, 0))
}

fn number_string(value: &Words8) -> Vec<u8> {
    let (bytes, length) = big_endian(value);
    string(&bytes[32 - length..])
}

// ---- chance ----

struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % u64::from(n)) as u32
    }
}

// ---- one trie of numbers, with keys that are not hashed ----

struct Numbers {
    store: Store,
    log: Log,
    hasher: Hasher,
    root: u32,
}

impl Numbers {
    fn new() -> Self {
        Numbers { store: Store::new(), log: Log::new(), hasher: Hasher::new(), root: 0 }
    }

    fn set(&mut self, key: &[u8; 32], value: u32) {
        let mut edit = Edit { store: &mut self.store, log: &mut self.log };
        let key = words_of_bytes(key);
        edit.ensure().unwrap();
        if value != 0 {
            let leaf = edit.slot_leaf(&key, &[value, 0, 0, 0, 0, 0, 0, 0]);
            self.root = edit.put(self.root, &key, leaf);
        } else if edit.find(self.root, &key) != 0 {
            self.root = edit.remove(self.root, &key);
        }
    }

    fn hash(&mut self) -> [u8; 32] {
        self.hasher.root(&mut self.store, self.root).unwrap()
    }
}

fn plain_numbers(model: &BTreeMap<[u8; 32], u32>) -> [u8; 32] {
    plain_root(model.iter().map(|(key, value)| (key, number_string(&[*value, 0, 0, 0, 0, 0, 0, 0]))))
}

/// Keys that share long prefixes and part at a few places, the last nibbles among them: nodes shorter than a hash,
/// extensions of every length, branches in branches.
fn close_key(chance: &mut Chance) -> [u8; 32] {
    let mut key = [0x11; 32];
    for place in [0, 1, 15, 30, 31] {
        if chance.below(3) == 0 {
            key[place] = [0x11, 0x12, 0x21, 0xf1][chance.below(4) as usize];
        }
    }
    key
}

#[test]
fn close_keys_put_and_removed_in_any_order_have_the_plain_root() {
    for seed in 1..60 {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut trie = Numbers::new();
        let mut model = BTreeMap::new();
        let mut committed = (0, model.clone());
        for step in 0..300 {
            let key = close_key(&mut chance);
            let value = if chance.below(3) == 0 { 0 } else { 1 + chance.below(300) };
            trie.set(&key, value);
            if value == 0 {
                model.remove(&key);
            } else {
                model.insert(key, value);
            }
            if chance.below(4) == 0 {
                assert_eq!(trie.hash(), plain_numbers(&model), "seed {seed}, step {step}");
            }
            // Committed with and without hashing: dirty nodes may be shared by both versions.
            match chance.below(12) {
                0 => {
                    trie.log.commit(&mut trie.store);
                    committed = (trie.root, model.clone());
                }
                1 => {
                    trie.log.roll_back(&mut trie.store);
                    (trie.root, model) = (committed.0, committed.1.clone());
                    assert_eq!(trie.hash(), plain_numbers(&model), "rolled back, seed {seed}, step {step}");
                }
                _ => {}
            }
        }
    }
}

/// Roots by @ethereumjs/mpt, keys not hashed: bytes 0, 15 and 31 of 32 bytes 0x11 replaced, values as RLP. A key that
/// ends where its path begins, nodes shorter than a hash in branches and below extensions, and a full branch.
#[test]
fn close_keys_have_published_roots() {
    let full: Vec<_> = (0..16).map(|k| ([0x11, 0x11, 0x10 + k], u32::from(k) + 1)).collect();
    type Pair = ([u8; 3], u32);
    let cases: [(&[Pair], &str); 4] = [
        (&[([0x11, 0x11, 1], 1)], "18b7ea1b5f3a774e777632dbb9237a505768abc9535d66f2a73099c715113000"),
        (
            &[([0x11, 0x11, 1], 1), ([0x11, 0x11, 2], 2)],
            "bf1a2c52cee88e99512e4793d6338802aa5ae4447fbef8e99c6386bf7497eff3",
        ),
        (
            &[
                ([0x11, 0x11, 0x11], 1),
                ([0x11, 0x11, 0x12], 127),
                ([0x11, 0x11, 0x21], 128),
                ([0x11, 0x12, 0x11], 255),
                ([0xf1, 0x11, 0x11], 300),
            ],
            "5a3be784f486e15d2cb1fd4e326264a08fb0e81244291cc682981baa10af7ba5",
        ),
        (&full, "1b4e32b85816a8ee34f54aa465e51cf5576afd11ebfd682ad09235ad3fbb073f"),
    ];
    for (pairs, root) in cases {
        let mut trie = Numbers::new();
        let mut model = BTreeMap::new();
        for ([first, middle, last], value) in pairs {
            let mut key = [0x11; 32];
            (key[0], key[15], key[31]) = (*first, *middle, *last);
            trie.set(&key, *value);
            model.insert(key, *value);
        }
        let bytes: Vec<u8> = (0..32).map(|k| u8::from_str_radix(&root[2 * k..2 * k + 2], 16).unwrap()).collect();
        assert_eq!(plain_numbers(&model), bytes[..], "the plain construction");
        assert_eq!(trie.hash(), bytes[..], "{root}");
    }
}

#[test]
fn nothing_is_lost_when_all_keys_go() {
    let mut trie = Numbers::new();
    let mut chance = Chance(5);
    let keys: Vec<[u8; 32]> = (0..500u32).map(|k| keccak256(&k.to_le_bytes())).collect();
    for round in 0..6 {
        for key in &keys {
            trie.set(key, 1 + chance.below(1000));
        }
        trie.hash();
        if round & 1 == 0 {
            trie.log.commit(&mut trie.store);
        }
        for key in &keys {
            trie.set(key, 0);
        }
        trie.log.commit(&mut trie.store);
        assert_eq!((trie.root, trie.store.live), (0, 0), "round {round}");
        assert_eq!(trie.hash(), EMPTY_ROOT);
    }
}

#[test]
fn what_a_change_hashes_is_its_path_and_not_the_trie() {
    let mut trie = Numbers::new();
    for k in 0..20_000u32 {
        trie.set(&keccak256(&k.to_le_bytes()), k + 1);
    }
    trie.hash();
    trie.log.commit(&mut trie.store);
    let before = trie.hasher.nodes;
    trie.set(&keccak256(&7u32.to_le_bytes()), 99);
    trie.hash();
    assert!(trie.hasher.nodes - before <= 6, "{} nodes", trie.hasher.nodes - before);
}

// ---- states ----

#[derive(Clone, Default, PartialEq, Eq)]
struct ModelAccount {
    nonce: [u32; 2],
    balance: Words8,
    code: Option<Words8>,
    storage: BTreeMap<[u8; 32], Words8>,
}

type Model = BTreeMap<[u8; 32], ModelAccount>;

fn plain_state(model: &Model) -> [u8; 32] {
    plain_root(model.iter().map(|(key, account)| {
        let (nonce, length) = big_endian(&account.nonce);
        let storage = plain_root(account.storage.iter().map(|(key, value)| (key, number_string(value))));
        let value = list_of(&[
            string(&nonce[32 - length..]),
            number_string(&account.balance),
            string(&storage),
            string(&account.code.as_ref().map_or(EMPTY_CODE, bytes_of)),
        ]);
        (key, value)
    }))
}

/// A change in words, made to a model as well.
fn random_change(chance: &mut Chance, model: &mut Model, words: &mut Vec<u32>) {
    let address = [chance.below(12), 0, 0, 0, 0];
    let bytes: Vec<u8> = address.iter().flat_map(|word| word.to_le_bytes()).collect();
    let key = keccak256(&bytes);
    let mut flags = 0;
    for (flag, one_in) in
        [(input::NONCE, 2), (input::BALANCE, 2), (input::CODE, 4), (input::DELETED, 6), (input::CLEARED, 6)]
    {
        if chance.below(one_in) == 0 {
            flags |= flag;
        }
    }
    let slots = chance.below(4);
    words.extend_from_slice(&[flags, slots]);
    words.extend_from_slice(&address);
    let mut account = model.get(&key).cloned().unwrap_or_default();
    if flags & input::NONCE != 0 {
        account.nonce = [chance.below(300), chance.below(2)];
        words.extend_from_slice(&account.nonce);
    }
    if flags & input::BALANCE != 0 {
        let length = chance.below(9) as usize;
        account.balance = core::array::from_fn(|k| if k < length { chance.below(u32::MAX) } else { 0 });
        words.extend_from_slice(&account.balance);
    }
    if flags & input::CODE != 0 {
        let code = if chance.below(2) == 0 { words_of_bytes(&EMPTY_CODE) } else { [chance.below(9) + 1; 8] };
        account.code = if code == words_of_bytes(&EMPTY_CODE) { None } else { Some(code) };
        words.extend_from_slice(&code);
    }
    if flags & input::CLEARED != 0 {
        account.storage.clear();
    }
    for _ in 0..slots {
        let slot = [chance.below(6), 0, 0, 0, 0, 0, 0, 0];
        let length = [0, 1, 1, 8][chance.below(4) as usize];
        let value: Words8 = core::array::from_fn(|k| if k < length { chance.below(256) + 1 } else { 0 });
        words.extend_from_slice(&slot);
        words.extend_from_slice(&value);
        let slot = keccak256(&big_endian(&slot).0);
        if length == 0 {
            account.storage.remove(&slot);
        } else {
            account.storage.insert(slot, value);
        }
    }
    if flags & input::DELETED != 0 {
        model.remove(&key);
    } else {
        model.insert(key, account);
    }
}

#[test]
fn states_staged_committed_and_rolled_back_have_the_plain_root() {
    for seed in 1..80 {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut tries = Tries::new();
        // Two in one store, so that one's mistakes are the other's.
        let numbers = [tries.create().unwrap(), tries.create().unwrap()];
        let mut models = [(Model::new(), Model::new()), (Model::new(), Model::new())];
        for step in 0..120 {
            let which = chance.below(2) as usize;
            let (number, (model, committed)) = (numbers[which], &mut models[which]);
            let mut words = Vec::new();
            for _ in 0..1 + chance.below(3) {
                random_change(&mut chance, model, &mut words);
            }
            assert_eq!(tries.stage(number, &words), Some(Ok(())));
            if chance.below(2) == 0 {
                let root = tries.root(number).unwrap().unwrap();
                assert!(root == plain_state(model), "seed {seed}, step {step}");
                assert_eq!(tries.accounts(number), Some(model.len() as u32));
            }
            if chance.below(5) == 0 {
                let root = tries.committed_root(number).unwrap().unwrap();
                assert!(root == plain_state(committed), "committed, seed {seed}, step {step}");
            }
            match chance.below(6) {
                0 => {
                    tries.commit(number);
                    *committed = model.clone();
                }
                1 => {
                    tries.roll_back(number);
                    *model = committed.clone();
                    let root = tries.root(number).unwrap().unwrap();
                    assert!(root == plain_state(model), "rolled back, seed {seed}, step {step}");
                }
                2 if chance.below(10) == 0 => {
                    tries.clear(number);
                    (*model, *committed) = (Model::new(), Model::new());
                    assert_eq!(tries.root(number), Some(Ok(EMPTY_ROOT)));
                }
                _ => {}
            }
        }
        for number in numbers {
            tries.dispose(number);
        }
        assert_eq!(tries.store.live, 0, "seed {seed}: words that no trie frees");
    }
}

#[test]
fn words_that_are_no_changes_are_refused_and_change_nothing() {
    let mut tries = Tries::new();
    let number = tries.create().unwrap();
    let good = [input::NONCE, 0, 1, 2, 3, 4, 5, 9, 0];
    assert_eq!(tries.stage(number, &good), Some(Ok(())));
    let root = tries.root(number);
    let mut unknown = good;
    unknown[0] |= 32;
    let mut huge = good;
    huge[1] = u32::MAX;
    for bad in [&good[..1], &good[..6], &good[..8], &unknown[..], &huge[..]] {
        let words = [&good[..], bad].concat();
        assert_eq!(tries.stage(number, &words), Some(Err(Refusal::Malformed)), "{bad:?}");
    }
    assert_eq!(tries.root(number), root);
    assert_eq!(tries.stage(7, &good), None);
    assert_eq!(tries.root(7), None);
}

#[test]
fn a_full_store_keeps_what_is_committed() {
    let mut tries = Tries::new();
    tries.store.limit(2 * CHUNK_BYTES);
    let number = tries.create().unwrap();
    let mut chance = Chance(3);
    let mut model = Model::new();
    let mut words = Vec::new();
    random_change(&mut chance, &mut model, &mut words);
    assert_eq!(tries.stage(number, &words), Some(Ok(())));
    tries.commit(number);
    let root = tries.root(number);
    let many: Vec<u32> = (0..4000).flat_map(|k| [0, 0, k, 1, 2, 3, 4]).collect();
    for _ in 0..3 {
        assert_eq!(tries.stage(number, &many), Some(Err(Refusal::Full)));
        assert_eq!(tries.root(number), root);
    }
    assert_eq!(tries.stage(number, &many[..70]), Some(Ok(())));
    tries.store.limit(1 << 30);
    assert_eq!(tries.stage(number, &many), Some(Ok(())));
    assert_ne!(tries.root(number), Some(Err(Full)));
}
