//! Creating and opening the files.
//!
//! A directory holds `state.db`, SQLite's `-wal` and `-shm` beside it, and `lock`. The database is made under another
//! name and renamed when it is whole, so that a crash leaves either none or a good one.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::{doing, engine};
use super::schema::{APPLICATION_ID, MIGRATIONS, migrate};
use crate::StoreError;

const DATABASE: &str = "state.db";
/// How long to wait for another process that reads or copies the database.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Pages cached, in KiB: the writer's and each reader's.
const WRITER_CACHE_KIB: i64 = 8 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;

/// A log that grew beyond this, while a backup held it, is cut back afterwards.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// Where the database of a store is.
pub(super) fn database_in(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// Makes the directory if need be and takes it for this process.
pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    make_directory(directory).map_err(|error| StoreError::io(format!("making {}", directory.display()), error))?;
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| StoreError::io(format!("opening {}", path.display()), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(format!("locking {}", path.display()), error)),
    }
}

/// Gives the directory free. Closing the file is not enough: a process that is just being started may still have its
/// descriptor, until it executes its program.
pub(super) fn unlock(lock: &File) {
    // It fails for no reason that leaves the lock held.
    drop(lock.unlock());
}

/// Makes a directory and those above it, if need be, and makes their names durable.
fn make_directory(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    missing.into_iter().filter(|made| !made.as_os_str().is_empty()).try_for_each(sync_name)
}

/// Makes the name of a file or directory durable.
fn sync_name(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Makes the database if there is none.
pub(super) fn create_if_missing(directory: &Path) -> Result<(), StoreError> {
    let database = database_in(directory);
    let exists = |path: &Path| {
        path.try_exists().map_err(|error| StoreError::io(format!("looking for {}", path.display()), error))
    };
    if exists(&database)? {
        return Ok(());
    }
    // SQLite would take a log that is left over for this database's own.
    let log = with_suffix(&database, "-wal");
    if exists(&log)? {
        let reason = format!("{} is there, but {} is not", log.display(), database.display());
        return Err(StoreError::Corrupt { reason });
    }
    let new = with_suffix(&database, ".new");
    remove_with_companions(&new)?;
    create_private(&new)?;
    let mut connection = Connection::open(&new).map_err(doing("making the database"))?;
    // Nobody reads it before it has been synced and renamed.
    connection.pragma_update(None, "synchronous", "OFF").map_err(engine)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(doing("making the database"))?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(doing("making the database"))?;
    migrate(&mut connection, MIGRATIONS)?;
    connection.close().map_err(|(_, error)| doing("making the database")(error))?;
    put_in_place(&new, &database)
}

/// Syncs a file, gives it its name, and makes the name durable.
pub(super) fn put_in_place(new: &Path, place: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io(format!("putting {} in place", place.display()), error);
    File::open(new).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(new, place).map_err(failed)?;
    sync_name(place).map_err(failed)
}

/// Makes an empty file that only its owner can read: SQLite gives the same mode to the files beside it.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| StoreError::io(format!("making {}", path.display()), error))
}

/// Removes a database that was never put in place, and what SQLite has put beside it.
pub(super) fn remove_with_companions(database: &Path) -> Result<(), StoreError> {
    for path in ["", "-wal", "-shm", "-journal"].map(|suffix| with_suffix(database, suffix)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io(format!("removing {}", path.display()), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The connection that writes, on a database of the latest schema.
pub(super) fn writer(database: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(database, flags, vfs),
        None => Connection::open_with_flags(database, flags),
    };
    let mut connection = opened.map_err(doing("opening the database"))?;
    if vfs.is_some() {
        // Without shared memory for the index of the log, only one connection can use it.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(engine)?;
    }
    configure(&connection, WRITER_CACHE_KIB)?;
    check_application(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(doing("opening the database"))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(engine)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT).map_err(engine)?;
    migrate(&mut connection, MIGRATIONS)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(database: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(doing("opening the database"))?;
    configure(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// A connection that copies: it can write, since a store that nobody has open may have to be recovered from its log.
pub(super) fn for_copy(database: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(doing("opening the database"))?;
    configure(&connection, READER_CACHE_KIB)?;
    check_application(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection, cache_kib: i64) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_WAIT).map_err(engine)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans do not depend on the parameters' values, so a cached statement is not prepared again at each use: that was
    // nine tenths of a small read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(engine)?;
    // A restored file may hold what somebody else wrote: its schema may call nothing, and nothing writes past SQL.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(engine)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(engine)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).map_err(engine)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false).map_err(engine)?;
    connection.pragma_update(None, "cache_size", -cache_kib).map_err(engine)
}

/// Refuses a file that is not a state database.
pub(super) fn check_application(connection: &Connection) -> Result<(), StoreError> {
    let id: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(doing("opening the database"))?;
    if id == APPLICATION_ID {
        return Ok(());
    }
    Err(StoreError::Corrupt { reason: "the file is not a state database".to_owned() })
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}
