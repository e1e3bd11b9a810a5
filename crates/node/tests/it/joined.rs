//! Hosts that join over TLS, and those who would be one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::SystemClock;
use images::Descriptor;
use node::gate::{HostState, Token};
use node::join::{Identity, JoinError, Joined, join};
use node::protocol::{FailureKind, PrepareArchive, Urgency};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{archive, noise, wanted, zip};
use crate::gate_bed::{Host, Server, host, message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_joined_is_asked_like_a_node_on_this_machine() {
    let server = Server::start().await;
    let host = server.host("worker-1").await;
    assert_eq!(host.joined.facts()["where"], "here");
    let status = server.node("worker-1").status().await.unwrap();
    assert_eq!((status.pid, status.usage.layers), (std::process::id(), 0));
    // From any number of tasks, over one connection.
    let node = server.node("worker-1");
    let asked: Vec<_> = (0..20).map(|_| node.clone()).map(|it| tokio::spawn(async move { it.usage().await })).collect();
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_unpacked_from_blobs_that_lie_on_the_server_alone() {
    let server = Server::start().await;
    let host = server.host("worker-1").await;
    let large = noise(5_000_000, 3);
    let image = server.bed.image(&[vec![("etc/a", b"a".to_vec())], vec![("usr/large", large)]]);
    let prepared = server.node("worker-1").prepare(&wanted(&image, "example/a:1"), |_| {}).await.unwrap();
    assert_eq!((prepared.manifest, prepared.layers.len()), (image.digest, 2));
    assert_eq!(server.node("worker-1").images().await.unwrap().len(), 1);
    assert!(!host.directory.path().join("no-blobs").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_reads_blobs_of_what_it_prepares_and_no_others() {
    let server = Server::start().await;
    let one = server.host("worker-1").await;
    let two = server.host("worker-2").await;
    let image = server.bed.image(&[vec![("etc/secret", b"of the one".to_vec())]]);
    let read = |host: &Host, blob: &Descriptor| {
        let (blobs, blob) = (host.joined.blobs(), blob.clone());
        tokio::task::spawn_blocking(move || images::BlobSource::open(&blobs, &blob).map(|found| found.is_some()))
    };
    for blob in std::iter::once(image.clone()).chain(server.bed.layers_of(&image)) {
        let refused = read(&one, &blob).await.unwrap().unwrap_err();
        assert!(refused.to_string().contains("needs no such blob"), "{refused}");
    }
    server.node("worker-1").prepare(&wanted(&image, "example/a:1"), |_| {}).await.unwrap();
    for host in [&one, &two] {
        assert!(read(host, &image).await.unwrap().is_err(), "afterwards it is nobody's");
    }
    // What is not there cannot be told from what is not granted.
    let absent = Descriptor { digest: images::Digest::of(images::Algorithm::Sha256, b"absent"), ..image };
    assert!(read(&two, &absent).await.unwrap().unwrap_err().to_string().contains("needs no such blob"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_host_prepares_an_image_another_one_cannot_read_it() {
    let server = Server::start().await;
    let (_one, two) = (server.host("worker-1").await, server.host("worker-2").await);
    // The first layer is not there: the image is prepared until it comes to it, over and over.
    let layer = archive(&[("a", noise(300_000, 9))]);
    let image = server.bed.image_of(&[layer], &serde_json::json!({}));
    let blob = server.bed.layers_of(&image).remove(0);
    let (node, asked) = (server.node("worker-1"), wanted(&image, "example/a:1"));
    let preparing = tokio::spawn(async move { node.prepare(&asked, |_| {}).await });
    let blobs = two.joined.blobs();
    while !preparing.is_finished() {
        let (blobs, blob) = (blobs.clone(), blob.clone());
        let read = tokio::task::spawn_blocking(move || images::BlobSource::open(&blobs, &blob).map(drop));
        assert!(read.await.unwrap().is_err());
    }
    preparing.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_comes_from_the_server_and_leads_to_no_other_blob() {
    let server = Server::start().await;
    let host = server.host("worker-1").await;
    let node = server.node("worker-1");
    let of = |bytes: &[u8]| PrepareArchive { blob: server.bed.put("application/zip", bytes), urgency: Urgency::Waited };
    node.prepare_archive(&of(&zip(&[("bootstrap", b"#!/bin/sh")])), |_| {}).await.unwrap();
    // One that can be read as an image's manifest, too: nothing comes with it.
    let image = server.bed.image(&[vec![("etc/secret", b"of another".to_vec())]]);
    let layer = server.bed.layers_of(&image).remove(0);
    let both = PrepareArchive { blob: image, urgency: Urgency::Waited };
    let asked = both.clone();
    let preparing = tokio::spawn(async move { node.prepare_archive(&asked, |_| {}).await });
    let blobs = host.joined.blobs();
    while !preparing.is_finished() {
        let (blobs, layer) = (blobs.clone(), layer.clone());
        let read = tokio::task::spawn_blocking(move || images::BlobSource::open(&blobs, &layer).map(drop));
        assert!(read.await.unwrap().is_err());
    }
    let refused = preparing.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), Some(FailureKind::Refused), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workloads_connection_comes_with_its_hosts_name() {
    let server = Server::start().await;
    let host = server.host("worker-1").await;
    let mut stream = host.joined.door().await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut said = [0; 14];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"worker-1:hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_once_and_a_name_is_one_hosts() {
    let server = Server::start().await;
    let (token, directory) = (server.token().await, || tempfile::tempdir().unwrap());
    let first = directory();
    server.join(first.path(), "worker-1", &token).await.unwrap();
    for name in ["worker-1", "worker-2"] {
        let refused = server.join(directory().path(), name, &token).await.unwrap_err();
        assert!(message(&refused).contains("was used before"), "{name}: {refused}");
    }
    let refused = server.join(directory().path(), "worker-1", &server.token().await).await.unwrap_err();
    assert!(message(&refused).contains("a node of this name already"), "{refused}");
    let refused = server.join(directory().path(), "local", &server.token().await).await.unwrap_err();
    assert!(message(&refused).contains("a node of this name already"), "{refused}");
    // The host itself goes on with what it has, without a token.
    let again = join(first.path(), &server.address, &host("worker-1"), None, &SystemClock).await.unwrap();
    assert!(again.has_joined());
    let again = server.join(first.path(), "worker-1", &token).await.unwrap();
    assert!(again.has_joined(), "nor with the one that it was made with");
    // With another one it is somebody who joins; that the name is taken costs it nothing that it has.
    let refused = server.join(first.path(), "worker-1", &server.token().await).await.unwrap_err();
    assert!(message(&refused).contains("a node of this name already"), "{refused}");
    let again = join(first.path(), &server.address, &host("worker-1"), None, &SystemClock).await.unwrap();
    assert!(again.has_joined());
    let renamed = join(first.path(), &server.address, &host("worker-2"), None, &SystemClock).await;
    assert!(matches!(renamed, Err(JoinError::Another { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_or_old_token_lets_nobody_in() {
    let (server, other) = (Server::start().await, Server::start().await);
    let good = server.token().await;
    let directory = tempfile::tempdir().unwrap();
    let old = server.gate.create_token(Duration::ZERO).await.unwrap();
    let text = other.token().await.reveal().to_string();
    let (_, secret) = text.split_once('.').unwrap().1.split_once('.').unwrap();
    let secret = secret.split('.').next().unwrap();
    let forged: Token = format!("pilvi-join.{}.{secret}.{}", good.id, good.authority).parse().unwrap();
    for token in [old, forged] {
        let refused = server.join(directory.path(), "worker-1", &token).await.unwrap_err();
        assert!(matches!(refused, JoinError::Refused { .. }), "{refused}");
    }
    // Another server's token is not even shown to this one.
    let refused = server.join(directory.path(), "worker-1", &other.token().await).await.unwrap_err();
    assert!(matches!(refused, JoinError::Impostor { .. }), "{refused}");
    assert!(server.join(directory.path(), "worker-1", &good).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_is_worth_nothing() {
    let (server, other) = (Server::start().await, Server::start().await);
    server.host("worker-1").await.away();
    let (identity, directory) = other.host("worker-1").await.away();
    // It believes that it speaks to the right server, as an attacker would make it.
    let path = directory.path().join(node::join::FILE);
    let mut kept: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    kept.insert("authority".to_owned(), server.authority.fingerprint().unwrap().to_string().into());
    kept.insert("server".to_owned(), server.address.to_string().into());
    std::fs::write(&path, serde_json::to_vec(&kept).unwrap()).unwrap();
    drop(identity);
    let forged = Identity::load(directory.path()).unwrap().unwrap();
    let host = Host::start(forged, directory);
    let ended = host.staying.await.unwrap();
    assert!(matches!(ended, JoinError::Refused { .. }), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_nothing_is_answered_but_a_token() {
    let server = Server::start().await;
    server.host("worker-1").await;
    // A host that has not joined has no certificate to show.
    let directory = tempfile::tempdir().unwrap();
    let mut never = server.token().await;
    never.id = "0123456789abcdef".to_owned();
    server.join(directory.path(), "stranger", &never).await.unwrap_err();
    assert!(Identity::load(directory.path()).unwrap().is_none());
    let asked = std::fs::read(directory.path().join("join-asked.json")).unwrap();
    let stranger: Identity = serde_json::from_slice(&asked).unwrap();
    assert!(!stranger.has_joined());
    let joined = Joined::new(stranger, directory.path(), Arc::new(SystemClock)).unwrap();
    let refused = joined.door().await.map(drop).unwrap_err();
    assert!(message(&refused).contains("a certificate is needed"), "{refused}");
    let blob = server.bed.put("any", b"blob");
    let blobs = joined.blobs();
    let read = tokio::task::spawn_blocking(move || images::BlobSource::open(&blobs, &blob).map(drop));
    assert!(read.await.unwrap().unwrap_err().to_string().contains("a certificate is needed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_removed_loses_everything_at_once() {
    let server = Server::start().await;
    let host_1 = server.host("worker-1").await;
    let node = server.node("worker-1");
    node.status().await.unwrap();
    let mut stream = host_1.joined.door().await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0; 10]).await.unwrap();
    assert!(server.gate.remove(&host("worker-1")).await.unwrap());
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "its workloads' connections end");
    let ended = host_1.staying.await.unwrap();
    assert!(matches!(ended, JoinError::Removed { .. }), "{ended}");
    server.until("worker-1", None).await;
    assert!(server.gate.node(&host("worker-1")).is_none());
    assert!(node.status().await.is_err());
    assert!(matches!(host_1.joined.door().await, Err(JoinError::Removed { .. })));
    // The name is free, and its next host is somebody else.
    let next = server.host("worker-1").await;
    server.node("worker-1").status().await.unwrap();
    // The old handle leads there, too, once it has forgotten that nobody was there a moment ago.
    while node.status().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(host_1.joined.door().await, Err(JoinError::Removed { .. })));
    drop(next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_fences_its_workloads_by_when_it_asked_and_is_lost_later_than_that() {
    let server = Server::start().await;
    let before = node::gate::uptime();
    let mut host_1 = server.host("worker-1").await;
    let fence = host_1.renewed().await;
    let after = node::gate::uptime();
    let six = Duration::from_secs(6);
    assert!(fence >= before + six && fence <= after + six);
    assert!(host_1.renewed().await > fence, "it goes on");
    // Gone, eight seconds pass at the server.
    let (identity, directory) = host_1.away();
    server.uptime.fetch_add(7_999, Ordering::SeqCst);
    server.until("worker-1", Some(HostState::Held)).await;
    server.uptime.fetch_add(1, Ordering::SeqCst);
    server.until("worker-1", Some(HostState::Lost)).await;
    let _back = Host::start(identity, directory);
    server.until("worker-1", Some(HostState::Held)).await;
    server.node("worker-1").status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_restarted_has_its_hosts_again_and_lost_none() {
    let server = Server::start().await;
    let mut host_1 = server.host("worker-1").await;
    server.node("worker-1").status().await.unwrap();
    let server = server.restart().await;
    let mut seen = server.gate.states();
    assert_eq!(seen.borrow_and_update().get(&host("worker-1")), Some(&HostState::Held));
    let fence = host_1.renewed().await;
    while host_1.renewed().await <= fence {}
    server.node("worker-1").status().await.unwrap();
    assert!(!host_1.staying.is_finished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_at_half_of_its_life_and_the_host_stays() {
    let server = Server::start().await;
    let (identity, directory) = server.host("worker-1").await.away();
    let path: PathBuf = directory.path().join(node::join::FILE);
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    kept["certificate"]["renewAt"] = 0.into();
    let (key, before) = (kept["key"].clone(), Mutex::new(identity));
    std::fs::write(&path, kept.to_string()).unwrap();
    let host_1 = Host::start(Identity::load(directory.path()).unwrap().unwrap(), directory);
    let kept = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path).unwrap()).unwrap();
    while kept()["key"] == key {
        tokio::task::yield_now().await;
    }
    let (_, known) = server.gate.joined().await.unwrap().remove(0);
    assert_eq!(known.certificates.len(), 2);
    drop(before);
    server.node("worker-1").status().await.unwrap();
    host_1.joined.door().await.unwrap();
}
