//! The name servers that questions are passed on to.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::Question;
use crate::limits;

/// The biggest datagram that an answer comes in; what we let a workload ask for is bounded by what name servers send, 4 KiB by custom.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The host's name servers, as `/etc/resolv.conf` names them; loopback, if it names none (`resolv.conf(5)`).
pub(crate) fn of_host() -> Vec<SocketAddr> {
    let mut text = String::new();
    let read = std::fs::File::open("/etc/resolv.conf")
        .and_then(|file| file.take(limits::RESOLV_CONF_BYTES_MAX).read_to_string(&mut text));
    if let Err(error) = read {
        tracing::warn!(%error, "the host's /etc/resolv.conf cannot be read");
    }
    servers(&text)
}

pub(super) fn servers(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.trim().parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
        .collect();
    servers.truncate(limits::UPSTREAMS_MAX);
    if servers.is_empty() {
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
    }
    servers
}

/// Asks one after the other; none, if none answers.
pub(super) async fn ask(servers: &[SocketAddr], packet: &[u8], question: &Question, stream: bool) -> Option<Vec<u8>> {
    let limit = Duration::from_millis(limits::UPSTREAM_TIMEOUT_MS);
    for server in servers {
        let asked = async {
            if stream {
                by_stream(*server, packet, question).await
            } else {
                by_datagram(*server, packet, question).await
            }
        };
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a name server gave no answer"),
            Err(_) => tracing::debug!(%server, "a name server was silent"),
        }
    }
    None
}

/// Each question gets a port and an id that nobody can guess, so that nobody can answer in the server's place.
async fn by_datagram(server: SocketAddr, packet: &[u8], question: &Question) -> std::io::Result<Vec<u8>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let (id, sent) = with_own_id(packet)?;
    socket.send(&sent).await?;
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if question.is_answered_by(&buffer[..length], id) {
            buffer.truncate(length);
            buffer[..2].copy_from_slice(&question.id.to_be_bytes());
            return Ok(buffer);
        }
    }
}

async fn by_stream(server: SocketAddr, packet: &[u8], question: &Question) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let (id, sent) = with_own_id(packet)?;
    let length = u16::try_from(sent.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), sent.as_slice()].concat()).await?;
    let length = usize::from(stream.read_u16().await?);
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    if !question.is_answered_by(&answer, id) {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    answer[..2].copy_from_slice(&question.id.to_be_bytes());
    Ok(answer)
}

fn with_own_id(packet: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(std::io::Error::other)?;
    let mut packet = packet.to_vec();
    packet[..2].copy_from_slice(&id);
    Ok((u16::from_be_bytes(id), packet))
}
