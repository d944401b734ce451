//! revm as a kernel for a parallel executor: one transaction in, its effects out as words.
//!
//! Owns: the EVM, its journal and what a transaction observed. Refuses to own: state, versions, order,
//! threads; every read goes to the host, and the host publishes the effects.
//! One instance serves one worker; nothing here is shared or re-entrant.

#![no_std]
extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod allocator;
mod amsterdam;
mod arithmetic;
mod ends;
mod fees;
mod handler;
mod host;
mod input;
mod instructions;
mod interpret;
mod journal;
mod keccak;
mod observe;
mod output;
mod pairing;
mod powers;
mod recovery;
mod root;
mod transfer;

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use fees::Vaults;
use handler::{KernelContext, KernelError, KernelEvm, KernelHandler};
use host::{Abort, HostDb};
use input::Reader;
use output::Writer;
use revm::context::result::{EVMError, ResultGas};
use revm::context::ContextSetters;
use revm::handler::Handler;
use revm::primitives::hardfork::SpecId;
use revm::{Context, MainBuilder};

/// Everything an instance keeps between calls.
struct Kernel {
    evm: Option<Box<KernelEvm>>,
    /// Where the fees of the block go.
    vaults: Vaults,
    output: Writer,
    /// Where the host writes transactions, blocks and messages.
    input: Vec<u32>,
    /// Text of the last error.
    message: alloc::string::String,
    /// `[output pointer, output words, message pointer, message bytes]`
    pointers: [u32; 4],
}

static mut KERNEL: Option<Kernel> = None;

fn kernel() -> &'static mut Kernel {
    // SAFETY: one thread an instance, and no export calls another one.
    unsafe {
        (*(&raw mut KERNEL)).get_or_insert_with(|| Kernel {
            evm: None,
            vaults: Vaults::NONE,
            output: Writer::new(),
            input: Vec::new(),
            message: alloc::string::String::new(),
            pointers: [0; 4],
        })
    }
}

/// Result of a call that did what it was asked for.
const DONE: i32 = 0;
/// The transaction is not valid here; the message says why.
const INVALID: i32 = 1;

/// Address of the request block, 64 words.
#[no_mangle]
pub extern "C" fn request() -> *mut u32 {
    host::request_pointer()
}

/// Address of the four words that say where output and message lie.
#[no_mangle]
pub extern "C" fn pointers() -> *const u32 {
    kernel().pointers.as_ptr()
}

/// Makes room for `words` words of input and returns their address, valid until the next call of this.
#[no_mangle]
pub extern "C" fn reserve_input(words: usize) -> *mut u32 {
    let input = &mut kernel().input;
    if input.len() < words {
        input.resize(words, 0);
    }
    input.as_mut_ptr()
}

fn report(k: &mut Kernel) {
    k.pointers = [k.output.pointer() as usize as u32, k.output.length() as u32, k.message.as_ptr() as usize as u32, k.message.len() as u32];
}

/// Takes the block environment at `block` (layout: `encode.ts`) for the transactions that follow.
/// Cost: 36 to 100 us, once a block and worker. Analysed code stays.
///
/// # Safety
/// `block` points to the words of an encoded environment.
#[no_mangle]
pub unsafe extern "C" fn begin_block(block: *const u32) -> i32 {
    let k = kernel();
    let reader = Reader::new(block);
    let Some(rules) = input::block(&reader) else {
        k.message = "the rules of this fork are not in this kernel".to_string();
        report(k);
        return INVALID;
    };
    k.vaults = input::vaults(&reader);
    let mut database = match k.evm.take() {
        Some(evm) => evm.ctx.journaled_state.inner.database,
        None => HostDb::default(),
    };
    database.begin_block();
    instructions::forget();
    let mut context: KernelContext = Context::new(database, rules.cfg.spec);
    context.block = rules.block;
    // The journal keeps a copy of some of it.
    context.modify_cfg(|cfg| *cfg = rules.cfg);
    context.journaled_state.dialect = rules.dialect;
    let spec = context.cfg.spec;
    let mut evm = context.build_mainnet();
    evm.precompiles = recovery::precompiles(spec);
    instructions::install(&mut evm.instruction, rules.net_metering, rules.dialect);
    k.evm = Some(Box::new(evm));
    report(k);
    DONE
}

