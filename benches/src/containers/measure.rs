//! Taking the figures: rounds in which all take turns.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::busybox::Busybox;
use super::engine::{Engine, Who};
use super::idle::{self, OfEngine, OfSandbox};
use super::loops::{Effort, rate, times};
use super::oci_runtime::{OciRuntime, Steps};
use super::own::{Sandboxes, Turn};
use super::started::Run;
use crate::report::{heading, say, time};
use crate::setting::Setting;
use crate::stats::{Latency, Samples, median};

/// How many containers of a runtime begin at once, when they are counted by the second.
pub(super) const RUNTIME_CALLERS: usize = 2;
/// The same of commands.
pub(super) const ENGINE_CALLERS: usize = 4;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    /// Pilvi's crate first, then runc.
    pub(super) runtimes: Vec<Measured<RuntimeRound>>,
    pub(super) engines: Vec<Measured<EngineRound>>,
    pub(super) idle: OfSandbox,
    pub(super) idle_engines: Vec<OfEngine>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Somebody's figures.
#[derive(Debug, Serialize)]
pub(super) struct Measured<R> {
    pub(super) who: &'static str,
    /// Medians over the rounds.
    #[serde(flatten)]
    pub(super) figures: R,
    /// How many times as long it takes as Pilvi, run → exit, p50: the median of the rounds' own.
    pub(super) ratio: f64,
    pub(super) rounds: Vec<R>,
}

/// A runtime's round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct RuntimeRound {
    /// From nothing to a container that waits for its start.
    pub(super) created: Latency,
    /// From the start of one that waits until its first output.
    pub(super) released: Latency,
    /// The same until `execve(2)` had succeeded; runc and crun do not tell.
    pub(super) executed: Option<Latency>,
    /// From nothing to the first output.
    pub(super) printed: Latency,
    /// From nothing until the end of the container was told; the others tell it by their own end.
    pub(super) exited: Option<Latency>,
    /// From nothing until nothing is left.
    pub(super) whole: Latency,
    /// From the end of the container until nothing is left.
    pub(super) torn_down: Latency,
    /// Whole runs a second, with [`RUNTIME_CALLERS`] at once.
    pub(super) per_second: f64,
}

/// An engine's round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct EngineRound {
    /// From the command's start to the first output.
    pub(super) printed: Latency,
    /// From the command's start to its end.
    pub(super) whole: Latency,
    /// Commands a second, with [`ENGINE_CALLERS`] at once.
    pub(super) per_second: f64,
}

/// A peer that does not work here.
#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    pub(super) who: &'static str,
    pub(super) why: String,
}

/// Measures everything.
pub(super) fn all(setting: &Setting, effort: Effort) -> Result<Results> {
    let busybox = Busybox::read()?;
    let root = setting.scratch.join("root");
    busybox.unpack(&root)?;
    let mut left_out = Vec::new();
    heading("runtimes");
    let sandboxes = Sandboxes::prepare(&setting.scratch.join("sandboxes"), &root)?;
    let runtimes = runtimes(&sandboxes, &setting.scratch, &root, effort, &mut left_out)?;
    let idle = idle::of_sandboxes(&sandboxes, effort.idle)?;
    drop(sandboxes);
    heading("engines");
    let mut engines = vec![Engine::start(setting, Who::Pilvi, &busybox)?];
    for who in &Who::ALL[1..] {
        match Engine::start(setting, *who, &busybox) {
            Ok(engine) => engines.push(engine),
            Err(error) => leave_out(&mut left_out, who.name(), &error),
        }
    }
    let measured = of_engines(&engines, effort);
    // Whatever was met, nothing is left on this machine.
    engines.into_iter().map(Engine::end).collect::<Vec<_>>().into_iter().collect::<Result<()>>()?;
    let (engines, idle_engines) = measured?;
    Ok(Results { runtimes, engines, idle, idle_engines, left_out })
}

fn leave_out(left_out: &mut Vec<LeftOut>, who: &'static str, error: &anyhow::Error) {
    let why = format!("{error:#}").trim().to_owned();
    say(&format!("{who} is left out: {why}"));
    left_out.push(LeftOut { who, why });
}

