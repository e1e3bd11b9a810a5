//! Published ports: of a number that is named or not, on an address that is named or not, streams and datagrams; with the rules of
//! the kernel, and by a proxy where there is no `nft`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use tests::program::{LIMIT, until};
use tests::{Options, Server};

use super::{Stage, Started};

/// Answers each connection and each datagram by what was sent.
const ECHO: &str = "
import socket, threading

def streams():
    s = socket.create_server(('0.0.0.0', 7000))
    while True:
        c, _ = s.accept()
        c.sendall(c.recv(2048))
        c.close()

def datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('0.0.0.0', 7000))
    while True:
        data, peer = s.recvfrom(2048)
        s.sendto(data, peer)

threading.Thread(target=streams).start()
datagrams()
";

fn by_stream(at: SocketAddr) -> Option<()> {
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"hello").ok()?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).ok()?;
    (heard == "hello").then_some(())
}

fn by_datagram(at: SocketAddr) -> Option<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
    socket.send_to(b"hello", at).ok()?;
    let mut space = [0; 16];
    let (count, from) = socket.recv_from(&mut space).ok()?;
    (from == at && &space[..count] == b"hello").then_some(())
}

/// A port that nobody has: of both kinds.
#[track_caller]
fn free_port() -> u16 {
    let port = || {
        let listener = TcpListener::bind("0.0.0.0:0").ok()?;
        let port = listener.local_addr().ok()?.port();
        UdpSocket::bind(("0.0.0.0", port)).ok().map(|_| port)
    };
    until(LIMIT, port).expect("a port is free")
}

/// Where a container's ports are, of one kind.
#[track_caller]
fn published(server: &Server, name: &str, protocol: &str) -> SocketAddr {
    let told = server.until_container(name, |told| !told["observed"]["ports"][0].is_null());
    let ports = told["observed"]["ports"].as_array().unwrap();
    let port =
        ports.iter().find(|port| port["protocol"] == protocol).unwrap_or_else(|| panic!("no {protocol}: {told}"));
    let address: Ipv4Addr = port["hostAddress"].as_str().unwrap().parse().unwrap();
    (address, u16::try_from(port["hostPort"].as_u64().unwrap()).unwrap()).into()
}

/// Publishes a port of both kinds; it answers where it is told to be, and no more once its container is gone.
#[track_caller]
fn answers<'a>(stage: &'a Stage, name: &'a str, publish: &str, expected: impl Fn(SocketAddr) -> bool) {
    let datagrams = format!("{publish}/udp");
    let flags = ["-p", publish, "-p", &datagrams];
    let one: Started<'_> = stage.start_image(stage.python(), name, &flags, &["python3", "-c", ECHO]);
    let (streams, datagrams) = (published(&stage.server, name, "tcp"), published(&stage.server, name, "udp"));
    assert!(expected(streams) && expected(datagrams), "{publish}: {streams}, {datagrams}");
    // What listens on every address is asked at one.
    let at = |to: SocketAddr| if to.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, to.port()).into() } else { to };
    assert!(until(LIMIT, || by_stream(at(streams))).is_some(), "{publish}: no stream at {streams}");
    assert!(until(LIMIT, || by_datagram(at(datagrams))).is_some(), "{publish}: no datagram at {datagrams}");
    drop(one);
    assert!(until(LIMIT, || by_stream(at(streams)).is_none().then_some(())).is_some(), "{publish}: it still answers");
}

#[track_caller]
fn all_kinds(stage: &Stage) {
    let port = free_port();
    answers(stage, "of-its-own", "7000", |at| at.ip().is_loopback() && at.port() != 0);
    answers(stage, "of-a-number", &format!("{port}:7000"), |at| at.ip().is_loopback() && at.port() == port);
    answers(stage, "of-an-address", &format!("127.0.0.2:{port}:7000"), |at| {
        at == SocketAddr::from(([127, 0, 0, 2], port))
    });
    answers(stage, "of-every-address", &format!("0.0.0.0:{port}:7000"), |at| {
        at.ip().is_unspecified() && at.port() == port
    });
}

#[test]
fn ports_of_every_kind_lead_to_their_container() {
    let Some(stage) = Stage::shared() else { return };
    all_kinds(&stage);
}

#[test]
fn without_nft_a_proxy_leads_there_and_what_is_missing_is_said() {
    // Where nft would be is a device to this server and its node.
    let hide = "for nft in /usr/sbin/nft /sbin/nft /usr/bin/nft /bin/nft /usr/local/sbin/nft; do \
                if [ -f $nft ]; then mount --bind /dev/null $nft || exit 1; fi; done; exec \"$@\"";
    let wrapped_in: Vec<String> = ["unshare", "--mount", "sh", "-c", hide, "sh"].map(str::to_owned).into();
    if !tests::is_root() || !Path::new("/usr/bin/unshare").exists() {
        return;
    }
    let Some(stage) = Stage::with(Options { wrapped_in, keeps_address: true, ..Options::default() }) else { return };
    all_kinds(&stage);
    let told = [stage.server.log(), stage.server.command(&["nodes", "--json"]).stdout].concat();
    assert!(told.contains("nft"), "what is missing is said: {told}");
    // It has no way to anybody else.
    assert_eq!(stage.sh(&[], "ip -o -4 addr show up | grep -v ' lo ' | wc -l").trim(), "0");
}
