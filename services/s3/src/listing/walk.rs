//! A way through records in the order of their keys, which can leap ahead.

use std::collections::VecDeque;

use store::{Key, Revision, Versioned};

use super::{Listable, range};
use crate::names::stored;
use crate::{Error, S3};

/// How many records are read at first: one that is rolled up is followed by a leap, and the rest was read in vain.
const FIRST: usize = 32;
/// How many are read at once where nothing is rolled up. What is kept of them is little; what is read of each may be 20 KiB.
const MOST: usize = 500;

/// A way through the records of a kind below a key. Of each it keeps what a list says.
pub(crate) struct Walk<'a, R, T> {
    s3: &'a S3,
    above: Key,
    prefix: String,
    /// Where the next page begins; none is at the beginning.
    start: Option<String>,
    /// Which revision is read; none is the present.
    at: Option<Revision>,
    /// What has been read: where it stands, its key, it.
    page: VecDeque<(String, String, T)>,
    keep: fn(Versioned<R>) -> T,
    is_over: bool,
    size: usize,
}

impl<'a, R: Listable, T> Walk<'a, R, T> {
    /// From the first record whose key has the prefix, or from a text of the store on.
    pub(crate) fn new(
        s3: &'a S3,
        above: &Key,
        prefix: &str,
        start: Option<String>,
        keep: fn(Versioned<R>) -> T,
    ) -> Self {
        Self {
            s3,
            above: above.clone(),
            prefix: stored(prefix).into_owned(),
            start,
            at: None,
            page: VecDeque::new(),
            keep,
            is_over: false,
            size: FIRST,
        }
    }

    /// Through the records as they were at a revision, which must not be long ago.
    pub(crate) fn at(self, revision: Revision) -> Self {
        Self { at: Some(revision), ..self }
    }

    /// The next record, and its key.
    pub(crate) async fn next(&mut self) -> Result<Option<(String, T)>, Error> {
        while self.page.is_empty() && !self.is_over {
            self.read().await?;
        }
        Ok(self.page.pop_front().map(|(_, key, record)| (key, record)))
    }

    /// Leaps to a text of the store, if that is ahead; to the end, if there is none.
    pub(crate) fn seek(&mut self, text: Option<String>) {
        let Some(text) = text else {
            self.page.clear();
            self.is_over = true;
            return;
        };
        while self.page.front().is_some_and(|(at, ..)| *at < text) {
            self.page.pop_front();
        }
        if self.page.is_empty() && self.start.as_ref().is_none_or(|start| *start < text) {
            self.start = Some(text);
            self.size = FIRST;
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let range = range(&self.above, &self.prefix, self.start.as_deref()).limit(self.size);
        let store = &self.s3.platform.store;
        self.size = (self.size * 4).min(MOST);
        let mut listing = store.list_range::<R>(range.clone()).await?;
        let mut reached = listing.items.last().filter(|_| listing.more).map(|last| (text_of(last), last.key.clone()));
        if let Some(at) = self.at.filter(|at| *at != listing.revision) {
            // The past is read as far as the present has been: without that end the store would go through all there is.
            let range = match &reached {
                Some((_, key)) => range.before(format!("{key}\0")),
                None => range,
            };
            listing = store.list_range::<R>(range.at(at)).await?;
            if let Some(last) = listing.items.last().filter(|_| listing.more) {
                reached = Some((text_of(last), last.key.clone()));
            }
        }
        for record in listing.items {
            let (text, key) = (text_of(&record), R::key_of(&record.id));
            self.page.push_back((text, key, (self.keep)(record)));
        }
        self.is_over = reached.is_none();
        // After the last one: U+0000 follows it before anything else does.
        self.start = reached.map(|(text, _)| format!("{text}\0"));
        Ok(())
    }
}

/// Where a record stands.
fn text_of<R>(record: &Versioned<R>) -> String {
    record.id.get(1..).unwrap_or_default().join("/")
}
