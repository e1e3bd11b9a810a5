//! What is asked for happens.

use std::sync::Mutex;

use images::{Algorithm, Digest, Platform};
use node::agent::Agent;
use node::client::{Node, NodeError};
use node::protocol::{Collected, FailureKind, Progress};
use serde_json::json;

use crate::bed::{Bed, INDEX, archive, gzip, names, noise, unnamed, wanted};

#[tokio::test]
async fn an_image_is_prepared_named_told_of_forgotten_and_removed() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", b"12345".to_vec())], vec![("b", b"123".to_vec())]]);
    let running = bed.start();
    let reports = Mutex::new(Vec::<Progress>::new());
    let report = |progress: &Progress| reports.lock().unwrap().push(progress.clone());
    let prepared = running.node.prepare(&wanted(&root, "h.example/app:1"), report).await.unwrap();
    assert_eq!((prepared.manifest, prepared.layers.len(), prepared.unpacked_bytes), (root.digest, 2, 8));
    let last = reports.lock().unwrap().last().cloned().unwrap();
    assert_eq!((last.layers_done, last.bytes_done), (last.layers_total, last.bytes_total));
    let images = running.node.images().await.unwrap();
    assert_eq!(images.len(), 1);
    assert_eq!((images[0].reference.to_string().as_str(), images[0].manifest), ("h.example/app:1", root.digest));
    assert_eq!((images[0].unpacked_bytes, images[0].ready), (8, true));
    let layers = bed.node_dir().join("images/layers/sha256");
    let file = layers.join(prepared.layers[0].digest().hex()).join("root/a");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "12345");
    assert_eq!(running.node.prune().await.unwrap(), Collected::default(), "it is named");
    assert!(running.node.forget(&images[0].reference).await.unwrap());
    assert!(!running.node.forget(&images[0].reference).await.unwrap());
    assert_eq!(running.node.usage().await.unwrap().unneeded_bytes, 8);
    assert_eq!(running.node.prune().await.unwrap(), Collected { layers: 2, bytes: 8 });
    assert_eq!(running.node.status().await.unwrap().usage.layers, 0);
    assert_eq!(names(&layers), [""; 0]);
    running.stop().await;
}

#[tokio::test]
async fn what_a_node_has_outlives_its_process() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", b"1".to_vec())]]);
    let running = bed.start();
    running.node.prepare(&wanted(&root, "app"), |_| {}).await.unwrap();
    let node = running.node.clone();
    running.stop().await;
    let running = bed.start();
    let images = node.images().await.unwrap();
    assert!(images[0].ready, "the handle has connected anew");
    running.stop().await;
}

#[tokio::test]
async fn of_an_index_the_platform_that_is_asked_for_is_taken() {
    let bed = Bed::new();
    let own = bed.image(&[vec![("own", Vec::new())]]);
    let Platform { os, architecture, .. } = Platform::host();
    let mut members = vec![json!(own)];
    members[0]["platform"] = json!({ "os": os, "architecture": architecture });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": members });
    let index = bed.put(INDEX, index.to_string().as_bytes());
    let running = bed.start();
    assert_eq!(running.node.prepare(&unnamed(&index), |_| {}).await.unwrap().manifest, own.digest);
    let mut other = unnamed(&index);
    other.platform = Some(Platform::linux("s390x", None));
    let failed = running.node.prepare(&other, |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::NoPlatform));
    assert!(failed.is_permanent() && failed.to_string().contains("s390x"), "{failed}");
    running.stop().await;
}

#[tokio::test]
async fn pages_of_images_are_put_together() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", Vec::new())]]);
    let running = bed.start();
    let count = node::protocol::IMAGES_PAGE_MAX + 7;
    for number in 0..count {
        running.node.prepare(&wanted(&root, &format!("h.example/app:{number}")), |_| {}).await.unwrap();
    }
    let images = running.node.images().await.unwrap();
    assert_eq!(images.len(), count);
    assert!(images.is_sorted_by(|one, other| one.reference < other.reference));
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_the_work() {
    let bed = Bed::new();
    let layers: Vec<_> = (0..8).map(|n| vec![("noise", noise(4 << 20, n + 1))]).collect();
    let root = bed.image(&layers);
    let running = bed.start();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let node = running.node.clone();
    let call = tokio::spawn(async move {
        let report = move |_: &Progress| {
            let _ = heard.send(());
        };
        node.prepare(&wanted(&root, "app"), report).await
    });
    hears.recv().await.unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // The turn is free again as soon as the threads have seen it.
    while running.node.status().await.unwrap().preparing > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.node.images().await.unwrap().len(), 0);
    let node_dir = bed.node_dir();
    running.stop().await;
    assert_eq!(names(&node_dir.join("images/staging")), [""; 0]);
}

