//! Watches over the table: who flushes every rule of the host takes away what keeps workloads apart, too.

use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError};

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::net::UnixDatagram;

use crate::Error;
use crate::inner::Inner;
use crate::network::blocking;

/// `NFNLGRP_NFTABLES` as a bit.
const CHANGES: u32 = 1 << 6;
/// `NFT_MSG_DELTABLE` of nf_tables.
const TABLE_REMOVED: u16 = 10 << 8 | 2;
/// Of a message's header.
const HEADER_BYTES: usize = 16;

impl Inner {
    /// Writes the table anew when somebody removes it, for as long as the network is used.
    pub(crate) fn watch_over_table(inner: &Arc<Self>) {
        if inner.firewall.is_none() {
            return;
        }
        let _entered = inner.runtime.enter();
        match changes().and_then(|socket| UnixDatagram::from_std(socket.into())) {
            Ok(socket) => {
                let task = inner.runtime.spawn(watch(socket, Arc::downgrade(inner)));
                inner.watching.lock().unwrap_or_else(PoisonError::into_inner).push(task);
            }
            Err(error) => tracing::warn!(%error, "nobody notices if the nft table is removed"),
        }
    }

    fn mend(&self) -> Result<(), Error> {
        let Some(firewall) = self.firewall.as_ref().filter(|_| !self.is_closed()) else { return Ok(()) };
        if firewall.lock().unwrap_or_else(PoisonError::into_inner).mend()? {
            tracing::warn!(tag = self.settings.tag, "somebody removed the nft table; it was written anew");
        }
        Ok(())
    }
}

fn changes() -> std::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER))?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, CHANGES))?;
    Ok(socket)
}

/// Reads the kernel's messages. The runtime has no type for sockets of netlink; one for datagrams calls the same `recv(2)`.
async fn watch(socket: UnixDatagram, network: std::sync::Weak<Inner>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let removed = match socket.recv(&mut buffer).await {
            Ok(received) => tells_of_removal(&buffer[..received]),
            Err(_) => {
                // More happened than the kernel keeps, so anything may have been removed; whatever else it is, it may not spin.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                true
            }
        };
        let Some(inner) = network.upgrade() else { return };
        if removed && let Err(error) = blocking(move || inner.mend()).await {
            tracing::error!(%error, "the nft table is gone and cannot be written anew");
        }
    }
}

fn tells_of_removal(mut messages: &[u8]) -> bool {
    while let Some(head) = messages.get(..HEADER_BYTES) {
        if u16::from_ne_bytes([head[4], head[5]]) == TABLE_REMOVED {
            return true;
        }
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
        let next = usize::try_from(length).unwrap_or(usize::MAX).max(HEADER_BYTES).checked_next_multiple_of(4);
        messages = next.and_then(|next| messages.get(next..)).unwrap_or_default();
    }
    false
}
