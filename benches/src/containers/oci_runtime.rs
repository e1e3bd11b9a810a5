//! runc and crun: `run`, and the same in its steps.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

use super::oci_config::{self, SECCOMP_PROFILE};
use super::started::{self, Run};

/// A program that prints a line has ended long before.
const END_LIMIT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// A runtime and a bundle for it.
pub(super) struct OciRuntime {
    program: &'static str,
    folder: PathBuf,
    next: AtomicU64,
}

/// A container in the steps that engines take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// `create`.
    pub(super) created: Duration,
    /// From `start` until its first output.
    pub(super) released: Duration,
    /// `delete`, once it had ended.
    pub(super) torn_down: Duration,
}

impl OciRuntime {
    /// Makes a bundle with this root.
    ///
    /// # Errors
    /// When a container cannot be run.
    pub(super) fn prepare(program: &'static str, folder: &Path, root: &Path) -> Result<Self> {
        fs::create_dir(folder)?;
        let mut spec = Command::new("runc");
        let printed = spec.arg("spec").current_dir(folder).output().context("runc spec")?;
        ensure!(printed.status.success(), "runc spec: {}", String::from_utf8_lossy(&printed.stderr).trim());
        let config = folder.join("config.json");
        let spec: Value = serde_json::from_slice(&fs::read(&config)?)?;
        let profile = fs::read(SECCOMP_PROFILE).with_context(|| format!("reading {SECCOMP_PROFILE}"))?;
        let profile: Value = serde_json::from_slice(&profile)?;
        let config_of = oci_config::of(spec, root, &profile, std::env::consts::ARCH)?;
        fs::write(config, serde_json::to_vec_pretty(&config_of)?)?;
        let runtime = Self { program, folder: folder.to_owned(), next: AtomicU64::new(0) };
        runtime.run()?;
        Ok(runtime)
    }

    /// `run`: everything in one command.
    pub(super) fn run(&self) -> Result<Run> {
        let mut command = self.command("run");
        command.arg("--bundle").arg(&self.folder).arg(self.name());
        started::run(command)
    }

    /// `create`, `start`, and `delete` when it has ended.
    pub(super) fn steps(&self) -> Result<Steps> {
        let name = self.name();
        let (mut output, other) = std::io::pipe()?;
        let pid_file = self.folder.join("pid");
        let mut create = self.command("create");
        create.arg("--bundle").arg(&self.folder).arg("--pid-file").arg(&pid_file).arg(&name).stdout(other);
        let created = self.timed(create)?;
        let pid: i32 = fs::read_to_string(&pid_file)?.trim().parse().context("what is in the pid file")?;
        let process = Pid::from_raw(pid).context("what is in the pid file")?;
        let process = pidfd_open(process, PidfdFlags::empty())?;
        let mut start = self.command("start");
        start.arg(&name).stdout(Stdio::null());
        let begun = Instant::now();
        let mut starting = start.stdin(Stdio::null()).stderr(self.errors()?).spawn()?;
        let count = output.read(&mut [0; 64])?;
        let released = begun.elapsed();
        ensure!(starting.wait()?.success() && count > 0, "{}: {}", self.program, self.last_words());
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&END_LIMIT))?;
        ensure!(ended == 1, "a container of {} does not end", self.program);
        let mut delete = self.command("delete");
        delete.arg(&name).stdout(Stdio::null());
        Ok(Steps { created, released, torn_down: self.timed(delete)? })
    }

    fn timed(&self, mut command: Command) -> Result<Duration> {
        command.stdin(Stdio::null()).stderr(self.errors()?);
        let begun = Instant::now();
        let status = command.status().with_context(|| format!("starting {}", self.program))?;
        let time = begun.elapsed();
        ensure!(status.success(), "{} failed ({status}): {}", self.program, self.last_words());
        Ok(time)
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(self.program);
        command.arg("--root").arg(self.folder.join("state")).arg(what);
        command
    }

    fn name(&self) -> String {
        format!("pilvi-bench-{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn errors(&self) -> Result<File> {
        Ok(File::create(self.folder.join("errors"))?)
    }

    fn last_words(&self) -> String {
        fs::read_to_string(self.folder.join("errors")).unwrap_or_default().trim().to_owned()
    }
}
