//! How long to wait before something that failed is tried again.

use std::time::Duration;

use base::Rng;

/// Waits that double from `first` to `longest`, each shortened at random by up to a half, so that what failed together
/// is not tried again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Backoff {
    /// From a tenth of a second to a minute.
    pub const DEFAULT: Self = Self { first: Duration::from_millis(100), longest: Duration::from_secs(60) };

    /// The wait after so many failures in a row; none after none.
    pub fn delay(&self, failures: u32, rng: &dyn Rng) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let full = self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest);
        let half = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX);
        full.saturating_sub(Duration::from_millis(rng.next_u64() % half.saturating_add(1)))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_waits_before_it_has_failed() {
        assert_eq!(Backoff::DEFAULT.delay(0, &SeededRng::new(1)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_and_all_of_its_step_and_never_beyond_the_longest(
            seed: u64, failures in 1_u32.., first in 0_u64..10_000, longest in 0_u64..1_000_000,
        ) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) };
            let full = u128::from(first).saturating_mul(1 << (failures - 1).min(64)).min(u128::from(longest));
            let delay = backoff.delay(failures, &SeededRng::new(seed)).as_millis();
            prop_assert!(delay <= full && delay * 2 >= full, "{delay} of {full}");
        }
    }
}
