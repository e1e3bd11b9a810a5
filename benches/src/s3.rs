//! `bench s3`: objects in and out, beside moto's server, nginx and the disk itself.
//!
//! All servers run at the same time, each idle while another one is measured, and take turns: a round's runs are
//! neighbours, and each round has its own ratios.

mod cell;
mod disk;
mod lists;
mod load;
mod nginx;
mod objects;
mod present;
mod stage;
mod uploads;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::baseline;
use crate::machine::Machine;
use crate::report::{Frame, Report, Verdict, heading, say};
use crate::setting::{Setting, Wishes, first_line};
use cell::{Cell, Figures, Track};
use lists::Lists;
use objects::Objects;
use stage::{Peak, Stage};
use uploads::Uploads;

/// The name of the report and of the baseline.
const NAME: &str = "s3";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: u64,
    /// Of one cell by one of its peers in one round; what is under way is waited for.
    time: Duration,
    /// Objects in the bucket that is listed.
    listed: u64,
    /// Uploads in parts of a large object, in one round.
    uploads: u64,
}

fn mode(wishes: &Wishes) -> (&'static str, Plan) {
    if wishes.quick {
        return ("quick", Plan { rounds: 2, time: Duration::from_millis(500), listed: 2_000, uploads: 1 });
    }
    ("full", Plan { rounds: 5, time: Duration::from_millis(1_200), listed: 5_000, uploads: 3 })
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    cells: Vec<Figures>,
    peaks: Vec<Peak>,
}

impl Results {
    /// The most memory that Pilvi's server had at any time.
    fn server_peak_mib(&self) -> f64 {
        self.peaks.iter().map(|peak| peak.pilvi_server_mib).fold(0.0, f64::max)
    }
}

/// Measures, shows, saves, judges.
///
/// # Errors
/// When something could not be measured, a request was refused, or other bytes came back than were put.
pub(crate) fn run(wishes: &Wishes) -> Result<Verdict> {
    let setting = Setting::prepare(wishes.work_dir.as_deref())?;
    let (mode, plan) = mode(wishes);
    let machine = Machine::here(&setting.scratch)?;
    ensure!(
        !machine.forgets_its_files(),
        "{} is on {}, where no write is durable: name a folder on a disk (--work-dir)",
        setting.scratch.display(),
        machine.filesystem
    );
    let programs = [
        ("pilvi", first_line(&setting.pilvi, &["version"])?),
        ("moto", first_line(&setting.moto()?, &["--version"])?),
        (nginx::NAME, nginx::version()?),
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
    let stage = Stage::start(setting)?;
    let objects = Objects::prepare(&stage)?;
    let lists = Lists::prepare(&stage, plan.listed)?;
    let uploads = Uploads::new(plan.uploads);
    let mut tracks: Vec<Track> = Cell::all().into_iter().map(Track::new).collect();
    let mut peaks = vec![stage.peak("prepared")];
    for round in 0..plan.rounds {
        heading(&format!("round {} of {}", round + 1, plan.rounds));
        for track in &mut tracks {
            for who in track.cell.peers_in_turn(round) {
                // What another one has left to be written is nobody's to wait for.
                rustix::fs::sync();
                let run = match track.cell.what {
                    cell::What::Put | cell::What::PutUnsigned => objects.put(&stage, who, track.cell, plan.time, round),
                    cell::What::Get => objects.get(&stage, who, track.cell, plan.time),
                    cell::What::List | cell::What::ListFolders => lists.list(&stage, who, track.cell, plan.time),
                    cell::What::Upload => uploads.upload(&stage, who, track.cell, plan.time, round),
                };
                let run = run.map_err(|error| error.context(stage.last_words(who)))?;
                say(&present::run(track.cell, who, &run));
                track.push(who, run);
            }
        }
        peaks.push(stage.peak(&format!("round {}", round + 1)));
    }
    stage.stop()?;
    Ok(Results { cells: tracks.into_iter().map(Track::figures).collect::<Result<_>>()?, peaks })
}
