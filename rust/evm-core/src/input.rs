//! Transactions and block environments as the host writes them: 32-bit words, little-endian limbs.
//!
//! The layout is described once, in `src/adapters/evm/encode.ts`; offsets here carry its names.

use crate::amsterdam::{self, Dialect};
use crate::fees::Vaults;
use crate::recovery::recover;
use alloc::vec::Vec;
use revm::context::transaction::{
    AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization, SignedAuthorization,
};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::cfg::gas_params::GasId;
use revm::context_interface::either::Either;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, TxKind, B256, U256};

/// The first bytes of a precompile's input: what is missing is zero, what is more is not looked at.
pub fn padded<const N: usize>(input: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let length = input.len().min(N);
    bytes[..length].copy_from_slice(&input[..length]);
    bytes
}

/// Reads words in order from memory that the host wrote.
pub struct Reader {
    base: *const u32,
}

impl Reader {
    /// # Safety
    /// `base` points to words that stay unchanged for the life of the reader, as many as are read.
    pub unsafe fn new(base: *const u32) -> Self {
        Reader { base }
    }

    #[inline(always)]
    pub fn word(&self, at: usize) -> u32 {
        // SAFETY: see `new`.
        unsafe { *self.base.add(at) }
    }

    #[inline(always)]
    pub fn u64(&self, at: usize) -> u64 {
        u64::from(self.word(at)) | u64::from(self.word(at + 1)) << 32
    }

    #[inline(always)]
    pub fn u128(&self, at: usize) -> u128 {
        u128::from(self.u64(at)) | u128::from(self.u64(at + 2)) << 64
    }

    #[inline(always)]
    pub fn u256(&self, at: usize) -> U256 {
        U256::from_limbs([self.u64(at), self.u64(at + 2), self.u64(at + 4), self.u64(at + 6)])
    }

    #[inline(always)]
    pub fn bytes(&self, at: usize, length: usize) -> &[u8] {
        // SAFETY: see `new`.
        unsafe { core::slice::from_raw_parts(self.base.add(at) as *const u8, length) }
    }

    #[inline(always)]
    pub fn address(&self, at: usize) -> Address {
        Address::from_slice(self.bytes(at, 20))
    }

    #[inline(always)]
    pub fn b256(&self, at: usize) -> B256 {
        B256::from_slice(self.bytes(at, 32))
    }
}

const DATA: usize = 44;

/// Bit of word 1 of a transaction: its last eight words are a fee for its data.
const HAS_DATA_FEE: u32 = 4;

/// What the sender pays for its data before anything runs; zero where the block asks for no such fee.
#[inline(always)]
pub fn data_fee(r: &Reader) -> U256 {
    if r.word(1) & HAS_DATA_FEE == 0 {
        return U256::ZERO;
    }
    r.u256(r.word(42) as usize - 8)
}

/// Decodes one transaction. The host has checked every range; counts and lengths are trusted.
pub fn transaction(r: &Reader) -> TxEnv {
    let tx_type = r.word(0) as u8;
    let flags = r.word(1);
    let data_length = r.word(38) as usize;
    let mut at = DATA + data_length.div_ceil(4);

    let access_list = (0..r.word(39))
        .map(|_| {
            let address = r.address(at);
            let keys = r.word(at + 5) as usize;
            at += 6;
            let storage_keys = (0..keys).map(|k| r.b256(at + 8 * k)).collect();
            at += 8 * keys;
            AccessListItem { address, storage_keys }
        })
        .collect::<Vec<_>>();
    let blob_hashes = (0..r.word(40) as usize).map(|k| r.b256(at + 8 * k)).collect::<Vec<_>>();
    at += 8 * blob_hashes.len();
    let authorization_list = (0..r.word(41))
        .map(|_| {
            let authorization = Authorization { chain_id: r.u256(at), address: r.address(at + 8), nonce: r.u64(at + 13) };
            let authority = authority(&authorization, r.word(at + 15), r.u256(at + 16), r.u256(at + 24));
            at += 32;
            Either::<SignedAuthorization, _>::Right(RecoveredAuthorization::new_unchecked(authorization, authority))
        })
        .collect::<Vec<_>>();

    TxEnv {
        tx_type,
        caller: r.address(2),
        kind: if flags & 1 != 0 { TxKind::Call(r.address(7)) } else { TxKind::Create },
        gas_limit: r.u64(12),
        nonce: r.u64(14),
        gas_price: r.u128(16),
        gas_priority_fee: if tx_type >= 2 { Some(r.u128(20)) } else { None },
        value: r.u256(24),
        chain_id: if flags & 2 != 0 { Some(r.u64(32)) } else { None },
        max_fee_per_blob_gas: r.u128(34),
        data: Bytes::copy_from_slice(r.bytes(DATA, data_length)),
        access_list: AccessList(access_list),
        blob_hashes,
        authorization_list,
    }
}

