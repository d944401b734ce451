//! A block file, as `npx blockloom run` takes it, into what revm wants.

use revm::context::transaction::{
    AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization, SignedAuthorization,
};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::either::Either;
use revm::database::{CacheDB, EmptyDB};
use revm::precompile::crypto;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{keccak256, Address, Bytes, TxKind, B256, KECCAK_EMPTY, U256};
use revm::state::{AccountInfo, Bytecode};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::str::FromStr;

pub struct Block {
    pub cfg: CfgEnv,
    pub env: BlockEnv,
    pub transactions: Vec<TxEnv>,
    /// What all transactions touch; contracts are analysed.
    pub state: CacheDB<EmptyDB>,
}

/// Panics where the file is not one: it was written by the benchmark.
pub fn read(path: &str) -> Block {
    let file: Value = serde_json::from_slice(&std::fs::read(path).expect("the file")).expect("JSON");
    let header = &file["block"];
    let (spec, fraction) = rules_of(file["fork"].as_str().expect("the fork"));
    let mut cfg = CfgEnv::new_with_spec(spec);
    cfg.set_spec_and_mainnet_gas_params(spec);
    let mut env = BlockEnv {
        number: u256(&header["number"]),
        timestamp: u256(&header["timestamp"]),
        gas_limit: u64_of(&header["gasLimit"]),
        basefee: u64_of(&header["baseFeePerGas"]),
        difficulty: u256(&header["difficulty"]),
        beneficiary: address(&header["miner"]),
        prevrandao: spec.is_enabled_in(SpecId::MERGE).then(|| word(&header["mixHash"])),
        ..Default::default()
    };
    if let Some(excess) = header.get("excessBlobGas") {
        env.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice::new(u64_of(excess), fraction));
        cfg.blob_base_fee_update_fraction = Some(fraction);
    }
    let transactions = list(&header["transactions"]).iter().map(transaction).collect();
    Block { cfg, env, transactions, state: state(&file) }
}

fn state(file: &Value) -> CacheDB<EmptyDB> {
    let mut db = CacheDB::new(EmptyDB::default());
    let codes: HashMap<B256, Bytecode> =
        map(&file["codes"]).values().map(|code| (keccak256(bytes(code)), Bytecode::new_raw(bytes(code)))).collect();
    for (key, account) in map(&file["pre"]) {
        let at = Address::from_str(key).expect("an address");
        let code_hash = account.get("code_hash").filter(|hash| !hash.is_null()).map_or(KECCAK_EMPTY, word);
        let info = AccountInfo {
            balance: u256(&account["balance"]),
            nonce: u64_of(&account["nonce"]),
            code_hash,
            code: Some(codes.get(&code_hash).cloned().unwrap_or_default()),
            ..Default::default()
        };
        db.insert_account_info(at, info);
        for (slot, value) in account.get("storage").map(map).into_iter().flatten() {
            db.insert_account_storage(at, U256::from_str(slot).expect("a slot"), u256(value)).expect("no error");
        }
    }
    for (number, hash) in file.get("blockHashes").map(map).into_iter().flatten() {
        db.cache.block_hashes.insert(U256::from_str(number).expect("a number"), word(hash));
    }
    db
}

fn transaction(tx: &Value) -> TxEnv {
    let tx_type = tx.get("type").map_or(0, u64_of) as u8;
    let access_list = tx.get("accessList").map(list).into_iter().flatten().map(|entry| AccessListItem {
        address: address(&entry["address"]),
        storage_keys: list(&entry["storageKeys"]).iter().map(word).collect(),
    });
    let price = if tx_type >= 2 { &tx["maxFeePerGas"] } else { &tx["gasPrice"] };
    TxEnv {
        tx_type,
        caller: address(&tx["from"]),
        kind: tx.get("to").filter(|to| !to.is_null()).map_or(TxKind::Create, |to| TxKind::Call(address(to))),
        gas_limit: u64_of(&tx["gas"]),
        nonce: u64_of(&tx["nonce"]),
        gas_price: u256(price).to(),
        gas_priority_fee: (tx_type >= 2).then(|| u256(&tx["maxPriorityFeePerGas"]).to()),
        value: u256(&tx["value"]),
        chain_id: Some(1),
        max_fee_per_blob_gas: tx.get("maxFeePerBlobGas").map_or(0, |fee| u256(fee).to()),
        data: bytes(&tx["input"]),
        access_list: AccessList(access_list.collect()),
        blob_hashes: tx.get("blobVersionedHashes").map(list).into_iter().flatten().map(word).collect(),
        authorization_list: tx.get("authorizationList").map(list).into_iter().flatten().map(authorization).collect(),
    }
}

/// With its signer, like the senders: recovery is not what is measured.
fn authorization(item: &Value) -> Either<SignedAuthorization, RecoveredAuthorization> {
    let inner = Authorization { chain_id: u256(&item["chainId"]), address: address(&item["address"]), nonce: u64_of(&item["nonce"]) };
    let mut signature = [0u8; 64];
    signature[..32].copy_from_slice(&u256(&item["r"]).to_be_bytes::<32>());
    signature[32..].copy_from_slice(&u256(&item["s"]).to_be_bytes::<32>());
    let hash = inner.signature_hash();
    let signer = match crypto().secp256k1_ecrecover(&signature, u64_of(&item["yParity"]) as u8, &hash) {
        Ok(padded) => RecoveredAuthority::Valid(Address::from_slice(&padded[12..])),
        Err(_) => RecoveredAuthority::Invalid,
    };
    Either::Right(RecoveredAuthorization::new_unchecked(inner, signer))
}

/// Rules by the names of @ethereumjs/common, and the denominator in the exponent of the price of a blob.
fn rules_of(fork: &str) -> (SpecId, u64) {
    match fork {
        "chainstart" => (SpecId::FRONTIER, 0),
        "homestead" | "dao" => (SpecId::HOMESTEAD, 0),
        "tangerineWhistle" => (SpecId::TANGERINE, 0),
        "spuriousDragon" => (SpecId::SPURIOUS_DRAGON, 0),
        "byzantium" => (SpecId::BYZANTIUM, 0),
        "petersburg" => (SpecId::PETERSBURG, 0),
        "istanbul" | "muirGlacier" => (SpecId::ISTANBUL, 0),
        "berlin" => (SpecId::BERLIN, 0),
        "london" | "arrowGlacier" | "grayGlacier" => (SpecId::LONDON, 0),
        "paris" => (SpecId::MERGE, 0),
        "shanghai" => (SpecId::SHANGHAI, 0),
        "cancun" => (SpecId::CANCUN, 3_338_477),
        "prague" => (SpecId::PRAGUE, 5_007_716),
        "osaka" => (SpecId::OSAKA, 5_007_716),
        "bpo1" => (SpecId::OSAKA, 8_346_193),
        "bpo2" => (SpecId::OSAKA, 11_684_671),
        _ => panic!("knows no fork {fork}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}
fn map(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}
/// Hexadecimal or decimal; what is missing is zero.
fn u256(value: &Value) -> U256 {
    match value {
        Value::Null => U256::ZERO,
        Value::Number(number) => U256::from(number.as_u64().expect("a whole number")),
        _ => U256::from_str(text(value)).expect("a number"),
    }
}
fn u64_of(value: &Value) -> u64 {
    u256(value).to()
}
fn word(value: &Value) -> B256 {
    B256::from(u256(value))
}
fn address(value: &Value) -> Address {
    Address::from_str(text(value)).expect("an address")
}
fn bytes(value: &Value) -> Bytes {
    Bytes::from_str(text(value)).expect("bytes")
}
