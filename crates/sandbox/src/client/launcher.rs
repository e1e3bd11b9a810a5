//! What shims are forked from.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tokio::net::UnixStream;

use super::failure::ShimError;
use super::program;
use super::shim::Shim;
use crate::launcher::{ARGUMENT, Ask};
use crate::sys::Outgoing;

/// What shims are forked from: a process with a single thread, executed from this program as nobody can change it
/// (CVE-2019-5736). It ends when this is dropped; no shim does. Should it end before, the next shim gets a new one.
#[derive(Debug)]
pub struct Launcher {
    program: OwnedFd,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    socket: StdUnixStream,
}

impl Launcher {
    /// Executes this program, which must call [`crate::launcher::main`] first of all if
    /// [`crate::launcher::is_requested`]. Needs no runtime.
    pub fn start() -> Result<Self, ShimError> {
        let program = program::protected().map_err(ShimError::io("keeping this program from being changed"))?;
        let launcher = Self { program, running: Mutex::new(None) };
        let running = launcher.spawn()?;
        *launcher.lock() = Some(running);
        Ok(launcher)
    }

    /// Starts a shim for the workload whose directory this is. Its socket, its containers' output and what it leaves behind
    /// are in there; no other shim may run for it.
    pub async fn shim(&self, directory: OwnedFd) -> Result<Shim, ShimError> {
        let (own, other) = StdUnixStream::pair().map_err(ShimError::io("making a connection"))?;
        own.set_nonblocking(true).map_err(ShimError::io("making a connection"))?;
        self.ask(directory, other.into())?;
        let own = UnixStream::from_std(own).map_err(ShimError::io("making a connection"))?;
        Shim::over(own).await
    }

    /// The process, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(|running| running.process.id())
    }

    fn ask(&self, directory: OwnedFd, connection: OwnedFd) -> Result<(), ShimError> {
        let mut running = self.lock();
        let sent = match running.as_mut() {
            Some(running) => send(&running.socket, &directory, &connection),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                // It was killed. Its shims live on, and it had nothing else.
                tracing::warn!("the launcher of shims has ended; starting another");
                *running = None;
                let new = running.insert(self.spawn()?);
                send(&new.socket, &directory, &connection).map_err(ShimError::io("asking the launcher"))
            }
            Err(error) => Err(ShimError::io("asking the launcher")(error)),
        }
    }

    fn spawn(&self) -> Result<Running, ShimError> {
        let (socket, other) = StdUnixStream::pair().map_err(ShimError::io("making a connection"))?;
        let process = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()))
            .arg0("pilvi")
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ShimError::io("executing the launcher of shims"))?;
        Ok(Running { process, socket })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends when its socket does; it is only waited for so that no zombie stays.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        let _ = self.process.wait();
    }
}

/// A frame to the launcher is shorter than what a socket holds: it never blocks for long.
fn send(socket: &StdUnixStream, directory: &OwnedFd, connection: &OwnedFd) -> io::Result<()> {
    let mut outgoing = Outgoing::default();
    let descriptors = vec![directory.try_clone()?, connection.try_clone()?];
    outgoing.push(&Ask::Shim, descriptors).map_err(|_| io::ErrorKind::InvalidInput)?;
    while !outgoing.is_empty() {
        outgoing.write(socket.as_fd())?;
        if !outgoing.is_empty() {
            let mut ready = [rustix::event::PollFd::new(socket, rustix::event::PollFlags::OUT)];
            rustix::io::retry_on_intr(|| rustix::event::poll(&mut ready, None))?;
        }
    }
    Ok(())
}
