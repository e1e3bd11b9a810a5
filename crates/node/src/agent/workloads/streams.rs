//! What goes into a container and comes out of an exec: pipes and terminals.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A pipe or terminal that is read or written without blocking.
#[derive(Debug)]
pub(super) struct Stream(AsyncFd<OwnedFd>);

impl Stream {
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe for descriptors that change; one that is owned here never does"
    )]
    pub(super) fn new(descriptor: OwnedFd, interest: Interest) -> io::Result<Self> {
        fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)? | OFlags::NONBLOCK)?;
        Ok(Self(AsyncFd::with_interest(descriptor, interest)?))
    }

    /// Its descriptor.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        self.0.get_ref()
    }

    /// What comes next; nothing at the end. The other side of a terminal is gone when nobody has it open (`EIO`).
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|inner| self::read(inner.get_ref(), buffer)) {
                Ok(read) => return read,
                Err(_would_block) => {}
            }
        }
    }

    /// What is there already; none if nothing is.
    pub(super) fn read_now(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match read(self.0.get_ref(), buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            read => Some(read),
        }
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            if let Ok(written) = ready.try_io(|inner| Ok(rustix::io::write(inner.get_ref(), bytes)?)) {
                bytes = &bytes[written?..];
            }
        }
        Ok(())
    }
}

fn read(descriptor: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(descriptor, buffer) {
        Err(Errno::IO) => Ok(0),
        read => Ok(read?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_the_end_is_seen() {
        let (writer, reader) = tokio::net::unix::pipe::pipe().unwrap();
        let writer = Stream::new(writer.into_blocking_fd().unwrap(), Interest::WRITABLE).unwrap();
        let reader = Stream::new(reader.into_blocking_fd().unwrap(), Interest::READABLE).unwrap();
        let mut buffer = [0; 8];
        assert!(reader.read_now(&mut buffer).is_none());
        let long = vec![7; 300_000];
        let writing = tokio::spawn(async move { writer.write_all(&long).await.unwrap() });
        let mut total = 0;
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => break,
                count => total += count,
            }
        }
        writing.await.unwrap();
        assert_eq!(total, 300_000);
    }
}
