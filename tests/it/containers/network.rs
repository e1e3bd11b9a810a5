//! Networks: those of the same name reach each other, others do not; a published port answers; the world is there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;
use tests::program::{LIMIT, until};

use super::Stage;

const SERVE: &str = "mkdir -p /w && hostname > /w/index.html && exec httpd -f -p 80 -h /w";
/// A program that answers each datagram by what is in it.
const ECHO: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 7000))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data, peer)
";

/// What a web server at an address says; nothing if nobody answers.
fn get(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.rsplit("\r\n\r\n").next()?.to_owned())
}

/// Where a container's published port is.
#[track_caller]
fn published(stage: &Stage, name: &str) -> SocketAddr {
    let told = stage.server.until_container(name, |told| !told["observed"]["ports"][0].is_null());
    let port = &told["observed"]["ports"][0];
    let address: Ipv4Addr = port["hostAddress"].as_str().unwrap().parse().unwrap();
    (address, u16::try_from(port["hostPort"].as_u64().unwrap()).unwrap()).into()
}

/// What a container hears from a web server: what it says, or why nobody does.
#[track_caller]
fn fetch(stage: &Stage, flags: &[&str], host: &str) -> String {
    let script = format!(
        "
import urllib.request
try:
    print(urllib.request.urlopen('http://{host}/', timeout=3).read().decode().strip())
except OSError as error:
    print('no answer:', error)
"
    );
    stage.script(flags, &script).trim().to_owned()
}

fn address(told: &Value) -> String {
    told["observed"]["address"].as_str().unwrap().to_owned()
}

#[test]
fn a_published_port_answers_on_loopback_and_stops_with_its_container() {
    let Some(stage) = Stage::shared() else { return };
    let one = stage.start("web", &["-p", "80", "--hostname", "served"], &["sh", "-c", SERVE]);
    let at = published(&stage, "web");
    assert!(at.ip().is_loopback(), "{at}");
    assert_eq!(until(LIMIT, || get(at)).as_deref(), Some("served\n"));
    assert!(stage.pilvi(&["ps"]).success().contains(&format!("{at}->80/tcp")));
    // The port is taken, and whoever wants it too is told so.
    let port = at.port().to_string();
    let second =
        stage.server.follow_pilvi(&["run", "-d", "--name", "web-2", "-p", &format!("{port}:80"), &stage.image, "true"]);
    stage.server.until_container("web-2", |told| !told["waiting"].is_null() || !told["observed"]["reason"].is_null());
    stage.pilvi(&["rm", "-f", "web-2"]).success();
    assert_eq!(second.wait().0.code(), Some(125));
    drop(one);
    assert!(until(LIMIT, || get(at).is_none().then_some(())).is_some(), "nobody is behind it any more");
}

#[test]
fn datagrams_are_published_too() {
    let Some(stage) = Stage::shared() else { return };
    let _one = stage.start_image(stage.python(), "echo", &["-p", "7000/udp"], &["python3", "-c", ECHO]);
    let at = published(&stage, "echo");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let answered = until(LIMIT, || {
        socket.send_to(b"hello", at).ok()?;
        let mut space = [0; 16];
        let (count, from) = socket.recv_from(&mut space).ok()?;
        (from == at && &space[..count] == b"hello").then_some(())
    });
    assert!(answered.is_some());
}

#[test]
fn containers_of_one_network_find_each_other_by_name_and_strangers_do_not_reach_them() {
    let Some(stage) = Stage::shared() else { return };
    let served = stage.start(
        "inner-web",
        &["--network", "team", "--network-alias", "www", "--hostname", "served"],
        &["sh", "-c", SERVE],
    );
    let told = stage.server.until_container("inner-web", |told| !told["observed"]["address"].is_null());
    let address = address(&told);
    for host in [address.as_str(), "inner-web", "www"] {
        let answer =
            until(LIMIT, || Some(fetch(&stage, &["--network", "team"], host)).filter(|answer| answer == "served"));
        assert!(answer.is_some(), "{host}: {}", fetch(&stage, &["--network", "team"], host));
    }
    for flags in [vec![], vec!["--network", "others"], vec!["--network", "none"]] {
        for host in [address.as_str(), "inner-web"] {
            let answer = fetch(&stage, &flags, host);
            assert!(answer.starts_with("no answer"), "{flags:?} reaches {host}: {answer}");
        }
    }
    drop(served);
}

#[test]
fn neither_the_host_nor_its_own_services_are_reached() {
    let Some(stage) = Stage::shared() else { return };
    let server = stage.server.address();
    let gateway = stage.sh(&[], "ip route | grep ^default | cut -d' ' -f3").trim().to_owned();
    assert!(gateway.parse::<Ipv4Addr>().is_ok(), "{gateway}");
    for host in [gateway.as_str(), "127.0.0.1", "169.254.169.254"] {
        let at = format!("{host}:{}", server.port());
        let answer = fetch(&stage, &[], &at);
        assert!(answer.starts_with("no answer"), "{at} is reached: {answer}");
    }
    assert_eq!(stage.sh(&["--network", "none"], "ip -o -4 addr show up | grep -v ' lo ' | wc -l").trim(), "0");
    // IPv4 everywhere: nothing else has an address.
    assert_eq!(stage.sh(&[], "ip -o -6 addr | grep -v ' lo ' | wc -l").trim(), "0");
}

#[test]
fn hosts_and_names_are_its_own() {
    let Some(stage) = Stage::shared() else { return };
    let hosts = stage.sh(&["--hostname", "me", "--add-host", "db:10.1.2.3"], "cat /etc/hosts; cat /etc/resolv.conf");
    assert!(hosts.contains("10.1.2.3") && hosts.contains("db") && hosts.contains("me"), "{hosts}");
    assert!(hosts.contains("nameserver 169.254.169.253"), "{hosts}");
}
