//! Taking the figures: starts, idle memory, then rounds of calls in which the two servers take turns.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::calls::{self, Call};
use crate::client::{self, Load, Order, Outcome};
use crate::floor::{self, Echo, Sync};
use crate::peer::{Both, Kind, Server, StartTimes};
use crate::processes::{CpuTicks, Memory, ticks_per_second};
use crate::report::{heading, say};
use crate::setting::Setting;
use crate::signed::Caller;
use crate::stats::{Latency, Samples, figure, median};

/// How many callers wait for an answer at once.
pub(super) const CALLERS: [usize; 2] = [1, 32];
/// A look at each call before the rounds: it warms both servers up and tells how many requests a round will need.
const TRIAL: Duration = Duration::from_millis(250);
/// Requests for the trial of a call that sends each only once.
const TRIAL_REQUESTS: usize = 4_000;
/// The most requests that are made ahead for one round: 3 KB each.
const REQUESTS_MAX: usize = 60_000;
/// How many of a run's registrations are looked up afterwards.
const LOOKED_UP: usize = 16;
/// The body of the calls with which the floor of loopback is measured: the size of a small request's head and body.
const ECHO_BYTES: usize = 512;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) rounds: usize,
    /// Of one call by one server in one round.
    pub(super) time: Duration,
    pub(super) starts: usize,
    pub(super) starts_of_peer: usize,
    /// From the first answer until memory is called idle.
    pub(super) settle: Duration,
    /// For the floor, in each round.
    pub(super) durable_writes: usize,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    pub(super) floor: Floor,
    pub(super) start: Both<Start>,
    pub(super) memory: Both<MemoryFigures>,
    pub(super) calls: Vec<CallFigures>,
}

/// What the machine allows.
#[derive(Debug, Serialize)]
pub(super) struct Floor {
    pub(super) durable_write: Sync,
    pub(super) loopback: Vec<Loopback>,
}

/// The client against a server that does nothing.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Loopback {
    pub(super) callers: usize,
    pub(super) latency: Latency,
    pub(super) per_second: f64,
}

/// From the process's start, on an empty folder.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Start {
    pub(super) ready: Latency,
    pub(super) answered: Latency,
}

/// Memory before and after the load.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct MemoryFigures {
    pub(super) idle: Memory,
    pub(super) after_load: Memory,
}

/// One call with one number of callers.
#[derive(Debug, Serialize)]
pub(super) struct CallFigures {
    pub(super) operation: Call,
    pub(super) callers: usize,
    #[serde(flatten)]
    pub(super) of: Both<Figures>,
    pub(super) ratio: Ratio,
}

/// How many times better than the peer: the median of the rounds' own ratios, since a round's two runs are neighbours.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Ratio {
    pub(super) per_second: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// One server's figures: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    pub(super) latency: Latency,
    pub(super) per_second: f64,
    /// Processor time of the server, in microseconds a request.
    pub(super) cpu_us: f64,
    pub(super) rounds: Vec<Run>,
}

/// One run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Run {
    pub(super) latency: Latency,
    pub(super) per_second: f64,
    pub(super) cpu_us: f64,
    /// Share of one processor that the client took.
    pub(super) client_cpu: f64,
    /// Share of all processors that neither the client nor the server took.
    pub(super) others_cpu: f64,
}

/// Measures everything.
pub(super) fn all(setting: &Setting, plan: &Plan) -> Result<Results> {
    heading("start on an empty data directory");
    let start = starts(setting, plan)?;
    let servers =
        Both::make(|kind| Ok(Server::start(setting, kind, &setting.scratch.join(kind.name()), &calls::identity())?.0))?;
    thread::sleep(plan.settle);
    let idle = Both::make(|kind| Ok(Memory::of_tree(servers.of(kind).pid())))?;
    let (calls, floor) = Stage::set(&servers, plan)?.rounds(&setting.scratch)?;
    let memory = Both::make(|kind| {
        Ok(MemoryFigures { idle: *idle.of(kind), after_load: Memory::of_tree(servers.of(kind).pid()) })
    })?;
    servers.pilvi.stop()?;
    servers.moto.stop()?;
    Ok(Results { floor, start, memory, calls })
}

