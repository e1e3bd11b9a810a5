//! What was read lately.

use std::sync::{Arc, Mutex};

use crate::block::Block;
use crate::lock;
use crate::lru::Lru;
use crate::segment::index::Index;

/// How much memory decoded blocks may take, so that the next page of a query finds the last block again.
const BLOCKS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How much memory the indexes of sealed files may take.
const INDEXES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A block is called by its file, its offset and its length: the last chunk of an active file grows.
pub(crate) type BlockName = (u64, u64, u32);

/// The caches of a store.
#[derive(Debug)]
pub(crate) struct Caches {
    blocks: Mutex<Lru<BlockName, Arc<Block>>>,
    indexes: Mutex<Lru<u64, Arc<Index>>>,
}

impl Default for Caches {
    fn default() -> Self {
        let (blocks, indexes) = (Lru::new(BLOCKS_BYTES_MAX), Lru::new(INDEXES_BYTES_MAX));
        Self { blocks: Mutex::new(blocks), indexes: Mutex::new(indexes) }
    }
}

impl Caches {
    pub(crate) fn block(&self, name: &BlockName) -> Option<Arc<Block>> {
        lock(&self.blocks).get(name)
    }

    pub(crate) fn keep_block(&self, name: BlockName, block: &Arc<Block>) {
        lock(&self.blocks).insert(name, Arc::clone(block), block.memory_bytes());
    }

    pub(crate) fn index(&self, file: u64) -> Option<Arc<Index>> {
        lock(&self.indexes).get(&file)
    }

    pub(crate) fn keep_index(&self, file: u64, index: &Arc<Index>) {
        lock(&self.indexes).insert(file, Arc::clone(index), index.memory_bytes());
    }
}
