//! What happens between `clone3(2)` and `execve(2)`.
//!
//! A shim calls [`sandbox`], [`container`] and [`exec`]. Each forks a process of ours and returns at once with its
//! [`Making`]; nothing in them waits. What becomes of it comes as messages on the making's socket, which the shim polls for
//! reading and reads with [`receive`]:
//!
//! | made | messages |
//! | --- | --- |
//! | a sandbox | [`Report::Sandbox`], then [`Report::Ended`] |
//! | a container | [`Report::Created`]; after [`start`] [`Report::Executing`], then [`Report::Ended`] |
//! | an exec | [`Report::Executing`], then [`Report::Ended`] |
//!
//! [`Report::Failed`] may come instead of any of them, or after `Executing`. `Executing` and then `Ended` say that our program
//! has been replaced by what was asked for; `Ended` without the message that was waited for says that the process died.
//!
//! Every process made is a child of the shim, which reaps it with `waitpid(-1)`: the one that a report names and helpers,
//! which nothing names and whose end means nothing. A report's process is numbered as the shim sees it; the kernel says the
//! number, not the process. A pidfd for it is opened while it is not yet reaped.
//!
//! # Order and why
//!
//! 1. A *helper*, a fork of the shim that no container sees, enters the cgroup (in one of version 2 it is born), joins what is
//!    shared and makes what only the host's root may make.
//! 2. It clones the container's process 1 into a process namespace of its own, where nobody else is, and that one builds
//!    the container around itself. In a sandbox that shares its process namespace others are there, and one that may trace
//!    processes (`CAP_SYS_PTRACE`, which Fargate grants) would take over a process that still has the host's rights: there
//!    the helper builds everything, and what it clones has already been deprived of all rights. So does [`exec`].
//! 3. The process waits for [`start`], having done everything that does not depend on what is executed.
//! 4. Late mounts and files, the user, its groups, the working directory, capabilities, the filter of system calls, `execve`.

mod channel;
mod container;
mod credentials;
mod devices;
mod enter;
mod exec;
mod execute;
mod failure;
mod host;
mod init;
mod kernel_files;
mod kit;
mod late;
pub(crate) mod process;
mod root;
mod sandbox;
mod terminal;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use self::process::Birth;
use crate::plan::{ContainerPlan, LateParts, ProcessPlan, SandboxPlan, TerminalSize};
use crate::protocol::ShimFailure;

/// Something that is being made by a process of its own.
#[derive(Debug)]
pub struct Making {
    /// Where reports come from and where [`start`] goes: a `SOCK_SEQPACKET` socket, close-on-exec, not blocking. Closing it
    /// ends a container that has not been started.
    pub control: OwnedFd,
}

/// A sandbox that containers are made in.
#[derive(Debug)]
pub struct SandboxHandle {
    /// A pidfd of the process that holds its namespaces, which [`Report::Sandbox`] named.
    pub process: OwnedFd,
    /// What came with [`Report::Sandbox`].
    pub parts: SandboxParts,
}

/// What a sandbox's process has told of it.
#[derive(Debug, Default)]
pub struct SandboxParts {
    /// The file system of its process namespace, which containers that share it see.
    pub processes: Option<OwnedFd>,
}

/// The input and output of a container without a terminal, or of an exec without one.
#[derive(Debug, Clone, Copy)]
pub struct Streams<'a> {
    /// Standard input; `/dev/null` if there is none.
    pub input: Option<BorrowedFd<'a>>,
    /// Standard output.
    pub output: BorrowedFd<'a>,
    /// Standard error.
    pub errors: BorrowedFd<'a>,
}

