//! What containers printed and nobody got: it was overwritten before it was sent on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How often others are told of further losses alone; they are with whatever else they are told.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Of the containers of a workload.
#[derive(Debug, Default)]
pub(super) struct Losses {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    each: HashMap<String, Loss>,
    told_at: Option<Instant>,
}

/// Of one container.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loss {
    /// The position before which everything was sent on, or is counted.
    pub(super) seen: u64,
    /// How many bytes nobody got.
    pub(super) bytes: u64,
}

impl Losses {
    /// What is known already.
    pub(super) fn begin(&self, container: &str, loss: Loss) {
        self.lock().each.insert(container.to_owned(), loss);
    }

    /// Somebody got what is between two positions; so many bytes before the first are not there any more.
    pub(super) fn got(&self, container: &str, [from, to]: [u64; 2], lost: u64) {
        let mut state = self.lock();
        let Some(loss) = state.each.get_mut(container) else { return };
        let new = from.saturating_sub(loss.seen.max(from.saturating_sub(lost)));
        loss.bytes = loss.bytes.saturating_add(new);
        loss.seen = loss.seen.max(to);
        if new > 0 && state.told_at.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            state.told_at = Some(Instant::now());
            self.news.notify_one();
        }
    }

    /// Of one container.
    pub(super) fn of(&self, container: &str) -> Loss {
        self.lock().each.get(container).copied().unwrap_or_default()
    }

    /// Waits until others are to be told.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_got_is_not_lost_and_what_is_lost_is_counted_once() {
        let losses = Losses::default();
        losses.begin("app", Loss { seen: 0, bytes: 5 });
        losses.got("app", [0, 100], 0);
        assert_eq!(losses.of("app"), Loss { seen: 100, bytes: 5 });
        // Somebody else reads from the beginning, of which a part is not there any more.
        losses.got("app", [80, 100], 80);
        assert_eq!(losses.of("app"), Loss { seen: 100, bytes: 5 });
        for _ in 0..2 {
            losses.got("app", [150, 160], 150);
            assert_eq!(losses.of("app"), Loss { seen: 160, bytes: 55 });
        }
        losses.got("app", [170, 180], 10);
        assert_eq!(losses.of("app"), Loss { seen: 180, bytes: 65 });
        losses.got("nobody", [10, 20], 10);
        assert_eq!(losses.of("nobody"), Loss::default());
    }
}
