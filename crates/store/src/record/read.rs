//! Reading records.

use super::envelope::decode;
use super::{Record, Scope, Versioned, kind_key, record_key, secondary_key};
use crate::limits::PAGE_ENTRIES_MAX;
use crate::{Entry, Key, Range, Revision, Store, StoreError};

/// Which records of a kind to list.
#[derive(Debug, Clone, Copy)]
pub struct ListOptions<'a> {
    /// The first segments of the id: a cluster's name, to list what is in it.
    pub id_prefix: &'a [&'a str],
    /// Where the listing before this one ended: its [`Listing::next`].
    pub after: Option<&'a str>,
    /// How many at most; 1,000 is the most that is answered.
    pub limit: usize,
    /// The revision to read at; none reads the present.
    pub at: Option<Revision>,
}

impl Default for ListOptions<'_> {
    fn default() -> Self {
        Self { id_prefix: &[], after: None, limit: PAGE_ENTRIES_MAX, at: None }
    }
}

/// Records of a kind, in the order of their ids.
#[derive(Debug, Clone)]
pub struct Listing<R> {
    /// The records.
    pub items: Vec<Versioned<R>>,
    /// Whether there are more. There may be even if fewer than the limit have come: large records fill a page sooner.
    pub more: bool,
    /// When there are more: what to go on after.
    pub next: Option<String>,
    /// What was read: a watch after this revision misses nothing.
    pub revision: Revision,
}

impl Store {
    /// Reads a record.
    ///
    /// # Errors
    /// [`StoreError::Record`] if it cannot be read as an `R`.
    pub async fn read<R: Record>(&self, scope: &Scope, id: &[&str]) -> Result<Option<Versioned<R>>, StoreError> {
        self.get(&record_key::<R>(scope, id)).await?.as_ref().map(decode).transpose()
    }

    /// Reads records, all at one revision. The answers are in the order of the ids.
    pub async fn read_many<R: Record>(
        &self,
        scope: &Scope,
        ids: &[&[&str]],
    ) -> Result<Vec<Option<Versioned<R>>>, StoreError> {
        let keys = ids.iter().map(|id| record_key::<R>(scope, id)).collect();
        decode_all(self.get_many(keys).await?)
    }

    /// Lists the records of a kind in a scope, in the order of their ids.
    pub async fn list<R: Record>(&self, scope: &Scope, options: ListOptions<'_>) -> Result<Listing<R>, StoreError> {
        let kind = kind_key::<R>(scope);
        let mut range = Range::prefix(&kind.join(options.id_prefix)).limit(options.limit);
        range.at = options.at;
        if let Some(after) = options.after {
            range = range.after(&below(&kind, after));
        }
        let page = self.range(range).await?;
        let next = page.entries.last().filter(|_| page.more).map(|entry| rest(&kind, &entry.key));
        let items = page.entries.iter().map(decode).collect::<Result<_, _>>()?;
        Ok(Listing { items, more: next.is_some(), next, revision: page.revision })
    }

    /// Lists the records of a kind in a range, in the order of the range: see [`Record::key`] for where they lie.
    pub async fn list_range<R: Record>(&self, range: Range) -> Result<Listing<R>, StoreError> {
        let page = self.range(range).await?;
        let next = page.entries.last().filter(|_| page.more).map(|entry| entry.key.as_str().to_owned());
        let items = page.entries.iter().map(decode).collect::<Result<_, _>>()?;
        Ok(Listing { items, more: next.is_some(), next, revision: page.revision })
    }

    /// Lists the records of a kind in all scopes, in the order of their keys. Scopes are read one after the other; what
    /// changes meanwhile is told by a watch after [`Listing::revision`].
    pub async fn list_everywhere<R: Record>(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing<R>, StoreError> {
        let limit = limit.min(PAGE_ENTRIES_MAX);
        let revision = self.revision();
        let mut items: Vec<Versioned<R>> = Vec::new();
        let mut seek = Range::prefix(&Key::root()).limit(1);
        let mut resumed = after.map(Key::from_stored);
        if let Some(key) = &resumed {
            seek.start = key.as_str().to_owned();
        }
        // Each round finds the next scope that has anything at all, reads its records, and leaps over the rest of it.
        while let Some(first) = self.range(seek.clone()).await?.entries.pop() {
            let Some(scope) = first.key.raw_segments().nth(1).map(|_| scope_of(&first.key)) else {
                seek = seek.after(&first.key);
                continue;
            };
            let mut range = Range::prefix(&scope.child(R::SERVICE).child(R::KIND)).limit(limit - items.len());
            if let Some(key) = resumed.take() {
                range = range.after(&key);
            }
            let page = self.range(range).await?;
            for entry in &page.entries {
                items.push(decode(entry)?);
            }
            if page.more || items.len() == limit {
                let next = items.last().map(|last| last.key.as_str().to_owned());
                return Ok(Listing { items, more: next.is_some(), next, revision });
            }
            seek.start = scope.bounds_below().1.unwrap_or_default();
        }
        Ok(Listing { items, more: false, next: None, revision })
    }

    /// Lists the records of a kind that have a secondary key, in the order of their ids.
    pub async fn list_by<R: Record>(
        &self,
        scope: &Scope,
        index: &str,
        value: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing<R>, StoreError> {
        let at_value = secondary_key::<R>(scope, index, value);
        let mut range = Range::prefix(&at_value).limit(limit);
        if let Some(after) = after {
            range = range.after(&below(&at_value, after));
        }
        let page = self.range(range).await?;
        let next = page.entries.last().filter(|_| page.more).map(|entry| rest(&at_value, &entry.key));
        let mut entries = page.entries;
        if after.is_none() && entries.is_empty() {
            // A unique value lies at its key, not below it.
            entries.extend(self.get(&at_value).await?);
        }
        let keys = entries.iter().map(record_of).collect::<Result<_, _>>()?;
        let records: Vec<Option<Versioned<R>>> = decode_all(self.get_many(keys).await?)?;
        // The index was read before the records: one that has lost the value in between does not belong here.
        let has_it = |record: &Versioned<R>| record.secondary.iter().any(|it| it.index == index && it.value == value);
        let items = records.into_iter().flatten().filter(has_it).collect();
        Ok(Listing { items, more: next.is_some(), next, revision: page.revision })
    }

    /// The record that has a secondary key; the first, if many do.
    pub async fn find_by<R: Record>(
        &self,
        scope: &Scope,
        index: &str,
        value: &str,
    ) -> Result<Option<Versioned<R>>, StoreError> {
        Ok(self.list_by(scope, index, value, None, 1).await?.items.pop())
    }
}

fn decode_all<R: Record>(entries: Vec<Option<Entry>>) -> Result<Vec<Option<Versioned<R>>>, StoreError> {
    entries.into_iter().map(|entry| entry.as_ref().map(decode).transpose()).collect()
}

/// What a listing goes on after: the part of the key that follows the prefix.
fn rest(prefix: &Key, key: &Key) -> String {
    key.as_str()[prefix.as_str().len() + 1..].to_owned()
}

fn below(prefix: &Key, rest: &str) -> Key {
    Key::from_stored(&format!("{prefix}/{rest}"))
}

fn scope_of(key: &Key) -> Key {
    let mut segments = key.raw_segments();
    let (account, region) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    Key::from_stored(&format!("{account}/{region}"))
}

/// The key of the record that an entry of an index points at.
fn record_of(entry: &Entry) -> Result<Key, StoreError> {
    let text = std::str::from_utf8(&entry.value).map_err(|error| super::envelope::unreadable(&entry.key, error))?;
    Ok(Key::from_stored(text))
}
