//! The tables, and how older ones become them.

use rusqlite::Connection;

use super::failure::{doing, engine};
use crate::StoreError;
use crate::limits::TXN_CHANGES_MAX;

/// "Pilv": tells the state database from any other SQLite file.
pub(super) const APPLICATION_ID: i32 = 0x5069_6c76;

/// What brings the schema from each version to the next; the first from nothing. Entries are never changed, only added.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        revision INTEGER NOT NULL,
        -- Counts what must never repeat: receipts and places in a queue.
        serial INTEGER NOT NULL,
        leases_granted INTEGER NOT NULL
    ) STRICT;

    -- Every version of every key that the history still has. The number of a row is its revision and its place
    -- in the transaction, so new rows are appended, and the rows of a revision are neighbours.
    CREATE TABLE log (
        seq INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        -- 0: the key was deleted.
        live INTEGER NOT NULL,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL,
        lease INTEGER,
        -- The row of the key before this one, if it was live.
        previous INTEGER,
        value BLOB
    ) STRICT;

    -- Where each live key's row is.
    CREATE TABLE current (
        key TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        lease INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX current_by_lease ON current (lease) WHERE lease IS NOT NULL;

    CREATE TABLE lease (
        id INTEGER PRIMARY KEY,
        ttl_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE message (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        place INTEGER NOT NULL,
        receipt INTEGER NOT NULL,
        received INTEGER NOT NULL,
        enqueued_ms INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (queue, id)
    ) STRICT;
    CREATE INDEX message_by_time ON message (queue, visible_ms, place, received);

    CREATE TABLE history (
        prefix TEXT PRIMARY KEY,
        keep_ms INTEGER NOT NULL,
        events_max INTEGER NOT NULL,
        floor INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Everything up to a revision was committed by an instant.
    CREATE TABLE mark (
        revision INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL
    ) STRICT;

    INSERT INTO meta VALUES (1, 1, 0, 0);
    INSERT INTO history VALUES ('', 600000, 100000, 0);
    "];

/// How many rows of the log one revision has room for.
pub(super) const ROWS_PER_REVISION: u64 = 2048;
const _: () = assert!(TXN_CHANGES_MAX < 2048);

/// Brings the database to the latest version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(doing("reading the schema version"))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, sql) in (1_u32..).zip(migrations).skip(found as usize) {
        let transaction = connection.transaction().map_err(engine)?;
        transaction.execute_batch(sql).map_err(doing("migrating the schema"))?;
        transaction.pragma_update(None, "user_version", version).map_err(engine)?;
        transaction.commit().map_err(doing("migrating the schema"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_schema_is_brought_to_the_latest_one_step_at_a_time() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &["CREATE TABLE a (x)"]).unwrap();
        connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "UPDATE a SET y = x + 1"];
        migrate(&mut connection, &steps).unwrap();
        assert_eq!(connection.query_row("SELECT y FROM a", [], |row| row.get::<_, i64>(0)), Ok(2));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); SELECT nonsense"];
        migrate(&mut connection, &steps).unwrap_err();
        migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        let refused = migrate(&mut connection, &["CREATE TABLE a (x)"]);
        assert!(matches!(refused, Err(StoreError::Newer { found: 2, known: 1 })));
    }
}
