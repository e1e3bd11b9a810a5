//! Deleting and expiring.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Group, Open, State};
use crate::marks::Mark;
use crate::shared::Shared;
use crate::summary::Summary;
use crate::{Error, GroupKey, StreamStats, lock};

impl Group {
    /// Deletes what a stream has now.
    pub(crate) fn delete_stream(self: &Arc<Self>, shared: &Shared, stream: &str) -> Result<(), Error> {
        let has_changed = self.with(shared, |open| open.delete_stream(shared, &self.key, stream))?;
        self.free(shared, has_changed);
        Ok(())
    }

    /// Retention: of what there is now, nothing before that time is answered any more.
    pub(crate) fn expire(self: &Arc<Self>, shared: &Shared, before: i64) -> Result<(), Error> {
        let has_changed = self.with(shared, |open| open.expire(shared, &self.key, before))?;
        self.free(shared, has_changed);
        Ok(())
    }

    /// Has the space freed of what is hidden now.
    fn free(self: &Arc<Self>, shared: &Shared, has_changed: bool) {
        if has_changed {
            shared.work.maintain(self);
        }
    }

    /// What a stream has.
    pub(crate) fn stream_stats(self: &Arc<Self>, shared: &Shared, stream: &str) -> Result<Option<StreamStats>, Error> {
        let (segments, summary, before) = self.with(shared, |open| {
            let mut summary = Summary::EMPTY;
            let boundary = open.marks.hidden().boundary(stream);
            let known = open.logs().filter_map(|log| log.summary_of(stream));
            known.filter(|known| known.last_sequence >= boundary).for_each(|known| summary.add(known));
            Ok((open.segments.clone(), summary, open.marks.hidden().clone()))
        })?;
        let mut summary = summary;
        let boundary = before.boundary(stream);
        for segment in segments {
            let index = segment.index(&shared.caches, &shared.reports, &self.key);
            let index = index.map_err(Error::io("reading the index of a sealed file of events"))?;
            let known = index.stream(stream).map(|meta| &meta.summary);
            known.filter(|known| known.last_sequence >= boundary).into_iter().for_each(|known| summary.add(known));
        }
        if before.is_expired(summary.last_timestamp, summary.last_sequence) {
            return Ok(None);
        }
        if let Some(expired) =
            before.expired_before().filter(|_| before.is_expired(summary.first_timestamp, summary.first_sequence))
        {
            summary.first_timestamp = summary.first_timestamp.max(expired).min(summary.last_timestamp);
        }
        Ok(summary.stats())
    }

    /// Deletes the group: nothing reaches it any more.
    pub(crate) fn delete(&self, shared: &Shared) -> Result<(), Error> {
        let mut state = lock(&self.state);
        shared.root.discard(self.key.as_str())?;
        if let State::Open(open) = &*state {
            shared.account_memory(open.memory_bytes, 0);
        }
        *state = State::Deleted;
        shared.account(self.bytes.swap(0, Ordering::AcqRel), 0);
        drop(state);
        self.subscribers.close();
        Ok(())
    }
}

impl Open {
    /// The boundary of a mark: before the next event, and after all other marks, so that a file that obeys all marks up
    /// to one can say so.
    fn next_boundary(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    /// Answers whether anything has changed.
    fn delete_stream(&mut self, shared: &Shared, key: &GroupKey, stream: &str) -> Result<bool, Error> {
        // Deleted already, and nothing has come since.
        if self.marks.hidden().boundary(stream) + 1 >= self.next_sequence || self.is_empty() {
            return Ok(false);
        }
        let mark = Mark::Stream { name: stream.into(), boundary: self.next_boundary() };
        self.marks.store(&shared.root, key, &mark)?;
        self.marks.apply(&mark);
        if let Some(active) = &mut self.active {
            active.forget(stream);
        }
        Ok(true)
    }

    /// Files go as a whole once all in them has expired; what else has expired is marked. Answers whether anything has
    /// changed.
    fn expire(&mut self, shared: &Shared, key: &GroupKey, before: i64) -> Result<bool, Error> {
        let hidden = Arc::clone(self.marks.hidden());
        let is_new = |totals: &Summary| {
            totals.events > 0 && totals.first_timestamp < before && !hidden.covers(before, totals.last_sequence)
        };
        let has_new =
            self.segments.iter().any(|segment| is_new(&segment.totals)) || self.logs().any(|log| is_new(&log.totals));
        let mut stored = Ok(());
        if has_new {
            let mark = Mark::Expiry { before, boundary: self.next_boundary() };
            stored = self.marks.store(&shared.root, key, &mark);
            self.marks.apply(&mark);
        }
        // On a full disk the mark is not stored; all the more the files must go.
        let is_over = |totals: &Summary| totals.last_timestamp < before;
        let expired = self.segments.extract_if(.., |segment| is_over(&segment.totals));
        expired.for_each(|segment| segment.file.doom());
        let expired = self.frozen.extract_if(.., |log| is_over(&log.totals));
        expired.for_each(|log| log.file.doom());
        if self.active.as_ref().is_some_and(|active| active.totals.events > 0 && is_over(&active.totals)) {
            self.active.take().into_iter().for_each(|active| active.file.doom());
        }
        stored.map(|()| has_new)
    }
}
