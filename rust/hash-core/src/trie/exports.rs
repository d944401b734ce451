//! Exports of the tries: one instance holds many, each call names one by its number.
//!
//! A call that can fail answers a status; pointers are good until the next call. Nothing here is re-entrant.

use super::{Refusal, Tries};
use alloc::vec::Vec;
use core::cell::UnsafeCell;

const DONE: i32 = 0;
const MALFORMED: i32 = 1;
const FULL: i32 = 2;
/// No trie has the number.
const UNKNOWN: i32 = 3;

struct Kernel {
    tries: Tries,
    /// Where the host writes changes.
    input: Vec<u32>,
    root: [u8; 32],
    /// `[reserved bytes, bytes of nodes in use, nodes hashed, batches]`
    counts: [f64; 4],
}

struct Alone(UnsafeCell<Option<Kernel>>);

// SAFETY: the module runs in one thread; no other thread can reach this memory.
unsafe impl Sync for Alone {}

static KERNEL: Alone = Alone(UnsafeCell::new(None));

fn kernel() -> &'static mut Kernel {
    // SAFETY: one thread an instance, and no export calls another one.
    let kernel = unsafe { &mut *KERNEL.0.get() };
    kernel.get_or_insert_with(|| Kernel { tries: Tries::new(), input: Vec::new(), root: [0; 32], counts: [0.0; 4] })
}

fn done(found: Option<()>) -> i32 {
    found.map_or(UNKNOWN, |()| DONE)
}

/// Makes an empty trie; its number, or -1 where memory is full.
#[no_mangle]
pub extern "C" fn trie_create() -> i32 {
    kernel().tries.create().map_or(-1, |number| number as i32)
}

/// Frees a trie and its number.
#[no_mangle]
pub extern "C" fn trie_dispose(number: u32) -> i32 {
    done(kernel().tries.dispose(number))
}

/// Empties a trie.
#[no_mangle]
pub extern "C" fn trie_clear(number: u32) -> i32 {
    done(kernel().tries.clear(number))
}

/// Bounds the bytes of all tries' nodes.
#[no_mangle]
pub extern "C" fn trie_limit(bytes: f64) {
    kernel().tries.store.limit(bytes as u64);
}

/// Makes room for `words` words of changes; their address, or 0 where memory is full.
#[no_mangle]
pub extern "C" fn trie_input(words: usize) -> *mut u32 {
    let input = &mut kernel().input;
    if input.len() < words {
        if input.try_reserve_exact(words - input.len()).is_err() {
            return core::ptr::null_mut();
        }
        input.resize(words, 0);
    }
    input.as_mut_ptr()
}

/// Adds the changes in the first `words` words of the input to the version under way.
#[no_mangle]
pub extern "C" fn trie_stage(number: u32, words: usize) -> i32 {
    let kernel = kernel();
    let Some(input) = kernel.input.get(..words) else { return MALFORMED };
    match kernel.tries.stage(number, input) {
        None => UNKNOWN,
        Some(Ok(())) => DONE,
        Some(Err(Refusal::Malformed)) => MALFORMED,
        Some(Err(Refusal::Full)) => FULL,
    }
}

/// Computes the root of the version under way or, if `committed` is not 0, of the committed one, to be read at
/// `trie_result`.
#[no_mangle]
pub extern "C" fn trie_root(number: u32, committed: u32) -> i32 {
    let kernel = kernel();
    let root = if committed == 0 { kernel.tries.root(number) } else { kernel.tries.committed_root(number) };
    match root {
        None => UNKNOWN,
        Some(Err(_)) => FULL,
        Some(Ok(root)) => {
            kernel.root = root;
            DONE
        }
    }
}

/// Address of the 32 bytes of the last root.
#[no_mangle]
pub extern "C" fn trie_result() -> *const u8 {
    kernel().root.as_ptr()
}

#[no_mangle]
pub extern "C" fn trie_commit(number: u32) -> i32 {
    done(kernel().tries.commit(number))
}

#[no_mangle]
pub extern "C" fn trie_rollback(number: u32) -> i32 {
    done(kernel().tries.roll_back(number))
}

/// Accounts of the version under way, or -1.
#[no_mangle]
pub extern "C" fn trie_accounts(number: u32) -> i32 {
    kernel().tries.accounts(number).map_or(-1, |count| count as i32)
}

/// Address of four doubles: bytes reserved for nodes, bytes of nodes in use, nodes hashed so far, batches so far.
#[no_mangle]
pub extern "C" fn trie_counts() -> *const f64 {
    let kernel = kernel();
    let (store, hasher) = (&kernel.tries.store, &kernel.tries.hasher);
    kernel.counts = [store.reserved() as f64, (store.live * 4) as f64, hasher.nodes as f64, hasher.batches as f64];
    kernel.counts.as_ptr()
}
