//! Reading and scanning.

use std::ops::ControlFlow;

use crate::merge::Merge;
use crate::select::{Selection, ids};
use crate::{Cursor, Direction, Error, Event, EventRef, GroupKey, Page, Query, Scan, Scanned, Segments};

impl Segments {
    /// Events of a stream. A group or stream without events has an empty page. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::Deleted`], [`Error::Io`].
    pub fn read(&self, group: &GroupKey, stream: &str, query: Query) -> Result<Page, Error> {
        let ids = ids(query.start, query.end, query.from, query.direction);
        let selection = Selection::of_stream(stream, ids.clone(), query.direction);
        let (mut events, mut bytes) = (Vec::new(), 0);
        let is_cut = self.merge(group, &selection, &mut |event| {
            bytes += event.message.len();
            if events.len() >= query.limit_events || (bytes > query.limit_bytes && !events.is_empty()) {
                return ControlFlow::Break(());
            }
            events.push(event.to_event());
            ControlFlow::Continue(())
        })?;
        if query.direction == Direction::Backward {
            events.reverse();
        }
        let nowhere = query.from.unwrap_or(Cursor::before(ids.start));
        let first = events.first().map_or(nowhere, |event: &Event| Cursor::before(event.id));
        let last = events.last().map_or(nowhere, |event| Cursor::after(event.id));
        let (next, previous) = match query.direction {
            Direction::Forward => (last, first),
            Direction::Backward => (first, last),
        };
        Ok(Page { events, next, previous, exhausted: !is_cut })
    }

    /// Passes the events of a group, all streams interleaved by time, then arrival, to `visit`, until it breaks, a limit
    /// is reached, or nothing is left. No lock is held meanwhile. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::Deleted`], [`Error::Io`].
    pub fn scan(
        &self,
        group: &GroupKey,
        scan: &Scan,
        visit: &mut dyn FnMut(EventRef<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, Error> {
        let ids = ids(scan.start, scan.end, scan.from, scan.direction);
        let prefix = scan.stream_prefix.as_deref();
        let selection = Selection::of_streams(scan.streams.as_ref(), prefix, ids, scan.direction);
        let mut scanned = Scanned { events: 0, message_bytes: 0, next: None };
        let mut next = None;
        let is_cut = self.merge(group, &selection, &mut |event| {
            scanned.events += 1;
            scanned.message_bytes += event.message.len() as u64;
            next = Some(match scan.direction {
                Direction::Forward => Cursor::after(event.id),
                Direction::Backward => Cursor::before(event.id),
            });
            let is_over = scanned.events >= scan.limit_events || scanned.message_bytes >= scan.limit_bytes;
            if visit(event).is_break() || is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        scanned.next = next.filter(|_| is_cut);
        Ok(scanned)
    }

    /// Passes what is selected to `visit`; answers whether it broke off.
    fn merge(
        &self,
        group: &GroupKey,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(EventRef<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        if selection.ids.is_empty() {
            return Ok(false);
        }
        let view = self.group(group)?.view(&self.shared, selection)?;
        let merged = Merge::new(&self.shared, group, selection, view).run(visit);
        // Files go away under a reader only with their group.
        merged.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Deleted(group.clone()),
            _ => Error::io("reading events")(error),
        })
    }
}
