//! Whether the kernel has nftables: it is asked over netlink, with the request that reads a counter and changes nothing.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::{Errno, Result};
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use super::Check;

/// NLMSG_ERROR (linux/netlink.h).
const ERROR: u16 = 2;
/// NLM_F_REQUEST.
const REQUEST: u16 = 1;
/// NFNL_SUBSYS_NFTABLES in the upper byte (linux/netfilter/nfnetlink.h), NFT_MSG_GETGEN and NFT_MSG_NEWGEN in the lower
/// (linux/netfilter/nf_tables.h).
const GET_GENERATION: u16 = 10 << 8 | 16;
const NEW_GENERATION: u16 = 10 << 8 | 15;
/// nlmsghdr and nfgenmsg.
const LENGTH: u32 = 20;

/// The kernel answers such a request at once, or never.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn check() -> Check {
    judge(ask())
}

fn judge(answer: Result<()>) -> Check {
    const NAME: &str = "nftables";
    match answer {
        Ok(()) => Check::ok(NAME, "in the kernel"),
        Err(Errno::PERM) => Check::warning(NAME, "only root can tell", "run this with sudo to know"),
        Err(_) => Check::warning(
            NAME,
            "not in this kernel",
            "published ports go through a proxy in user space, which is slower: modprobe nf_tables, or use another kernel",
        ),
    }
}

fn ask() -> Result<()> {
    let socket: OwnedFd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 256];
    let (_, length) = recv(&socket, &mut answer, RecvFlags::empty())?;
    understand(&answer[..length.min(answer.len())])
}

/// Both headers, in the machine's byte order: length, type, flags, sequence, port; then family, version, resource.
fn request() -> Vec<u8> {
    let mut message = Vec::with_capacity(LENGTH as usize);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(GET_GENERATION.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend([0; 4]);
    message
}

fn understand(answer: &[u8]) -> Result<()> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NEW_GENERATION), _) => Ok(()),
        (Some(ERROR), Some(code)) if code < 0 => Err(Errno::from_raw_os_error(-code)),
        _ => Err(Errno::PROTO),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn answer(kind: u16, code: i32) -> Vec<u8> {
        let mut message = vec![0; 4];
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(code.to_ne_bytes());
        message
    }

    #[test]
    fn the_kernels_answers_are_understood() {
        assert_eq!(understand(&answer(NEW_GENERATION, 0)), Ok(()));
        assert_eq!(understand(&answer(ERROR, -1)), Err(Errno::PERM));
        assert_eq!(understand(&answer(ERROR, -22)), Err(Errno::INVAL));
        assert_eq!(understand(&[]), Err(Errno::PROTO));
        assert_eq!(request().len(), 20);
    }

    #[test]
    fn without_nftables_there_is_another_way() {
        assert_eq!(judge(Ok(())).verdict, Verdict::Ok);
        assert_eq!(judge(Err(Errno::PERM)).found, "only root can tell");
        assert_eq!(judge(Err(Errno::INVAL)).found, "not in this kernel");
    }
}
