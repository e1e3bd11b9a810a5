//! Pilvi's runtime alone: the crate `sandbox`, called as the node calls it, without the node. A container is created
//! completely before it is started, as all of the node's are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Pid;
use sandbox::cgroup::{Cgroups, DeviceRules, Group, Limits};
use sandbox::client::{Event, Events, Launcher, Shim};
use sandbox::mounts::{Depth, clone_of};
use sandbox::plan::{CgroupPlan, ContainerPlan, NetworkNamespace, ProcessPlan, SandboxPlan, SeccompPlan};
use sandbox::protocol::Target;
use tokio::runtime::Runtime;

/// What containers execute: one line, and the end.
pub(super) const PROGRAM: [&str; 2] = ["echo", "x"];
/// What an idle one executes.
pub(super) const IDLE_PROGRAM: [&str; 2] = ["sleep", "86400"];
/// Limits, for all runtimes.
pub(super) const MEMORY_BYTES_MAX: u64 = 256 << 20;
pub(super) const CPU_MILLIS_MAX: u32 = 2_000;
pub(super) const PIDS_MAX: u32 = 512;

const CONTAINER: &str = "app";
const SHM_BYTES: u64 = 64 << 20;
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// As the node has for it.
const WORKER_THREADS: usize = 2;

/// What sandboxes are made with. Everything of them is gone when it is dropped.
pub(super) struct Sandboxes {
    runtime: Runtime,
    launcher: Launcher,
    cgroups: Cgroups,
    /// The workloads' directories.
    folder: PathBuf,
    /// The containers' root: they share it.
    root: PathBuf,
    next: AtomicU64,
}

/// One container from the beginning to the end of everything that it had. All but `start`, `released` and `torn_down` are
/// counted from the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Until it waited for what it executes.
    pub(super) created: Duration,
    /// From the request to execute until the answer that `execve(2)` had succeeded.
    pub(super) start: Duration,
    /// From that request until its first output was told.
    pub(super) released: Duration,
    /// Until its first output was told.
    pub(super) printed: Duration,
    /// Until its end was told.
    pub(super) exited: Duration,
    /// From there until shim, sandbox and cgroups were gone.
    pub(super) torn_down: Duration,
    /// All of it.
    pub(super) whole: Duration,
}

/// A sandbox with one container.
struct Made {
    shim: Shim,
    group: Group,
    events: Events,
}

/// The processes of a sandbox, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Processes {
    pub(super) shim: u32,
    pub(super) sandbox: u32,
    pub(super) container: u32,
}

/// Sandboxes that do nothing.
pub(super) struct Idle<'a> {
    sandboxes: &'a Sandboxes,
    made: Vec<Made>,
}

impl Sandboxes {
    /// Starts what shims are forked from.
    pub(super) fn prepare(folder: &Path, root: &Path) -> Result<Self> {
        fs::create_dir(folder)?;
        let launcher = Launcher::start().context("starting the launcher of shims")?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build()?;
        let cgroups = Cgroups::open(&format!("pilvi-bench-{}", std::process::id()))?;
        let process = launcher.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        cgroups.shims()?.add(process.context("the launcher has ended")?)?;
        let (folder, root) = (folder.to_owned(), root.to_owned());
        Ok(Self { runtime, launcher, cgroups, folder, root, next: AtomicU64::new(0) })
    }

    /// Runs one container.
    pub(super) fn turn(&self) -> Result<Turn> {
        self.runtime.block_on(self.run())
    }

