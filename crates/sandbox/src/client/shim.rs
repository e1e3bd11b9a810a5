//! One shim, as the node sees it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::connection::{Connection, Reply};
use super::events::Events;
use super::failure::ShimError;
use crate::plan::{ContainerPlan, LateParts, ProcessPlan, SandboxPlan, TerminalSize};
use crate::protocol::{Answer, Exit, Request, ShimState, Target, VERSION};
use crate::shim::{LAST_WORDS_BYTES_MAX, LAST_WORDS_FILE, SOCKET_FILE};

/// How long a shim may take to greet. It does nothing that takes long: one that is silent for so long is stopped, or waits for a disk
/// that does not come back.
const GREETING_PATIENCE: Duration = Duration::from_secs(30);

/// A shim, and through it the sandbox and the containers of one workload. Clones are handles on the same one. Dropping the
/// last ends the connection and nothing else.
///
/// Each method fails with [`ShimError::Refused`] if the shim says so, and with [`ShimError::Disconnected`] once the connection
/// has ended.
#[derive(Debug, Clone)]
pub struct Shim {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    process: AsyncFd<OwnedFd>,
    pid: u32,
    version: u32,
}

/// Where an exec's input comes from and its output goes.
#[derive(Debug)]
pub enum ExecIo {
    /// Pipes, or anything else; the shim keeps none of them.
    Given {
        /// What it reads.
        input: OwnedFd,
        /// What it prints.
        output: OwnedFd,
        /// Where its errors go.
        errors: OwnedFd,
    },
    /// A new terminal of the container's, whose other side is [`Executing::terminal`].
    Terminal(TerminalSize),
}

/// A program that was executed beside a container's own.
#[derive(Debug)]
pub struct Executing {
    /// By which [`Target::Exec`] names it.
    pub exec: u64,
    /// Its process, as the host numbers it.
    pub pid: u32,
    /// The other side of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
    pub(super) ended: oneshot::Receiver<Exit>,
}

impl Executing {
    /// Waits for its end.
    pub async fn ended(self) -> Result<Exit, ShimError> {
        self.ended.await.map_err(|_| ShimError::Disconnected)
    }
}

/// Finds the shim of a workload's directory again. [`ShimError::NotRunning`] means that there is none (any more): what was
/// in its sandbox has ended, and [`last_words`] may tell how.
pub async fn connect(directory: BorrowedFd<'_>) -> Result<Shim, ShimError> {
    // A socket's address has at most 108 bytes; a path through the descriptor always fits.
    let path = crate::shim::socket_path(directory);
    let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ShimError::NotRunning,
        _ => ShimError::Io { what: SOCKET_FILE, source: error },
    })?;
    Shim::over(stream).await
}

