//! `bench api`: the price of a call.
//!
//! Pilvi, whose every acknowledged write is on disk, beside moto's server, which keeps everything in memory: start, idle
//! memory, and three calls with one caller and with many. Both run at the same time, each idle while the other is
//! measured, and take turns, so that a disturbance meets both.

pub(crate) mod calls;
mod measure;
mod present;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::baseline;
use crate::machine::Machine;
use crate::report::{Frame, Report, Verdict};
use crate::setting::{Setting, Wishes, first_line};
use measure::Plan;

/// The name of the report and of the baseline.
const NAME: &str = "api";

fn mode(wishes: &Wishes) -> (&'static str, Plan) {
    if wishes.quick {
        let plan = Plan {
            rounds: 2,
            time: Duration::from_millis(400),
            starts: 10,
            starts_of_peer: 2,
            settle: Duration::from_secs(1),
            durable_writes: 100,
        };
        return ("quick", plan);
    }
    let plan = Plan {
        rounds: 3,
        time: Duration::from_secs(2),
        starts: 15,
        starts_of_peer: 5,
        settle: Duration::from_secs(3),
        durable_writes: 300,
    };
    ("full", plan)
}

/// Measures, shows, saves, judges.
///
/// # Errors
/// When something could not be measured, or any call was refused.
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
    let programs =
        [("pilvi", first_line(&setting.pilvi, &["version"])?), ("moto", first_line(&setting.moto()?, &["--version"])?)];
    present::machine(&machine);
    let results = measure::all(&setting, &plan)?;
    setting.tidy()?;
    let frame =
        Frame { bench: NAME, mode, machine, programs: programs.into(), method: present::method(&plan, &results) };
    let (ratios, promises) = (present::ratios(&results), present::promises(&results)?);
    let report = Report::new(frame, results, ratios, promises);
    present::results(&report);
    baseline::conclude(NAME, &report, &setting, wishes.save_baseline)
}
