//! Reading: connections of their own, which see what has been committed and wait for nobody.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::failure::{doing, engine};
use super::open;
use super::rows::{entry, entry_columns, last_seq_of, revision_of, upper_bound};
use crate::engine::Changes;
use crate::history::Domains;
use crate::limits::PAGE_BYTES_MAX;
use crate::pattern::Pattern;
use crate::{Entry, Event, EventKind, Key, Page, Range, Revision, StoreError};

/// How many idle connections are kept. More are opened when more threads read at the same moment.
const IDLE_MAX: usize = 4;
/// How many rows of the log one look at the history passes over.
const SCAN_ROWS_MAX: usize = 10_000;

pub(super) struct Readers {
    database: PathBuf,
    /// None once the store is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(database: PathBuf) -> Self {
        Self { database, idle: Mutex::new(Some(Vec::new())) }
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        // A vector of connections cannot be left half changed by a panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `read` on a connection that nobody else uses meanwhile.
    pub(super) fn with<T>(&self, read: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.idle().as_mut().ok_or(StoreError::Closed)?.pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => open::reader(&self.database)?,
        };
        let answer = read(&mut connection);
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.len() < IDLE_MAX) {
            idle.push(connection);
        }
        answer
    }

    /// Closes what is idle; what is in use closes itself afterwards.
    pub(super) fn close(&self) {
        drop(self.idle().take());
    }
}

pub(super) fn get_many(connection: &mut Connection, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
    // A single statement is a snapshot by itself.
    if let [key] = keys {
        return Ok(vec![get(connection, key)?]);
    }
    let snapshot = connection.transaction().map_err(engine)?;
    keys.iter().map(|key| get(&snapshot, key)).collect()
}

fn get(connection: &Connection, key: &Key) -> Result<Option<Entry>, StoreError> {
    let sql = concat!("SELECT ", entry_columns!(), " FROM current c JOIN log l ON l.seq = c.seq WHERE c.key = ?1");
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    select.query_row([key.as_str()], entry).optional().map_err(doing("reading a key"))
}

pub(super) fn range(connection: &mut Connection, range: &Range) -> Result<Page, StoreError> {
    let snapshot = connection.transaction().map_err(engine)?;
    let current = revision(&snapshot)?;
    match range.at {
        Some(at) if at > current => Err(StoreError::FutureRevision { requested: at, current }),
        Some(at) if at < current => range_at(&snapshot, range, at),
        _ => range_now(&snapshot, range, current),
    }
}

fn range_now(snapshot: &Transaction<'_>, range: &Range, current: Revision) -> Result<Page, StoreError> {
    let sql = if range.reverse {
        concat!(
            "SELECT ",
            entry_columns!(),
            " FROM current c JOIN log l ON l.seq = c.seq
                 WHERE c.key >= ?1 AND c.key < ?2 ORDER BY c.key DESC LIMIT ?3"
        )
    } else {
        concat!(
            "SELECT ",
            entry_columns!(),
            " FROM current c JOIN log l ON l.seq = c.seq
                 WHERE c.key >= ?1 AND c.key < ?2 ORDER BY c.key LIMIT ?3"
        )
    };
    let mut select = snapshot.prepare_cached(sql).map_err(engine)?;
    // One more than wanted tells whether there are more.
    let bounds = params![range.start, upper_bound(range.end.clone()), limit_of(range.limit + 1)];
    let rows = select.query_map(bounds, entry).map_err(engine)?;
    page(rows.map(|row| row.map_err(doing("reading a range"))), range.limit, current)
}

fn page(
    found: impl Iterator<Item = Result<Entry, StoreError>>,
    limit: usize,
    revision: Revision,
) -> Result<Page, StoreError> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for entry in found {
        let entry = entry?;
        bytes += entry.value.len();
        if entries.len() == limit || (bytes > PAGE_BYTES_MAX && !entries.is_empty()) {
            return Ok(Page { entries, more: true, revision });
        }
        entries.push(entry);
    }
    Ok(Page { entries, more: false, revision })
}

/// Reads a range as it was: the present, with each key that has changed since taken back to the row that its first
/// change replaced.
fn range_at(snapshot: &Transaction<'_>, range: &Range, at: Revision) -> Result<Page, StoreError> {
    let floor = domains(snapshot)?.floor_of_range(range);
    if at < floor {
        return Err(StoreError::Compacted { floor });
    }
    let mut rows = BTreeMap::new();
    let end = upper_bound(range.end.clone());
    let sql = "SELECT key, seq FROM current WHERE key >= ?1 AND key < ?2";
    collect_rows(snapshot, sql, params![range.start, end], &mut rows)?;
    // The latest change first, so that the first one has the last word.
    let sql = "SELECT key, previous FROM log WHERE seq > ?3 AND key >= ?1 AND key < ?2 ORDER BY seq DESC";
    collect_rows(snapshot, sql, params![range.start, end, last_seq_of(at)], &mut rows)?;
    let then = rows.into_values().flatten();
    let ordered: Box<dyn Iterator<Item = i64>> = if range.reverse { Box::new(then.rev()) } else { Box::new(then) };
    page(ordered.map(|seq| row_of_log(snapshot, seq)), range.limit, at)
}

