//! `pilvi node --join`: this machine as a node of a Pilvi elsewhere.
//!
//! One process, root's, in the foreground: whoever starts it keeps it running. Workloads are no children of its, and go on
//! while it is started anew, for as long as the lease lasts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::SystemClock;
use clap::Args;
use node::agent::{Agent, Elsewhere, Options, WorkloadOptions};
use node::client::{Node, Stream};
use node::gate::{BoxFuture, Token};
use node::join::{Address, Identity, JoinError, Joined, Resident, join};
use tokio::net::UnixListener;
use tracing::{info, warn};
use workload::NodeId;
use zeroize::Zeroizing;

use crate::config::{LogFilter, LogFormat};
use crate::door::WayToDoor;
use crate::logging;
use crate::node_gate::REGION;
use crate::node_role::near::NearWorkloads;
use crate::node_role::{self, rights};
use crate::node_token::NodeCommand;
use crate::owner::Caller;
use crate::settings::Log;
use crate::supervised::{Executes, confine};
use crate::up::node_place::{NodePlace, SYSTEM_NODE_DIRS};
use crate::up::signals::Signals;

/// The directory of a node that joins unless one is named, below [`SYSTEM_NODE_DIRS`].
const DEFAULT_DIR: &str = "joined";
/// A longer file holds no token.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;
/// The first pause before a server that was not reached is asked again to be let in; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long threads that still unpack at the end are waited for.
const RUNTIME_PATIENCE: Duration = Duration::from_millis(200);
/// The least memory that a node can be said to have, in bytes.
const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// The most processors that a node can be said to have.
const CPUS_MAX: f64 = 4096.0;

/// Arguments of `pilvi node`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct NodeArgs {
    #[command(subcommand)]
    command: Option<NodeCommand>,
    #[command(flatten)]
    join: JoinArgs,
}

/// How a machine joins.
#[derive(Debug, Args)]
struct JoinArgs {
    /// Where to: the nodes' port of the server (`pilvi up --node-listen`)
    #[arg(long, value_name = "https://HOST:PORT", env = "PILVI_JOIN")]
    join: Option<String>,
    /// A file with a token, which `pilvi node token create` prints; not needed any more once this machine has joined
    #[arg(long, value_name = "FILE", env = "PILVI_TOKEN_FILE", value_hint = clap::ValueHint::FilePath)]
    token_file: Option<PathBuf>,
    /// What the node is called [default: the machine's name]
    #[arg(long, value_name = "NAME", env = "PILVI_NODE_NAME")]
    name: Option<String>,
    /// Processors that workloads may use, such as 2 or 0.5 [default: all]
    #[arg(long, value_name = "NUMBER", env = "PILVI_NODE_CPUS")]
    cpus: Option<Cpus>,
    /// Memory that workloads may use, such as 512m or 4g [default: all]
    #[arg(long, value_name = "SIZE", env = "PILVI_NODE_MEMORY")]
    memory: Option<Memory>,
    /// Where the node keeps what is its own [default: /var/lib/pilvi-node/joined]
    ///
    /// All directories above it must be root's. Several nodes on one machine each have their own.
    #[arg(long, value_name = "DIR", env = "PILVI_NODE_DIR", value_hint = clap::ValueHint::DirPath)]
    node_dir: Option<PathBuf>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT", env = "PILVI_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// Which log lines are written, such as `debug` or `info,node=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "PILVI_LOG")]
    log: Option<LogFilter>,
}

/// Processors, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cpus(u32);

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: f64 =
            text.parse().map_err(|_| format!("`{text}` is not a number of processors such as 2 or 0.5"))?;
        if !(0.001..=CPUS_MAX).contains(&number) {
            return Err(format!("`{text}` is outside 0.001 to {CPUS_MAX} processors"));
        }
        // Within the bounds it fits.
        Ok(Self((number * 1000.0).round() as u32))
    }
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory(u64);

impl FromStr for Memory {
    type Err = String;