/// The peer's starts are spread over those of Pilvi. One start of each is not counted: files come from the disk in it.
fn starts(setting: &Setting, plan: &Plan) -> Result<Both<Start>> {
    let mut times: Both<Vec<StartTimes>> = Both { pilvi: Vec::new(), moto: Vec::new() };
    let start = |kind: Kind, name: &str| -> Result<StartTimes> {
        let folder = setting.scratch.join(format!("start-{}-{name}", kind.name()));
        let (server, times) = Server::start(setting, kind, &folder, &calls::identity())?;
        server.stop()?;
        std::fs::remove_dir_all(&folder)?;
        Ok(times)
    };
    for kind in Kind::ALL {
        start(kind, "uncounted")?;
    }
    let every = plan.starts.div_ceil(plan.starts_of_peer);
    for index in 0..plan.starts {
        times.pilvi.push(start(Kind::Pilvi, &index.to_string())?);
        if index % every == 0 {
            times.moto.push(start(Kind::Moto, &index.to_string())?);
        }
    }
    Both::make(|kind| {
        let of = |time: fn(&StartTimes) -> Duration| {
            Samples::of(times.of(kind).iter().map(time)).map(|samples| samples.latency()).context("no start")
        };
        Ok(Start { ready: of(|times| times.ready)?, answered: of(|times| times.answered)? })
    })
}

/// Both servers, ready for the rounds.
struct Stage<'a> {
    plan: &'a Plan,
    servers: &'a Both<Server>,
    callers: Both<Caller>,
    echo: Echo,
    /// One for each call and number of callers, in the order of [`cells`].
    tracks: Vec<Track>,
}

/// A call with a number of callers, while it is being measured.
struct Track {
    call: Call,
    callers: usize,
    /// Requests a second in the trial.
    expected: Both<f64>,
    runs: Both<Vec<Run>>,
}

fn cells() -> impl Iterator<Item = (Call, usize)> {
    Call::ALL.into_iter().flat_map(|call| CALLERS.map(|callers| (call, callers)))
}

impl<'a> Stage<'a> {
    /// Registers what is described later, and tries each call.
    fn set(servers: &'a Both<Server>, plan: &'a Plan) -> Result<Self> {
        heading("calls");
        let callers = Both::make(|kind| servers.of(kind).caller())?;
        let mut stage = Self { plan, servers, callers, echo: Echo::start()?, tracks: Vec::new() };
        for kind in Kind::ALL {
            let seeds = calls::seeds(stage.callers.of(kind))?;
            stage.drive(kind, &seeds, Order::Once, 1, Duration::MAX)?;
        }
        for (call, callers) in cells() {
            let expected = Both::make(|kind| stage.trial(kind, call, callers))?;
            let runs = Both { pilvi: Vec::new(), moto: Vec::new() };
            stage.tracks.push(Track { call, callers, expected, runs });
        }
        Ok(stage)
    }

    fn trial(&self, kind: Kind, call: Call, callers: usize) -> Result<f64> {
        let requests = calls::signed(self.callers.of(kind), call, &format!("trial-{callers}"), TRIAL_REQUESTS)?;
        let outcome = self.drive(kind, &requests, call.order(), callers, TRIAL)?;
        Ok(per_second(&outcome))
    }

    fn rounds(mut self, scratch: &Path) -> Result<(Vec<CallFigures>, Floor)> {
        let (mut syncs, mut echoes) = (Vec::new(), Vec::new());
        for round in 0..self.plan.rounds {
            say(&format!("round {} of {}", round + 1, self.plan.rounds));
            syncs.push(floor::sync(scratch, self.plan.durable_writes)?);
            echoes.push(self.echo_runs()?);
            for track in 0..self.tracks.len() {
                self.turns(track, round)?;
            }
        }
        let calls = self.tracks.into_iter().map(Track::figures).collect::<Result<_>>()?;
        Ok((calls, Floor { durable_write: median_sync(&syncs)?, loopback: median_echo(&echoes)? }))
    }

