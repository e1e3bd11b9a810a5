//! A joined host, as the gate knows it while the server runs.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use images::Descriptor;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;
use workload::NodeId;

use super::grants::Grants;
use super::{BoxFuture, Gate};
use crate::client::{Dial, Stream};
use crate::protocol::Request;

/// Connections of one host at one time, those of its workloads among them.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// Connections that wait to be asked over. A host offers one, and the next when that is taken.
const LINKS_WAITING_MAX: usize = 4;
/// How long the server waits for a host to offer one.
const LINK_PATIENCE: Duration = Duration::from_secs(2);
/// The media type of what leads to no other blobs.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Blobs that are sent to one host at one time.
pub(crate) const BLOBS_AT_ONCE: usize = 8;

/// A host.
pub(super) struct Host {
    pub(super) name: NodeId,
    /// What it may read.
    pub(super) grants: Arc<Grants>,
    /// The right to be connected, and to be sent a blob.
    pub(super) places: Arc<Semaphore>,
    pub(super) transfers: Arc<Semaphore>,
    links: Mutex<VecDeque<Box<dyn Stream>>>,
    offered: Notify,
    gone: watch::Sender<bool>,
}

impl Host {
    pub(super) fn new(name: NodeId) -> Self {
        Self {
            name,
            grants: Arc::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            transfers: Arc::new(Semaphore::new(BLOBS_AT_ONCE)),
            links: Mutex::default(),
            offered: Notify::new(),
            gone: watch::Sender::new(false),
        }
    }

    /// A connection over which it can be asked. Of those that nobody took the oldest goes: its other side may be dead.
    pub(super) fn offer(&self, link: Box<dyn Stream>) {
        let mut links = self.links();
        if links.len() >= LINKS_WAITING_MAX {
            links.pop_front();
        }
        links.push_back(link);
        drop(links);
        self.offered.notify_one();
    }

    /// The connection that was offered last; waits for one for a little.
    async fn take_link(&self) -> io::Result<Box<dyn Stream>> {
        let waiting = async {
            loop {
                if let Some(link) = self.links().pop_back() {
                    return link;
                }
                self.offered.notified().await;
            }
        };
        let away = || io::Error::new(io::ErrorKind::NotConnected, "it is not connected");
        timeout(LINK_PATIENCE, waiting).await.map_err(|_| away())
    }

    /// Ends all its connections, also those that are to come.
    pub(super) fn remove(&self) {
        self.gone.send_replace(true);
        self.links().clear();
    }

    /// Waits until it was removed.
    pub(super) fn gone(&self) -> BoxFuture<'static, ()> {
        let mut gone = self.gone.subscribe();
        Box::pin(async move {
            // An error means that nobody knows it any more, which is the same.
            let _ = gone.wait_for(|gone| *gone).await;
        })
    }

    fn links(&self) -> MutexGuard<'_, VecDeque<Box<dyn Stream>>> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The way to a host: it calls, the server takes up. Whoever joins under the name of one that was removed is reached by it, too.
pub(super) struct Way {
    pub(super) gate: Gate,
    pub(super) name: NodeId,
}

impl Dial for Way {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let removed = || io::Error::new(io::ErrorKind::NotFound, "it was removed");
            self.gate.present(&self.name).ok_or_else(removed)?.take_link().await
        })
    }

    fn name(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn is_dialled_at_will(&self) -> bool {
        // The host calls, and keeps one connection.
        false
    }

    fn asking(&self, request: &Request) -> Option<Box<dyn Any + Send + Sync>> {
        let blob = match request {
            Request::Prepare(image) => image.root.clone(),
            Request::PrepareLayer(layer) => layer.blob.clone(),
            // It leads nowhere, also if it can be read as a document that would.
            Request::PrepareArchive(archive) => Descriptor { media_type: LAYER.to_owned(), ..archive.blob.clone() },
            _ => return None,
        };
        Some(Box::new(self.gate.present(&self.name)?.grants.grant(blob)))
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn host() -> Arc<Host> {
        Arc::new(Host::new(NodeId::try_from("a".to_owned()).unwrap()))
    }

    #[tokio::test]
    async fn the_link_that_was_offered_last_is_taken_first() {
        let host = host();
        let mut far = Vec::new();
        for number in 0..6u8 {
            let (near, mut other) = duplex(8);
            other.write_all(&[number]).await.unwrap();
            far.push(other);
            host.offer(Box::new(near));
        }
        for expected in [5, 4, 3, 2] {
            assert_eq!(host.take_link().await.unwrap().read_u8().await.unwrap(), expected);
        }
        assert!(far[0].read_u8().await.is_err(), "the oldest were given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_offers_nothing_is_away_and_one_that_does_is_waited_for() {
        let host = host();
        let away = host.take_link().await.map(drop).unwrap_err();
        assert_eq!(away.kind(), io::ErrorKind::NotConnected);
        let asked = host.clone();
        let waiting = tokio::spawn(async move { asked.take_link().await.is_ok() });
        tokio::task::yield_now().await;
        host.offer(Box::new(duplex(8).0));
        assert!(waiting.await.unwrap());
    }
}