#[tokio::test]
async fn more_than_can_wait_is_told_to_come_back_and_what_waits_is_done() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("noise", noise(1 << 20, 7))]]);
    let running = bed.start();
    // Each handle has a connection and calls of its own.
    let nodes: Vec<Node> = (0..3).map(|_| Node::at(&running.socket)).collect();
    let calls = (0..300).map(|n| {
        let (node, wanted) = (nodes[n % nodes.len()].clone(), unnamed(&root));
        tokio::spawn(async move { node.prepare(&wanted, |_| {}).await })
    });
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), Some(FailureKind::Busy), "{error}"),
        }
    }
    assert_eq!(running.node.status().await.unwrap().waiting, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_node_that_is_not_there_is_told_of_and_found_once_it_is() {
    let bed = Bed::new();
    let node = Node::at(bed.folder.path().join("node.sock"));
    let error = node.usage().await.unwrap_err();
    assert!(matches!(error, NodeError::Unreachable { .. }), "{error}");
    let again = std::time::Instant::now();
    assert!(matches!(node.usage().await.unwrap_err(), NodeError::Unreachable { .. }));
    assert!(again.elapsed() < std::time::Duration::from_secs(4), "it was known already");
    let running = bed.start();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(node.usage().await.unwrap().images, 0);
    running.stop().await;
}

#[tokio::test]
async fn two_nodes_never_have_one_directory() {
    let bed = Bed::new();
    let running = bed.start();
    assert!(matches!(Agent::open(bed.options()).unwrap_err(), images::Error::InUse));
    running.stop().await;
}

#[tokio::test]
async fn an_image_for_which_there_is_no_room_fails_and_leaves_nothing() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("noise", noise(1 << 20, 9))]]);
    let mut options = bed.options();
    options.spare_bytes = u64::MAX;
    let running = bed.start_with(options);
    let failed = running.node.prepare(&wanted(&root, "app"), |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::Full), "{failed}");
    assert_eq!(running.node.usage().await.unwrap().layers, 0);
    running.stop().await;
    assert_eq!(names(&bed.node_dir().join("images/staging")), [""; 0]);
}

#[tokio::test]
async fn layers_that_nothing_needs_go_by_themselves() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", b"1".to_vec())]]);
    let mut options = bed.options();
    options.collect_every = [std::time::Duration::from_millis(20); 2];
    let running = bed.start_with(options);
    running.node.prepare(&unnamed(&root), |_| {}).await.unwrap();
    while running.node.usage().await.unwrap().layers > 0 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn what_an_image_says_about_itself_is_kept_within_bounds() {
    let bed = Bed::new();
    let running = bed.start();
    let long = "x".repeat(3 << 20);
    let layer = archive(&[("a", Vec::new())]);
    let layers = [bed.layer(&gzip(&layer))];
    let diff_ids = [Digest::of(Algorithm::Sha256, &layer)];
    let root = bed.manifest(&layers, &diff_ids, &json!({ "Env": [format!("LONG={long}")] }));
    let mut named = 0;
    let failed = loop {
        match running.node.prepare(&wanted(&root, &format!("app:{named}")), |_| {}).await {
            Ok(_) => named += 1,
            Err(error) => break error,
        }
        assert!(named < 100, "there is no bound");
    };
    assert_eq!(failed.kind(), Some(FailureKind::Busy), "{failed}");
    assert!(named > 10, "{named}");
    let first = "app:0".parse().unwrap();
    assert!(running.node.forget(&first).await.unwrap());
    running.node.prepare(&wanted(&root, "app:more"), |_| {}).await.unwrap();
    running.node.prepare(&wanted(&root, "app:more"), |_| {}).await.unwrap();
    running.stop().await;
}
