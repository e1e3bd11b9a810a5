//! Copies of the database, and stores made from them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use blobs::Digest;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, params};

use super::failure::{doing, engine};
use super::schema::{MIGRATIONS, migrate};
use super::{compact, open, read, read_counters};
use crate::record::referenced_by;
use crate::{Key, Revision, StoreError};

/// How far the revision leaps when a copy is restored, and with it the numbers of leases and receipts. Whoever saw the original after the copy was made holds revisions
/// from a future that never came; none gets this far ahead: at 10,000 transactions a second it is more than a day.
pub const RESTORED_REVISION_LEAP: u64 = 1_000_000_000;

/// Copies the database of a store that this or another process may have open, while writes go on. The copy is whole
/// and of one revision, which is answered. It must not exist yet, and only its owner can read it.
///
/// # Errors
/// [`StoreError::Io`] if there is no store or the copy cannot be made, [`StoreError::Full`] if it has no room.
pub fn backup_directory(directory: &Path, to: &Path) -> Result<Revision, StoreError> {
    copy(&open::database_in(directory), to)
}

pub(super) fn copy(database: &Path, to: &Path) -> Result<Revision, StoreError> {
    open::create_private(to)?;
    try_copy(database, to).inspect_err(|_| {
        // What is left of a copy that failed is of no use; that it cannot be removed either adds nothing.
        drop(open::remove_with_companions(to));
    })
}

fn try_copy(database: &Path, to: &Path) -> Result<Revision, StoreError> {
    // A copy of a store that nobody has open must be able to read what is only in its log.
    let source = open::for_copy(database)?;
    let mut target = Connection::open(to).map_err(doing("making the copy"))?;
    target.pragma_update(None, "synchronous", "OFF").map_err(engine)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(doing("copying the database"))?;
        // All pages in one step: a reader's snapshot, which no writer disturbs.
        while backup.step(-1).map_err(doing("copying the database"))? != StepResult::Done {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let revision = read_counters(&target)?.revision;
    target.close().map_err(|(_, error)| doing("copying the database")(error))?;
    open::put_in_place(to, to)?;
    Ok(revision)
}

/// The blobs that the records of a copy need: what a backup has to hold beside it. To miss none, hold collection off
/// ([`blobs::Blobs::hold`]) before the copy is made.
///
/// # Errors
/// [`StoreError::Record`] if a record cannot be read.
pub fn blobs_referenced_in(copy: &Path) -> Result<BTreeSet<Digest>, StoreError> {
    let connection = open::for_copy(copy)?;
    let sql = "SELECT c.key, l.value FROM current c JOIN log l ON l.seq = c.seq";
    let mut select = connection.prepare(sql).map_err(engine)?;
    let mut rows = select.query([]).map_err(engine)?;
    let mut blobs = BTreeSet::new();
    while let Some(row) = rows.next().map_err(doing("reading the copy"))? {
        let key: String = row.get(0).map_err(engine)?;
        let value = row.get_ref(1).map_err(engine)?.as_blob().map_err(|error| engine(error.into()))?;
        blobs.extend(referenced_by(&Key::from_stored(&key), value)?);
    }
    Ok(blobs)
}

/// Makes a store, in a directory that has none, from a copy. Its revision leaps ahead and its history is gone, so that
/// whoever still watches from a revision of the original is told that it has been compacted.
///
/// # Errors
/// [`StoreError::Corrupt`] if the copy is damaged or the directory has a store, [`StoreError::Newer`] if a later version
/// of the program made the copy.
pub fn restore_directory(copy: &Path, directory: &Path) -> Result<Revision, StoreError> {
    let lock = open::lock(directory)?;
    let restored = restore_locked(copy, &open::database_in(directory));
    open::unlock(&lock);
    restored
}

fn restore_locked(copy: &Path, database: &Path) -> Result<Revision, StoreError> {
    if database.exists() || open::with_suffix(database, "-wal").exists() {
        return Err(StoreError::Corrupt { reason: format!("there is a store already: {}", database.display()) });
    }
    let new = open::with_suffix(database, ".new");
    open::remove_with_companions(&new)?;
    let revision = prepare(copy, &new).inspect_err(|_| {
        // The next attempt clears it away too.
        drop(open::remove_with_companions(&new));
    })?;
    open::put_in_place(&new, database)?;
    Ok(revision)
}

/// Makes a database that can be put in place from a copy.
fn prepare(copy: &Path, new: &Path) -> Result<Revision, StoreError> {
    open::create_private(new)?;
    std::fs::copy(copy, new).map_err(|error| StoreError::io(format!("copying {}", copy.display()), error))?;
    let mut connection = Connection::open(new).map_err(doing("opening the copy"))?;
    connection.pragma_update(None, "synchronous", "OFF").map_err(engine)?;
    open::check_application(&connection)?;
    check_integrity(&connection)?;
    migrate(&mut connection, MIGRATIONS)?;
    let revision = leap(&mut connection)?;
    connection.close().map_err(|(_, error)| doing("restoring")(error))?;
    Ok(revision)
}

fn check_integrity(connection: &Connection) -> Result<(), StoreError> {
    let found: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(doing("checking the copy"))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt { reason: found }) }
}

fn leap(connection: &mut Connection) -> Result<Revision, StoreError> {
    let revision = Revision(read_counters(connection)?.revision.0 + RESTORED_REVISION_LEAP);
    let sql = "UPDATE meta SET revision = ?1, serial = serial + ?2, leases_granted = leases_granted + ?2";
    let leaped = params![revision.0.cast_signed(), RESTORED_REVISION_LEAP.cast_signed()];
    connection.execute(sql, leaped).map_err(doing("restoring"))?;
    connection.execute("DELETE FROM mark", []).map_err(doing("restoring"))?;
    let domains = read::domains(connection)?;
    let floors: Vec<(Key, Revision)> = domains.iter().map(|(key, domain)| (key.clone(), domain.floor)).collect();
    for (domain, mut floor) in floors {
        while floor < revision {
            floor = compact::slice(connection, &domains, &domain, floor, revision)?;
        }
    }
    connection
        .execute("UPDATE history SET floor = max(floor, ?1)", params![revision.0.cast_signed()])
        .map_err(engine)?;
    Ok(revision)
}
