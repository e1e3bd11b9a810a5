//! What can be set.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, SystemClock};

use crate::{Disk, SystemDisk};

/// The longest name of a stream, in bytes; CreateLogStream allows 512 characters.
pub const STREAM_NAME_LENGTH_MAX: usize = 2048;
/// The most events of a batch; PutLogEvents allows 10,000.
pub const BATCH_EVENTS_MAX: usize = 100_000;
/// The most bytes of messages of a batch; PutLogEvents allows 1 MiB.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The most bytes of files that a group may have: beyond, its oldest events go.
    pub group_bytes_max: u64,
    /// The most bytes of files that all groups may have together: beyond, the oldest events of the biggest group go, of
    /// the account that has the most.
    pub total_bytes_max: u64,
    /// An active file that is larger than this is sealed.
    pub active_bytes_max: u64,
    /// How much memory the blocks of one query may take: where more of them overlap in time, some are read repeatedly.
    pub query_bytes_max: usize,
    /// How long an acknowledged batch may be without being on the disk; 1 s at most.
    pub sync_interval: Duration,
    /// How bytes reach the disk.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            group_bytes_max: 8 << 30,
            total_bytes_max: 32 << 30,
            active_bytes_max: 8 << 20,
            query_bytes_max: 48 << 20,
            sync_interval: Duration::from_millis(500),
            disk: Arc::new(SystemDisk),
        }
    }
}