/// What a process of ours tells.
#[derive(Debug)]
pub enum Report {
    /// The sandbox is there and held by this process: process 1 of its process namespace (or of the host's, if it uses that),
    /// which ends with the shim, and everything in the sandbox with it.
    Sandbox {
        /// The process.
        pid: i32,
        /// What making a container takes.
        parts: SandboxParts,
    },
    /// The container is there and waits for [`start`].
    Created {
        /// The process: the container's process 1, but where processes are shared, which [`Report::Executing`] tells of.
        pid: i32,
        /// The other side of its terminal, if it has one.
        terminal: Option<OwnedFd>,
    },
    /// The program is about to be executed.
    Executing {
        /// By which process: the one whose end is the container's or the exec's.
        pid: i32,
        /// The other side of an exec's terminal, if it has one.
        terminal: Option<OwnedFd>,
    },
    /// It came to nothing. Its processes end by themselves.
    Failed(ShimFailure),
    /// Nothing more comes.
    Ended,
}

/// Begins to make a sandbox: the namespaces that its containers share, and a process that holds them. `network` is the
/// namespace that [`SandboxPlan::network`] says is given.
///
/// # Errors
/// [`ShimFailure`] if no process could be forked.
pub fn sandbox(plan: &SandboxPlan, network: Option<BorrowedFd<'_>>) -> Result<Making, ShimFailure> {
    let keep: Vec<BorrowedFd<'_>> = network.into_iter().collect();
    let birthplace = enter::birthplace(&plan.cgroup)?;
    let birth = Birth { among: None, cgroup: birthplace.as_ref().map(AsFd::as_fd) };
    let make = |channel: &channel::Inner| sandbox::make(channel, plan, network, birthplace.is_some());
    let control = process::child(&keep, birth, make)?;
    Ok(Making { control })
}

/// Begins to make a container, all but what it executes. `root` and `mounts` are detached mounts, in the plan's order.
/// Without a terminal `streams` become its input and output; with one they are not used. The caller may close all of them
/// when this returns.
///
/// # Errors
/// [`ShimFailure`] if no process could be forked.
pub fn container(
    sandbox: &SandboxHandle,
    shared: &SandboxPlan,
    plan: &ContainerPlan,
    root: BorrowedFd<'_>,
    mounts: &[BorrowedFd<'_>],
    streams: Option<Streams<'_>>,
) -> Result<Making, ShimFailure> {
    let order = container::Order { sandbox, shared, plan, root, mounts, streams };
    let birthplace = enter::birthplace(&plan.cgroup)?;
    let birth = Birth { among: order.born_among(), cgroup: birthplace.as_ref().map(AsFd::as_fd) };
    let make = |channel: &channel::Inner| container::make(channel, &order, birthplace.is_some());
    let control = process::child(&order.descriptors(), birth, make)?;
    Ok(Making { control })
}

/// Has a container that was created execute its program. `mounts` are those of the late parts.
///
/// # Errors
/// [`ShimFailure`] if the container's process is not there any more.
pub fn start(
    making: &Making,
    process: &ProcessPlan,
    late: Option<&LateParts>,
    mounts: &[BorrowedFd<'_>],
) -> Result<(), ShimFailure> {
    channel::send_start(making, process, late, mounts)
}

/// Begins to execute a further program in a container. `container` is a pidfd of its process. With a terminal `streams`
/// are not used. The process is in the container's cgroup and as confined as the container.
///
/// # Errors
/// [`ShimFailure`] if no process could be forked.
pub fn exec(
    container: BorrowedFd<'_>,
    plan: &ContainerPlan,
    process: &ProcessPlan,
    tty: Option<TerminalSize>,
    streams: Option<Streams<'_>>,
) -> Result<Making, ShimFailure> {
    let mut keep = vec![container];
    if let Some(streams) = &streams {
        keep.extend(streams.input);
        keep.extend([streams.output, streams.errors]);
    }
    let birthplace = enter::birthplace(&plan.cgroup)?;
    let birth = Birth { among: None, cgroup: birthplace.as_ref().map(AsFd::as_fd) };
    let order = exec::Order { container, plan, process, tty, streams, is_counted: birthplace.is_some() };
    let control = process::child(&keep, birth, |channel| exec::make(channel, order))?;
    Ok(Making { control })
}

/// The next report, or none if there is none yet.
///
/// # Errors
/// [`ShimFailure`] if what came is no report.
pub fn receive(making: &Making) -> Result<Option<Report>, ShimFailure> {
    channel::receive(making)
}
