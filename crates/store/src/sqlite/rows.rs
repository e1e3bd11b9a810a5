//! Rows of the log, and where a key's is.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};

use super::failure::engine;
use super::schema::ROWS_PER_REVISION;
use crate::{Entry, Key, LeaseId, Revision, StoreError};

/// The number of the row that is in this place of its transaction.
pub(super) fn seq_of(revision: Revision, place: u64) -> i64 {
    (revision.0 * ROWS_PER_REVISION + place).cast_signed()
}

/// The number that no row of the revision exceeds.
pub(super) fn last_seq_of(revision: Revision) -> i64 {
    seq_of(revision, ROWS_PER_REVISION - 1)
}

pub(super) fn revision_of(seq: i64) -> Revision {
    Revision(seq.cast_unsigned() / ROWS_PER_REVISION)
}

/// A live key's row, without its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) seq: i64,
    pub(super) created: i64,
    pub(super) version: i64,
}

/// Finds a live key.
pub(super) fn placed(connection: &Connection, key: &Key) -> Result<Option<Placed>, StoreError> {
    let sql = "SELECT l.seq, l.created, l.version FROM current c JOIN log l ON l.seq = c.seq WHERE c.key = ?1";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let row = |row: &Row<'_>| Ok(Placed { seq: row.get(0)?, created: row.get(1)?, version: row.get(2)? });
    select.query_row([key.as_str()], row).optional().map_err(engine)
}

/// The columns that [`entry`] reads, of a log that is named `l`.
macro_rules! entry_columns {
    () => {
        "l.seq, l.key, l.created, l.version, l.lease, l.value"
    };
}
pub(super) use entry_columns;

/// An entry from the first columns of a row.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        key: Key::from_stored(row.get_ref(1)?.as_str()?),
        value: row.get(5)?,
        created: Revision(row.get::<_, i64>(2)?.cast_unsigned()),
        modified: revision_of(row.get(0)?),
        version: row.get::<_, i64>(3)?.cast_unsigned(),
        lease: row.get::<_, Option<i64>>(4)?.map(|lease| LeaseId(lease.cast_unsigned())),
    })
}

/// What keys are compared with to stay below the end of a range. SQLite orders every blob after every text, so one
/// stands for no bound.
pub(super) fn upper_bound(end: Option<String>) -> Value {
    end.map_or(Value::Blob(Vec::new()), Value::Text)
}