    /// Makes sandboxes whose containers wait for what they execute.
    pub(super) fn prepared(&self, count: usize) -> Result<Idle<'_>> {
        let made = (0..count).map(|_| self.runtime.block_on(self.make())).collect::<Result<_>>()?;
        Ok(Idle { sandboxes: self, made })
    }

    async fn run(&self) -> Result<Turn> {
        let begun = Instant::now();
        let mut made = self.make().await?;
        let created = begun.elapsed();
        made.shim.watch_output(CONTAINER, 0).await?;
        let released_at = begun.elapsed();
        made.shim.start(CONTAINER, process(&PROGRAM), None, Vec::new()).await?;
        let started = begun.elapsed();
        let mut printed = None;
        loop {
            match made.events.next().await.context("the shim has ended")? {
                Event::Output { .. } => printed = Some(begun.elapsed()),
                Event::Exited { what: Target::Container(_), exit } if exit.code == 0 => break,
                Event::Exited { exit, .. } => bail!("the container ended with {exit:?}"),
                Event::SandboxEnded | Event::Missed => bail!("the sandbox has ended"),
            }
        }
        let exited = begun.elapsed();
        made.remove().await?;
        let whole = begun.elapsed();
        let printed = printed.context("the container printed nothing")?;
        Ok(Turn {
            created,
            start: started - released_at,
            released: printed - released_at,
            printed,
            exited,
            torn_down: whole - exited,
            whole,
        })
    }

    /// A shim, a sandbox and a container that waits.
    async fn make(&self) -> Result<Made> {
        let name = format!("w{}", self.next.fetch_add(1, Ordering::Relaxed));
        let directory = self.folder.join(&name);
        fs::create_dir(&directory)?;
        let group = self.cgroups.workload(&name, &limits(None))?;
        let of_sandbox = group.sandbox(&Limits::default())?.plan()?;
        let of_container = group.child(CONTAINER, &limits(Some(DeviceRules::usual())))?.plan()?;
        let root = clone_of(File::open(&self.root)?.as_fd(), Depth::Alone)?;
        let shim = self.launcher.shim(OwnedFd::from(File::open(&directory)?)).await?;
        let events = shim.events();
        shim.sandbox(sandbox_plan(of_sandbox), None).await?;
        shim.create(container_plan(of_container)?, root, Vec::new()).await?;
        Ok(Made { shim, group, events })
    }
}

impl Drop for Sandboxes {
    fn drop(&mut self) {
        // What cannot be removed is named by a process that is about to end, and in nobody's way.
        let _ = self.cgroups.remove_all();
    }
}

impl Made {
    async fn remove(self) -> Result<()> {
        self.shim.destroy().await?;
        self.shim.ended().await;
        self.group.kill()?;
        Ok(self.group.remove()?)
    }
}

impl Idle<'_> {
    /// Has each execute a program that does nothing.
    pub(super) fn start(&self) -> Result<()> {
        self.made.iter().try_for_each(|made| {
            let started = made.shim.start(CONTAINER, process(&IDLE_PROGRAM), None, Vec::new());
            Ok(self.sandboxes.runtime.block_on(started)?)
        })
    }

    /// Their processes.
    pub(super) fn processes(&self) -> Result<Vec<Processes>> {
        let of = |made: &Made| -> Result<Processes> {
            let state = self.sandboxes.runtime.block_on(made.shim.state())?;
            let container = state.containers.first().and_then(|container| container.pid);
            Ok(Processes {
                shim: made.shim.pid(),
                sandbox: state.sandbox.context("the sandbox has ended")?,
                container: container.context("the container has ended")?,
            })
        };
        self.made.iter().map(of).collect()
    }

    /// Ends them.
    pub(super) fn end(self) -> Result<()> {
        self.made.into_iter().try_for_each(|made| self.sandboxes.runtime.block_on(made.remove()))
    }
}

fn limits(devices: Option<DeviceRules>) -> Limits {
    Limits {
        cpu_millis_max: Some(CPU_MILLIS_MAX),
        memory_bytes_max: Some(MEMORY_BYTES_MAX),
        pids_max: Some(PIDS_MAX),
        devices,
        ..Limits::default()
    }
}

fn sandbox_plan(cgroup: CgroupPlan) -> SandboxPlan {
    SandboxPlan {
        ends_with_connection: false,
        hostname: "bench".to_owned(),
        network: NetworkNamespace::New,
        users: None,
        share_processes: false,
        share_ipc: false,
        host_processes: false,
        host_ipc: false,
        sysctls: BTreeMap::new(),
        cgroup,
    }
}

fn container_plan(cgroup: CgroupPlan) -> Result<ContainerPlan> {
    let capabilities = sandbox::capabilities::of(&[], &[]);
    Ok(ContainerPlan {
        name: CONTAINER.to_owned(),
        read_only_root: false,
        mounts: Vec::new(),
        shm_bytes: SHM_BYTES,
        cgroup,
        devices: Vec::new(),
        capabilities: capabilities.map_err(|name| anyhow::anyhow!("there is no capability {name}"))?,
        seccomp: SeccompPlan::Default,
        no_new_privileges: false,
        privileged: false,
        rlimits: Vec::new(),
        sysctls: BTreeMap::new(),
        init: false,
        tty: None,
        stdin: false,
        output_bytes_max: OUTPUT_BYTES_MAX,
    })
}

fn process(args: &[&str]) -> ProcessPlan {
    ProcessPlan {
        args: args.iter().map(|&argument| argument.to_owned()).collect(),
        env: vec!["PATH=/bin".to_owned()],
        working_dir: "/".to_owned(),
        user: String::new(),
        groups: Vec::new(),
    }
}