/// Pilvi's crate, or a program.
enum Runtime<'a> {
    Own(&'a Sandboxes),
    Oci(OciRuntime),
}

fn runtimes(
    sandboxes: &Sandboxes,
    scratch: &Path,
    root: &Path,
    effort: Effort,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Measured<RuntimeRound>>> {
    let runc = OciRuntime::prepare("runc", &scratch.join("runc"), root)?;
    let mut all = vec![("Pilvi", Runtime::Own(sandboxes)), ("runc", Runtime::Oci(runc))];
    match OciRuntime::prepare("crun", &scratch.join("crun"), root) {
        Ok(crun) => all.push(("crun", Runtime::Oci(crun))),
        Err(error) => leave_out(left_out, "crun", &error),
    }
    sandboxes.turn()?;
    let rounds = take_turns(all.len(), effort.rounds, |index| {
        let (name, runtime) = &all[index];
        let round = match runtime {
            Runtime::Own(sandboxes) => own_round(sandboxes, effort)?,
            Runtime::Oci(runtime) => oci_round(runtime, effort)?,
        };
        tell(name, round.whole, round.per_second);
        Ok(round)
    })?;
    let names = all.iter().map(|(name, _)| *name);
    summary(names.zip(rounds), RuntimeRound::over, |round| round.whole)
}

fn own_round(sandboxes: &Sandboxes, effort: Effort) -> Result<RuntimeRound> {
    let turns = times(effort.runtime_runs, || sandboxes.turn())?;
    let of = |figure: fn(&Turn) -> std::time::Duration| latency(turns.iter().map(figure));
    Ok(RuntimeRound {
        created: of(|turn| turn.created)?,
        released: of(|turn| turn.released)?,
        executed: Some(of(|turn| turn.start)?),
        printed: of(|turn| turn.printed)?,
        exited: Some(of(|turn| turn.exited)?),
        whole: of(|turn| turn.whole)?,
        torn_down: of(|turn| turn.torn_down)?,
        per_second: rate(RUNTIME_CALLERS, effort.rate, || sandboxes.turn().map(drop))?,
    })
}

fn oci_round(runtime: &OciRuntime, effort: Effort) -> Result<RuntimeRound> {
    let runs = times(effort.runtime_runs, || runtime.run())?;
    let steps = times(effort.runtime_runs, || runtime.steps())?;
    let of_run = |figure: fn(&Run) -> std::time::Duration| latency(runs.iter().map(figure));
    let of_step = |figure: fn(&Steps) -> std::time::Duration| latency(steps.iter().map(figure));
    Ok(RuntimeRound {
        created: of_step(|step| step.created)?,
        released: of_step(|step| step.released)?,
        executed: None,
        printed: of_run(|run| run.printed)?,
        exited: None,
        whole: of_run(|run| run.whole)?,
        torn_down: of_step(|step| step.torn_down)?,
        per_second: rate(RUNTIME_CALLERS, effort.rate, || runtime.run().map(drop))?,
    })
}

type OfEngines = (Vec<Measured<EngineRound>>, Vec<OfEngine>);

fn of_engines(engines: &[Engine], effort: Effort) -> Result<OfEngines> {
    let rounds = take_turns(engines.len(), effort.rounds, |index| {
        let engine = &engines[index];
        let count = if engine.who == Who::Pilvi { effort.own_runs } else { effort.engine_runs };
        let runs = times(count, || engine.run())?;
        let round = EngineRound {
            printed: latency(runs.iter().map(|run| run.printed))?,
            whole: latency(runs.iter().map(|run| run.whole))?,
            per_second: rate(ENGINE_CALLERS, effort.rate, || engine.run().map(drop))?,
        };
        tell(engine.who.name(), round.whole, round.per_second);
        Ok(round)
    })?;
    let names = engines.iter().map(|engine| engine.who.name());
    let measured = summary(names.zip(rounds), EngineRound::over, |round| round.whole)?;
    let idle = engines.iter().map(|engine| idle::of_engine(engine, effort.idle)).collect::<Result<_>>()?;
    Ok((measured, idle))
}

fn tell(who: &str, whole: Latency, per_second: f64) {
    let (p50, p99) = (time(whole.p50_us), time(whole.p99_us));
    say(&format!("{who:<12} run → exit p50 {p50}, p99 {p99}; {per_second:.1}/s"));
}

fn latency(times: impl IntoIterator<Item = std::time::Duration>) -> Result<Latency> {
    Ok(Samples::of(times).context("nothing was measured")?.latency())
}

/// Rounds of each, in which another begins each time.
fn take_turns<R>(count: usize, rounds: usize, mut round: impl FnMut(usize) -> Result<R>) -> Result<Vec<Vec<R>>> {
    let mut all: Vec<Vec<R>> = (0..count).map(|_| Vec::new()).collect();
    for number in 0..rounds {
        for index in (0..count).map(|index| (index + number) % count) {
            let measured = round(index)?;
            all[index].push(measured);
        }
    }
    Ok(all)
}

/// Their figures over the rounds, the first being what the others are compared with.
fn summary<R: Copy>(
    all: impl Iterator<Item = (&'static str, Vec<R>)>,
    over: fn(&[R]) -> Option<R>,
    whole: fn(&R) -> Latency,
) -> Result<Vec<Measured<R>>> {
    let all: Vec<_> = all.collect();
    let own: Vec<f64> =
        all.first().map(|(_, rounds)| rounds.iter().map(|round| whole(round).p50_us).collect()).unwrap_or_default();
    let each = all.into_iter().map(|(who, rounds)| {
        let ratios: Vec<f64> = rounds.iter().zip(&own).map(|(round, own)| whole(round).p50_us / own).collect();
        let (figures, ratio) = (over(&rounds).context("no round")?, median(&ratios).context("no round")?);
        Ok(Measured { who, figures, ratio, rounds })
    });
    each.collect()
}

impl RuntimeRound {
    fn over(rounds: &[Self]) -> Option<Self> {
        let of = |figure: fn(&Self) -> Latency| over(rounds.iter().map(figure));
        let known = |figure: fn(&Self) -> Option<Latency>| over(rounds.iter().filter_map(figure));
        Some(Self {
            created: of(|round| round.created)?,
            released: of(|round| round.released)?,
            executed: known(|round| round.executed),
            printed: of(|round| round.printed)?,
            exited: known(|round| round.exited),
            whole: of(|round| round.whole)?,
            torn_down: of(|round| round.torn_down)?,
            per_second: median(&rounds.iter().map(|round| round.per_second).collect::<Vec<_>>())?,
        })
    }
}

impl EngineRound {
    fn over(rounds: &[Self]) -> Option<Self> {
        Some(Self {
            printed: over(rounds.iter().map(|round| round.printed))?,
            whole: over(rounds.iter().map(|round| round.whole))?,
            per_second: median(&rounds.iter().map(|round| round.per_second).collect::<Vec<_>>())?,
        })
    }
}

fn over(rounds: impl Iterator<Item = Latency>) -> Option<Latency> {
    Latency::over_rounds(&rounds.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_one_begins_each_round() {
        let mut order = Vec::new();
        let all = take_turns(3, 2, |index| {
            order.push(index);
            Ok(order.len())
        });
        assert_eq!(all.unwrap(), [vec![1, 6], vec![2, 4], vec![3, 5]]);
        assert_eq!(order, [0, 1, 2, 1, 2, 0]);
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_own() {
        let round = |us: f64| {
            let latency = Latency { samples: 1, p50_us: us, p99_us: us, max_us: us };
            EngineRound { printed: latency, whole: latency, per_second: 1.0 }
        };
        let all = [("own", [1.0, 2.0, 4.0].map(round).to_vec()), ("other", [10.0, 30.0, 20.0].map(round).to_vec())];
        let measured = summary(all.into_iter(), EngineRound::over, |round| round.whole).unwrap();
        assert_eq!((measured[0].ratio, measured[1].ratio), (1.0, 10.0));
    }
}
