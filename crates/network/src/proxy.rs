//! Published ports where nft is missing: what comes to the host's port is passed on to a socket inside the namespace.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::port::Hold;
use crate::{Error, limits, namespace};

/// Where something goes: a port of a workload.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// None is the host's.
    pub(crate) namespace: Option<Arc<OwnedFd>>,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) port: u16,
}

impl Target {
    /// Connects to the first address at which somebody listens.
    pub(crate) async fn connect(&self) -> Result<TcpStream, Error> {
        let mut refused = None;
        for address in &self.addresses {
            let socket = TcpSocket::from_std_stream(self.socket(SocketType::STREAM).await?.into());
            match socket.connect(SocketAddrV4::new(*address, self.port).into()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = Some(error),
            }
        }
        let refused = refused.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
        Err(Error::io(format!("connect to port {} of a workload", self.port))(refused))
    }

    async fn datagrams(&self) -> Result<UdpSocket, Error> {
        let failed = || Error::io(format!("send to port {} of a workload", self.port));
        let socket = UdpSocket::from_std(self.socket(SocketType::DGRAM).await?.into()).map_err(failed())?;
        let address = self.addresses.first().copied().unwrap_or(Ipv4Addr::LOCALHOST);
        socket.connect(SocketAddrV4::new(address, self.port)).await.map_err(failed())?;
        Ok(socket)
    }

    async fn socket(&self, kind: SocketType) -> Result<OwnedFd, Error> {
        let make = move || {
            rustix::net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
                .map_err(Error::io("open a socket for a workload"))
        };
        let Some(namespace) = self.namespace.clone() else { return make() };
        crate::network::blocking(move || namespace::inside(namespace.as_fd(), make)).await
    }
}

/// Passes on what comes to a port, until the task ends.
pub(crate) fn serve(runtime: &Handle, hold: Hold, target: Target) -> Result<JoinHandle<()>, Error> {
    let _entered = runtime.enter();
    let failed = || Error::io("serve a published port");
    let target = Arc::new(target);
    Ok(match hold {
        Hold::Tcp(listener) => runtime.spawn(streams(TcpListener::from_std(listener).map_err(failed())?, target)),
        Hold::Udp(socket) => runtime.spawn(datagrams(Arc::new(UdpSocket::from_std(socket).map_err(failed())?), target)),
    })
}

async fn streams(listener: TcpListener, target: Arc<Target>) {
    let room = Arc::new(Semaphore::new(limits::PROXY_CONNECTIONS_MAX));
    let mut passing = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((mut outer, _)) = listener.accept().await else {
            // No descriptor is free, or the connection was gone before it was taken: neither is better at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while passing.try_join_next().is_some() {}
        let target = Arc::clone(&target);
        passing.spawn(async move {
            let _permit = permit;
            if let Ok(mut inner) = target.connect().await {
                // Either end may go at any time; that is how connections end.
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            }
        });
    }
}

async fn datagrams(outer: Arc<UdpSocket>, target: Arc<Target>) {
    let mut peers: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut answering: JoinSet<SocketAddr> = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let received = tokio::select! {
            received = outer.recv_from(&mut buffer) => received,
            Some(gone) = answering.join_next() => {
                if let Ok(peer) = gone {
                    peers.remove(&peer);
                }
                continue;
            }
        };
        // An error here is one that an earlier answer met on its way.
        let Ok((length, peer)) = received else { continue };
        let inner = match peers.get(&peer) {
            Some(inner) => Arc::clone(inner),
            None if peers.len() >= limits::PROXY_PEERS_MAX => continue,
            None => {
                let Ok(inner) = target.datagrams().await else { continue };
                let inner = Arc::new(inner);
                peers.insert(peer, Arc::clone(&inner));
                answering.spawn(answers(Arc::clone(&inner), Arc::clone(&outer), peer));
                inner
            }
        };
        // A datagram may be lost anywhere.
        let _ = inner.send(&buffer[..length]).await;
    }
}

async fn answers(inner: Arc<UdpSocket>, outer: Arc<UdpSocket>, peer: SocketAddr) -> SocketAddr {
    let idle = Duration::from_secs(limits::PROXY_IDLE_S);
    let mut buffer = vec![0; 65_536];
    while let Ok(Ok(length)) = tokio::time::timeout(idle, inner.recv(&mut buffer)).await {
        let _ = outer.send_to(&buffer[..length], peer).await;
    }
    peer
}
