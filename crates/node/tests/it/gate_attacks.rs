//! Attacks on the nodes' port by those who reach it and are no nodes.

use std::sync::Arc;
use std::time::Duration;

use node::certificates::{Known, client};
use node::gate::HostState;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::gate_bed::{Server, host};

/// More than there are places for those who are no hosts, of one address and of all.
const OF_ONE: usize = 200;
const ADDRESSES: u8 = 10;

/// A connection from an address of this machine.
async fn connect(server: &Server, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("127.0.9.{from}:0").parse().unwrap()).unwrap();
    socket.connect(server.at().parse().unwrap()).await.unwrap()
}

/// A whole handshake by somebody who has no certificate.
async fn handshake(server: &Server, from: u8) -> std::io::Result<TlsStream<TcpStream>> {
    let known = Known::Authority(server.authority.fingerprint().unwrap());
    let config = Arc::new(client(known).unwrap().with_no_client_auth());
    let name = ServerName::try_from("gate.pilvi.internal").unwrap();
    TlsConnector::from(config).connect(name, connect(server, from).await).await
}

/// Waits until the server has closed a connection.
async fn closed(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut rest = Vec::new();
    // Reset or ended: it is over.
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_from_many_addresses_keeps_no_host_out() {
    let server = Server::start().await;
    let mut member = server.host("worker-1").await;
    let mut silent = Vec::new();
    for from in 1..=ADDRESSES {
        for _ in 0..OF_ONE {
            silent.push(connect(&server, from).await);
        }
    }
    // Those who have been there for longest had to go, long before they had said nothing for too long.
    closed(&mut silent[0]).await;
    // Who is there stays, who was away comes back, who is new comes in: at the very same address, too.
    let before = member.renewed().await;
    assert!(member.renewed().await > before);
    server.node("worker-1").status().await.unwrap();
    let (identity, directory) = member.away();
    let mut back = crate::gate_bed::Host::start(identity, directory);
    back.renewed().await;
    let _new = server.host("worker-2").await;
    server.node("worker-2").status().await.unwrap();
    assert!(server.gate.states().borrow().values().all(|state| *state == HostState::Held));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shakes_hands_again_and_again_is_turned_away_and_nobody_else_is() {
    let server = Server::start().await;
    let mut turned_away = 0;
    for _ in 0..600 {
        // Over before anything was asked.
        turned_away += u32::from(handshake(&server, 77).await.is_err());
    }
    assert!(turned_away > 100, "{turned_away}");
    assert!(handshake(&server, 78).await.is_ok());
    let _host = server.host("worker-1").await;
    server.node("worker-1").status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_hold_their_connections_keep_nobody_from_joining() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for number in 0..OF_ONE {
        let mut stream = handshake(&server, 1).await.unwrap();
        // Half a head, and nothing more.
        stream.write_all(b"POST /join HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        if number > 0 && number % 50 == 0 {
            server.host(&format!("worker-{number}")).await;
        }
        held.push(stream);
    }
    closed(&mut held[0]).await;
    assert!(server.gate.node(&host("worker-150")).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_never_gets_anywhere_is_ended() {
    let server = Server::start().await;
    let (mut from, mut to) = connect(&server, 5).await.into_split();
    let dripping = tokio::spawn(async move {
        // The head of a message that would be as long as one can be, and then a byte at a time.
        let _ = to.write_all(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03").await;
        while to.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut silent = connect(&server, 6).await;
    tokio::join!(closed(&mut from), closed(&mut silent));
    dripping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_tls_or_says_nothing_takes_nobodys_place() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(server.at()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        silent.push(stream);
        silent.push(TcpStream::connect(server.at()).await.unwrap());
    }
    let _host = server.host("worker-1").await;
    server.node("worker-1").status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_while_it_connects_again_and_again_has_no_connection_left() {
    let server = Server::start().await;
    // Where there is a host, nobody is turned away for what came to nothing.
    let neighbour = server.host("worker-0").await;
    drop(neighbour.joined.door().await.unwrap());
    for round in 0..20 {
        let member = server.host("worker-1").await;
        let mut doors = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let joined = member.joined.clone();
            doors.spawn(async move {
                // Until it is told, or cut off, for good.
                while let Ok(mut door) = joined.door().await {
                    let _ = door.read_exact(&mut [0; 9]).await;
                    closed(&mut door).await;
                }
            });
        }
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        assert!(server.gate.remove(&host("worker-1")).await.unwrap());
        // Each ends: a connection that had outlived its host would be read from for ever.
        doors.join_all().await;
        assert!(matches!(member.staying.await.unwrap(), node::join::JoinError::Removed { .. }));
    }
}
