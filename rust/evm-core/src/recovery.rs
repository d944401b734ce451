//! Who signed: recovery four at a time, with k256 as the judge of whatever is out of the ordinary.
//!
//! An address found by rust/secp256k1 is the one that k256 finds (its tests compare them). Where it finds none, k256
//! says whether there is none or whether the fast formulas met a special case. So nothing is refused but by k256.

use crate::input::{padded, Reader};
use crate::keccak::keccak256;
use crate::{pairing, powers};
use alloc::vec::Vec;
use core::cell::OnceCell;
use revm::handler::EthPrecompiles;
use revm::precompile::secp256k1::ECRECOVER;
use revm::precompile::{
    call_eth_precompile, crypto, EthPrecompileOutput, EthPrecompileResult, Precompile, PrecompileHalt, PrecompileId,
    PrecompileResult, PrecompileSpecId, Precompiles,
};
use revm::primitives::hardfork::SpecId;
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
    let padded = crypto().secp256k1_ecrecover(&signature, one.is_odd as u8, &one.hash.to_be_bytes()).ok()?;
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

/// Gas of the precompile ECRECOVER.
const GAS: u64 = 3_000;

/// The precompile ECRECOVER, with the recovery above. Input: hash, v, r, s, 32 bytes each; what is missing is zero.
fn ecrecover(input: &[u8], gas_limit: u64) -> EthPrecompileResult {
    if gas_limit < GAS {
        return Err(PrecompileHalt::OutOfGas);
    }
    let words = padded::<128>(input);
    let word = |k: usize| U256::from_be_slice(&words[32 * k..32 * k + 32]);
    let parity = word(1).wrapping_sub(U256::from(27));
    let found = if parity > U256::ONE {
        None
    } else {
        recover(&B256::from(word(0)), parity == U256::ONE, word(2), word(3))
    };
    Ok(EthPrecompileOutput::new(GAS, found.map(|address| address.into_word().0.into()).unwrap_or_default()))
}

fn run_ecrecover(input: &[u8], gas_limit: u64, reservoir: u64) -> PrecompileResult {
    Ok(call_eth_precompile(ecrecover, input, gas_limit, reservoir))
}

struct Tables([OnceCell<Precompiles>; PrecompileSpecId::NEXT as usize + 1]);

// SAFETY: as above.
unsafe impl Sync for Tables {}

static TABLES: Tables = Tables([const { OnceCell::new() }; PrecompileSpecId::NEXT as usize + 1]);

/// revm's precompiles, with ECRECOVER from here, those on bn254 from pairing.rs and MODEXP from powers.rs. revm's own hook, `Crypto`,
/// brings every other precompile along a second time: 0.7 MB.
pub fn precompiles(spec: SpecId) -> EthPrecompiles {
    let id = PrecompileSpecId::from_spec_id(spec);
    let precompiles = TABLES.0[id as usize].get_or_init(|| {
        let mut table = Precompiles::new(id).clone();
        table.extend([Precompile::new(PrecompileId::EcRec, *ECRECOVER.address(), run_ecrecover)]);
        table.extend(pairing::precompiles(id));
        table.extend(powers::precompile(id));
        table
    });
    EthPrecompiles { precompiles, spec }
}