/// What a shim that has ended in its own order left behind: the containers, and how they ended. None if it was killed or has
/// never ended.
pub fn last_words(directory: BorrowedFd<'_>) -> Option<ShimState> {
    let file =
        openat(directory, LAST_WORDS_FILE, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()).ok()?;
    let mut text = Vec::new();
    let file = std::fs::File::from(file);
    io::Read::read_to_end(&mut io::Read::take(file, LAST_WORDS_BYTES_MAX), &mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

impl Shim {
    /// Greets a shim over a new connection.
    pub(super) async fn over(stream: UnixStream) -> Result<Self, ShimError> {
        let connection = Connection::start(stream);
        let greeting = connection.call(Request::Hello { version: VERSION }, Vec::new());
        let reply = tokio::time::timeout(GREETING_PATIENCE, greeting).await.map_err(|_| ShimError::Silent)??;
        let Reply { answer: Answer::Shim { version, pid }, mut descriptors, .. } = reply else {
            return Err(ShimError::OutOfPlace { what: "a greeting" });
        };
        // The shim itself hands out what names its process: no number could be somebody else's by now.
        let process = descriptors.pop().ok_or(ShimError::OutOfPlace { what: "a greeting" })?;
        // SAFETY: an OwnedFd is the same open descriptor until it is dropped, and it is only ever borrowed from there.
        let process = unsafe { AsyncFd::register(process) }
            .map_err(|error| ShimError::Io { what: "watching the shim's process", source: error.into() })?;
        Ok(Self { inner: Arc::new(Inner { connection, process, pid, version }) })
    }

    /// The shim's process.
    pub fn pid(&self) -> u32 {
        self.inner.pid
    }

    /// What names the shim's process for as long as this is held (`pidfd_open(2)`).
    pub fn process(&self) -> BorrowedFd<'_> {
        self.inner.process.get_ref().as_fd()
    }

    /// The version of the protocol that the shim speaks.
    pub fn version(&self) -> u32 {
        self.inner.version
    }

    /// Waits for the end of the shim's process, whatever becomes of the connection. By then the kernel has begun to kill
    /// everything in its sandbox.
    pub async fn ended(&self) {
        // It fails only when the runtime ends.
        let _ = self.inner.process.readable().await;
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        self.inner.connection.events()
    }

    /// Makes the sandbox, with this network namespace if the plan says that it is given. Answers the process that holds it.
    pub async fn sandbox(&self, plan: SandboxPlan, network: Option<OwnedFd>) -> Result<u32, ShimError> {
        match self.call(Request::Sandbox(plan), network.into_iter().collect()).await?.answer {
            Answer::Sandbox { pid } => Ok(pid),
            _ => Err(ShimError::OutOfPlace { what: "the making of a sandbox" }),
        }
    }

    /// Makes a container on this root (a mount that is attached nowhere), with the mounts that the plan says are given, in
    /// its order. Answers its process 1, which waits for [`Shim::start`].
    pub async fn create(&self, plan: ContainerPlan, root: OwnedFd, mounts: Vec<OwnedFd>) -> Result<u32, ShimError> {
        let descriptors = std::iter::once(root).chain(mounts).collect();
        match self.call(Request::Create(Box::new(plan)), descriptors).await?.answer {
            Answer::Created { pid } => Ok(pid),
            _ => Err(ShimError::OutOfPlace { what: "the making of a container" }),
        }
    }

    /// Executes a container's program. Answers once its `execve` has succeeded.
    pub async fn start(
        &self,
        container: &str,
        process: ProcessPlan,
        late: Option<LateParts>,
        mounts: Vec<OwnedFd>,
    ) -> Result<(), ShimError> {
        self.done(Request::Start { container: container.to_owned(), process, late }, mounts).await
    }

    /// Executes a further program in a container that runs. Answers once its `execve` has succeeded.
    pub async fn exec(&self, container: &str, process: ProcessPlan, io: ExecIo) -> Result<Executing, ShimError> {
        let (tty, descriptors) = match io {
            ExecIo::Given { input, output, errors } => (None, vec![input, output, errors]),
            ExecIo::Terminal(size) => (Some(size), Vec::new()),
        };
        let reply = self.call(Request::Exec { container: container.to_owned(), process, tty }, descriptors).await?;
        let Reply { answer: Answer::Executing { exec, pid }, mut descriptors, ended: Some(ended) } = reply else {
            return Err(ShimError::OutOfPlace { what: "the executing of a program" });
        };
        Ok(Executing { exec, pid, terminal: descriptors.pop(), ended })
    }

    /// Sends a signal to a container's process 1 or an exec's process.
    pub async fn signal(&self, to: Target, signal: i32) -> Result<(), ShimError> {
        self.done(Request::Signal { to, signal }, Vec::new()).await
    }

    /// Kills everything in a container.
    pub async fn kill(&self, container: &str) -> Result<(), ShimError> {
        self.done(Request::Kill { container: container.to_owned() }, Vec::new()).await
    }

    /// Changes the size of a container's terminal. An exec's is changed by [`super::resize`].
    pub async fn resize(&self, container: &str, size: TerminalSize) -> Result<(), ShimError> {
        self.done(Request::Resize { container: container.to_owned(), size }, Vec::new()).await
    }

    /// Something to write a container's input to: a pipe, or its terminal. It does not block.
    pub async fn input(&self, container: &str) -> Result<OwnedFd, ShimError> {
        let mut reply = self.call(Request::Input { container: container.to_owned() }, Vec::new()).await?;
        reply.descriptors.pop().ok_or(ShimError::OutOfPlace { what: "the asking for input" })
    }

    /// Closes the shim's own end of a container's input. The container reads the end of it once what [`Shim::input`] gave is
    /// closed, too.
    pub async fn close_input(&self, container: &str) -> Result<(), ShimError> {
        self.done(Request::CloseInput { container: container.to_owned() }, Vec::new()).await
    }

    /// Forgets a container that has ended or was never started (which ends it). What it printed stays.
    pub async fn remove(&self, container: &str) -> Result<(), ShimError> {
        self.done(Request::Remove { container: container.to_owned() }, Vec::new()).await
    }

    /// Everything that the shim knows.
    pub async fn state(&self) -> Result<ShimState, ShimError> {
        match self.call(Request::State, Vec::new()).await?.answer {
            Answer::State(state) => Ok(state),
            _ => Err(ShimError::OutOfPlace { what: "the asking for its state" }),
        }
    }

    /// Makes the shim kill everything and end at this time of [`super::boot_time_ns`], unless it is told another before;
    /// none takes the threat away.
    pub async fn fence(&self, at_ns: Option<u64>) -> Result<(), ShimError> {
        self.done(Request::Fence { at_ns }, Vec::new()).await
    }

    /// The sandbox's network namespace.
    pub async fn network_namespace(&self) -> Result<OwnedFd, ShimError> {
        let mut reply = self.call(Request::NetworkNamespace, Vec::new()).await?;
        reply.descriptors.pop().ok_or(ShimError::OutOfPlace { what: "the asking for its network" })
    }

    /// Keeps descriptors, at most [`DESCRIPTORS_MAX`](crate::protocol::DESCRIPTORS_MAX), for a node that comes after this one.
    /// They replace those kept before.
    pub async fn keep(&self, descriptors: Vec<OwnedFd>) -> Result<(), ShimError> {
        self.done(Request::Keep, descriptors).await
    }

    /// What was kept, in the same order.
    pub async fn kept(&self) -> Result<Vec<OwnedFd>, ShimError> {
        Ok(self.call(Request::Kept, Vec::new()).await?.descriptors)
    }

    /// Has one [`Event::Output`](super::Event::Output) told as soon as a container's output goes beyond this position, which
    /// may be at once. Read to the end, watch, wait for the event, read again: nothing is missed.
    pub async fn watch_output(&self, container: &str, after: u64) -> Result<(), ShimError> {
        self.done(Request::Watch { container: container.to_owned(), after }, Vec::new()).await
    }

    /// Kills everything. Answers when it has been killed; the shim has ended when [`Shim::ended`] says so.
    pub async fn destroy(&self) -> Result<(), ShimError> {
        self.done(Request::Destroy, Vec::new()).await
    }

    async fn done(&self, request: Request, descriptors: Vec<OwnedFd>) -> Result<(), ShimError> {
        match self.call(request, descriptors).await?.answer {
            Answer::Done => Ok(()),
            _ => Err(ShimError::OutOfPlace { what: "a request" }),
        }
    }

    async fn call(&self, request: Request, descriptors: Vec<OwnedFd>) -> Result<Reply, ShimError> {
        self.inner.connection.call(request, descriptors).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shim_that_is_silent_is_not_waited_for_without_end() {
        let (own, _silent) = UnixStream::pair().unwrap();
        assert!(matches!(Shim::over(own).await, Err(ShimError::Silent)));
    }
}
