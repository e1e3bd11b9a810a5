//! What is pushed is made ready to run, and what is deleted is forgotten.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ecr::reconcile::{deletion, prepare};
use platform::BoxFuture;
use platform::ports::{ImagePreparer, PreparedReference};
use tokio::sync::Notify;

use super::*;

/// Whoever prepares images, as far as can be seen of it.
#[derive(Default)]
struct Node {
    /// The digests of the images that it has, by their names.
    images: Mutex<BTreeMap<String, String>>,
    /// How often it was asked to prepare one.
    asked: Mutex<u32>,
    fails: AtomicBool,
    /// Goes off when an image has come that it was told to wait with.
    came: Notify,
    go: Notify,
}

impl ImagePreparer for Node {
    fn prepare<'a>(&'a self, image: PreparedReference<'a>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            *self.asked.lock().unwrap() += 1;
            assert!(image.size > 0 && image.media_type.contains('/'));
            if self.fails.load(Ordering::SeqCst) {
                return Err("no space is left".to_owned());
            }
            if image.reference.ends_with(":slow") {
                self.came.notify_one();
                self.go.notified().await;
            }
            self.images.lock().unwrap().insert(image.reference.to_owned(), image.digest.to_owned());
            Ok(())
        })
    }

    fn forget<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.images.lock().unwrap().remove(reference);
            Ok(())
        })
    }
}

impl Node {
    fn images(&self) -> BTreeMap<String, String> {
        self.images.lock().unwrap().clone()
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }
}

fn expected(images: &[(&str, &Pushed)]) -> BTreeMap<String, String> {
    let host = format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com");
    images.iter().map(|(name, image)| (format!("{host}/{name}"), image.digest.clone())).collect()
}

async fn round(caller: &Caller, node: &Arc<Node>) -> platform::Round {
    caller.reconcile(prepare::reconciler(&caller.ecr, Some(node.clone()))).await
}

