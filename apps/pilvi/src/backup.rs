//! `pilvi backup` and `pilvi restore`: everything that a data directory holds, in one file.
//!
//! Whoever calls opens the file, with the caller's rights; the work is done by a child that runs as the data directory's
//! owner and has nothing of the file but its descriptor. A backup can be made while Pilvi runs.

mod archive;
mod log_files;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::cli::{BACKUP_ROLE, RESTORE_ROLE};
use crate::data_dir::{DataDir, Lock, Prepared, prepare};
use crate::locate::{Found, locate};
use crate::owner::{Caller, Owner, Passwd};
use crate::settings::Place;
use crate::terminal::say;

/// Arguments of `pilvi backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist, and only you can read it. It holds every key
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `pilvi restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// A file that `pilvi backup` wrote
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// What the hidden subcommands get.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    data_dir: PathBuf,
}

/// Writes a backup.
///
/// # Errors
/// When there is nothing to back up, the file exists, or it cannot be written; no file is left then.
pub(crate) fn backup(args: &BackupArgs) -> Result<ExitCode> {
    let caller = Caller::detect()?;
    let dir = existing(&args.place)?;
    let owner = owner(&dir, &caller)?;
    let file = create(&args.file)?;
    let mut command = owner.command(BACKUP_ROLE, dir.path());
    command.arg(dir.path()).stdin(Stdio::null()).stdout(file.try_clone()?);
    let written = finish(command, "the backup has failed").and_then(|()| Ok(file.sync_all()?));
    if let Err(error) = written {
        // A part of a backup is of no use to anybody.
        let _ = std::fs::remove_file(&args.file);
        return Err(error);
    }
    say(format!("{}: {} bytes, from {}", args.file.display(), file.metadata()?.len(), dir.path().display()));
    Ok(ExitCode::SUCCESS)
}

/// Makes a data directory from a backup.
///
/// # Errors
/// When the directory holds data or is in use, or the file is no whole backup; the directory stays empty then.
pub(crate) fn restore(args: &RestoreArgs) -> Result<ExitCode> {
    let file = File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let caller = Caller::detect()?;
    let Prepared { dir, owner, .. } = prepare(&caller, args.place.named_data_dir()?, &Passwd::read())?;
    let taken = owner.act(|| Lock::take(&dir.lock()))?;
    let _lock = taken.map_err(|holder| anyhow::anyhow!("{} is in use by {holder}", dir.path().display()))?;
    let mut command = owner.command(RESTORE_ROLE, dir.path());
    command.arg(dir.path()).stdin(file).stdout(Stdio::inherit());
    finish(command, "nothing has been restored")?;
    say(format!("{} is restored from {}", dir.path().display(), args.file.display()));
    Ok(ExitCode::SUCCESS)
}

/// The data directory that is meant: the one on which Pilvi runs, else the first that exists.
fn existing(place: &Place) -> Result<DataDir> {
    match locate(place)? {
        Found::Running(running) => Ok(running.dir),
        Found::Nothing(places) => {
            let there = places.iter().map(DataDir::at).find(|dir| dir.lock().exists());
            there.with_context(|| {
                let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
                format!("there is no data directory (looked at {})", places.join(", "))
            })
        }
    }
}

fn owner(dir: &DataDir, caller: &Caller) -> Result<Owner> {
    let metadata = std::fs::metadata(dir.path()).with_context(|| format!("cannot read {}", dir.path().display()))?;
    let owner = Owner::of_directory(metadata.uid(), metadata.gid(), &Passwd::read());
    if owner.uid == 0 || !(caller.is_root() || owner.is_caller()) {
        bail!("{} belongs to {}", dir.path().display(), owner.name);
    }
    Ok(owner)
}

fn create(path: &Path) -> Result<File> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.with_context(|| format!("cannot make {}", path.display()))
}

/// Runs a child to its end. It has said itself what went wrong.
fn finish(mut command: Command, failure: &'static str) -> Result<()> {
    let status = command.status().context("cannot start the work as the data directory's owner")?;
    if !status.success() {
        bail!(failure);
    }
    Ok(())
}

/// The hidden subcommand that reads a data directory, as its owner, and writes the archive to its standard output.
///
/// # Errors
/// When something cannot be read, or the archive not be written.
pub(crate) fn backup_role(args: &RoleArgs) -> Result<ExitCode> {
    begin()?;
    archive::write(&DataDir::at(&args.data_dir), std::io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// The hidden subcommand that fills a data directory, as its owner, from the archive on its standard input.
///
/// # Errors
/// When the archive is not whole, or the directory holds data.
pub(crate) fn restore_role(args: &RoleArgs) -> Result<ExitCode> {
    begin()?;
    archive::read(&DataDir::at(&args.data_dir), std::io::stdin().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// Nobody waits for the work of a caller that was killed.
fn begin() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}
