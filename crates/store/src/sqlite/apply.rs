//! One transaction, applied within the SQLite transaction of its batch.
//!
//! First everything is read and checked, then everything is written: an error before the first write leaves the batch
//! as it was, and one after it (the disk) undoes the batch.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::engine;
use super::queues;
use super::rows::{Placed, placed, revision_of, seq_of, upper_bound};
use crate::limits::{LEASE_KEYS_MAX, TXN_CHANGES_MAX};
use crate::txn::check_size;
use crate::{Guard, Key, LeaseId, Op, Revision, StoreError, Txn, TxnOutcome};

/// What a batch has done so far, to be made known when it is on disk.
pub(super) struct Batch {
    pub(super) now: Timestamp,
    pub(super) counters: Counters,
    pub(super) commits: Vec<Commit>,
    pub(super) granted: Vec<(LeaseId, std::time::Duration)>,
    pub(super) ended: Vec<LeaseId>,
}

/// The row of `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) revision: Revision,
    pub(super) serial: u64,
    pub(super) leases_granted: u64,
}

/// What a transaction has to tell the hub.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) before: Revision,
    pub(super) revision: Revision,
    pub(super) keys: Vec<Key>,
    pub(super) queues: BTreeSet<String>,
}

/// A key's new value, or none if it is deleted.
type Changed<'a> = BTreeMap<Key, Option<(&'a [u8], Option<LeaseId>)>>;

impl Batch {
    pub(super) fn new(now: Timestamp, counters: Counters) -> Self {
        Self { now, counters, commits: Vec::new(), granted: Vec::new(), ended: Vec::new() }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.counters.serial += 1;
        self.counters.serial
    }

    pub(super) fn txn(&mut self, connection: &Connection, txn: &Txn) -> Result<TxnOutcome, StoreError> {
        let mut failed = None;
        for guard in &txn.guards {
            if !holds(connection, guard)? {
                failed = Some(guard.key());
                break;
            }
        }
        let held = failed.is_none();
        let ops = if held { &txn.then } else { &txn.otherwise };
        let mut changed = Changed::new();
        for op in ops {
            plan(connection, op, &mut changed)?;
        }
        check_size("the changes of a transaction", changed.len(), TXN_CHANGES_MAX)?;
        check_leases(connection, &changed)?;
        let mut commit = self.write(connection, changed)?;
        for op in ops {
            queues::apply(connection, self, op, &mut commit.queues)?;
        }
        self.commits.push(commit);
        Ok(TxnOutcome { revision: self.counters.revision, held, failed })
    }

    /// Deletes a lease and its keys.
    pub(super) fn revoke(&mut self, connection: &Connection, lease: LeaseId) -> Result<(), StoreError> {
        let mut delete = connection.prepare_cached("DELETE FROM lease WHERE id = ?1").map_err(engine)?;
        if delete.execute([lease.0.cast_signed()]).map_err(engine)? == 0 {
            return Err(StoreError::LeaseNotFound { lease });
        }
        let changed = keys_of(connection, lease)?.into_iter().map(|key| (key, None)).collect();
        let commit = self.write(connection, changed)?;
        self.commits.push(commit);
        self.ended.push(lease);
        Ok(())
    }

    pub(super) fn grant(&mut self, connection: &Connection, ttl: std::time::Duration) -> Result<LeaseId, StoreError> {
        self.counters.leases_granted += 1;
        let lease = LeaseId(self.counters.leases_granted);
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let mut insert = connection.prepare_cached("INSERT INTO lease VALUES (?1, ?2)").map_err(engine)?;
        insert.execute(params![lease.0.cast_signed(), ttl_ms]).map_err(engine)?;
        self.granted.push((lease, ttl));
        Ok(lease)
    }

    fn write(&mut self, connection: &Connection, changed: Changed<'_>) -> Result<Commit, StoreError> {
        let before = self.counters.revision;
        if !changed.is_empty() {
            self.counters.revision = before.next();
        }
        let revision = self.counters.revision;
        let mut keys = Vec::with_capacity(changed.len());
        for (place, (key, change)) in (0..).zip(changed) {
            let seq = seq_of(revision, place);
            let previous = placed(connection, &key)?;
            match change {
                Some((value, lease)) => put(connection, &key, seq, previous, value, lease)?,
                None => delete(connection, &key, seq, previous)?,
            }
            keys.push(key);
        }
        Ok(Commit { before, revision, keys, queues: BTreeSet::new() })
    }
}

