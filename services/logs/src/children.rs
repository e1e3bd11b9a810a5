//! What lies in a log group and has a name: streams and metric filters. Their records' ids are the group's id and the
//! name, cut at `/`.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use store::{Key, Range, Record, Scope, Store, Versioned};

use crate::Error;

/// How much of a name an id holds, in bytes: a key has 1,024, and `%` takes three.
const ID_BYTES_MAX: usize = 640;
/// What a hash takes in an id, its mark included.
const HASH_BYTES: usize = 65;

/// A record of something that lies in a group.
pub(crate) trait Child: Record {
    /// What it is called.
    fn name(&self) -> &str;
}

/// The id of what is called `name` in a group.
pub(crate) fn id_of(group_id: &str, name: &str) -> Vec<String> {
    std::iter::once(group_id).chain(id_name(name).split('/')).map(str::to_owned).collect()
}

/// An id as the store takes it.
pub(crate) fn segments(id: &[String]) -> Vec<&str> {
    id.iter().map(String::as_str).collect()
}

/// The name as far as an id holds it: a longer one is told from others by its hash.
fn id_name(name: &str) -> Cow<'_, str> {
    if fitting(name, ID_BYTES_MAX) == name.len() {
        return Cow::Borrowed(name);
    }
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    Cow::Owned(format!("{}\u{1}{hash}", start_of(name)))
}

/// The beginning of a name that fits into an id beside a hash.
fn start_of(name: &str) -> &str {
    &name[..fitting(name, ID_BYTES_MAX - HASH_BYTES)]
}

/// How many bytes of a name take at most `max` in a key.
fn fitting(name: &str, max: usize) -> usize {
    let mut taken = 0;
    let over = name.char_indices().find(|(_, c)| {
        taken += if *c == '%' { 3 } else { c.len_utf8() };
        taken > max
    });
    over.map_or(name.len(), |(at, _)| at)
}

/// What is called `name` in a group.
pub(crate) async fn read<R: Child>(
    store: &Store,
    scope: &Scope,
    group_id: &str,
    name: &str,
) -> Result<Option<Versioned<R>>, Error> {
    Ok(store.read(scope, &segments(&id_of(group_id, name))).await?)
}

/// Which children of a group to list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window<'a> {
    /// What their names begin with.
    pub(crate) prefix: &'a str,
    /// The name after which to go on.
    pub(crate) after: Option<&'a str>,
    /// How many at most.
    pub(crate) limit: usize,
    /// Whether to begin with the last.
    pub(crate) reverse: bool,
}

/// A part of a group's children, by name.
#[derive(Debug)]
pub(crate) struct Children<R> {
    /// The children.
    pub(crate) items: Vec<R>,
    /// Whether there are more.
    pub(crate) more: bool,
}

/// Lists children of a group by name.
pub(crate) async fn list<R: Child>(
    store: &Store,
    scope: &Scope,
    group_id: &str,
    window: Window<'_>,
) -> Result<Children<R>, Error> {
    let base = scope.key().child(R::SERVICE).child(R::KIND).child(group_id);
    let mut range = range(&base, window);
    let mut items = Vec::new();
    loop {
        let page = store.range(range.clone()).await?;
        let id = |key: &Key| key.segments().skip(4).map(Cow::into_owned).collect::<Vec<String>>();
        let ids: Vec<Vec<String>> = page.entries.iter().map(|entry| id(&entry.key)).collect();
        let ids: Vec<Vec<&str>> = ids.iter().map(|id| segments(id)).collect();
        let ids: Vec<&[&str]> = ids.iter().map(Vec::as_slice).collect();
        for found in store.read_many::<R>(scope, &ids).await?.into_iter().flatten() {
            // The range of a long prefix is wider than the prefix.
            if !found.value.name().starts_with(window.prefix) {
                continue;
            }
            if items.len() == window.limit {
                return Ok(Children { items, more: true });
            }
            items.push(found.value);
        }
        match page.entries.last().filter(|_| page.more) {
            Some(last) => range = range.after(&last.key),
            None => return Ok(Children { items, more: false }),
        }
    }
}

fn range(base: &Key, window: Window<'_>) -> Range {
    let mut range = Range::prefix(base).limit(window.limit.saturating_add(1));
    let prefix = start_of(window.prefix);
    if !prefix.is_empty() {
        range.start = base.join(prefix.split('/')).as_str().to_owned();
        range.end = successor(&range.start);
    }
    if window.reverse {
        range = range.reverse();
    }
    match window.after {
        Some(after) => range.after(&base.join(id_name(after).split('/'))),
        None => range,
    }
}

/// The first text after all that begin with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let (at, last) = prefix.char_indices().last()?;
    let next = char::from_u32(u32::from(last) + 1).unwrap_or(char::MAX);
    Some(format!("{}{next}", &prefix[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(name: &str) -> Key {
        Key::new(id_of("g", name))
    }

    #[test]
    fn ids_of_names_keep_their_order_and_fit_into_a_key() {
        let keys = ["a", "a-b", "a/b", "a/b/c", "a0", "b%"].map(key_of);
        assert!(keys.is_sorted(), "{keys:?}");
        for longest in ["%".repeat(512), "😀".repeat(512), "/".repeat(512)] {
            let other = format!("{}x", &longest[..longest.len() - longest.chars().last().unwrap().len_utf8()]);
            assert!(key_of(&longest).as_str().len() <= ID_BYTES_MAX + 2);
            assert_ne!(key_of(&longest), key_of(&other));
        }
    }
}
