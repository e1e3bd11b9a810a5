//! The state store, in the shape of etcd: guarded transactions over ordered keys under one revision counter, watches
//! over a bounded history, leases; and beside them queues, which have no history but share the transactions.
//!
//! It is not a place for what is big (that is a blob) nor for what is computed from the rest.
//!
//! - [`Store`] is the entry: [`Store::open`] for the one on disk, [`Store::in_memory`] for simulations.
//! - The raw layer: [`Key`], [`Txn`], [`Range`], [`Watch`].
//! - The typed layer, which services use: [`Record`], [`Scope`], [`Tx`], [`Versioned`], [`Store::update`].
//!
//! What holds for every engine:
//! - A write that was answered is durable, and is seen by every later read.
//! - A transaction happens whole or not at all, and the keys that it changes have one new [`Revision`].
//! - A watch gets every event after its revision once and in order, or [`StoreError::Compacted`]. However slow it is, it
//!   costs no memory and stops no writer.
//! - Opening the store gives every lease its full time again: nobody is taken for dead because the store was away.

mod change_count;
mod engine;
mod entry;
mod error;
mod history;
mod hub;
mod key;
pub mod limits;
mod memory;
mod pattern;
mod queue;
mod range;
mod record;
mod sqlite;
mod store;
mod txn;
mod watch;

pub use change_count::ChangeCount;
pub use entry::{Entry, Event, EventKind, LeaseId, Revision};
pub use error::StoreError;
pub use history::HistoryPolicy;
pub use key::Key;
pub use queue::{Message, QueueCount, QueueSignal, Receipt};
pub use range::{Page, Range, first_beyond};
pub use record::{
    Change, ListOptions, Listing, MigrationError, Record, RecordWatch, Scope, SecondaryKey, Tx, Versioned,
};
pub use sqlite::{RESTORED_REVISION_LEAP, backup_directory, blobs_referenced_in, restore_directory};
pub use store::{Maintenance, Store, StoreOptions};
pub use txn::{Guard, Op, Txn, TxnOutcome};
pub use watch::Watch;
