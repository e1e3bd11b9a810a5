//! `bench pull`: from a reference to a root file system that a container could have, beside what Debian has for it.
//!
//! All pull the same image of files from the same docker-registry on loopback, each into an empty store of its own: Pilvi,
//! skopeo with umoci, podman, containerd. Then a second image that shares all layers but one, and the first one with layers
//! of another compression. Pilvi besides pulls what was pushed to its own registry.

mod command;
mod disk;
mod local;
mod measure;
mod present;
mod session;

use anyhow::{Result, ensure};
use clap::Args;

use crate::baseline;
use crate::machine::Machine;
use crate::oci::docker_registry;
use crate::report::{Frame, Report, Verdict};
use crate::setting::{Setting, Wishes, first_line};
use session::Who;

/// The name of the report and of the baseline.
const NAME: &str = "pull";

/// Arguments of `bench pull`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    wishes: Wishes,
    /// Measure these alone, such as `pilvi,podman`
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',', default_values_t = Who::ALL)]
    who: Vec<Who>,
}

/// Measures, shows, saves, judges.
///
/// # Errors
/// When this user is not root, anything could not be measured, or a root holds other files than the image.
pub(crate) fn run(arguments: &Arguments) -> Result<Verdict> {
    ensure!(rustix::process::geteuid().is_root(), "unpacking images as they are needs root: run this as root");
    let setting = Setting::prepare(arguments.wishes.work_dir.as_deref())?;
    let (mode, rounds) = if arguments.wishes.quick { ("quick", 1) } else { ("full", 3) };
    let machine = Machine::here(&setting.scratch)?;
    ensure!(
        !machine.forgets_its_files(),
        "{} is on {}, which keeps its files in memory: name a folder on a disk (--work-dir)",
        setting.scratch.display(),
        machine.filesystem
    );
    let version = |program: &str| first_line(program.as_ref(), &["--version"]);
    let programs = [
        ("pilvi", first_line(&setting.pilvi, &["version"])?),
        (docker_registry::NAME, docker_registry::version()?),
        ("skopeo", version("skopeo")?),
        ("umoci", version("umoci")?),
        ("podman", version("podman")?),
        ("containerd", version("containerd")?),
    ];
    let results = measure::all(&setting, rounds, &arguments.who)?;
    setting.tidy()?;
    let method = present::method(rounds);
    let frame = Frame { bench: NAME, mode, machine, programs: programs.into(), method };
    let (ratios, promises) = (present::ratios(&results), present::promises(&results));
    let report = Report::new(frame, results, ratios, promises);
    present::results(&report);
    baseline::conclude(NAME, &report, &setting, arguments.wishes.save_baseline)
}
