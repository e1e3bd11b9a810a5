//! The rows of queries that have ended, as long as there is room for them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::QueryKey;
use crate::insights::Field;

/// A query's rows.
pub(super) type Rows = Arc<Vec<Vec<Field>>>;

/// Rows of queries, those that were asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct RowsCache {
    kept: VecDeque<(QueryKey, Rows, usize)>,
    bytes: usize,
}

impl RowsCache {
    /// Keeps rows, and lets others go for them.
    pub(super) fn insert(&mut self, key: QueryKey, rows: Rows, bytes_max: usize) {
        self.remove(&key);
        let bytes = size(&rows);
        self.bytes += bytes;
        self.kept.push_back((key, rows, bytes));
        while self.bytes > bytes_max && self.kept.len() > 1 {
            self.bytes -= self.kept.pop_front().map_or(0, |(_, _, bytes)| bytes);
        }
    }

    /// The rows of a query, if they are still there.
    pub(super) fn get(&mut self, key: &QueryKey) -> Option<Rows> {
        let at = self.kept.iter().position(|(kept, _, _)| kept == key)?;
        let found = self.kept.remove(at)?;
        let rows = found.1.clone();
        self.kept.push_back(found);
        Some(rows)
    }

    /// Forgets a query.
    pub(super) fn remove(&mut self, key: &QueryKey) {
        if let Some(at) = self.kept.iter().position(|(kept, _, _)| kept == key) {
            self.bytes -= self.kept.remove(at).map_or(0, |(_, _, bytes)| bytes);
        }
    }
}

fn size(rows: &[Vec<Field>]) -> usize {
    let of_field = |field: &Field| size_of::<Field>() + field.field.len() + field.value.len();
    rows.iter().map(|row| size_of::<Vec<Field>>() + row.iter().map(of_field).sum::<usize>()).sum()
}

#[cfg(test)]
mod tests {
    use base::Region;
    use store::Scope;

    use super::*;

    fn key(id: &str) -> QueryKey {
        QueryKey { scope: Scope::new("123456789012".parse().unwrap(), Region::default()), id: id.to_owned() }
    }

    fn rows(bytes: usize) -> Rows {
        Arc::new(vec![vec![Field { field: String::new(), value: "x".repeat(bytes) }]])
    }

    #[test]
    fn the_rows_that_were_not_asked_for_longest_go_first() {
        let mut cache = RowsCache::default();
        for id in ["a", "b"] {
            cache.insert(key(id), rows(1000), 3000);
        }
        assert!(cache.get(&key("a")).is_some());
        cache.insert(key("c"), rows(1000), 3000);
        assert!(cache.get(&key("b")).is_none() && cache.get(&key("a")).is_some() && cache.get(&key("c")).is_some());
        cache.insert(key("d"), rows(5000), 3000);
        assert!(cache.get(&key("d")).is_some() && cache.get(&key("a")).is_none());
        cache.remove(&key("d"));
        assert_eq!(cache.bytes, 0);
    }
}
