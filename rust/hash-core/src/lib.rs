//! Keccak-256 in batches, and the tries built on it.
//!
//! Two builds come from these sources: with `simd128` two states are permuted at a time, without it one. Both give the
//! same digests; which of them runs is chosen at load (src/wasm/hash.ts).
//! One instance serves one thread; nothing here is shared or re-entrant. Hashing allocates nothing.

#![no_std]
extern crate alloc;
// A native build is for tests and lints: the standard library brings an allocator and a panic handler.
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

#[cfg(target_arch = "wasm32")]
mod allocator;
mod exports;
pub mod keccak;
pub mod trie;

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
