//! `bench logs`: events in and out of log groups.
//!
//! Pilvi, whose acknowledged events are written, beside moto's server, which keeps them in a list, and beside `grep` over
//! a file with the same lines. Both servers run at the same time, each idle while the other is measured, and take turns.

mod calls;
mod disk;
mod ingest;
mod lines;
mod present;
mod search;

use std::time::Duration;

use anyhow::{Result, ensure};
use base::{Clock, SystemClock};
use serde::Serialize;

use crate::baseline;
use crate::machine::Machine;
use crate::peer::{Both, Kind, Server};
use crate::processes::Memory;
use crate::report::{Frame, Report, Verdict, heading, say};
use crate::setting::{Setting, Wishes, first_line};
use crate::signed::{Caller, Plain};
use ingest::{Ingest, Track};
use lines::Corpus;
use search::Seconds;

/// The name of the report and of the baseline.
const NAME: &str = "logs";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: usize,
    /// In how many of them the peer searches.
    rounds_of_peer: usize,
    /// Of one server's events of one kind in one round.
    time: Duration,
    /// Events that are searched.
    searched: usize,
}

fn mode(wishes: &Wishes) -> (&'static str, Plan) {
    if wishes.quick {
        let plan = Plan { rounds: 2, rounds_of_peer: 1, time: Duration::from_millis(400), searched: 40_000 };
        return ("quick", plan);
    }
    ("full", Plan { rounds: 5, rounds_of_peer: 2, time: Duration::from_secs(1), searched: 200_000 })
}

/// Both servers and who calls them.
struct Stage {
    plan: Plan,
    servers: Both<Server>,
    callers: Both<Caller>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    /// Events that are searched.
    searched_events: u64,
    /// Events a second that can be written to a file in batches of 100, without syncing them.
    floor_events_per_second: f64,
    ingest: Vec<Ingest>,
    searches: Vec<search::Search>,
    get_log_events: search::Paging,
    insights: Vec<search::Query>,
    disk: disk::Disk,
    memory: Both<Memory>,
}

/// Measures, shows, saves, judges.
///
/// # Errors
/// When something could not be measured, a call was refused, or a search found other events than were stored.
pub(crate) fn run(wishes: &Wishes) -> Result<Verdict> {
    let setting = Setting::prepare(wishes.work_dir.as_deref())?;
    let (mode, plan) = mode(wishes);
    let machine = Machine::here(&setting.scratch)?;
    ensure!(
        !machine.forgets_its_files(),
        "{} is on {}, which keeps its files in memory: name a folder on a disk (--work-dir)",
        setting.scratch.display(),
        machine.filesystem
    );
    let programs = [
        ("pilvi", first_line(&setting.pilvi, &["version"])?),
        ("moto", first_line(&setting.moto()?, &["--version"])?),
        ("grep", first_line("grep".as_ref(), &["--version"])?),
    ];
    let results = measure(&setting, plan)?;
    setting.tidy()?;
    let frame = Frame { bench: NAME, mode, machine, programs: programs.into(), method: present::method(plan) };
    let (ratios, promises) = (present::ratios(&results), present::promises(&results));
    let report = Report::new(frame, results, ratios, promises);
    present::results(&report);
    baseline::conclude(NAME, &report, &setting, wishes.save_baseline)
}

fn measure(setting: &Setting, plan: Plan) -> Result<Results> {
    let start =
        |kind: Kind| Ok(Server::start(setting, kind, &setting.scratch.join(kind.name()), &Plain::identity())?.0);
    let servers = Both::make(start)?;
    let callers = Both::make(|kind| servers.of(kind).caller())?;
    let stage = Stage { plan, servers, callers };
    let corpus = Corpus::new(plan.searched, SystemClock.now().as_millis());
    heading("events in");
    let floor_events_per_second = ingest::floor(&setting.scratch, &corpus.lines, 100)?;
    let mut tracks = Track::all(&stage)?;
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        tracks.iter_mut().try_for_each(|track| track.round(&stage, round))?;
    }
    heading("events out");
    for kind in Kind::ALL {
        search::store(stage.callers.of(kind), &corpus)?;
    }
    let text = setting.scratch.join("lines");
    std::fs::write(&text, corpus.text())?;
    let mut seconds = Seconds::default();
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        seconds.round(&stage, &corpus, &text, round)?;
    }
    let short_page = search::short_pages(&stage.callers.pilvi)?;
    let memory = Both::make(|kind| Ok(Memory::of_tree(stage.servers.of(kind).pid())))?;
    stage.servers.pilvi.stop()?;
    stage.servers.moto.stop()?;
    Ok(Results {
        searched_events: corpus.count(),
        floor_events_per_second,
        ingest: tracks.into_iter().map(Track::figures).collect::<Result<_>>()?,
        searches: seconds.searches(&corpus)?,
        get_log_events: seconds.paging(&corpus, short_page)?,
        insights: seconds.queries(&corpus)?,
        disk: disk::measure(&setting.scratch.join(Kind::Pilvi.name()).join("data"), &corpus)?,
        memory,
    })
}

/// Batches of 1,000 events for eight streams, with bodies of so many bytes in all: for [`crate::load`].
pub(crate) fn batches(caller: &Caller, bytes_max: usize) -> Result<Vec<Vec<u8>>> {
    calls::make_group(caller, "load", 8)?;
    const BATCH: usize = 1000;
    let count = ingest::requests_within(bytes_max, BATCH);
    ingest::requests(caller, "load", &ingest::Wanted { batch: BATCH, writers: 8, seed: 0, count })
}

/// A search of 200,000 events, which are stored before: for [`crate::load`].
pub(crate) fn search(caller: &Caller, is_rare: bool) -> Result<Vec<u8>> {
    const EVENTS: usize = 200_000;
    search::store(caller, &Corpus::new(EVENTS, SystemClock.now().as_millis()))?;
    caller.sign(&calls::filter(if is_rare { lines::RARE } else { lines::FREQUENT }))
}