    /// With docker's units, which are powers of 1,024.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size such as 512m or 4g");
        let lower = text.to_ascii_lowercase();
        let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match lower.get(number.len()..) {
            Some("" | "b") => 0,
            Some("k" | "kb") => 10,
            Some("m" | "mb") => 20,
            Some("g" | "gb") => 30,
            Some("t" | "tb") => 40,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let bytes = number.checked_mul(1 << shift).ok_or_else(wrong)?;
        if bytes < MEMORY_BYTES_MIN { Err(format!("`{text}` is less than 16m")) } else { Ok(Self(bytes)) }
    }
}

/// Joins, or does what the subcommand says.
///
/// # Errors
/// When this machine cannot be a node, or is not let in.
pub(crate) fn run(args: &NodeArgs) -> Result<ExitCode> {
    match &args.command {
        Some(command) => crate::node_token::run(command),
        None => join_and_stay(&args.join),
    }
}

fn join_and_stay(args: &JoinArgs) -> Result<ExitCode> {
    let server: Address = args.join.as_deref().context("--join https://HOST:PORT is needed")?.parse()?;
    if !Caller::detect()?.is_root() {
        bail!("only root can make this machine a node: run it with sudo");
    }
    let name = name(args.name.as_deref())?;
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let log = Log { format: args.log_format.unwrap_or_default(), filter: args.log.clone().unwrap_or_default() };
    logging::init(&log)?;
    // Before there is a second thread: rights are each thread's own.
    confine(Executes::Containers)?;
    rights::reduce()?;
    sandbox::mounts::leave_the_hosts().context("cannot have mounts of its own")?;
    rustls::crypto::ring::default_provider().install_default().ok().context("a TLS provider is installed already")?;
    let directory = args.node_dir.clone().unwrap_or_else(|| Path::new(SYSTEM_NODE_DIRS).join(DEFAULT_DIR));
    let place = NodePlace::joined(&std::path::absolute(directory)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let stop = async {
            let signal = signals.stop().await;
            info!(signal, "this machine's node stops; what runs goes on for as long as there is a lease");
        };
        tokio::pin!(stop);
        let joining = let_in(place.directory(), &server, &name, token.as_ref());
        let identity = tokio::select! {
            identity = joining => identity?,
            () = &mut stop => return Ok(()),
        };
        stay(identity, &place, args, stop).await
    });
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Who this machine is to the server, asked for as long as the server is not reached.
async fn let_in(directory: &Path, server: &Address, name: &NodeId, token: Option<&Token>) -> Result<Identity> {
    let mut pause = PAUSE_FIRST;
    loop {
        match join(directory, server, name, token, &SystemClock).await {
            Ok(identity) => return Ok(identity),
            Err(error @ JoinError::Token(_)) if token.is_none() => {
                return Err(error).context("this machine has not joined yet: --token-file FILE is needed");
            }
            Err(error) if error.is_permanent() => return Err(error).with_context(|| format!("cannot join {server}")),
            Err(error) => warn!("cannot join yet: {:#}", anyhow::Error::from(error)),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Is a node of the server, until told to stop or not wanted any more.
async fn stay(identity: Identity, place: &NodePlace, args: &JoinArgs, stop: impl Future<Output = ()>) -> Result<()> {
    let (name, server) = (identity.name.clone(), identity.server.clone());
    let joined = Joined::new(identity, place.directory(), Arc::new(SystemClock))?;
    let agent = node_role::open(&options(&joined, place.directory(), args))?;
    let listener = std::os::unix::net::UnixListener::from(place.listener()?);
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    info!(%name, %server, directory = %place.directory().display(), "this machine is a node");
    let resident = Arc::new(House(agent.clone()));
    let mut ended = None;
    let until = async {
        tokio::select! {
            error = joined.stay(resident) => {
                if matches!(error, JoinError::Removed { .. }) {
                    leave(place).await;
                }
                ended = Some(error);
            }
            () = stop => {}
        }
    };
    agent.serve(&listener, until).await;
    match ended {
        None => Ok(()),
        Some(error) => Err(error).with_context(|| format!("this machine is no node of {server} any more")),
    }
}

/// The server knows this machine no more: nothing of what it ran is left, and a new token may bring it back.
async fn leave(place: &NodePlace) {
    match Node::at(place.socket()).purge().await {
        Ok(count) => info!(workloads = count, "this machine was removed: what ran here is gone"),
        Err(error) => warn!(%error, "this machine was removed, and what ran here could not be cleared away"),
    }
    if let Err(error) = Identity::forget(place.directory()) {
        warn!("{:#}", anyhow::Error::from(error));
    }
}

fn options(joined: &Joined, directory: &Path, args: &JoinArgs) -> Options {
    let region = joined.facts().remove(REGION).unwrap_or_default();
    let near = NearWorkloads::new(WayToDoor::There(joined.clone()), region);
    let mut workloads = WorkloadOptions::new(Arc::new(near));
    workloads.cpu_millis = args.cpus.map(|cpus| cpus.0);
    workloads.memory_bytes = args.memory.map(|memory| memory.0);
    // There are no blobs here: they come from the server.
    let mut options = Options::new(directory, directory.join("blobs"), 0);
    options.elsewhere = Some(Elsewhere(Arc::new(joined.blobs())));
    options.workloads = Some(workloads);
    options
}

/// The agent, as its membership has it.
struct House(Agent);

impl Resident for House {
    fn serve(&self, stream: Box<dyn Stream>) -> BoxFuture<'static, ()> {
        let agent = self.0.clone();
        Box::pin(async move { agent.serve_on(stream).await })
    }

    fn fence(&self, at: Duration) -> BoxFuture<'_, ()> {
        let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        Box::pin(self.0.fence(Some(at_ns)))
    }
}

/// What the node is called: what was asked for, or what can be made of the machine's name.
fn name(given: Option<&str>) -> Result<NodeId> {
    if let Some(given) = given {
        return NodeId::try_from(given.to_owned()).with_context(|| {
            format!("`{given}` is no name of a node: 1 to 63 lowercase letters, digits and hyphens are expected")
        });
    }
    let machine = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let kept = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String =
        machine.split('.').next().unwrap_or_default().chars().map(kept).take(NodeId::LENGTH_MAX).collect();
    NodeId::try_from(name.trim_matches('-').to_owned())
        .with_context(|| format!("the machine's name `{machine}` makes no name of a node: --name is needed"))
}

/// Reads a token. The file may hold nothing else.
fn read_token(path: &Path) -> Result<Token> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(TOKEN_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    text.trim().parse().with_context(|| format!("{} holds no token", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_and_memory_are_read_as_docker_reads_them() {
        for (text, millis) in [("2", 2000), ("0.5", 500), ("1.25", 1250)] {
            assert_eq!(text.parse::<Cpus>().unwrap().0, millis, "{text}");
        }
        for text in ["", "0", "-1", "many", "NaN", "inf", "1e9"] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
        for (text, bytes) in [("512m", 512 << 20), ("4G", 4 << 30), ("1tb", 1 << 40), ("16777216", 16 << 20)] {
            assert_eq!(text.parse::<Memory>().unwrap().0, bytes, "{text}");
        }
        for text in ["", "m", "1x", "15m", "-1g", "1.5g", "99999999999999999999", "99999999999999t", "1µ"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_node_is_called_what_was_asked_for_or_what_the_machine_is_called() {
        assert_eq!(name(Some("worker-1")).unwrap().as_str(), "worker-1");
        assert!(format!("{:#}", name(Some("Worker 1")).unwrap_err()).contains("lowercase letters"));
        let made = name(None);
        assert!(made.is_ok() || format!("{:#}", made.unwrap_err()).contains("--name"));
    }

    #[test]
    fn a_file_that_holds_no_token_is_named_and_not_repeated() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("token");
        std::fs::write(&path, "pilvi-join.not.a.token").unwrap();
        let told = format!("{:#}", read_token(&path).unwrap_err());
        assert!(told.contains("holds no token") && !told.contains("not.a.token"), "{told}");
        assert!(format!("{:#}", read_token(&temp.path().join("none")).unwrap_err()).contains("cannot read"));
    }
}
