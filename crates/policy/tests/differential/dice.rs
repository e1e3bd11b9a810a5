//! Choices, from a seed.

use base::{Rng, SeededRng};

pub(crate) struct Dice(SeededRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds start far apart.
        Self(SeededRng::new(seed.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// Below `end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }

    /// True so often in a hundred.
    pub(crate) fn percent(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one<'a, T: ?Sized>(&self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// From `least` to `most` of them, each made anew.
    pub(crate) fn several<T>(&self, least: usize, most: usize, make: impl Fn(&Self) -> T) -> Vec<T> {
        (0..least + self.below(most - least + 1)).map(|_| make(self)).collect()
    }
}
