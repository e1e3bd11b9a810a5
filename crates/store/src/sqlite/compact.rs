//! Dropping history, a slice at a time.
//!
//! A slice is a window of the log between a domain's floor and a later one. What its rows have replaced, and the
//! deletions among them, can no longer be asked for once the floor is past them. So a slice costs what happened in it,
//! not what the domain holds.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{doing, engine};
use super::rows::{last_seq_of, revision_of};
use crate::history::Domains;
use crate::{Key, Revision, StoreError};

/// About how many rows of the log a slice looks at, so that writers wait for a few milliseconds at most.
const SLICE_ROWS: i64 = 2000;

/// Moves the floor of a domain towards `target` by one slice, in a transaction of its own. Answers where it is then.
pub(super) fn slice(
    connection: &mut Connection,
    domains: &Domains,
    domain: &Key,
    from: Revision,
    target: Revision,
) -> Result<Revision, StoreError> {
    let transaction = connection.transaction().map_err(engine)?;
    let sql = "SELECT seq FROM log WHERE seq > ?1 ORDER BY seq LIMIT 1 OFFSET ?2";
    let far = transaction.query_row(sql, params![last_seq_of(from), SLICE_ROWS], |row| row.get(0)).optional();
    let to = far.map_err(engine)?.map_or(target, |seq| revision_of(seq).min(target));
    drop_between(&transaction, domains, domain, from, to)?;
    let sql = "UPDATE history SET floor = ?2 WHERE prefix = ?1";
    transaction.execute(sql, params![domain.as_str(), to.0.cast_signed()]).map_err(engine)?;
    transaction.commit().map_err(doing("compacting the history"))?;
    Ok(to)
}

fn drop_between(
    connection: &Connection,
    domains: &Domains,
    domain: &Key,
    from: Revision,
    to: Revision,
) -> Result<(), StoreError> {
    let sql = "SELECT seq, key, live, previous FROM log WHERE seq > ?1 AND seq <= ?2";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let droppable = |row: &Row<'_>| {
        if domains.governing(&Key::from_stored(row.get_ref(1)?.as_str()?)).0 != domain {
            return Ok([None, None]);
        }
        let itself = if row.get::<_, bool>(2)? { None } else { Some(row.get::<_, i64>(0)?) };
        Ok([row.get::<_, Option<i64>>(3)?, itself])
    };
    let rows = select.query_map([last_seq_of(from), last_seq_of(to)], droppable).map_err(engine)?;
    let rows: Vec<[Option<i64>; 2]> = rows.collect::<Result<_, _>>().map_err(engine)?;
    let mut delete = connection.prepare_cached("DELETE FROM log WHERE seq = ?1").map_err(engine)?;
    for seq in rows.into_iter().flatten().flatten() {
        delete.execute([seq]).map_err(engine)?;
    }
    Ok(())
}