/// Executes the transaction at `transaction`. `strict` compares the sender's nonce with the state.
/// Returns 0 done (output holds its effects), 1 invalid (message), 2 blocked, 3 restart with exact
/// balances, 4 the host reported a fault.
///
/// # Safety
/// `transaction` points to the words of an encoded transaction; a block was begun.
#[no_mangle]
pub unsafe extern "C" fn execute(transaction: *const u32, strict: u32) -> i32 {
    let k = kernel();
    let Some(evm) = k.evm.as_mut() else { return Abort::Fault as i32 };
    let spec = evm.ctx.cfg.spec;
    let reader = Reader::new(transaction);
    match transfer::execute(evm, &k.vaults, &reader, strict != 0, &mut k.output) {
        Ok(true) => {
            report(k);
            return DONE;
        }
        Ok(false) => {}
        Err(abort) => return abort as i32,
    }
    evm.ctx.set_tx(input::transaction(&reader));
    evm.ctx.journaled_state.begin();
    let data_fee = input::data_fee(&reader);
    let result = KernelHandler { strict: strict != 0, vaults: &k.vaults, data_fee }.run(evm);
    let done = result.and_then(|result| {
        output::observe_clearing(&mut evm.ctx.journaled_state, spec).map_err(EVMError::Database)?;
        let fee = evm.ctx.journaled_state.fee;
        let gas = output::write_result(&mut k.output, result, &fee);
        if spec.is_enabled_in(SpecId::AMSTERDAM) {
            let journal = &evm.ctx.journaled_state;
            output::write_accesses(&mut k.output, &gas, journal.block_gas, &journal.inner.inner.state);
        }
        Ok(())
    });
    finish(k, done, strict != 0, false)
}

/// Does the work of an end of the block, its words at `work` (layout: `ends.rs`). Returns as `execute`.
///
/// # Safety
/// `work` points to the words of an encoded end; a block was begun.
#[no_mangle]
pub unsafe extern "C" fn execute_end(work: *const u32, strict: u32) -> i32 {
    let k = kernel();
    let Some(evm) = k.evm.as_mut() else { return Abort::Fault as i32 };
    let spec = evm.ctx.cfg.spec;
    evm.ctx.journaled_state.begin();
    let done = ends::run(evm, &Reader::new(work), &mut k.output)
        .and_then(|()| output::observe_clearing(&mut evm.ctx.journaled_state, spec).map_err(EVMError::Database));
    if done.is_ok() && spec.is_enabled_in(SpecId::AMSTERDAM) {
        let state = &evm.ctx.journaled_state.inner.inner.state;
        output::write_accesses(&mut k.output, &ResultGas::default(), 0, state);
    }
    finish(k, done, strict != 0, true)
}

/// Writes the accounts of what was done, or says what went wrong.
fn finish(k: &mut Kernel, done: Result<(), KernelError>, strict: bool, end: bool) -> i32 {
    let Some(evm) = k.evm.as_mut() else { return Abort::Fault as i32 };
    let code = match done {
        Ok(()) => {
            let journal = &evm.ctx.journaled_state.inner;
            let accounts = &journal.database.accounts;
            output::write_accounts(&mut k.output, accounts, &journal.inner.state, evm.ctx.cfg.spec, strict, end);
            DONE
        }
        Err(EVMError::Database(abort)) => abort as i32,
        Err(EVMError::Transaction(reason)) => {
            k.message = reason.to_string();
            INVALID
        }
        Err(error) => {
            k.message = error.to_string();
            INVALID
        }
    };
    if code != DONE {
        evm.ctx.error = Ok(());
    }
    report(k);
    code
}

/// Recovers senders: `count` times 8 words r, 8 words s (both little-endian limbs), y parity, length in bytes, then the
/// signed payload. An address replaces the first 5 words of each; word 16 becomes 0, or 1 where no key fits.
///
/// # Safety
/// `messages` points to words laid out so.
#[no_mangle]
pub unsafe extern "C" fn recover(messages: *mut u32, count: usize) {
    recovery::recover_all(messages, count);
}

/// Keccak-256 of `length` bytes at `input`, to the 32 bytes at `out`. Also what alloy's hook is bound to.
///
/// # Safety
/// Both point to that many bytes.
#[no_mangle]
pub unsafe extern "C" fn keccak256(input: *const u8, length: usize, out: *mut u8) {
    let digest = keccak::keccak256(core::slice::from_raw_parts(input, length));
    core::ptr::copy_nonoverlapping(digest.as_ptr(), out, 32);
}

/// Root of the trie that maps rlp(index) to each item: `count` times a length word and the padded bytes.
/// The 32 bytes of the root replace the first 8 words.
///
/// # Safety
/// `items` points to words laid out so.
#[no_mangle]
pub unsafe extern "C" fn ordered_root(items: *mut u32, count: usize) {
    let root = root::ordered_root(&Reader::new(items), count);
    core::ptr::copy_nonoverlapping(root.as_ptr(), items as *mut u8, 32);
}

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
