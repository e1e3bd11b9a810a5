//! What is bounded, and by how much. The size of values and the operations of a transaction are etcd's, so that a state
//! that fits here fits there.

/// The longest key, in bytes: S3's longest, of 1,024 bytes that are all escaped, with what stands before and after it.
pub const KEY_BYTES_MAX: usize = 4096;
/// The largest value or message body, in bytes. What is larger is a blob.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// The most operations in either branch of a transaction, and the most guards (etcd's `--max-txn-ops`).
pub const TXN_OPERATIONS_MAX: usize = 128;
/// The most bytes of keys, values and bodies in one transaction.
pub const TXN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most keys that one [`Op::DeletePrefix`](crate::Op::DeletePrefix) deletes.
pub const PREFIX_DELETIONS_MAX: usize = 1000;
/// The most keys that one transaction changes, those that its prefix deletions find among them.
pub const TXN_CHANGES_MAX: usize = 2000;
/// The most entries in one page of a range.
pub const PAGE_ENTRIES_MAX: usize = 1000;
/// The most bytes of values in one page of a range, but for a single entry that has more.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most events that [`Watch::next`](crate::Watch::next) hands out at once, but for a single revision that has more.
pub const WATCH_EVENTS_MAX: usize = 256;
/// The most keys that one lease holds: they are all deleted in one transaction when it expires.
pub const LEASE_KEYS_MAX: usize = 1000;
/// The longest name of a queue and id of a message, in bytes.
pub const QUEUE_NAME_BYTES_MAX: usize = 512;
/// The most messages that are received at once.
pub const RECEIVE_MAX: usize = 100;
