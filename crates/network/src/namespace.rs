//! Network namespaces: made, entered, and their settings.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Error;

/// The namespace of the calling thread.
pub(crate) fn own() -> Result<OwnedFd, Error> {
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from).map_err(Error::io("open this thread's network namespace"))
}

/// Does some work on a thread that begins in this thread's namespace and may go elsewhere; it ends afterwards, so no other work ever
/// finds itself there. Blocks.
pub(crate) fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("network-ns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(Error::io("start a thread for a network namespace"))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Does some work inside a namespace. Blocks.
pub(crate) fn inside<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    on_own_thread(|| {
        enter(namespace)?;
        work()
    })
}

/// Moves the calling thread into a namespace. For threads that end soon alone.
pub(crate) fn enter(namespace: BorrowedFd<'_>) -> Result<(), Error> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(Error::io("enter a network namespace"))
}

/// Moves the calling thread into a namespace that is new. For threads that end soon alone.
pub(crate) fn enter_new() -> Result<OwnedFd, Error> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNET).map_err(Error::io("make a network namespace"))?;
    own()
}

/// Sets one of the calling thread's namespace's settings: `net.ipv4.ip_forward` is `ipv4/ip_forward`.
pub(crate) fn set(name: &str, value: &str) -> Result<(), Error> {
    std::fs::write(path_of(name), value).map_err(Error::io(format!("set net/{name} to {value}")))
}

/// The same, where the kernel may have been built without it.
pub(crate) fn set_if_there(name: &str, value: &str) -> Result<(), Error> {
    match std::fs::write(path_of(name), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io(format!("set net/{name} to {value}"))),
    }
}

/// One of the calling thread's namespace's settings.
pub(crate) fn get(name: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(path_of(name)).map_err(Error::io(format!("read net/{name}")))?;
    Ok(text.trim().to_owned())
}

fn path_of(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}
