//! PutLogEvents: how many events a second are taken.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::{Clock, SystemClock};
use serde::Serialize;
use serde_json::json;

use super::Stage;
use super::calls::{self, Operation};
use super::lines::{Line, Lines};
use crate::client::{self, Load, Order, Outcome};
use crate::peer::{Both, Kind};
use crate::processes::{CpuTicks, ticks_per_second};
use crate::signed::Caller;
use crate::stats::{Latency, Samples, figure, median};

/// Events of a request.
pub(super) const BATCHES: [usize; 3] = [1, 100, 1000];
/// How many wait for an answer at once, each with a stream of its own.
pub(super) const WRITERS: [usize; 2] = [1, 8];
/// A look at each kind of request before the rounds, which tells how many a round will need.
const TRIAL: Duration = Duration::from_millis(200);
/// The bodies that are made ahead for one run take no more than this.
const REQUEST_BYTES_MAX: usize = 192 * 1024 * 1024;
/// What an event takes in a body, about.
const EVENT_BODY_BYTES: usize = 210;
/// Times of the events of a run: none leaves the two hours that an event may be ahead.
const LINES_PER_SECOND: u64 = 10_000;

/// Requests of one size by a number of writers.
#[derive(Debug, Serialize)]
pub(super) struct Ingest {
    pub(super) batch: usize,
    pub(super) writers: usize,
    #[serde(flatten)]
    pub(super) of: Both<Figures>,
    /// Events a second, times the peer's: the median over the rounds.
    pub(super) ratio: f64,
}

/// One server's figures: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    /// Of a request.
    pub(super) latency: Latency,
    pub(super) events_per_second: f64,
    /// Processor time of the server, in microseconds an event.
    pub(super) cpu_us: f64,
    rounds: Vec<Run>,
}

/// One run.
#[derive(Debug, Clone, Copy, Serialize)]
struct Run {
    latency: Latency,
    events_per_second: f64,
    cpu_us: f64,
}

/// Requests of one size by a number of writers, while they are measured.
#[derive(Debug)]
pub(super) struct Track {
    batch: usize,
    writers: usize,
    /// Requests a second in the trial.
    expected: Both<f64>,
    runs: Both<Vec<Run>>,
}

impl Track {
    /// One for each size and number of writers, with a first look at each.
    pub(super) fn all(stage: &Stage) -> Result<Vec<Self>> {
        let cells = BATCHES.into_iter().flat_map(|batch| WRITERS.map(|writers| (batch, writers)));
        let track = |(batch, writers): (usize, usize)| {
            let expected = Both::make(|kind| {
                let requests = requests_within(REQUEST_BYTES_MAX / 8, batch).min(1_000);
                let outcome = drive(stage, kind, &Drive { batch, writers, round: 0, requests, time: TRIAL })?.0;
                Ok(per_second(&outcome))
            })?;
            Ok(Self { batch, writers, expected, runs: Both { pilvi: Vec::new(), moto: Vec::new() } })
        };
        cells.map(track).collect()
    }

    /// One run of each server; the other one is first in every second round.
    pub(super) fn round(&mut self, stage: &Stage, round: usize) -> Result<()> {
        let mut order = Kind::ALL;
        order.rotate_left(round % Kind::ALL.len());
        for kind in order {
            let requests = requests_for(*self.expected.of(kind), stage.plan.time, self.batch);
            let (batch, writers, time) = (self.batch, self.writers, stage.plan.time);
            let (outcome, cpu_s) = drive(stage, kind, &Drive { batch, writers, round, requests, time })?;
            let events = figure(u64::try_from(outcome.latencies_ns.len() * batch)?);
            let events_per_second = events / outcome.elapsed.as_secs_f64();
            let latency = Samples::new(outcome.latencies_ns).context("no request was answered")?.latency();
            self.runs.of_mut(kind).push(Run { latency, events_per_second, cpu_us: cpu_s * 1e6 / events });
        }
        Ok(())
    }

    pub(super) fn figures(self) -> Result<Ingest> {
        let pairs = self.runs.pilvi.iter().zip(&self.runs.moto);
        let ratios: Vec<f64> = pairs.map(|(pilvi, moto)| pilvi.events_per_second / moto.events_per_second).collect();
        let ratio = median(&ratios).context("no round")?;
        let of = Both::make(|kind| Figures::over(self.runs.of(kind).clone()))?;
        Ok(Ingest { batch: self.batch, writers: self.writers, of, ratio })
    }
}

impl Figures {
    fn over(rounds: Vec<Run>) -> Result<Self> {
        let middle = |figure: fn(&Run) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        let latencies: Vec<Latency> = rounds.iter().map(|run| run.latency).collect();
        Ok(Self {
            latency: Latency::over_rounds(&latencies).context("no round")?,
            events_per_second: middle(|run| run.events_per_second).context("no round")?,
            cpu_us: middle(|run| run.cpu_us).context("no round")?,
            rounds,
        })
    }
}

