//! Where nodes lie: 64 kB chunks of words, cut from the front and reused by size.
//!
//! A node is a run of words named by the index of its first word, never a pointer, so chunks may lie anywhere and
//! no node ever moves. Nodes do not straddle chunks. A freed node waits in the list of its exact size: sizes are few
//! (a branch has 2 to 16 children), and a state that changes keeps asking for the same ones. Chunks are never given
//! back, since WebAssembly memory does not shrink; several tries share one store, so what one frees another uses.
//! Only where no more chunks can be had, those without a node in use are taken out of the lists and cut anew.

use super::node::words_of;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Index of a node's first word; 0 is no node.
pub type Ref = u32;

const CHUNK_SHIFT: u32 = 14;
const CHUNK_WORDS: u32 = 1 << CHUNK_SHIFT;
pub const CHUNK_BYTES: u64 = CHUNK_WORDS as u64 * 4;
/// Largest node: a branch with 16 children.
pub const LARGEST: usize = 2 + 9 * 16;
/// 4 GiB, all that a 32-bit memory can hold.
const MOST_CHUNKS: usize = 1 << 16;

/// Memory ran out, or the limit that was set was reached.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

pub struct Store {
    chunks: Vec<Box<[u32]>>,
    /// Words in use, by chunk.
    used: Vec<u32>,
    /// Chunks to be cut.
    whole: Vec<u32>,
    /// Next word to cut, and the end of its chunk.
    next: Ref,
    end: Ref,
    /// First freed node by size; word 1 of a freed node names the next.
    free: [Ref; LARGEST + 1],
    /// Words of nodes in use.
    pub live: u64,
    most_chunks: usize,
}

/// Appends where memory allows it.
pub fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Full> {
    if list.len() == list.capacity() {
        list.try_reserve(list.len().max(64)).map_err(|_| Full)?;
    }
    list.push(item);
    Ok(())
}

impl Store {
    pub fn new() -> Self {
        Store {
            chunks: Vec::new(),
            used: Vec::new(),
            whole: Vec::new(),
            next: 0,
            end: 0,
            free: [0; LARGEST + 1],
            live: 0,
            most_chunks: MOST_CHUNKS,
        }
    }

    /// Bounds the memory of nodes; what is in use already stays.
    pub fn limit(&mut self, bytes: u64) {
        self.most_chunks = ((bytes / CHUNK_BYTES) as usize).min(MOST_CHUNKS);
    }

    pub fn reserved(&self) -> u64 {
        self.chunks.len() as u64 * CHUNK_BYTES
    }

    /// Words from a node's first one to the end of its chunk.
    #[inline(always)]
    pub fn node(&self, r: Ref) -> &[u32] {
        &self.chunks[(r >> CHUNK_SHIFT) as usize][(r & (CHUNK_WORDS - 1)) as usize..]
    }

    #[inline(always)]
    pub fn node_mut(&mut self, r: Ref) -> &mut [u32] {
        &mut self.chunks[(r >> CHUNK_SHIFT) as usize][(r & (CHUNK_WORDS - 1)) as usize..]
    }

    /// Makes a whole chunk available, which is more than any change of one key can need: at most 64 branches
    /// (64 * 146 words) and a leaf. So a change fails before it begins or not at all.
    pub fn ensure(&mut self) -> Result<(), Full> {
        if !self.whole.is_empty() {
            return Ok(());
        }
        if self.chunks.len() < self.most_chunks {
            // Room in the lists first, so that a chunk is never in one and not in another.
            self.whole.try_reserve(self.chunks.len() + 1 - self.whole.len()).map_err(|_| Full)?;
            self.used.try_reserve(1).map_err(|_| Full)?;
            let mut words: Vec<u32> = Vec::new();
            if words.try_reserve_exact(CHUNK_WORDS as usize).is_ok() {
                words.extend(core::iter::repeat_n(0, CHUNK_WORDS as usize));
                push(&mut self.chunks, words.into_boxed_slice())?;
                self.used.push(0);
                self.whole.push(self.chunks.len() as u32 - 1);
                return Ok(());
            }
        }
        self.reclaim();
        if self.whole.is_empty() {
            Err(Full)
        } else {
            Ok(())
        }
    }

    /// Finds chunks that hold freed nodes only and makes them whole again.
    #[cold]
    fn reclaim(&mut self) {
        for size in 0..self.free.len() {
            let mut r = core::mem::take(&mut self.free[size]);
            while r != 0 {
                let next = self.node(r)[1];
                if self.used[(r >> CHUNK_SHIFT) as usize] != 0 {
                    self.node_mut(r)[1] = self.free[size];
                    self.free[size] = r;
                }
                r = next;
            }
        }
        if self.end > 0 && self.used[(self.end as usize - 1) >> CHUNK_SHIFT] == 0 {
            (self.next, self.end) = (0, 0);
        }
        // Room for all was reserved when they were made, and none was whole.
        let used = &self.used;
        self.whole.extend((0..used.len() as u32).filter(|chunk| used[*chunk as usize] == 0));
    }

    /// A node of `words` words with undefined contents. Room was made by `ensure`.
    pub fn allocate(&mut self, words: usize) -> Ref {
        self.live += words as u64;
        let mut r = self.free[words];
        if r != 0 {
            self.free[words] = self.node(r)[1];
        } else {
            if self.next + words as u32 > self.end {
                self.begin_chunk();
            }
            r = self.next;
            self.next += words as u32;
        }
        self.used[(r >> CHUNK_SHIFT) as usize] += words as u32;
        r
    }

    /// Lets what is left of a chunk be: less than a branch.
    fn begin_chunk(&mut self) {
        let Some(chunk) = self.whole.pop() else { unreachable!("a node without `ensure`") };
        self.next = chunk << CHUNK_SHIFT;
        self.end = self.next + CHUNK_WORDS;
        // Word 0 stays unused, for 0 is no node.
        self.next += u32::from(chunk == 0);
    }

    pub fn free(&mut self, r: Ref) {
        let words = words_of(self.node(r));
        let next = self.free[words];
        let node = self.node_mut(r);
        node[0] = 0;
        node[1] = next;
        self.free[words] = r;
        self.live -= words as u64;
        self.used[(r >> CHUNK_SHIFT) as usize] -= words as u32;
    }
}