    /// One run of each server, the other one first in every second round.
    fn turns(&mut self, track: usize, round: usize) -> Result<()> {
        let mut order = Kind::ALL;
        order.rotate_left(round % Kind::ALL.len());
        for kind in order {
            let run = self.run(kind, &self.tracks[track], round)?;
            self.tracks[track].runs.of_mut(kind).push(run);
        }
        Ok(())
    }

    fn run(&self, kind: Kind, track: &Track, round: usize) -> Result<Run> {
        let prefix = format!("round-{round}-{}", track.callers);
        let count = requests_for(*track.expected.of(kind), self.plan.time);
        let requests = calls::signed(self.callers.of(kind), track.call, &prefix, count)?;
        let pid = self.servers.of(kind).pid();
        let before = CpuTicks::now(pid);
        let outcome = self.drive(kind, &requests, track.call.order(), track.callers, self.plan.time)?;
        let cpu = CpuTicks::now(pid).since(before);
        if track.call == Call::RegisterTaskDefinition {
            self.look_up(kind, &prefix, outcome.sent)?;
        }
        let seconds = |ticks: u64| figure(ticks) / figure(ticks_per_second());
        let (elapsed, rate) = (outcome.elapsed.as_secs_f64(), per_second(&outcome));
        let cores = u32::try_from(thread::available_parallelism()?.get())?;
        let samples = Samples::new(outcome.latencies_ns).context("no request was answered")?;
        Ok(Run {
            latency: samples.latency(),
            per_second: rate,
            cpu_us: seconds(cpu.server) * 1e6 / (rate * elapsed),
            client_cpu: seconds(cpu.client) / elapsed,
            // Ticks are coarse, so a short run's shares may add up to more than all.
            others_cpu: (seconds(cpu.others()) / elapsed / f64::from(cores)).min(1.0),
        })
    }

    /// What was acknowledged is there.
    fn look_up(&self, kind: Kind, prefix: &str, registered: usize) -> Result<()> {
        for index in (0..LOOKED_UP.min(registered)).map(|n| n * registered / LOOKED_UP.min(registered)) {
            let family = format!("{prefix}-{index}");
            let request = self.callers.of(kind).sign(&calls::describe(&family))?;
            let (status, body) = client::ask(self.servers.of(kind).address(), &request)?;
            let found = status == 200 && String::from_utf8_lossy(&body).contains(&format!("{family}:1"));
            ensure!(found, "{} acknowledged the family {family} and does not know it: HTTP {status}", kind.name());
        }
        Ok(())
    }

    /// Fails when anything was refused: the price of an error is not what is measured.
    fn drive(&self, kind: Kind, requests: &[Vec<u8>], order: Order, callers: usize, time: Duration) -> Result<Outcome> {
        let server = self.servers.of(kind);
        let load = Load { address: server.address(), requests, order, callers, time };
        let outcome = client::drive(&load).with_context(|| server.last_words())?;
        ensure!(
            outcome.refused == 0,
            "{} refused {} of {} requests, the first with {}",
            kind.name(),
            outcome.refused,
            outcome.sent,
            outcome.first_refusal.unwrap_or_default()
        );
        Ok(outcome)
    }

    fn echo_runs(&self) -> Result<Vec<Loopback>> {
        let requests = [Echo::request(ECHO_BYTES)];
        let run = |callers: usize| {
            let (address, order, time) = (self.echo.address(), Order::Cycle, self.plan.time / 4);
            let outcome = client::drive(&Load { address, requests: &requests, order, callers, time })?;
            let per_second = per_second(&outcome);
            let samples = Samples::new(outcome.latencies_ns).context("no answer")?;
            Ok(Loopback { callers, latency: samples.latency(), per_second })
        };
        CALLERS.into_iter().map(run).collect()
    }
}

