//! `pilvi run`: runs a container, with docker's flags and exit codes.

mod logged;
mod lower;
pub(crate) mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use workload::{Device, Restart, TmpfsMount, Ulimit, WorkloadId};

use crate::control_socket::workloads::{Pulls, Run, WorkloadRequest};
use crate::locate::{Running, running};
use crate::pull;
use crate::settings::Place;
use crate::terminal::say;
use crate::workload_cli::{
    DETACH_KEYS, DetachKeys, Manner, Outcome, SOMETHING_ELSE, Tie, has_terminal, in_runtime, talk, tell_reason, warn,
};
use values::{Mount, Publish};

/// The exit code of what could not be run at all, as docker has it.
pub(crate) const CANNOT_RUN: u8 = 125;

/// Arguments of `pilvi run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Do not stay with it: print its id as soon as it runs
    #[arg(short, long, help_heading = "How you are with it")]
    detach: bool,
    /// What you type or pipe is its input
    #[arg(short, long, help_heading = "How you are with it")]
    interactive: bool,
    /// A terminal is its input and output
    #[arg(short, long, help_heading = "How you are with it")]
    tty: bool,
    /// Forget it as soon as it has stopped
    #[arg(long, conflicts_with = "restart", help_heading = "How you are with it")]
    rm: bool,
    /// What you call it
    #[arg(long, value_parser = values::name, help_heading = "How you are with it")]
    name: Option<String>,
    /// When its image is pulled
    #[arg(long, value_enum, default_value_t, help_heading = "How you are with it")]
    pull: PullWhen,
    /// The keys that leave it while it goes on, with -it
    #[arg(long, value_name = "KEYS", default_value = DETACH_KEYS, help_heading = "How you are with it")]
    detach_keys: DetachKeys,
    /// Write its id to this file, which must not exist
    #[arg(long, value_name = "FILE", help_heading = "How you are with it")]
    cidfile: Option<PathBuf>,
    #[command(flatten)]
    what: WhatArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    rights: RightArgs,
    #[command(flatten)]
    life: LifeArgs,
    #[command(flatten)]
    log: logged::LogArgs,
    #[command(flatten)]
    place: Place,
    /// The image, then the command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["IMAGE", "COMMAND"])]
    image_and_command: Vec<String>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum PullWhen {
    /// If it is not here.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Never.
    Never,
}

/// What is executed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What it executes")]
struct WhatArgs {
    /// NAME=VALUE, or NAME to take it from your own environment
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// A file with one NAME=VALUE a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Instead of the image's entry point; "" for none
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// The user, and the group: names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// The working directory
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,
    /// A small process 1 that reaps orphans
    #[arg(long)]
    init: bool,
    /// A note: NAME=VALUE
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = values::pair)]
    label: Vec<(String, String)>,
}

/// What it may use.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What it may use")]
struct LimitArgs {
    /// Memory, beyond which the kernel kills it: 512m, 2g
    #[arg(short, long, value_name = "SIZE", value_parser = values::size)]
    memory: Option<u64>,
    /// Memory that is set aside for it on its node
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    memory_reservation: Option<u64>,
    /// Processors: 0.5, 2
    #[arg(long, value_name = "NUMBER", value_parser = values::cpus)]
    cpus: Option<u32>,
    /// Processor time beside others, where 1024 is usual
    #[arg(short, long, value_name = "WEIGHT", value_parser = clap::value_parser!(u32).range(2..=262_144))]
    cpu_shares: Option<u32>,
    /// The processors that it may use: 0-1,3
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Processes and threads; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=4_194_304))]
    pids_limit: Option<i64>,
    /// What its root file system takes: size=10g
    #[arg(long, value_name = "size=SIZE", value_parser = values::pair)]
    storage_opt: Vec<(String, String)>,
    /// The size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    shm_size: Option<u64>,
    /// A limit of its processes: nofile=1024:4096
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = values::ulimit)]
    ulimit: Vec<Ulimit>,
    /// Its weight at the disk, 10 to 1000
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u16).range(10..=1000))]
    blkio_weight: Option<u16>,
    /// Bytes a second that it reads from the disk: 10m
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    read_bps: Option<u64>,
    /// Bytes a second that it writes to the disk
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    write_bps: Option<u64>,
}

/// What it shares with what is outside.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What it reaches")]
struct OutsideArgs {
    /// A port of this machine that leads to it: 8080:80, 127.0.0.1:53:53/udp, 80
    #[arg(short, long, value_name = "[[ADDRESS:]PORT:]PORT[/udp]")]
    publish: Vec<Publish>,
    /// A volume: data:/path, /here:/path:ro, /path
    #[arg(short, long, value_name = "[SOURCE:]PATH[:ro]")]
    volume: Vec<Mount>,
    /// Memory mounted as a directory: /run:size=64m
    #[arg(long, value_name = "PATH[:OPTIONS]", value_parser = values::tmpfs)]
    tmpfs: Vec<TmpfsMount>,
    /// bridge, none, host, or a name: containers with the same name reach each other
    #[arg(long, value_name = "NETWORK", default_value = "bridge")]
    network: String,
    /// A further name by which those of its network find it
    #[arg(long, value_name = "NAME")]
    network_alias: Vec<String>,
    /// Its host name
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// A line of its /etc/hosts: NAME:ADDRESS
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// A setting of its own kernel namespaces: net.core.somaxconn=1024
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::pair)]
    sysctl: Vec<(String, String)>,
}

