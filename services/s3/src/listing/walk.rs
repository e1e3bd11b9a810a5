//! A way through records in the order of their keys, which can leap ahead.

use std::collections::VecDeque;

use store::{Key, Versioned};

use super::{Listable, range};
use crate::names::stored;
use crate::{Error, S3};

/// How many records are read at first: one that is rolled up is followed by a leap, and the rest was read in vain.
const FIRST: usize = 32;
/// How many are read at once where nothing is rolled up.
const MOST: usize = 1000;

/// A way through the records of a kind below a key.
pub(crate) struct Walk<'a, R> {
    s3: &'a S3,
    above: Key,
    prefix: String,
    /// Where the next page begins; none is at the beginning.
    start: Option<String>,
    /// What has been read: where it stands, its key, it.
    page: VecDeque<(String, String, Versioned<R>)>,
    is_over: bool,
    size: usize,
}

impl<'a, R: Listable> Walk<'a, R> {
    /// From the first record whose key has the prefix, or from a text of the store on.
    pub(crate) fn new(s3: &'a S3, above: &Key, prefix: &str, start: Option<String>) -> Self {
        Self {
            s3,
            above: above.clone(),
            prefix: stored(prefix).into_owned(),
            start,
            page: VecDeque::new(),
            is_over: false,
            size: FIRST,
        }
    }

    /// The next record, and its key.
    pub(crate) async fn next(&mut self) -> Result<Option<(String, Versioned<R>)>, Error> {
        if self.page.is_empty() && !self.is_over {
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
        let listing = self.s3.platform.store.list_range::<R>(range).await?;
        self.size = (self.size * 4).min(MOST);
        self.is_over = !listing.more;
        for record in listing.items {
            let text = record.id.get(1..).unwrap_or_default().join("/");
            let key = R::key_of(&record.id);
            self.page.push_back((text, key, record));
        }
        // After the last one: U+0000 follows it before anything else does.
        self.start = self.page.back().map(|(text, ..)| format!("{text}\0"));
        Ok(())
    }
}
