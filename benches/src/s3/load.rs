//! Callers that each have a thread: for bodies that are larger than a connection's buffers, and for the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::cell::Run;
use super::stage::Watched;
use crate::client::{self, Load};
use crate::processes::CpuTicks;
use crate::stats::{Samples, figure, nanoseconds};

/// How many work at once, and until when new work begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) callers: usize,
    pub(super) time: Duration,
    /// The most that is done.
    pub(super) count_max: u64,
}

/// Does the work of threads, each with a worker of its own, which is told the number of each piece of work. Answers how
/// many there were, too.
pub(super) fn work<W>(pace: Pace, watched: Watched, worker: impl Fn() -> Result<W>) -> Result<(Run, u64)>
where
    W: FnMut(u64) -> Result<()> + Send,
{
    let workers: Vec<W> = (0..pace.callers).map(|_| worker()).collect::<Result<_>>()?;
    let next = AtomicU64::new(0);
    let before = watched.ticks();
    let begun = Instant::now();
    let each = |mut worker: W| -> Result<Vec<u64>> {
        let mut latencies = Vec::new();
        // Whoever comes first does one in any case.
        while latencies.is_empty() || begun.elapsed() < pace.time {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= pace.count_max {
                break;
            }
            let since = Instant::now();
            worker(number)?;
            latencies.push(nanoseconds(since.elapsed()));
        }
        Ok(latencies)
    };
    let latencies: Vec<Vec<u64>> = thread::scope(|scope| {
        let threads: Vec<_> = workers.into_iter().map(|worker| scope.spawn(|| each(worker))).collect();
        let ends = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")));
        ends.collect::<Vec<_>>().into_iter().collect::<Result<_>>()
    })?;
    let latencies = latencies.concat();
    let count = latencies.len() as u64;
    Ok((run(latencies, begun.elapsed(), watched, before)?, count))
}

/// Sends requests that were made ahead, none of which may be refused.
pub(super) fn send(load: &Load<'_>, watched: Watched) -> Result<Run> {
    let before = watched.ticks();
    let outcome = client::drive(load)?;
    let refusal = outcome.first_refusal.unwrap_or_default();
    ensure!(outcome.refused == 0, "{} requests were refused: {refusal}", outcome.refused);
    run(outcome.latencies_ns, outcome.elapsed, watched, before)
}

fn run(latencies: Vec<u64>, elapsed: Duration, watched: Watched, before: Option<CpuTicks>) -> Result<Run> {
    let cpu_s = watched.ticks().zip(before).map(|(now, before)| now.since(before).server_s());
    let count = figure(latencies.len() as u64);
    let latency = Samples::new(latencies).context("nothing was done")?.latency();
    let per_second = count / elapsed.as_secs_f64();
    Ok(Run { latency, per_second, cpu_us: cpu_s.map(|seconds| seconds * 1e6 / count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_numbers_from_nought_and_ends_with_its_count() {
        let seen = std::sync::Mutex::new(Vec::new());
        let pace = Pace { callers: 3, time: Duration::from_secs(60), count_max: 10 };
        let worker = || Ok(|number| seen.lock().map(|mut seen| seen.push(number)).map_err(|_| anyhow::anyhow!("")));
        let (run, count) = work(pace, Watched::nobody(), worker).unwrap();
        assert_eq!((count, run.latency.samples, run.cpu_us), (10, 10, None));
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn every_caller_does_something_though_there_is_no_time() {
        let pace = Pace { callers: 2, time: Duration::ZERO, count_max: u64::MAX };
        assert_eq!(work(pace, Watched::nobody(), || Ok(|_| Ok(()))).unwrap().1, 2);
        assert!(work(pace, Watched::nobody(), || Ok(|_| bail!("no"))).is_err());
    }
}
