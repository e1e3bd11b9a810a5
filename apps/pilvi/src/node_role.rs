//! The node role's process. It runs as root, without those of root's rights that neither images nor containers need.

pub(crate) mod near;
pub(crate) mod rights;

use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use node::agent::{Agent, Options, WorkloadOptions};

use crate::control::{self, NodeAssignment, Report};
use crate::door::WayToDoor;
use crate::stop::stop;
use crate::supervised::{self, Executes, Inherited, listen_for_the_end, watch_of};
use near::NearWorkloads;

/// How long a node that was killed may take to leave the directory to its successor.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const PREDECESSOR_PAUSE: Duration = Duration::from_millis(20);
/// Threads for calls that wait for the disk or the kernel, beside those that unpack.
const DISK_THREADS_MAX: usize = 16;
/// How long everything may take that a node does at its end, which the supervisor waits for.
const ENDING_PATIENCE: Duration = Duration::from_secs(3);

/// The hidden subcommand.
pub(crate) fn run() -> ExitCode {
    supervised::run("node", Executes::Containers, |inherited: Inherited<NodeAssignment>| {
        let _ = rustix::thread::set_name(c"pilvi-node");
        // Before there is a second thread: rights are each thread's own.
        rights::reduce()?;
        sandbox::mounts::leave_the_hosts().context("cannot have mounts of its own")?;
        let Inherited { listener, channel, assignment } = inherited;
        run_until_stopped(UnixListener::from(listener), &channel, assignment)
    })
}

fn run_until_stopped(listener: UnixListener, channel: &UnixStream, assignment: NodeAssignment) -> Result<()> {
    let NodeAssignment { directory, blobs, owner_uid, door, region } = assignment;
    let near = NearWorkloads::new(WayToDoor::Here(door), region);
    let mut options = Options::new(directory, blobs, owner_uid);
    options.workloads = Some(WorkloadOptions::new(Arc::new(near)));
    let agent = open(&options)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS_MAX).build()?;
    let outcome = runtime.block_on(async {
        let (stopper, stop) = stop();
        tokio::spawn(listen_for_the_end(stopper, watch_of(channel)?, stop.clone()));
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        control::send(channel, &Report::Ready).context("the supervisor is gone")?;
        let serving = agent.serve(&listener, stop.requested());
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => {}
            () = async {
                stop.requested().await;
                tokio::time::sleep(ENDING_PATIENCE).await;
            } => {}
        }
        Ok(())
    });
    runtime.shutdown_background();
    outcome
}

/// Opens the node's directory, as soon as a node before has let go of it.
pub(crate) fn open(options: &Options) -> Result<Agent> {
    let deadline = Instant::now() + PREDECESSOR_PATIENCE;
    loop {
        match Agent::open(options.clone()) {
            Err(images::Error::InUse) if Instant::now() < deadline => std::thread::sleep(PREDECESSOR_PAUSE),
            opened => return opened.context("cannot open the node's directory"),
        }
    }
}
