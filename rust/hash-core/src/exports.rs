//! Exports of hashing: the host writes inputs into a window, calls, and reads digests.
//!
//! The window is a part of the module's own memory of fixed size, so hashing never grows the memory; an input that is
//! longer goes through it in pieces. Layout: src/wasm/hash.ts knows it from `hash_window`.

use crate::keccak::{keccak256, keccak256_batch, Digest, Sponge, RATE};
use core::cell::UnsafeCell;

/// Inputs of a batch, at most: inputs and digests stay in the first two caches.
const MOST: usize = 1024;
/// Bytes of a batch, at most; whole blocks, so that pieces of a long input are. The largest contract fits twice.
const BYTES: usize = 482 * RATE;

#[repr(C)]
struct Window {
    /// `[address of bytes, their number, address of ends, their number, address of digests]`
    layout: [u32; 5],
    bytes: [u8; BYTES],
    ends: [u32; MOST],
    digests: [Digest; MOST],
    sponge: Sponge,
}

struct Alone(UnsafeCell<Window>);

// SAFETY: the module runs in one thread; no other thread can reach this memory.
unsafe impl Sync for Alone {}

static WINDOW: Alone = Alone(UnsafeCell::new(Window {
    layout: [0; 5],
    bytes: [0; BYTES],
    ends: [0; MOST],
    digests: [[0; 32]; MOST],
    sponge: Sponge::EMPTY,
}));

fn window() -> &'static mut Window {
    // SAFETY: one thread an instance, and no export calls another one.
    unsafe { &mut *WINDOW.0.get() }
}

/// Address of five words: address of the bytes and their number, of the ends and their number, of the digests.
#[no_mangle]
pub extern "C" fn hash_window() -> *const u32 {
    let w = window();
    w.layout = [
        w.bytes.as_ptr() as usize as u32,
        BYTES as u32,
        w.ends.as_ptr() as usize as u32,
        MOST as u32,
        w.digests.as_ptr() as usize as u32,
    ];
    w.layout.as_ptr()
}

/// States that a batch permutes at a time: 2 in the build with SIMD, 1 in the other.
#[no_mangle]
pub extern "C" fn hash_lanes() -> u32 {
    if cfg!(target_feature = "simd128") { 2 } else { 1 }
}

/// Hashes the first `length` bytes; the digest is the first one.
#[no_mangle]
pub extern "C" fn hash_single(length: usize) {
    let w = window();
    w.digests[0] = keccak256(&w.bytes[..length]);
}

/// Hashes `count` inputs that end where the ends say, counted from `start`, and leaves the ends counted from 0.
#[no_mangle]
pub extern "C" fn hash_batch(count: usize, start: u32) {
    let w = window();
    let ends = &mut w.ends[..count];
    for end in &mut *ends {
        *end = end.wrapping_sub(start);
    }
    keccak256_batch(&w.bytes, ends, &mut w.digests[..count]);
}

/// Takes the first `length` bytes, whole blocks, as the next piece of a long input.
#[no_mangle]
pub extern "C" fn hash_piece(length: usize) {
    let w = window();
    w.sponge.absorb(&w.bytes[..length]);
}

/// Takes the first `length` bytes as the last piece of a long input; the digest is the first one.
#[no_mangle]
pub extern "C" fn hash_last(length: usize) {
    let w = window();
    let sponge = core::mem::replace(&mut w.sponge, Sponge::EMPTY);
    w.digests[0] = sponge.finish(&w.bytes[..length]);
}
