//! What is kept for a while: the least recently used goes first.

use std::collections::HashMap;
use std::hash::Hash;

/// Values of a limited total weight.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    kept: HashMap<K, Kept<V>>,
    weight: usize,
    weight_max: usize,
    tick: u64,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> Lru<K, V> {
    pub(crate) fn new(weight_max: usize) -> Self {
        Self { kept: HashMap::new(), weight: 0, weight_max, tick: 0 }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.tick += 1;
        let kept = self.kept.get_mut(key)?;
        kept.used = self.tick;
        Some(kept.value.clone())
    }

    /// Keeps a value, unless it alone is heavier than all may be.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.weight_max {
            return;
        }
        self.tick += 1;
        self.weight += weight;
        self.kept.insert(key, Kept { value, weight, used: self.tick });
        if self.weight > self.weight_max {
            self.evict();
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(kept) = self.kept.remove(key) {
            self.weight -= kept.weight;
        }
    }

    /// Makes room for some time, so that the search for the oldest is not repeated for each value.
    fn evict(&mut self) {
        let mut by_use: Vec<(u64, K)> = self.kept.iter().map(|(key, kept)| (kept.used, key.clone())).collect();
        by_use.sort_unstable_by_key(|(used, _)| *used);
        for (used, key) in by_use {
            if self.weight <= self.weight_max - self.weight_max / 4 || used == self.tick {
                break;
            }
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut lru = Lru::new(4);
        for key in 0..4 {
            lru.insert(key, key, 1);
        }
        assert_eq!(lru.get(&0), Some(0));
        lru.insert(4, 4, 1);
        assert_eq!((lru.get(&1), lru.get(&0), lru.get(&4)), (None, Some(0), Some(4)));
        assert!(lru.weight <= 4);
    }

    #[test]
    fn what_is_too_heavy_is_not_kept_and_pushes_nothing_out() {
        let mut lru = Lru::new(4);
        lru.insert(1, (), 4);
        lru.insert(2, (), 5);
        assert_eq!((lru.get(&1), lru.get(&2)), (Some(()), None));
    }
}