fn collect_rows(
    snapshot: &Transaction<'_>,
    sql: &str,
    bounds: &[&dyn rusqlite::ToSql],
    rows: &mut BTreeMap<Key, Option<i64>>,
) -> Result<(), StoreError> {
    let mut select = snapshot.prepare_cached(sql).map_err(engine)?;
    let mut found = select.query(bounds).map_err(engine)?;
    while let Some(row) = found.next().map_err(doing("reading the history"))? {
        let key = row.get_ref(0).map_err(engine)?.as_str().map_err(|error| engine(error.into()))?;
        rows.insert(Key::from_stored(key), row.get(1).map_err(engine)?);
    }
    Ok(())
}

fn row_of_log(snapshot: &Transaction<'_>, seq: i64) -> Result<Entry, StoreError> {
    let sql = concat!("SELECT ", entry_columns!(), " FROM log l WHERE l.seq = ?1");
    let mut select = snapshot.prepare_cached(sql).map_err(engine)?;
    select.query_row([seq], entry).map_err(doing("reading the history"))
}

pub(super) fn changes(
    connection: &mut Connection,
    pattern: &Pattern,
    after: Revision,
    limit: usize,
) -> Result<Changes, StoreError> {
    let snapshot = connection.transaction().map_err(engine)?;
    let current = revision(&snapshot)?;
    let floor = domains(&snapshot)?.floor_of(pattern);
    if after < floor {
        return Err(StoreError::Compacted { floor });
    }
    let sql = concat!("SELECT ", entry_columns!(), ", l.live, l.previous FROM log l WHERE l.seq > ?1 ORDER BY l.seq");
    let mut select = snapshot.prepare_cached(sql).map_err(engine)?;
    let mut rows = select.query([last_seq_of(after)]).map_err(engine)?;
    let mut events: Vec<Event> = Vec::new();
    let mut scanned = 0;
    let mut last = after;
    while let Some(row) = rows.next().map_err(doing("reading the history"))? {
        let revision = revision_of(row.get(0).map_err(engine)?);
        // Only between two revisions may it stop.
        if revision > last && (events.len() >= limit || scanned >= SCAN_ROWS_MAX) {
            return Ok(Changes { events, through: last });
        }
        last = revision;
        scanned += 1;
        if let Some(event) = event(&snapshot, row, pattern)? {
            events.push(event);
        }
    }
    Ok(Changes { events, through: current })
}

fn event(snapshot: &Transaction<'_>, row: &Row<'_>, pattern: &Pattern) -> Result<Option<Event>, StoreError> {
    let key = row.get_ref(1).map_err(engine)?.as_str().map_err(|error| engine(error.into()))?;
    let key = Key::from_stored(key);
    if !pattern.matches(&key) {
        return Ok(None);
    }
    let revision = revision_of(row.get(0).map_err(engine)?);
    let live: bool = row.get(6).map_err(engine)?;
    let kind = if live { EventKind::Put(entry(row).map_err(engine)?) } else { EventKind::Delete(key) };
    let previous: Option<i64> = row.get(7).map_err(engine)?;
    let previous = previous.map(|seq| row_of_log(snapshot, seq)).transpose()?;
    Ok(Some(Event { revision, kind, previous }))
}

fn revision(connection: &Connection) -> Result<Revision, StoreError> {
    let mut select = connection.prepare_cached("SELECT revision FROM meta").map_err(engine)?;
    let revision: i64 = select.query_row([], |row| row.get(0)).map_err(doing("reading the revision"))?;
    Ok(Revision(revision.cast_unsigned()))
}

/// The history policies and floors, as this connection sees them.
pub(super) fn domains(connection: &Connection) -> Result<Domains, StoreError> {
    let mut domains = Domains::new(crate::HistoryPolicy::default());
    let mut select =
        connection.prepare_cached("SELECT prefix, keep_ms, events_max, floor FROM history").map_err(engine)?;
    let mut rows = select.query([]).map_err(engine)?;
    while let Some(row) = rows.next().map_err(doing("reading the history's bounds"))? {
        let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned).map_err(engine);
        let prefix = row.get_ref(0).map_err(engine)?.as_str().map_err(|error| engine(error.into()))?;
        let policy =
            crate::HistoryPolicy { keep: std::time::Duration::from_millis(number(1)?), events_max: number(2)? };
        domains.restore(Key::from_stored(prefix), policy, Revision(number(3)?));
    }
    Ok(domains)
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