#[tokio::test]
async fn what_a_tag_names_is_prepared_and_what_none_names_is_forgotten() {
    let (caller, node) = (Caller::new(), Arc::new(Node::default()));
    caller.repository("web").await;
    let first = caller.image("web", &["v1", "latest"], "first").await;
    caller.image("web", &[], "of no tag").await;
    round(&caller, &node).await;
    assert_eq!(node.images(), expected(&[("web:latest", &first), ("web:v1", &first)]));
    let second = caller.image("web", &["latest"], "second").await;
    round(&caller, &node).await;
    assert_eq!(node.images(), expected(&[("web:latest", &second), ("web:v1", &first)]));
    let delete = json!({"repositoryName": "web", "imageIds": [{"imageDigest": first.digest}]});
    caller.ok("BatchDeleteImage", delete).await;
    round(&caller, &node).await;
    assert_eq!(node.images(), expected(&[("web:latest", &second)]));
    assert_eq!(node.asked(), 3);
    assert_eq!(round(&caller, &node).await, platform::Round::idle());
    caller.ok("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
    caller.reconcile(deletion::reconciler(&caller.ecr)).await;
    round(&caller, &node).await;
    assert_eq!(node.images(), BTreeMap::new());
}

#[tokio::test]
async fn an_index_is_prepared_and_an_artifact_is_not() {
    let (caller, node) = (Caller::new(), Arc::new(Node::default()));
    caller.repository("web").await;
    let image = caller.image("web", &[], "one").await;
    let config = caller.layer("web", b"{}").await;
    let artifact = manifest_of(&config, &[]).replace("vnd.oci.image.config.v1", "vnd.cncf.helm.config.v1");
    let index = index_of(&[(&image.digest, image.manifest.len())]);
    let of_artifacts = index_of(&[(&digest_of(artifact.as_bytes()), artifact.len())]);
    for (tag, manifest) in [("chart", &artifact), ("multi", &index), ("charts", &of_artifacts)] {
        let put = json!({"repositoryName": "web", "imageManifest": manifest, "imageTag": tag});
        caller.ok("PutImage", put).await;
    }
    round(&caller, &node).await;
    let names: Vec<String> = node.images().into_keys().collect();
    assert_eq!(names, [format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/web:multi")]);
}

#[tokio::test]
async fn what_cannot_be_prepared_is_tried_again_and_not_for_ever() {
    let (caller, node) = (Caller::new(), Arc::new(Node::default()));
    caller.repository("web").await;
    node.fails.store(true, Ordering::SeqCst);
    let image = caller.image("web", &["v1"], "one").await;
    for _ in 0..20 {
        let next = round(&caller, &node).await;
        caller.advance(Duration::from_secs(600));
        let Some(due) = next.due else { continue };
        assert!(due <= caller.ecr.platform.clock.now());
    }
    assert_eq!(node.asked(), 8);
    node.fails.store(false, Ordering::SeqCst);
    caller.image("web", &["v2"], "one").await;
    round(&caller, &node).await;
    assert_eq!(node.images(), expected(&[("web:v2", &image)]));
}

#[tokio::test]
async fn an_image_that_takes_long_holds_up_no_other_and_a_tag_that_moves_meanwhile_is_looked_at_again() {
    let (caller, node) = (Caller::new(), Arc::new(Node::default()));
    caller.repository("web").await;
    caller.image("web", &["slow"], "one").await;
    let rounds = tokio::spawn({
        let (caller, node) = (caller.clone(), node.clone());
        async move {
            while node.images().len() < 2 {
                round(&caller, &node).await;
            }
        }
    });
    node.came.notified().await;
    let quick = caller.image("web", &["quick"], "quick").await;
    while node.images().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = caller.image("web", &["slow"], "two").await;
    node.came.notified().await;
    node.go.notify_waiters();
    rounds.await.unwrap();
    round(&caller, &node).await;
    assert_eq!(node.images(), expected(&[("web:quick", &quick), ("web:slow", &second)]));
}

#[tokio::test]
async fn without_anybody_who_prepares_nothing_piles_up() {
    let caller = Caller::new();
    caller.repository("web").await;
    caller.image("web", &["v1", "v2"], "one").await;
    let first = caller.reconcile(prepare::reconciler(&caller.ecr, None)).await;
    assert_eq!((first.changes, first.due), (2, None));
}

#[tokio::test]
async fn blobs_that_are_known_by_their_sha512_are_found_by_it() {
    let (caller, node) = (Caller::new(), Arc::new(Node::default()));
    caller.repository("web").await;
    let long = |bytes: &[u8]| ContentDigest::of(Algorithm::Sha512, bytes);
    let config = b"{}";
    let upload = caller.ok("InitiateLayerUpload", json!({"repositoryName": "web"})).await["uploadId"].clone();
    let part = json!({"repositoryName": "web", "uploadId": upload, "partFirstByte": 0, "partLastByte": 1,
                      "layerPartBlob": base64::engine::general_purpose::STANDARD.encode(config)});
    caller.ok("UploadLayerPart", part).await;
    let digest = long(config).to_string();
    let complete = json!({"repositoryName": "web", "uploadId": upload, "layerDigests": [digest]});
    caller.ok("CompleteLayerUpload", complete).await;
    let manifest = manifest_of(&Layer { digest, size: config.len() }, &[]);
    let image = long(manifest.as_bytes());
    let put =
        json!({"repositoryName": "web", "imageManifest": manifest, "imageTag": "v1", "imageDigest": image.as_str()});
    caller.ok("PutImage", put).await;
    let found = |digest: &ContentDigest| {
        caller.ecr.content.blobs().open_long(&digest.long().unwrap()).unwrap().map(|blob| blob.size())
    };
    let sizes = (Some(config.len() as u64), Some(manifest.len() as u64));
    assert_eq!((found(&long(config)), found(&image)), sizes);
    // As after a restore.
    std::fs::remove_dir_all(caller.directory.path().join("blobs/sha512")).unwrap();
    assert_eq!(found(&image), None);
    round(&caller, &node).await;
    assert_eq!((found(&long(config)), found(&image)), sizes);
}
