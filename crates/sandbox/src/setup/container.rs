//! Containers: made completely, then waiting for what they execute.

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::channel::{Inner, Start};
use super::credentials::Confinement;
use super::enter::Cgroup;
use super::execute::{self, Missing, Stdio};
use super::failure::{Doing, refused};
use super::process::{self, Side};
use super::terminal::Terminal;
use super::{SandboxHandle, Streams, host, init, kernel_files, late, root, sandbox};
use crate::plan::{ContainerPlan, SandboxPlan};
use crate::protocol::ShimFailure;

/// What a container is made from.
pub(crate) struct Order<'a> {
    pub(crate) sandbox: &'a SandboxHandle,
    pub(crate) shared: &'a SandboxPlan,
    pub(crate) plan: &'a ContainerPlan,
    pub(crate) root: BorrowedFd<'a>,
    pub(crate) mounts: &'a [BorrowedFd<'a>],
    pub(crate) streams: Option<Streams<'a>>,
}

impl Order<'_> {
    /// Every descriptor of it.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = vec![self.sandbox.process.as_fd(), self.root];
        all.extend(self.sandbox.parts.processes.as_ref().map(AsFd::as_fd));
        all.extend(self.mounts);
        if let Some(streams) = &self.streams {
            all.extend(streams.input);
            all.extend([streams.output, streams.errors]);
        }
        all
    }

    /// Where the helper is born: in the sandbox's process namespace, if the container's is made within that one, where there is
    /// nobody but the process that holds it and other helpers.
    pub(crate) fn born_among(&self) -> Option<BorrowedFd<'_>> {
        (!self.shares_processes()).then(|| self.sandbox.process.as_fd())
    }

    /// Whether others may be in the process namespace that the container is in.
    fn shares_processes(&self) -> bool {
        self.shared.share_processes || self.shared.host_processes
    }
}

/// The helper: makes what only the host's root may make, joins what is shared, and goes on as the container or clones it.
/// `is_counted` says that it is in the container's cgroup already.
pub(crate) fn make(channel: &Inner, order: &Order<'_>, is_counted: bool) -> Result<Infallible, ShimFailure> {
    let plan = order.plan;
    if plan.tty.is_none() && order.streams.is_none() {
        return Err(refused("a container without a terminal has input and output"));
    }
    host::be_killed_first().doing("setting the out-of-memory score")?;
    let cgroup = Cgroup::open(&plan.cgroup)?;
    if !is_counted {
        cgroup.enter()?;
    }
    let stdio = order.streams.map(|streams| own_streams(&streams)).transpose()?;
    let views = cgroup.views(!plan.privileged)?;
    drop(cgroup);
    let mut devices = plan.devices.clone();
    if plan.privileged {
        devices.extend(host::devices()?);
    }
    join_shared(order)?;
    let sys = kernel_files::new_sys(plan.privileged)?;
    let proc = join_own(order)?;
    let parts =
        root::Parts { plan, shared: order.shared, root: order.root, mounts: order.mounts, sys, proc, views, devices };
    let own_ipc = if order.shared.share_ipc || order.shared.host_ipc { 0 } else { libc::CLONE_NEWIPC };
    if order.shares_processes() {
        process::unshare(libc::CLONE_NEWNS | own_ipc).doing("making namespaces")?;
        return be(channel, order, parts, stdio);
    }
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID | own_ipc;
    match process::clone_sibling(flags).doing("making namespaces")? {
        Side::Parent(_) => process::leave(0),
        Side::Child => process::run(channel, || be(channel, order, parts, stdio)),
    }
}

/// Joins what can be joined with the host's rights.
fn join_shared(order: &Order<'_>) -> Result<(), ShimFailure> {
    let mut flags = libc::CLONE_NEWNET | libc::CLONE_NEWUTS;
    if order.shared.share_ipc && !order.shared.host_ipc {
        flags |= libc::CLONE_NEWIPC;
    }
    process::join(order.sandbox.process.as_fd(), flags).doing("joining the sandbox")
}

/// Joins the rest, with which the host's rights and its mounts are left. Answers `/proc`, if it is not a new one.
fn join_own(order: &Order<'_>) -> Result<Option<OwnedFd>, ShimFailure> {
    let mut flags = libc::CLONE_NEWNS;
    if order.shared.share_processes && !order.shared.host_processes {
        flags |= libc::CLONE_NEWPID;
    }
    if order.shared.users.is_some() {
        flags |= libc::CLONE_NEWUSER;
    }
    process::join(order.sandbox.process.as_fd(), flags).doing("entering the sandbox")?;
    if order.shared.users.is_some() {
        process::become_root().doing("becoming the root of the sandbox")?;
    }
    match (&order.sandbox.parts.processes, order.shared.share_processes) {
        (Some(processes), true) => sandbox::copy_of_proc(processes.as_fd()).map(Some),
        (None, true) => Err(refused("the sandbox's processes were not given")),
        (_, false) => Ok(None),
    }
}

/// The container, up to what it executes.
fn be(
    channel: &Inner,
    order: &Order<'_>,
    parts: root::Parts<'_>,
    stdio: Option<[OwnedFd; 3]>,
) -> Result<Infallible, ShimFailure> {
    let plan = order.plan;
    process::hide();
    process::unshare(libc::CLONE_NEWCGROUP).doing("making a cgroup namespace")?;
    let terminal = root::build(parts)?;
    // By a descriptor that is left open here, a program that is named as one of `/proc/self/fd` would be looked for outside
    // (CVE-2024-21626). Nothing that owns one is alive but these.
    let mut keep = vec![channel.as_raw_fd()];
    keep.extend(terminal.iter().flat_map(|terminal| [terminal.master.as_raw_fd(), terminal.slave.as_raw_fd()]));
    keep.extend(stdio.iter().flatten().map(AsRawFd::as_raw_fd));
    process::close_all_but(&keep).doing("closing descriptors")?;
    let confinement = Confinement::of(plan)?;
    channel.tell_created(terminal.as_ref().map(|terminal| terminal.master.as_fd()))?;
    let stdio = match (terminal, stdio) {
        // The shim has the other side; here it would keep the terminal alive.
        (Some(Terminal { master, slave }), _) => {
            drop(master);
            Stdio::Terminal(slave)
        }
        (None, Some(streams)) => Stdio::Streams(streams),
        (None, None) => return Err(refused("a container without a terminal has input and output")),
    };
    let Some(Start { process, late, mounts }) = channel.wait_for_start()? else { process::leave(0) };
    if let Some(late) = &late {
        late::add(late, &mounts, plan)?;
    }
    drop(mounts);
    let ready = execute::prepare(&process, &confinement, stdio, Missing::Made)?;
    let go = || {
        // Where there is no process namespace that ends with the shim the process itself has to.
        if order.shared.host_processes {
            process::die_with_parent().doing("binding to the shim")?;
            if channel.is_abandoned() {
                process::leave(process::EXIT_FAILED);
            }
        }
        if plan.init { init::supervise(ready, channel) } else { execute::replace(ready, channel, None) }
    };
    if order.shares_processes() { execute::send_ahead(channel, go) } else { go() }
}

/// Copies of the streams' descriptors; input is the host's `/dev/null` if there is none, until the container's own is at hand.
pub(crate) fn own_streams(streams: &Streams<'_>) -> Result<[OwnedFd; 3], ShimFailure> {
    let own = |fd: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(fd, 3).doing("copying input and output");
    let input = match streams.input {
        Some(input) => own(input)?,
        None => {
            rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).doing("opening /dev/null")?
        }
    };
    Ok([input, own(streams.output)?, own(streams.errors)?])
}
