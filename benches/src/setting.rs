//! What `cargo xtask bench` hands to every benchmark, and the folder that it may fill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

/// What every benchmark that keeps ratios can be told.
#[derive(Debug, Args)]
pub(crate) struct Wishes {
    /// Less of everything and fewer rounds: for a look, not for a judgement
    #[arg(long)]
    pub(crate) quick: bool,
    /// Keep this run's ratios as the baseline that later runs are compared with
    #[arg(long)]
    pub(crate) save_baseline: bool,
    /// Put everything that is written below this folder, to measure its disk
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
}

/// The programs under test and where their files go.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The release binary (`PILVI_BIN`).
    pub(crate) pilvi: PathBuf,
    /// Where reports are left: `bench` in cargo's target directory.
    pub(crate) reports: PathBuf,
    /// Emptied before the run and removed after it: data directories and logs.
    pub(crate) scratch: PathBuf,
}

impl Setting {
    /// Reads the environment and makes an empty scratch folder: in `work_dir`, or beside the reports.
    pub(crate) fn prepare(work_dir: Option<&Path>) -> Result<Self> {
        let reports = target_directory()?.join("bench");
        let scratch = match work_dir {
            Some(folder) => std::path::absolute(folder)?.join("pilvi-bench"),
            None => reports.join("scratch"),
        };
        if scratch.exists() {
            fs::remove_dir_all(&scratch).with_context(|| format!("emptying {}", scratch.display()))?;
        }
        for folder in [&reports, &scratch] {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(Self { pilvi: program("PILVI_BIN")?, reports, scratch })
    }

    /// moto's server (`MOTO_SERVER`), for the benchmarks that have it as their peer.
    pub(crate) fn moto(&self) -> Result<PathBuf> {
        program("MOTO_SERVER")
    }

    /// The folder of image layouts (`PILVI_IMAGES`), for the benchmarks that run one.
    pub(crate) fn images() -> Result<PathBuf> {
        let value = std::env::var_os("PILVI_IMAGES").context("PILVI_IMAGES is not set: `cargo xtask bench` sets it")?;
        Ok(std::path::absolute(value)?)
    }

    /// The folder with docker's daemon and client (`PILVI_DOCKER`), where they run.
    pub(crate) fn docker() -> Option<PathBuf> {
        std::env::var_os("PILVI_DOCKER").map(PathBuf::from)
    }

    /// Removes what the servers left.
    pub(crate) fn tidy(&self) -> Result<()> {
        fs::remove_dir_all(&self.scratch).with_context(|| format!("removing {}", self.scratch.display()))
    }
}

/// The first line that a program prints when asked with `arguments`.
pub(crate) fn first_line(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn program(variable: &str) -> Result<PathBuf> {
    let value = std::env::var_os(variable).with_context(|| {
        format!("{variable} is not set: run this by `cargo xtask bench`, which builds what is measured")
    })?;
    let path = std::path::absolute(value)?;
    ensure!(path.is_file(), "{variable}: {} is missing", path.display());
    Ok(path)
}

/// The outermost folder above this program that cargo marked as its own: a target's folder within has the mark too.
fn target_directory() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program.ancestors().filter(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.last().map(Path::to_owned).context("this program is not in cargo's target directory")
}
