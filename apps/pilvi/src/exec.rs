//! `pilvi exec`, `stop`, `kill` and `rm`: what is done to containers that are there.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use workload::EnvVar;

use crate::control_socket::workloads::{Execute, WorkloadAnswer, WorkloadRequest};
use crate::locate::running;
use crate::run::values::signal;
use crate::run::{CANNOT_RUN, of_signal};
use crate::settings::Place;
use crate::terminal::say;
use crate::workload_cli::{
    DETACH_KEYS, DetachKeys, Manner, Outcome, SOMETHING_ELSE, Tie, ask, has_terminal, in_runtime, talk, tell_reason,
    terminal_size, warn,
};

/// The size of a terminal that does not tell it.
const SIZE_DEFAULT: [u16; 2] = [80, 24];

/// Arguments of `pilvi exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// What you type or pipe is its input
    #[arg(short, long)]
    interactive: bool,
    /// A terminal is its input and output
    #[arg(short, long)]
    tty: bool,
    /// NAME=VALUE, or NAME to take it from your own environment
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,
    /// The user, and the group: names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Which container of several
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// The keys that leave it while it goes on, with -it
    #[arg(long, value_name = "KEYS", default_value = DETACH_KEYS)]
    detach_keys: DetachKeys,
    #[command(flatten)]
    place: Place,
    /// The container, then the command and its arguments
    #[arg(required = true, num_args = 2.., trailing_var_arg = true, allow_hyphen_values = true, value_names = ["CONTAINER", "COMMAND"])]
    workload_and_command: Vec<String>,
}

/// Arguments of `pilvi stop`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds from its stop signal to its being killed [default: as it was run with, or 10]
    #[arg(short, long, value_name = "SECONDS")]
    time: Option<u32>,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `pilvi kill`.
#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = signal)]
    signal: i32,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `pilvi rm`.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Kill those that run
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// The containers: names, ids, or how these begin
    #[arg(value_name = "CONTAINER", required = true)]
    workloads: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Executes a program beside a container's own. The exit code is that program's; 125 when it could not be executed at all.
///
/// # Errors
/// Never: what goes wrong is told here, and is 125.
pub(crate) fn run(args: &ExecArgs) -> Result<ExitCode> {
    Ok(ExitCode::from(in_runtime(executed(args)).unwrap_or_else(|error| {
        warn(format!("{error:#}"));
        CANNOT_RUN
    })))
}

async fn executed(args: &ExecArgs) -> Result<u8> {
    let Some((workload, command)) = args.workload_and_command.split_first() else { bail!("which container?") };
    if args.tty && args.interactive && !has_terminal() {
        bail!("with -it standard input must be a terminal; leave out -t to pipe something");
    }
    let running = running(&args.place)?;
    let exec = Execute {
        container: args.container.clone(),
        args: command.to_vec(),
        env: variables(&args.env)?,
        working_dir: args.workdir.clone(),
        user: args.user.clone(),
        tty: args.tty.then(|| terminal_size().unwrap_or(SIZE_DEFAULT)),
        stdin: args.interactive,
    };
    let manner = Manner {
        dir: running.dir,
        tty: args.tty,
        stdin: args.interactive,
        detach_keys: args.detach_keys.clone(),
        tie: Tie::Loose,
        cidfile: None,
        is_shown: false,
    };
    let request = WorkloadRequest::Exec { workload: workload.clone(), exec: Box::new(exec) };
    Ok(match talk(&manner, request).await? {
        Outcome::Exited(exited) => {
            tell_reason(&exited);
            exited.code
        }
        Outcome::Signalled(number) => of_signal(number),
        Outcome::Unread => of_signal(rustix::process::Signal::PIPE.as_raw()),
        Outcome::Left => 0,
        Outcome::Begun(_) | Outcome::ImageMissing | Outcome::NotThere | Outcome::Done => bail!(SOMETHING_ELSE),
    })
}

fn variables(given: &[String]) -> Result<Vec<EnvVar>> {
    let mut variables: Vec<EnvVar> = Vec::new();
    for text in given {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => match std::env::var(text) {
                Ok(value) => (text.as_str(), value),
                Err(_) => continue,
            },
        };
        if name.is_empty() {
            bail!("a variable has no name");
        }
        variables.retain(|variable| variable.name != name);
        variables.push(EnvVar { name: name.to_owned(), value });
    }
    Ok(variables)
}

/// Stops containers.
///
/// # Errors
/// When one cannot be stopped; the others are all the same.
pub(crate) fn stop(args: &StopArgs) -> Result<ExitCode> {
    each(&args.which, |workload| WorkloadRequest::Stop { workload, timeout_s: args.time })
}

/// Sends a signal to containers.
///
/// # Errors
/// When one cannot be reached; the others are all the same.
pub(crate) fn kill(args: &KillArgs) -> Result<ExitCode> {
    each(&args.which, |workload| {
        // What is killed by somebody stays dead, whatever its restart policy.
        if args.signal == rustix::process::Signal::KILL.as_raw() {
            WorkloadRequest::Stop { workload, timeout_s: Some(0) }
        } else {
            WorkloadRequest::Signal { workload, signal: args.signal }
        }
    })
}

/// Forgets containers.
///
/// # Errors
/// When one cannot be; the others are all the same.
pub(crate) fn rm(args: &RmArgs) -> Result<ExitCode> {
    each(&args.which, |workload| WorkloadRequest::Remove { workload, force: args.force })
}

/// Asks for each; the names of those that it was done to are printed, as docker does.
fn each(which: &Which, request: impl Fn(String) -> WorkloadRequest) -> Result<ExitCode> {
    let running = running(&which.place)?;
    let mut code = ExitCode::SUCCESS;
    for workload in &which.workloads {
        match ask(&running.dir, request(workload.clone())) {
            Ok(WorkloadAnswer::Done { .. }) => say(crate::terminal::printable(workload)),
            Ok(_) => bail!(SOMETHING_ELSE),
            Err(error) => {
                warn(format!("{error:#}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
