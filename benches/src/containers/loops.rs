//! How much is measured, and the same thing done over and over: one after the other, or by several at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::stats::figure;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// In which all take turns.
    pub(super) rounds: usize,
    /// Containers one after the other, of each runtime, in each round.
    pub(super) runtime_runs: usize,
    /// The same of Pilvi as a person uses it.
    pub(super) own_runs: usize,
    /// The same of docker and podman, which take much longer.
    pub(super) engine_runs: usize,
    /// How long containers are started by several at once.
    pub(super) rate: Duration,
    /// Sandboxes whose memory is measured.
    pub(super) idle: usize,
}

impl Effort {
    pub(super) const FULL: Self =
        Self { rounds: 3, runtime_runs: 100, own_runs: 100, engine_runs: 20, rate: Duration::from_secs(5), idle: 20 };
    pub(super) const QUICK: Self =
        Self { rounds: 1, runtime_runs: 30, own_runs: 30, engine_runs: 4, rate: Duration::from_secs(2), idle: 8 };
}

/// Does it so often.
pub(super) fn times<T>(count: usize, mut once: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
    (0..count).map(|_| once()).collect()
}

/// How often a second it is done by so many threads at once, each of which begins anew until the time is over. What has begun
/// by then is finished and counted, and so is its time.
///
/// # Errors
/// The first that anybody met; the others then stop.
pub(super) fn rate(callers: usize, time: Duration, once: impl Fn() -> Result<()> + Sync) -> Result<f64> {
    let (count, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    let caller = || -> Result<()> {
        while begun.elapsed() < time && !failed.load(Ordering::Relaxed) {
            if let Err(error) = once() {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
        let ends = callers.into_iter().map(|caller| caller.join().unwrap_or_else(|_| bail!("a thread panicked")));
        ends.collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    })?;
    Ok(figure(count.into_inner()) / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_one_ends_it_for_all() {
        let calls = AtomicU64::new(0);
        let once = || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => bail!("no"),
            _ => Ok(()),
        };
        assert_eq!(rate(2, Duration::from_secs(60), once).unwrap_err().to_string(), "no");
    }

    #[test]
    fn what_has_begun_is_counted() {
        assert!(rate(2, Duration::from_nanos(1), || Ok(())).unwrap().is_finite());
        assert_eq!(times(3, || Ok(())).unwrap().len(), 3);
    }
}
