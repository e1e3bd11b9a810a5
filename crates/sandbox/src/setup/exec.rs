//! A further program in a container that runs. The container's files are its own by now: nothing of them is trusted.

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::channel::Inner;
use super::credentials::Confinement;
use super::enter::Cgroup;
use super::execute::{self, Missing, Stdio};
use super::failure::{Doing, refused};
use super::terminal::Terminal;
use super::{Streams, container, host, process};
use crate::plan::{ContainerPlan, ProcessPlan, TerminalSize};
use crate::protocol::ShimFailure;

/// What is executed.
pub(crate) struct Order<'a> {
    pub(crate) container: BorrowedFd<'a>,
    pub(crate) plan: &'a ContainerPlan,
    pub(crate) process: &'a ProcessPlan,
    pub(crate) tty: Option<TerminalSize>,
    pub(crate) streams: Option<Streams<'a>>,
    /// Whether the helper is in the container's cgroup already.
    pub(crate) is_counted: bool,
}

/// Every namespace; those that are the process's own already are joined again, which changes nothing.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// The helper: enters the container but for its processes, gives up every right that the container has not, and clones what
/// executes the program.
pub(crate) fn make(channel: &Inner, order: Order<'_>) -> Result<Infallible, ShimFailure> {
    let confinement = Confinement::of(order.plan)?;
    host::be_killed_first().doing("setting the out-of-memory score")?;
    if !order.is_counted {
        Cgroup::open(&order.plan.cgroup)?.enter()?;
    }
    let streams = order.streams.map(|streams| container::own_streams(&streams)).transpose()?;
    let flags = NAMESPACES | host::other_users(order.container).doing("looking at the container's users")?;
    process::join(order.container, flags).doing("joining the container")?;
    if flags & libc::CLONE_NEWUSER != 0 {
        process::become_root().doing("becoming the root of the sandbox")?;
    }
    let (stdio, master) = match (order.tty, streams) {
        (Some(size), _) => {
            let Terminal { master, slave } = Terminal::of_container(size)?;
            (Stdio::Terminal(slave), Some(master))
        }
        (None, Some(streams)) => (Stdio::Streams(streams), None),
        (None, None) => return Err(refused("an exec without a terminal has input and output")),
    };
    let ready = execute::prepare(order.process, &confinement, stdio, Missing::Refused)?;
    // Who may trace processes sees the next one's descriptors. Nothing that owns another one is used from here on.
    let keep: Vec<RawFd> = std::iter::once(channel.as_raw_fd()).chain(master.iter().map(AsRawFd::as_raw_fd)).collect();
    process::close_all_but(&keep).doing("closing descriptors")?;
    execute::send_ahead(channel, || execute::replace(ready, channel, master.as_ref().map(AsFd::as_fd)))
}
