//! Layers that are unpacked ahead of their image.

use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use node::protocol::{Collected, FailureKind, PrepareLayer, Progress};
use serde_json::json;

use crate::bed::{Bed, archive, gzip, layer, names, noise, unnamed, wanted};

#[tokio::test]
async fn a_layer_that_was_unpacked_ahead_is_the_images() {
    let bed = Bed::new();
    let archives = [archive(&[("a", b"12345".to_vec())]), archive(&[("b", b"123".to_vec())])];
    let root = bed.image_of(&archives, &json!({}));
    let blobs = bed.layers_of(&root);
    let running = bed.start();
    let reports = Mutex::new(Vec::<Progress>::new());
    let report = |progress: &Progress| reports.lock().unwrap().push(progress.clone());
    running.node.prepare_layer(&layer(&blobs[0], &archives[0]), report).await.unwrap();
    let last = reports.lock().unwrap().last().cloned().unwrap();
    assert_eq!((last.layer, last.layer_bytes_done), (blobs[0].digest, blobs[0].size));
    assert_eq!(running.node.images().await.unwrap().len(), 0, "it has no name");
    let layers = bed.node_dir().join("images/layers/sha256");
    let file = layers.join(&names(&layers)[0]).join("root/a");
    let before = std::fs::metadata(&file).unwrap().ino();
    assert_eq!(running.node.prepare(&wanted(&root, "app"), |_| {}).await.unwrap().unpacked_bytes, 8);
    assert_eq!(std::fs::metadata(&file).unwrap().ino(), before);
    assert_eq!(running.node.prune().await.unwrap(), Collected::default());
    running.stop().await;
}

#[tokio::test]
async fn a_layer_that_was_collected_before_its_image_came_is_unpacked_again() {
    let bed = Bed::new();
    let archives = [archive(&[("a", b"12345".to_vec())])];
    let root = bed.image_of(&archives, &json!({}));
    let wanted_layer = layer(&bed.layers_of(&root)[0], &archives[0]);
    let running = bed.start();
    running.node.prepare_layer(&wanted_layer, |_| {}).await.unwrap();
    assert_eq!(running.node.prune().await.unwrap(), Collected { layers: 1, bytes: 5 });
    let node = running.node.clone();
    node.prepare_layer(&wanted_layer, |_| {}).await.unwrap();
    // Or it was unpacked by a node that has ended since.
    running.stop().await;
    let running = bed.start();
    assert_eq!(node.prepare(&wanted(&root, "app"), |_| {}).await.unwrap().layers.len(), 1);
    assert!(node.images().await.unwrap()[0].ready);
    running.stop().await;
}

#[tokio::test]
async fn a_layer_is_only_what_comes_out_of_its_blob() {
    let bed = Bed::new();
    let (own, others) = (archive(&[("a", b"own".to_vec())]), archive(&[("a", b"others".to_vec())]));
    let [own_blob, others_blob] = [&own, &others].map(|archive| bed.layer(&gzip(archive)));
    let running = bed.start();
    running.node.prepare_layer(&layer(&others_blob, &others), |_| {}).await.unwrap();
    // Whether the layer that is named is there or not.
    for named in [&others, &archive(&[])] {
        let failed = running.node.prepare_layer(&layer(&own_blob, named), |_| {}).await.unwrap_err();
        assert_eq!(failed.kind(), Some(FailureKind::Refused), "{failed}");
    }
    let mut missing = layer(&own_blob, &own);
    missing.blob.digest = missing.diff_id.digest();
    let failed = running.node.prepare_layer(&missing, |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::NotFound), "{failed}");
    assert_eq!(running.node.status().await.unwrap().usage.layers, 1);
    running.stop().await;
}

#[tokio::test]
async fn what_no_layer_can_be_is_refused_before_it_waits() {
    let bed = Bed::new();
    let running = bed.start();
    let own = archive(&[]);
    let honest = layer(&bed.layer(&gzip(&own)), &own);
    let refused = |change: fn(&mut PrepareLayer)| {
        let (mut wanted, node) = (honest.clone(), running.node.clone());
        change(&mut wanted);
        async move { node.prepare_layer(&wanted, |_| {}).await.unwrap_err().kind() }
    };
    let kinds = [
        refused(|it| it.blob.size = images::LAYER_BYTES_MAX + 1).await,
        refused(|it| it.blob.media_type = "x".repeat(256)).await,
        refused(|it| it.blob.platform = Some(images::Platform::linux(&"x".repeat(65), None))).await,
    ];
    assert_eq!(kinds, [Some(FailureKind::Refused); 3]);
    running.stop().await;
}

#[tokio::test]
async fn a_layer_and_its_image_at_one_time_are_unpacked_once_and_can_be_cancelled() {
    let bed = Bed::new();
    let archives: Vec<Vec<u8>> = (0..2).map(|n| archive(&[("noise", noise(6 << 20, n + 1))])).collect();
    let root = bed.image_of(&archives, &json!({}));
    let blobs = bed.layers_of(&root);
    let running = bed.start();
    let ahead: Vec<PrepareLayer> = blobs.iter().zip(&archives).map(|(blob, archive)| layer(blob, archive)).collect();
    let (node, image) = (&running.node, wanted(&root, "app"));
    let (first, image) = tokio::join!(node.prepare_layer(&ahead[0], |_| {}), node.prepare(&image, |_| {}));
    first.unwrap();
    image.unwrap();
    assert_eq!(running.node.usage().await.unwrap().layers, 2);
    running.node.forget(&"app".parse().unwrap()).await.unwrap();
    running.node.prune().await.unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let (node, cancelled) = (running.node.clone(), ahead[1].clone());
    let call = tokio::spawn(async move {
        let report = move |_: &Progress| {
            let _ = heard.send(());
        };
        node.prepare_layer(&cancelled, report).await
    });
    hears.recv().await.unwrap();
    call.abort();
    while running.node.status().await.unwrap().preparing > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.node.prepare(&unnamed(&root), |_| {}).await.unwrap().layers.len(), 2);
    running.stop().await;
    assert_eq!(names(&bed.node_dir().join("images/staging")), [""; 0]);
}
