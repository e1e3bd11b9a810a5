//! Time and the membership of hosts: clocks that are wrong, certificates that end, a server that is away for long.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{ManualClock, SystemClock, Timestamp};
use node::gate::HostState;
use node::join::{JoinError, join};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::gate_bed::{HOUR, Host, Server, host};

const DAY: Duration = Duration::from_secs(86_400);

/// The certificates that a host is known by.
async fn certificates(server: &Server, name: &str) -> Vec<String> {
    let joined = server.gate.joined().await.unwrap();
    let (_, record) = joined.into_iter().find(|(id, _)| *id == host(name)).unwrap();
    record.certificates.iter().map(|known| known.fingerprint.to_string()).collect()
}

async fn until_replaced(server: &Server, before: &[String]) -> Vec<String> {
    loop {
        let now = certificates(server, "worker-1").await;
        if now.last() != before.last() {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_whose_clock_is_wrong_joins_stays_and_renews_its_certificate() {
    for wrong in [Timestamp::from_secs(1_000), Timestamp::from_secs(4_000_000_000)] {
        let server = Server::start().await;
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(wrong));
        let token = server.token().await;
        let identity = join(directory.path(), &server.address, &host("worker-1"), Some(&token), &*clock).await.unwrap();
        let mut member = Host::start_by(identity, directory, clock);
        member.renewed().await;
        server.node("worker-1").status().await.unwrap();
        let before = certificates(&server, "worker-1").await;
        server.clock.advance(DAY * 16);
        assert_eq!(until_replaced(&server, &before).await.len(), 2);
        server.node("worker-1").status().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_again_and_again_while_the_host_is_connected() {
    let server = Server::start().await;
    let mut member = server.host("worker-1").await;
    member.renewed().await;
    let mut door = member.joined.door().await.unwrap();
    door.read_exact(&mut [0; 9]).await.unwrap();
    let mut known = certificates(&server, "worker-1").await;
    let first = known[0].clone();
    for _ in 0..3 {
        server.clock.advance(DAY * 16);
        known = until_replaced(&server, &known).await;
        // Its next renewal of the lease is by the new one, and wants no other.
        let before = member.renewed().await;
        while member.renewed().await <= before {}
        assert_eq!(certificates(&server, "worker-1").await, known);
    }
    assert!(!known.contains(&first), "what was replaced twice is good no more");
    assert!(!member.staying.is_finished());
    server.node("worker-1").status().await.unwrap();
    // What was connected by the first one has not noticed.
    door.write_all(b"x").await.unwrap();
    assert_eq!(door.read_u8().await.unwrap(), b'x');
    assert_eq!(server.gate.states().borrow()[&host("worker-1")], HostState::Held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_wrong_for_a_while_loses_no_host() {
    let server = Server::start().await;
    let mut member = server.host("worker-1").await;
    member.renewed().await;
    // Forward by more than a certificate's life: it takes nobody, and removes nobody.
    server.clock.advance(DAY * 400);
    assert!(matches!(member.joined.door().await, Err(JoinError::Expired { .. } | JoinError::Confused { .. })));
    let before = *member.told.lock().unwrap().last().unwrap();
    assert!(!before.is_empty() && !member.staying.is_finished());
    // A server that is started anew with its clock set right.
    let clock = Arc::new(ManualClock::starting_at(base::Clock::now(&SystemClock)));
    let mut server = server.end().await;
    server.clock = clock;
    let server = server.start_again().await;
    member.renewed().await;
    while server.node("worker-1").status().await.is_err() {}
    assert!(!member.staying.is_finished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_off_for_longer_than_its_certificate_lasts_is_told_so_and_forgets_nothing() {
    let server = Server::start().await;
    let (identity, directory) = server.host("worker-1").await.away();
    server.clock.advance(DAY * 31);
    let host_1 = Host::start(identity, directory);
    let refused = loop {
        match host_1.joined.door().await.map(drop).unwrap_err() {
            // The server closes as soon as it has seen the certificate; what of it is heard first is a matter of chance.
            JoinError::Confused { .. } => {}
            other => break other,
        }
    };
    assert!(matches!(refused, JoinError::Expired { .. }), "{refused}");
    assert!(!host_1.staying.is_finished(), "it is not taken for removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_server_was_away_for_an_hour_nothing_begins_before_there_is_a_lease_again() {
    let server = Server::start().await;
    let mut member = server.host("worker-1").await;
    let last = member.renewed().await;
    server.node("worker-1").status().await.unwrap();
    let server = server.end().await;
    // An hour passes: the fence is where it was, and nobody is told anything.
    let hour_ms = u64::try_from(HOUR.as_millis()).unwrap();
    member.ahead_ms.store(hour_ms, Ordering::SeqCst);
    let fence = {
        let told = member.told.lock().unwrap().len();
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(member.told.lock().unwrap().len(), told);
        node::gate::uptime() + HOUR
    };
    assert!(last + HOUR > fence - Duration::from_secs(60), "what it was told last was for the hour before");
    member.told.lock().unwrap().clear();
    let server = server.start_again().await;
    assert_eq!(
        server.gate.states().borrow()[&host("worker-1")],
        HostState::Held,
        "nobody is dead for the server's absence"
    );
    let again = member.renewed().await;
    assert!(again > last + HOUR / 2);
    while server.node("worker-1").status().await.is_err() {}
    assert_eq!(member.told.lock().unwrap()[0], "fence", "first it has a lease, then it is asked");
    assert!(!member.staying.is_finished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_at_the_servers_address_ends_no_membership() {
    let server = Server::start().await;
    let mut member = server.host("worker-1").await;
    member.renewed().await;
    let server = server.end().await;
    // Another Pilvi, then something that does not even speak TLS.
    let other = Server::start().await;
    let listener = TcpListener::bind(server.at()).await.unwrap();
    for impostor in [true, false] {
        for _ in 0..3 {
            let (mut near, _) = listener.accept().await.unwrap();
            if impostor {
                let mut far = tokio::net::TcpStream::connect(other.at()).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            } else {
                let _ = near.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        }
    }
    drop(listener);
    assert!(!member.staying.is_finished());
    let server = server.start_again().await;
    member.renewed().await;
    while server.node("worker-1").status().await.is_err() {}
}