impl Track {
    fn figures(self) -> Result<CallFigures> {
        let of = Both::make(|kind| Figures::over(self.runs.of(kind).clone()))?;
        let ratio = |better: fn(&Run, &Run) -> f64| {
            let pairs = self.runs.pilvi.iter().zip(&self.runs.moto);
            median(&pairs.map(|(pilvi, moto)| better(pilvi, moto)).collect::<Vec<_>>()).context("no round")
        };
        let ratio = Ratio {
            per_second: ratio(|pilvi, moto| pilvi.per_second / moto.per_second)?,
            p50: ratio(|pilvi, moto| moto.latency.p50_us / pilvi.latency.p50_us)?,
            p99: ratio(|pilvi, moto| moto.latency.p99_us / pilvi.latency.p99_us)?,
        };
        Ok(CallFigures { operation: self.call, callers: self.callers, of, ratio })
    }
}

impl Figures {
    fn over(rounds: Vec<Run>) -> Result<Self> {
        let middle = |figure: fn(&Run) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        let latencies: Vec<Latency> = rounds.iter().map(|run| run.latency).collect();
        Ok(Self {
            latency: Latency::over_rounds(&latencies).context("no round")?,
            per_second: middle(|run| run.per_second).context("no round")?,
            cpu_us: middle(|run| run.cpu_us).context("no round")?,
            rounds,
        })
    }
}

/// Enough requests for a run at half again the rate of the trial. A server that is quicker still ends its run early.
fn requests_for(expected: f64, time: Duration) -> usize {
    const FEWEST: usize = 200;
    let wanted = expected * time.as_secs_f64() * 1.5;
    // A float becomes the nearest integer that the type has.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is clamped next")]
    let wanted = wanted as usize;
    wanted.clamp(FEWEST, REQUESTS_MAX)
}

fn per_second(outcome: &Outcome) -> f64 {
    let count = u64::try_from(outcome.latencies_ns.len()).unwrap_or(u64::MAX);
    figure(count) / outcome.elapsed.as_secs_f64()
}

fn median_sync(rounds: &[Sync]) -> Result<Sync> {
    let over = |kind: fn(&Sync) -> Latency| {
        Latency::over_rounds(&rounds.iter().map(kind).collect::<Vec<_>>()).context("no round")
    };
    Ok(Sync { append: over(|sync| sync.append)?, overwrite: over(|sync| sync.overwrite)? })
}

fn median_echo(rounds: &[Vec<Loopback>]) -> Result<Vec<Loopback>> {
    let of = |(index, callers): (usize, usize)| {
        let runs: Vec<Loopback> = rounds.iter().filter_map(|runs| runs.get(index).copied()).collect();
        let latency = Latency::over_rounds(&runs.iter().map(|run| run.latency).collect::<Vec<_>>());
        let rate = median(&runs.iter().map(|run| run.per_second).collect::<Vec<_>>());
        Ok(Loopback { callers, latency: latency.context("no round")?, per_second: rate.context("no round")? })
    };
    CALLERS.into_iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(per_second: f64, p50_us: f64) -> Run {
        let latency = Latency { samples: 1, p50_us, p99_us: p50_us, max_us: p50_us };
        Run { latency, per_second, cpu_us: 1.0, client_cpu: 0.0, others_cpu: 0.0 }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_own_ratios() {
        let track = Track {
            call: Call::GetCallerIdentity,
            callers: 1,
            expected: Both { pilvi: 1.0, moto: 1.0 },
            runs: Both {
                pilvi: vec![run(1000.0, 10.0), run(400.0, 40.0), run(900.0, 10.0)],
                moto: vec![run(10.0, 1000.0), run(10.0, 1000.0), run(1.0, 90.0)],
            },
        };
        let figures = track.figures().unwrap();
        assert!((figures.ratio.per_second - 100.0).abs() < 1e-9, "{:?}", figures.ratio);
        assert!((figures.ratio.p50 - 25.0).abs() < 1e-9, "{:?}", figures.ratio);
        assert!((figures.of.pilvi.per_second - 900.0).abs() < 1e-9);
    }

    #[test]
    fn requests_are_made_ahead_within_bounds() {
        assert_eq!(requests_for(1000.0, Duration::from_secs(2)), 3000);
        assert_eq!(requests_for(0.5, Duration::from_secs(1)), 200);
        assert_eq!(requests_for(f64::INFINITY, Duration::from_secs(1)), REQUESTS_MAX);
    }
}
