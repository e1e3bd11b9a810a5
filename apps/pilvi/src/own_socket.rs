//! A Unix socket in `run/` that the server's own user and root may use, and nobody else: the socket's mode says so, and the kernel
//! tells who connects.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::warn;

use crate::stop::Stop;

/// A pause after a failure to accept, which is the want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket, where nobody is let in yet.
pub(crate) struct OwnSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl OwnSocket {
    /// Makes the socket, in place of what a server before has left. The caller holds the server's lock.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(path: PathBuf) -> Result<Self> {
        let made = at_short_path(&path, |short| {
            match std::fs::remove_file(short) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(short)?;
            std::fs::set_permissions(short, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        let listener = made.with_context(|| format!("cannot listen at {}", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Has connections served until told to stop, so many at one time; further ones wait. Answers those that are open then.
    pub(crate) async fn accept<F>(
        self,
        connections_max: usize,
        stop: &Stop,
        serve: impl Fn(UnixStream) -> F,
    ) -> JoinSet<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let room = Arc::new(Semaphore::new(connections_max));
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                // It is closed by nobody.
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let served = serve(stream);
                        connections.spawn(async move {
                            served.await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        warn!(%error, socket = %self.path.display(), "nobody can connect");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accepting => {}
            () = stop.requested() => {}
        }
        // One that stays is harmless: nobody answers there.
        let _ = std::fs::remove_file(&self.path);
        connections
    }
}

/// Whether root or this process's own user is at the other end.
pub(crate) fn is_own(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

/// Addresses of sockets are short, and paths may be long: the directory is named by a descriptor.
pub(crate) fn at_short_path<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(parent, flags, Mode::empty())?;
    act(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::stop::stop;

    #[tokio::test]
    async fn of_many_connections_some_wait_and_none_is_lost() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("socket");
        let socket = OwnSocket::make(path.clone()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (stopper, stop) = stop();
        let serving = tokio::spawn(async move {
            let serve = |mut stream: UnixStream| async move {
                assert!(is_own(&stream));
                let _ = stream.read_u8().await;
            };
            socket.accept(1, &stop, serve).await
        });
        for _ in 0..3 {
            drop(UnixStream::connect(&path).await.unwrap());
        }
        let mut held = UnixStream::connect(&path).await.unwrap();
        let mut waits = UnixStream::connect(&path).await.unwrap();
        stopper.stop();
        let mut open = serving.await.unwrap();
        assert!(!path.exists());
        open.shutdown().await;
        assert!(held.read_u8().await.is_err() && waits.read_u8().await.is_err());
    }

    #[tokio::test]
    async fn what_a_server_before_has_left_is_replaced_however_long_the_path_is() {
        let temp = tempfile::tempdir().unwrap();
        let long = temp.path().join("a".repeat(200));
        std::fs::create_dir(&long).unwrap();
        drop(OwnSocket::make(long.join("socket")).unwrap());
        let _again = OwnSocket::make(long.join("socket")).unwrap();
    }
}
