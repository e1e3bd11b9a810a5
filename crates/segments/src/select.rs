//! Which events a query is about.

use std::collections::BTreeSet;
use std::ops::Range;

use base::Timestamp;

use crate::event::EventId;
use crate::{Cursor, Direction};

/// Streams and ids.
#[derive(Debug, Clone)]
pub(crate) struct Selection<'a> {
    streams: Streams<'a>,
    /// The ids between the query's times and, on one side, its cursor.
    pub(crate) ids: Range<EventId>,
    pub(crate) direction: Direction,
}

#[derive(Debug, Clone)]
enum Streams<'a> {
    One(&'a str),
    Some { names: Option<&'a BTreeSet<String>>, prefix: &'a str },
}

impl<'a> Selection<'a> {
    /// Events of one stream.
    pub(crate) fn of_stream(name: &'a str, ids: Range<EventId>, direction: Direction) -> Self {
        Self { streams: Streams::One(name), ids, direction }
    }

    /// Events of streams with these names, if any are given, that begin so.
    pub(crate) fn of_streams(
        names: Option<&'a BTreeSet<String>>,
        prefix: Option<&'a str>,
        ids: Range<EventId>,
        direction: Direction,
    ) -> Self {
        let streams = match names.map(|names| (names.len(), names.first())) {
            Some((1, Some(name))) if name.starts_with(prefix.unwrap_or_default()) => Streams::One(name),
            _ => Streams::Some { names, prefix: prefix.unwrap_or_default() },
        };
        Self { streams, ids, direction }
    }

    pub(crate) fn has_stream(&self, name: &str) -> bool {
        match &self.streams {
            Streams::One(one) => *one == name,
            Streams::Some { names, prefix } => {
                name.starts_with(prefix) && names.is_none_or(|names| names.contains(name))
            }
        }
    }

    /// The only stream, if it is about one.
    pub(crate) fn only(&self) -> Option<&'a str> {
        match self.streams {
            Streams::One(name) => Some(name),
            Streams::Some { .. } => None,
        }
    }

    pub(crate) fn first_timestamp(&self) -> i64 {
        self.ids.start.timestamp()
    }

    pub(crate) fn last_timestamp(&self) -> i64 {
        self.ids.end.predecessor().timestamp()
    }
}

/// The ids of the events from `start` on and before `end` that are on that side of a cursor where the direction leads.
pub(crate) fn ids(
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    from: Option<Cursor>,
    direction: Direction,
) -> Range<EventId> {
    let mut first = start.map_or(EventId::FIRST, |start| EventId::new(start.as_millis(), 0));
    let mut last = end.map_or(EventId::LAST, |end| EventId::new(end.as_millis(), 0));
    match (from, direction) {
        (Some(cursor), Direction::Forward) => first = first.max(cursor.id()),
        (Some(cursor), Direction::Backward) => last = last.min(cursor.id()),
        (None, _) => {}
    }
    first..last
}