/// What is sent in one run.
struct Drive {
    batch: usize,
    writers: usize,
    round: usize,
    /// So many are made ahead; a server that is quicker ends its run early.
    requests: usize,
    time: Duration,
}

/// Sends a run's requests, in a group of its own that is deleted afterwards: neither server is measured with the events
/// of earlier runs in its memory. Answers what came of it, and the server's processor time in seconds.
fn drive(stage: &Stage, kind: Kind, drive: &Drive) -> Result<(Outcome, f64)> {
    let (server, caller) = (stage.servers.of(kind), stage.callers.of(kind));
    let group = format!("ingest-{}-{}", drive.batch, drive.writers);
    calls::make_group(caller, &group, drive.writers)?;
    let Drive { batch, writers, round, requests: count, .. } = *drive;
    let wanted = Wanted { batch, writers, seed: round as u64, count };
    let requests = requests(caller, &group, &wanted)?;
    let before = CpuTicks::now(server.pid());
    let load = Load {
        address: server.address(),
        requests: &requests,
        order: Order::Once,
        callers: drive.writers,
        time: drive.time,
    };
    let outcome = client::drive(&load).with_context(|| server.last_words())?;
    let cpu = CpuTicks::now(server.pid()).since(before);
    let refusal = outcome.first_refusal.clone().unwrap_or_default();
    ensure!(outcome.refused == 0, "{} refused {} requests, the first with {refusal}", kind.name(), outcome.refused);
    // A server that took none of the events would be quick, too.
    let input = json!({ "logGroupName": group, "logStreamName": calls::stream(0), "limit": 10 });
    let found = calls::page(caller, Operation::GetLogEvents, &input)?.events();
    ensure!(found > 0, "{} acknowledged events of {group} and has none", kind.name());
    calls::call(caller, Operation::DeleteLogGroup, &json!({ "logGroupName": group }))?;
    Ok((outcome, figure(cpu.server) / figure(ticks_per_second())))
}

/// Requests that are made ahead.
pub(super) struct Wanted {
    /// Events of each.
    pub(super) batch: usize,
    /// Streams, which take turns.
    pub(super) writers: usize,
    /// Which lines.
    pub(super) seed: u64,
    pub(super) count: usize,
}

/// Batches of lines of which none is like another, signed now.
pub(super) fn requests(caller: &Caller, group: &str, wanted: &Wanted) -> Result<Vec<Vec<u8>>> {
    let mut lines = Lines::new(wanted.seed, SystemClock.now().as_millis(), LINES_PER_SECOND);
    let request = |number: usize| {
        let batch: Vec<Line> = lines.by_ref().take(wanted.batch).collect();
        let stream = calls::stream(number % wanted.writers);
        caller.sign(&calls::put(group, &stream, &batch.iter().collect::<Vec<_>>()))
    };
    (0..wanted.count).map(request).collect()
}

/// As many requests as fit into so many bytes.
pub(super) fn requests_within(bytes_max: usize, batch: usize) -> usize {
    // A small request is mostly its head.
    bytes_max / (batch * EVENT_BODY_BYTES + 1_000)
}

/// Enough requests for a run at half again the rate of the trial, within memory.
fn requests_for(expected: f64, time: Duration, batch: usize) -> usize {
    const FEWEST: usize = 16;
    let wanted = expected * time.as_secs_f64() * 1.5;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is clamped next")]
    let wanted = wanted as usize;
    wanted.clamp(FEWEST, requests_within(REQUEST_BYTES_MAX, batch).max(FEWEST))
}

fn per_second(outcome: &Outcome) -> f64 {
    let count = u64::try_from(outcome.latencies_ns.len()).unwrap_or(u64::MAX);
    figure(count) / outcome.elapsed.as_secs_f64()
}

/// What the machine allows: the bytes of the same events written to a file, batch by batch, and not synced. In events a
/// second.
pub(super) fn floor(folder: &Path, lines: &[Line], batch: usize) -> Result<f64> {
    let path = folder.join("write-floor");
    let batches: Vec<String> =
        lines.chunks(batch).map(|batch| batch.iter().map(|line| line.message.as_str()).collect()).collect();
    let mut file = File::create(&path)?;
    let begun = Instant::now();
    for batch in &batches {
        file.write_all(batch.as_bytes())?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(figure(u64::try_from(lines.len())?) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_made_ahead_within_bounds() {
        assert_eq!(requests_for(1000.0, Duration::from_secs(1), 1), 1500);
        assert_eq!(requests_for(0.5, Duration::from_secs(1), 1000), 16);
        let most = requests_for(f64::INFINITY, Duration::from_secs(1), 1000);
        assert!(most * 1000 * EVENT_BODY_BYTES <= REQUEST_BYTES_MAX, "{most}");
    }

    #[test]
    fn the_floor_leaves_no_file_behind() {
        let folder = std::env::temp_dir().join(format!("pilvi-write-floor-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let lines: Vec<Line> = Lines::new(1, 0, 100).take(250).collect();
        assert!(floor(&folder, &lines, 100).unwrap() > 0.0);
        std::fs::remove_dir(&folder).unwrap();
    }
}