/// Half the order of secp256k1: EIP-2 admits no larger `s`.
const HALF_ORDER: U256 = U256::from_limbs([0xDFE9_2F46_681B_20A0, 0x5D57_6E73_57A4_501D, u64::MAX, 0x7FFF_FFFF_FFFF_FFFF]);

/// The signer of an authorisation (EIP-7702, MAGIC 0x05), or `Invalid`, which skips the tuple.
fn authority(authorization: &Authorization, y_parity: u32, r: U256, s: U256) -> RecoveredAuthority {
    if s > HALF_ORDER || y_parity > 1 {
        return RecoveredAuthority::Invalid;
    }
    let hash = authorization.signature_hash();
    match recover(&hash, y_parity == 1, r, s) {
        Some(address) => RecoveredAuthority::Valid(address),
        None => RecoveredAuthority::Invalid,
    }
}

/// Bits of word 3 of a block environment.
const NET_METERING: u32 = 1;
const KEEPS_BASE_FEE: u32 = 2;
const HAS_BASE_FEE_VAULT: u32 = 4;
const HAS_DATA_FEE_VAULT: u32 = 8;

/// Decodes where fees go that mainnet burns or does not know.
pub fn vaults(r: &Reader) -> Vaults {
    let flags = r.word(3);
    let vault = |bit: u32, at: usize| if flags & bit != 0 { Some(r.address(at)) } else { None };
    Vaults {
        keeps_base_fee: flags & KEEPS_BASE_FEE != 0,
        base_fee: vault(HAS_BASE_FEE_VAULT, 44),
        data_fee: vault(HAS_DATA_FEE_VAULT, 49),
    }
}

/// EIP-1283: EIP-2200's table with an SLOAD of 200. What a no-op costs is the static part of the others.
const NET_METERING_GAS: [(GasId, u64); 5] = [
    (GasId::sstore_static(), 200),
    (GasId::sstore_set_without_load_cost(), 20_000 - 200),
    (GasId::sstore_reset_without_cold_load_cost(), 5_000 - 200),
    (GasId::sstore_set_refund(), 20_000 - 200),
    (GasId::sstore_reset_refund(), 5_000 - 200),
];

/// A block's environment and the rules it runs under.
pub struct BlockRules {
    pub block: BlockEnv,
    pub cfg: CfgEnv,
    /// SSTORE is Constantinople's (EIP-1283).
    pub net_metering: bool,
    pub dialect: Dialect,
}

/// Decodes the block environment and the rules it runs under.
pub fn block(r: &Reader) -> Option<BlockRules> {
    let spec = SpecId::try_from_u8(r.word(2) as u8)?;
    let fraction = r.u64(38);
    let mut cfg = CfgEnv::new_with_spec(spec).with_chain_id(r.u64(0));
    cfg.set_spec_and_mainnet_gas_params(spec);
    let net_metering = r.word(3) & NET_METERING != 0;
    if net_metering {
        cfg.gas_params.override_gas(NET_METERING_GAS);
    }
    let dialect = Dialect::from_word(r.word(35));
    amsterdam::configure(dialect, &mut cfg, r.u64(8));
    cfg.blob_base_fee_update_fraction = if fraction > 0 { Some(fraction) } else { None };
    let max_blobs = r.word(40);
    if max_blobs > 0 && spec.is_enabled_in(SpecId::CANCUN) {
        // EIP-7594 caps a transaction at six blobs; before it the block's limit is the only one.
        let cap = if spec.is_enabled_in(SpecId::OSAKA) { max_blobs.min(6) } else { max_blobs };
        cfg.max_blobs_per_tx = Some(u64::from(cap));
    }
    let mut block = BlockEnv {
        number: U256::from(r.u64(4)),
        timestamp: U256::from(r.u64(6)),
        gas_limit: r.u64(8),
        basefee: r.u64(10),
        difficulty: r.u256(12),
        prevrandao: if r.word(28) != 0 { Some(r.b256(20)) } else { None },
        beneficiary: r.address(29),
        slot_num: r.u64(41),
        ..Default::default()
    };
    if r.word(34) != 0 {
        let fraction = if fraction > 0 { fraction } else { cfg.blob_base_fee_update_fraction() };
        block.set_blob_excess_gas_and_price(r.u64(36), fraction);
    }
    Some(BlockRules { block, cfg, net_metering, dialect })
}