/// What it may do.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What it may do")]
struct RightArgs {
    /// Its root file system cannot be written to
    #[arg(long)]
    read_only: bool,
    /// Add a capability: NET_RAW, ALL
    #[arg(long, value_name = "CAPABILITY", value_parser = values::capability)]
    cap_add: Vec<String>,
    /// Take a capability away
    #[arg(long, value_name = "CAPABILITY", value_parser = values::capability)]
    cap_drop: Vec<String>,
    /// no-new-privileges, or seccomp=unconfined where the node allows it
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// auto: its users, root included, are nobody outside
    #[arg(long, value_name = "auto|host")]
    userns: Option<String>,
    /// host: see the host's processes, where the node allows it
    #[arg(long, value_name = "host")]
    pid: Option<String>,
    /// host: use the host's IPC, where the node allows it
    #[arg(long, value_name = "host")]
    ipc: Option<String>,
    /// A device of the host, where the node allows it
    #[arg(long, value_name = "PATH[:PATH[:rwm]]", value_parser = values::device)]
    device: Vec<Device>,
    /// Everything, where the node allows it
    #[arg(long)]
    privileged: bool,
}

/// How long it lives.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How long it lives")]
struct LifeArgs {
    /// no, always, unless-stopped, on-failure[:RETRIES]
    #[arg(long, value_name = "WHEN", value_parser = values::restart)]
    restart: Option<Restart>,
    /// The signal that stops it
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds from that signal to its being killed
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<u32>,
    /// A command, for a shell, that ends with 0 while it is well
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// From one such command to the next
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = values::span_s, requires = "health_cmd")]
    health_interval: u32,
    /// How long one may take
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = values::span_s, requires = "health_cmd")]
    health_timeout: u32,
    /// So many failures in a row make it unhealthy
    #[arg(long, value_name = "NUMBER", default_value_t = 3, requires = "health_cmd")]
    health_retries: u32,
    /// Failures so soon after its start do not count
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = values::span_s, requires = "health_cmd")]
    health_start_period: u32,
}

/// Runs a container. The exit code is its own; 125 when it could not be run, 126 when its program cannot be executed, 127 when
/// there is no such program.
///
/// # Errors
/// Never: what goes wrong is told here, and is 125.
pub(crate) fn run(args: &RunArgs) -> Result<ExitCode> {
    Ok(ExitCode::from(in_runtime(ran(args)).unwrap_or_else(|error| {
        warn(format!("{error:#}"));
        CANNOT_RUN
    })))
}

async fn ran(args: &RunArgs) -> Result<u8> {
    let spec = lower::spec(args)?;
    let image = pull::parse_reference(&args.image_and_command[0])?;
    if args.tty && args.interactive && !args.detach && !has_terminal() {
        bail!("with -it standard input must be a terminal; leave out -t to pipe something");
    }
    let running = running(&args.place)?;
    let mut run = Run {
        spec,
        image,
        pull: if args.pull == PullWhen::Never { Pulls::Never } else { Pulls::IfMissing },
        name: args.name.clone(),
        remove: args.rm,
        attach: !args.detach,
        log: logged::destination(&args.log, args.name.as_deref())?,
    };
    if args.pull == PullWhen::Always {
        pulled(&running, &mut run)?;
    }
    let manner = Manner {
        dir: running.dir.clone(),
        tty: args.tty,
        stdin: args.interactive && !args.detach,
        detach_keys: args.detach_keys.clone(),
        tie: if args.detach { Tie::UntilBegun } else { Tie::Attached },
        cidfile: args.cidfile.clone(),
        is_shown: false,
    };
    let mut outcome = talk(&manner, WorkloadRequest::Run(Box::new(run.clone()))).await?;
    if outcome == Outcome::ImageMissing {
        pulled(&running, &mut run)?;
        outcome = talk(&manner, WorkloadRequest::Run(Box::new(run))).await?;
    }
    code(outcome)
}

/// Pulls the image, and shows how far it is.
fn pulled(running: &Running, run: &mut Run) -> Result<()> {
    // Whether there is a node on this machine to unpack it or not: there is one somewhere, as the server has said.
    pull::fetch(running, run.image.clone())?;
    run.pull = Pulls::Done;
    Ok(())
}

fn code(outcome: Outcome) -> Result<u8> {
    Ok(match outcome {
        Outcome::Exited(exited) => {
            tell_reason(&exited);
            exited.code
        }
        Outcome::Begun(id) => {
            say(id.as_ref().map_or("", WorkloadId::as_str));
            0
        }
        Outcome::Left | Outcome::Done => 0,
        Outcome::Signalled(number) => of_signal(number),
        Outcome::Unread => of_signal(rustix::process::Signal::PIPE.as_raw()),
        Outcome::NotThere => bail!(SOMETHING_ELSE),
        Outcome::ImageMissing => bail!("the image has gone as soon as it was pulled; try again"),
    })
}

/// The exit code of a command that a signal ended.
pub(crate) fn of_signal(number: i32) -> u8 {
    u8::try_from(128 + number).unwrap_or(u8::MAX)
}

/// Writes a container's id to a file that must not exist.
pub(crate) fn write_id(file: &std::path::Path, id: &WorkloadId) -> Result<()> {
    use std::io::Write as _;
    let made = std::fs::File::create_new(file).and_then(|mut file| file.write_all(id.as_str().as_bytes()));
    made.with_context(|| format!("the container {id} runs, but {} cannot be written", file.display()))
}