fn put(
    connection: &Connection,
    key: &Key,
    seq: i64,
    previous: Option<Placed>,
    value: &[u8],
    lease: Option<LeaseId>,
) -> Result<(), StoreError> {
    let created = previous.map_or(revision_of(seq).0.cast_signed(), |it| it.created);
    let version = previous.map_or(1, |it| it.version + 1);
    let lease = lease.map(|lease| lease.0.cast_signed());
    let sql = "INSERT INTO log (seq, key, live, created, version, lease, previous, value) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)";
    let row = params![seq, key.as_str(), created, version, lease, previous.map(|it| it.seq), value];
    connection.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(engine)?;
    let sql = "INSERT INTO current (key, seq, lease) VALUES (?1, ?2, ?3)
               ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, lease = excluded.lease";
    let row = params![key.as_str(), seq, lease];
    connection.prepare_cached(sql).and_then(|mut upsert| upsert.execute(row)).map_err(engine)?;
    Ok(())
}

fn delete(connection: &Connection, key: &Key, seq: i64, previous: Option<Placed>) -> Result<(), StoreError> {
    let sql = "INSERT INTO log (seq, key, live, created, version, previous) VALUES (?1, ?2, 0, 0, 0, ?3)";
    let row = params![seq, key.as_str(), previous.map(|it| it.seq)];
    connection.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(engine)?;
    let sql = "DELETE FROM current WHERE key = ?1";
    connection.prepare_cached(sql).and_then(|mut delete| delete.execute([key.as_str()])).map_err(engine)?;
    Ok(())
}

fn holds(connection: &Connection, guard: &Guard) -> Result<bool, StoreError> {
    Ok(match guard {
        Guard::Absent(key) => placed(connection, key)?.is_none(),
        Guard::Exists(key) => placed(connection, key)?.is_some(),
        Guard::Modified(key, revision) => placed(connection, key)?.is_some_and(|it| revision_of(it.seq) == *revision),
        Guard::NoneBelow(prefix) => live_below(connection, prefix, 1)?.is_empty(),
        Guard::Held { queue, id, receipt } => queues::is_held(connection, queue, id, *receipt)?,
    })
}

fn plan<'a>(connection: &Connection, op: &'a Op, changed: &mut Changed<'a>) -> Result<(), StoreError> {
    match op {
        Op::Put { key, value, lease } => {
            changed.insert(key.clone(), Some((value, *lease)));
        }
        Op::Delete { key } if placed(connection, key)?.is_some() => {
            changed.insert(key.clone(), None);
        }
        Op::DeletePrefix { prefix, limit } => {
            changed.extend(live_below(connection, prefix, *limit)?.into_iter().map(|key| (key, None)));
        }
        _ => {}
    }
    Ok(())
}

fn live_below(connection: &Connection, prefix: &Key, limit: usize) -> Result<Vec<Key>, StoreError> {
    let (start, end) = prefix.bounds_below();
    let sql = "SELECT key FROM current WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let row = params![start, upper_bound(end), i64::try_from(limit).unwrap_or(i64::MAX)];
    let keys = select.query_map(row, |row| Ok(Key::from_stored(row.get_ref(0)?.as_str()?))).map_err(engine)?;
    keys.collect::<Result<_, _>>().map_err(engine)
}

fn keys_of(connection: &Connection, lease: LeaseId) -> Result<Vec<Key>, StoreError> {
    let sql = "SELECT key FROM current WHERE lease = ?1";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let keys = select
        .query_map([lease.0.cast_signed()], |row| Ok(Key::from_stored(row.get_ref(0)?.as_str()?)))
        .map_err(engine)?;
    keys.collect::<Result<_, _>>().map_err(engine)
}

fn check_leases(connection: &Connection, changed: &Changed<'_>) -> Result<(), StoreError> {
    let attached: BTreeSet<LeaseId> = changed.values().flatten().filter_map(|(_, lease)| *lease).collect();
    for lease in attached {
        let sql = "SELECT 1 FROM lease WHERE id = ?1";
        let mut select = connection.prepare_cached(sql).map_err(engine)?;
        let found = select.query_row([lease.0.cast_signed()], |_| Ok(())).optional().map_err(engine)?;
        found.ok_or(StoreError::LeaseNotFound { lease })?;
        let kept = keys_of(connection, lease)?.iter().filter(|key| !changed.contains_key(*key)).count();
        let added = changed.values().flatten().filter(|(_, it)| *it == Some(lease)).count();
        check_size("the keys of a lease", kept + added, LEASE_KEYS_MAX)?;
    }
    Ok(())
}
