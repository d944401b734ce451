//! Who signed: recovery four at a time, with k256 as the judge of whatever is out of the ordinary.
//!
//! An address found by rust/secp256k1 is the one that k256 finds (its tests compare them). Where it finds none, k256
//! says whether there is none or whether the fast formulas met a special case. So nothing is refused but by k256.

use crate::input::Reader;
use crate::keccak::keccak256;
use alloc::vec::Vec;
use core::cell::OnceCell;
use revm::precompile::{Crypto, DefaultCrypto, PrecompileHalt};
use revm::primitives::{Address, B256, U256};
use secp256k1_lanes::{Key, Recovery, Signed};

struct Instance(OnceCell<Recovery>);

// SAFETY: an instance of the module runs in one thread, and nothing that makes the value asks for it.
unsafe impl Sync for Instance {}

static RECOVERY: Instance = Instance(OnceCell::new());

/// Made when it is asked for first: its tables cost 4 ms.
fn recovery() -> &'static Recovery {
    RECOVERY.0.get_or_init(Recovery::new)
}

/// The address that signed, or nothing where no public key fits.
pub fn recover(hash: &B256, is_odd: bool, r: U256, s: U256) -> Option<Address> {
    let one = Signed { hash: U256::from_be_bytes(hash.0), r, s, is_odd };
    address_of(&one, recovery().recover(&[one])[0])
}

fn address_of(one: &Signed, key: Option<Key>) -> Option<Address> {
    if let Some(key) = key {
        return Some(Address::from_slice(&keccak256(&key)[12..]));
    }
    let mut signature = [0u8; 64];
    signature[..32].copy_from_slice(&one.r.to_be_bytes::<32>());
    signature[32..].copy_from_slice(&one.s.to_be_bytes::<32>());
    let padded = DefaultCrypto.secp256k1_ecrecover(&signature, one.is_odd as u8, &one.hash.to_be_bytes()).ok()?;
    Some(Address::from_slice(&padded[12..]))
}

/// Words of a message before its payload: 8 of r, 8 of s, y parity, length in bytes.
const HEAD: usize = 18;
/// Where the parity stands, and afterwards whether a sender was found: 0, or 1 where no key fits.
const PARITY: usize = 16;

/// Replaces the first words of each message by the address of its signer.
///
/// # Safety
/// `words` points to `count` messages, one after another.
pub unsafe fn recover_all(words: *mut u32, count: usize) {
    let mut at = words;
    let mut places = Vec::with_capacity(count);
    let mut signed = Vec::with_capacity(count);
    for _ in 0..count {
        let r = Reader::new(at);
        let length = r.word(PARITY + 1) as usize;
        let hash = U256::from_be_bytes(keccak256(r.bytes(HEAD, length)));
        places.push(at);
        signed.push(Signed { hash, r: r.u256(0), s: r.u256(8), is_odd: r.word(PARITY) != 0 });
        at = at.add(HEAD + length.div_ceil(4));
    }
    for ((at, one), key) in places.into_iter().zip(&signed).zip(recovery().recover(&signed)) {
        let sender = address_of(one, key);
        if let Some(address) = sender {
            core::ptr::copy_nonoverlapping(address.as_ptr(), at as *mut u8, 20);
        }
        *at.add(PARITY) = sender.is_none() as u32;
    }
}

/// What the precompile ECRECOVER asks; everything else stays revm's.
#[derive(Debug)]
pub struct FastRecovery;

impl Crypto for FastRecovery {
    fn secp256k1_ecrecover(&self, signature: &[u8; 64], id: u8, hash: &[u8; 32]) -> Result<[u8; 32], PrecompileHalt> {
        if id > 1 {
            return DefaultCrypto.secp256k1_ecrecover(signature, id, hash);
        }
        let (r, s) = (U256::from_be_slice(&signature[..32]), U256::from_be_slice(&signature[32..]));
        let address = recover(&B256::new(*hash), id == 1, r, s).ok_or(PrecompileHalt::Secp256k1RecoverFailed)?;
        Ok(address.into_word().0)
    }
}
