//! `bench containers`: from nothing to a container's program and back, beside what Debian has for it.
//!
//! Twice: the runtime alone, the crate `sandbox` beside runc and crun with an equal configuration and no network; and what a
//! person types, `pilvi run --rm` beside docker's and podman's, with a network and the image present. All run the same busybox.

mod busybox;
mod engine;
mod idle;
mod loops;
mod measure;
mod oci_config;
mod oci_runtime;
mod own;
mod present;
mod started;

use anyhow::{Result, ensure};

use crate::baseline;
use crate::machine::Machine;
use crate::report::{Frame, Report, Verdict};
use crate::setting::{Setting, Wishes, first_line};
use loops::Effort;

/// The name of the report and of the baseline.
const NAME: &str = "containers";

/// Measures, shows, saves, judges.
///
/// # Errors
/// When this user is not root, or Pilvi or runc could not be measured. Another peer that does not work here is told of and left out.
pub(crate) fn run(wishes: &Wishes) -> Result<Verdict> {
    ensure!(rustix::process::geteuid().is_root(), "containers with cgroups need root: run this as root");
    let setting = Setting::prepare(wishes.work_dir.as_deref())?;
    let (mode, effort) = if wishes.quick { ("quick", Effort::QUICK) } else { ("full", Effort::FULL) };
    let machine = Machine::here(&setting.scratch)?;
    ensure!(
        !machine.forgets_its_files(),
        "{} is on {}, which keeps its files in memory: name a folder on a disk (--work-dir)",
        setting.scratch.display(),
        machine.filesystem
    );
    let version = |program: &str| first_line(program.as_ref(), &["--version"]);
    let mut programs = vec![
        ("pilvi", first_line(&setting.pilvi, &["version"])?),
        ("runc", version("runc")?),
        ("crun", version("crun")?),
        ("podman", version("podman")?),
    ];
    if let Some(folder) = Setting::docker() {
        programs.push(("docker", first_line(&folder.join("usr/bin/docker"), &["--version"])?));
    }
    let results = measure::all(&setting, effort)?;
    setting.tidy()?;
    let method = present::method(&effort);
    let frame = Frame { bench: NAME, mode, machine, programs: programs.into_iter().collect(), method };
    let (ratios, promises) = (present::ratios(&results), present::promises(&results));
    let report = Report::new(frame, results, ratios, promises);
    present::results(&report);
    baseline::conclude(NAME, &report, &setting, wishes.save_baseline)
}
