//! A long list: blocks of chunks, with counts at each level.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::chunk::Chunk;
use super::span::Life;
use crate::state::spots::Spots;

/// Chunks of a block at most.
pub(super) const CHUNKS_MAX: usize = 256;

/// Chunks in a row, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub chunks: VecDeque<Chunk>,
    // The sizes of chunks and of blocks bound them.
    pub live: u32,
    pub total: u32,
}

impl Block {
    pub fn of(chunks: VecDeque<Chunk>) -> Block {
        let mut block = Block { chunks, live: 0, total: 0 };
        block.count();
        block
    }

    /// Counts anew what is in the chunks.
    pub fn count(&mut self) {
        self.live = self.chunks.iter().map(|chunk| chunk.live() as u32).sum();
        self.total = self.chunks.iter().map(|chunk| chunk.total() as u32).sum();
    }

    pub fn live(&self) -> usize {
        self.live as usize
    }

    pub fn total(&self) -> usize {
        self.total as usize
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Rope {
    /// The commonest number is one.
    pub blocks: SmallVec<[Block; 1]>,
    pub live: usize,
    pub total: usize,
    /// Of the first chunk and of the last.
    pub front: Spots,
    pub back: Spots,
}

/// The chunk at one end, with what a rope knows of it.
pub(super) struct ChunkInPlace<'a> {
    pub chunk: &'a mut Chunk,
    pub above: Option<Above<'a>>,
}

/// What a rope knows of the chunk at one end.
pub(super) struct Above<'a> {
    /// Numbers of live and of all elements.
    pub of_block: (&'a mut u32, &'a mut u32),
    pub of_list: (&'a mut usize, &'a mut usize),
    /// Where that end is.
    pub spots: &'a mut Spots,
}

impl ChunkInPlace<'_> {
    /// Counts an element that is put there now.
    #[inline]
    pub fn count(mut self, life: Life) -> Self {
        if let Some(Above { of_block, of_list, .. }) = &mut self.above {
            let is_live = life == Life::Live;
            *of_block.0 += u32::from(is_live);
            *of_block.1 += 1;
            *of_list.0 += usize::from(is_live);
            *of_list.1 += 1;
        }
        self
    }
}

impl Rope {
    /// Cuts a chunk in two, and its block when that has become too long.
    pub fn divide(&mut self, block: usize, chunk: usize) {
        let held = &mut self.blocks[block];
        let middle = held.chunks[chunk].total() / 2;
        let tail = held.chunks[chunk].split_off(middle);
        held.chunks.insert(chunk + 1, tail);
        if held.chunks.len() > CHUNKS_MAX {
            let chunks = held.chunks.split_off(CHUNKS_MAX / 2);
            let upper = Block::of(chunks);
            held.live -= upper.live;
            held.total -= upper.total;
            self.blocks.insert(block + 1, upper);
        }
    }
}
