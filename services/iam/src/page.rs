//! Lists in pages: `Marker`, `MaxItems`, `IsTruncated`.

use platform::Ctx;
use store::{ListOptions, Record, Versioned};

use crate::limits::PAGE_ITEMS_DEFAULT;
use crate::{Error, Iam};

/// What a list operation was asked for.
#[derive(Debug)]
pub(crate) struct PageRequest<'a> {
    iam: &'a Iam,
    ctx: &'a Ctx,
    operation: &'static str,
    after: Option<String>,
    limit: usize,
}

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// What goes on after it, if there is more.
    pub(crate) marker: Option<String>,
}

impl<T> Page<T> {
    /// The member `IsTruncated`.
    pub(crate) fn is_truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }

    /// The same page of something else.
    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), marker: self.marker }
    }
}

impl<'a> PageRequest<'a> {
    /// Reads the request's marker, which must have been given out by the same operation to the same account.
    pub(crate) fn new(
        iam: &'a Iam,
        ctx: &'a Ctx,
        operation: &'static str,
        marker: Option<&str>,
        max_items: Option<i32>,
    ) -> Result<Self, Error> {
        let open = |marker| iam.platform.open_page_token(ctx, operation, marker).map_err(|_| Error::InvalidMarker);
        let after = marker.map(open).transpose()?;
        let limit = max_items.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE_ITEMS_DEFAULT).max(1);
        Ok(Self { iam, ctx, operation, after, limit })
    }

    /// How many items a page has at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The cursor of the last item of the page before, if there was one.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// A page of a list that is there as a whole. Each item comes with its cursor, in ascending order of the cursors.
    pub(crate) fn of<T>(&self, items: impl IntoIterator<Item = (String, T)>) -> Page<T> {
        let is_new = |cursor: &str| self.after().is_none_or(|after| cursor > after);
        let found = items.into_iter().filter(|(cursor, _)| is_new(cursor)).take(self.limit + 1).collect();
        self.cut(found, |(cursor, _)| cursor.clone()).map(|(_, item)| item)
    }

    /// A page of the account's records of one kind, in the order of their ids, which are single names.
    pub(crate) async fn scan<R: Record>(&self, keep: impl Fn(&R) -> bool) -> Result<Page<Versioned<R>>, Error> {
        let found = self.scan_after(self.after.clone(), keep).await?;
        Ok(self.cut(found, |record| record.name().to_owned()))
    }

    /// A page of the account's records that have a secondary key.
    pub(crate) async fn scan_by<R: Record>(&self, index: &str, value: &str) -> Result<Page<Versioned<R>>, Error> {
        let (store, scope) = (&self.iam.platform.store, self.ctx.global_scope());
        let mut found: Vec<Versioned<R>> = Vec::new();
        let mut after = self.after.clone();
        while found.len() <= self.limit {
            let wanted = (self.limit + 1).saturating_sub(found.len());
            let listing = store.list_by::<R>(&scope, index, value, after.as_deref(), wanted).await?;
            found.extend(listing.items);
            after = listing.next;
            if after.is_none() {
                break;
            }
        }
        Ok(self.cut(found, |record| record.name().to_owned()))
    }

    /// The records that come after a cursor of their own: one more than fill a page, if there are as many.
    pub(crate) async fn scan_after<R: Record>(
        &self,
        mut after: Option<String>,
        keep: impl Fn(&R) -> bool,
    ) -> Result<Vec<Versioned<R>>, Error> {
        let (store, scope) = (&self.iam.platform.store, self.ctx.global_scope());
        let mut found: Vec<Versioned<R>> = Vec::new();
        let mut step = self.limit + 1;
        while found.len() <= self.limit {
            let options = ListOptions { after: after.as_deref(), limit: step, ..ListOptions::default() };
            let listing = store.list::<R>(&scope, options).await?;
            let (read, before) = (listing.items.len(), found.len());
            found.extend(listing.items.into_iter().filter(|record| keep(record)));
            after = listing.next;
            if after.is_none() {
                break;
            }
            // Where all are wanted it is known how many are missing; where few are, small steps would take long.
            let is_all_wanted = found.len() - before == read;
            step =
                if is_all_wanted { (self.limit + 1).saturating_sub(found.len()) } else { ListOptions::default().limit };
        }
        Ok(found)
    }

    /// Cuts what was found to a page; that there was more than one page makes the marker.
    pub(crate) fn cut<T>(&self, mut found: Vec<T>, cursor: impl Fn(&T) -> String) -> Page<T> {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let last = found.last().filter(|_| more).map(cursor);
        let marker = last.map(|last| self.iam.platform.page_token(self.ctx, self.operation, &last));
        Page { items: found, marker }
    }
}
