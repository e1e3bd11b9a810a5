//! Queues, as a table.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::apply::Batch;
use super::failure::engine;
use crate::queue::Receipt;
use crate::{Message, Op, QueueCount, StoreError};

/// Does what an operation does to a queue; nothing, if it is about keys.
pub(super) fn apply(
    connection: &Connection,
    batch: &mut Batch,
    op: &Op,
    touched: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    match op {
        Op::Enqueue { queue, id, body, visible_at } => {
            let serial = batch.next_serial().cast_signed();
            let sql = "INSERT OR REPLACE INTO message VALUES (?1, ?2, ?3, ?3, 0, ?4, ?5, ?6)";
            let row = params![queue, id, serial, batch.now.as_millis(), visible_at.as_millis(), body];
            connection.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(engine)?;
            touched.insert(queue.clone());
        }
        Op::Ack { queue, id, receipt } => {
            let sql = "DELETE FROM message WHERE queue = ?1 AND id = ?2 AND receipt = ?3 AND received > 0";
            let row = params![queue, id, receipt.0.cast_signed()];
            connection.prepare_cached(sql).and_then(|mut delete| delete.execute(row)).map_err(engine)?;
        }
        Op::Extend { queue, id, receipt, visible_at } => {
            let sql =
                "UPDATE message SET visible_ms = ?4 WHERE queue = ?1 AND id = ?2 AND receipt = ?3 AND received > 0";
            let row = params![queue, id, receipt.0.cast_signed(), visible_at.as_millis()];
            if connection.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(engine)? > 0 {
                touched.insert(queue.clone());
            }
        }
        Op::Remove { queue, id } => {
            let sql = "DELETE FROM message WHERE queue = ?1 AND id = ?2";
            connection.prepare_cached(sql).and_then(|mut delete| delete.execute([queue, id])).map_err(engine)?;
        }
        Op::Put { .. } | Op::Delete { .. } | Op::DeletePrefix { .. } => {}
    }
    Ok(())
}

/// Whether a receipt still holds its message.
pub(super) fn is_held(connection: &Connection, queue: &str, id: &str, receipt: Receipt) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM message WHERE queue = ?1 AND id = ?2 AND receipt = ?3 AND received > 0";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let found = select.query_row(params![queue, id, receipt.0.cast_signed()], |_| Ok(())).optional();
    Ok(found.map_err(engine)?.is_some())
}

/// Whether there is a message to receive.
pub(super) fn has_visible(connection: &Connection, queue: &str, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM message WHERE queue = ?1 AND visible_ms <= ?2 LIMIT 1";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let found = select.query_row(params![queue, now.as_millis()], |_| Ok(())).optional();
    Ok(found.map_err(engine)?.is_some())
}

/// Takes messages that are visible and holds them.
pub(super) fn receive(
    connection: &Connection,
    batch: &mut Batch,
    queue: &str,
    max: usize,
    hold: Duration,
) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT rowid, id, received, enqueued_ms, body FROM message
               WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, place LIMIT ?3";
    let visible_at = batch.now.plus(hold);
    let read = |row: &Row<'_>| {
        let message = Message {
            queue: queue.to_owned(),
            id: row.get(1)?,
            body: row.get(4)?,
            receipt: Receipt(0),
            received: row.get::<_, u32>(2)?.saturating_add(1),
            enqueued_at: Timestamp::from_millis(row.get(3)?),
            visible_at,
        };
        Ok((row.get::<_, i64>(0)?, message))
    };
    let bounds = params![queue, batch.now.as_millis(), i64::try_from(max).unwrap_or(i64::MAX)];
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let found: Vec<(i64, Message)> = select.query_map(bounds, read).and_then(Iterator::collect).map_err(engine)?;
    let mut messages = Vec::with_capacity(found.len());
    for (row, mut message) in found {
        message.receipt = Receipt(batch.next_serial());
        let sql = "UPDATE message SET receipt = ?2, received = ?3, visible_ms = ?4 WHERE rowid = ?1";
        let held = params![row, message.receipt.0.cast_signed(), message.received, visible_at.as_millis()];
        connection.prepare_cached(sql).and_then(|mut update| update.execute(held)).map_err(engine)?;
        messages.push(message);
    }
    Ok(messages)
}

/// Counts the messages of a queue, from its index alone.
pub(super) fn count(connection: &Connection, queue: &str, now: Timestamp) -> Result<QueueCount, StoreError> {
    let sql = "SELECT count(*) FILTER (WHERE visible_ms <= ?2),
                      count(*) FILTER (WHERE visible_ms > ?2 AND received > 0),
                      count(*) FILTER (WHERE visible_ms > ?2 AND received = 0),
                      min(visible_ms) FILTER (WHERE visible_ms > ?2)
               FROM message WHERE queue = ?1";
    let mut select = connection.prepare_cached(sql).map_err(engine)?;
    let read = |row: &Row<'_>| {
        let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let next_visible_at = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis);
        Ok(QueueCount { visible: number(0)?, held: number(1)?, delayed: number(2)?, next_visible_at })
    };
    select.query_row(params![queue, now.as_millis()], read).map_err(engine)
}
