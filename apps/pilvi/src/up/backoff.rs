//! How long the supervisor waits before it starts a process anew.

use std::time::Duration;

/// A first death is answered at once but for this: a client that made it die does not fork without end.
const FIRST: Duration = Duration::from_millis(50);

/// The longest wait.
const LAST: Duration = Duration::from_secs(10);

/// A process that lived this long starts the count anew.
const HEALTHY: Duration = Duration::from_secs(30);

/// A wait that doubles with each early death.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    next: Option<Duration>,
}

impl Backoff {
    /// The wait after a process that lived for `lived`.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        let pause = if lived >= HEALTHY { FIRST } else { self.next.unwrap_or(FIRST) };
        self.next = Some((pause * 2).min(LAST));
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_starts_anew_after_a_healthy_life() {
        let mut backoff = Backoff::default();
        let early = Duration::from_secs(1);
        let waits: Vec<u128> = (0..10).map(|_| backoff.after(early).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff.after(HEALTHY).as_millis(), 50);
        assert_eq!(backoff.after(early).as_millis(), 100);
    }
}
