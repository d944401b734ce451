//! dlmalloc, single-threaded. Only tries allocate, and they take memory by the chunk (trie/store.rs).

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;
