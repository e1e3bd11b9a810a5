//! Nothing that somebody needs is collected, and nothing that nobody needs is left.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use ecr::image::Manifest;
use ecr::layer::BlobReference;
use ecr::reconcile::{deletion, references, unreferenced, uploads};
use proptest::prelude::*;
use store::{ListOptions, Versioned};

use super::*;

impl Caller {
    /// The same service in a process that has just started.
    pub(crate) fn restarted(&self) -> Self {
        let ecr = Ecr::new(self.ecr.platform.clone(), content(self.directory.path()), None);
        Self { ecr, ..self.clone() }
    }

    async fn sweep(&self) {
        self.reconcile(references::reconciler(&self.ecr)).await;
    }

    /// Lets a day pass and removes all that is not needed.
    async fn clean(&self) {
        self.advance(references::UNUSED_KEPT + Duration::from_secs(1));
        self.reconcile(deletion::reconciler(&self.ecr)).await;
        self.reconcile(uploads::reconciler(&self.ecr)).await;
        self.sweep().await;
        self.reconcile(unreferenced::with_grace(&self.ecr, Duration::ZERO)).await;
    }

    async fn is_available(&self, digest: &str) -> bool {
        let check = json!({"repositoryName": "web", "layerDigests": [digest]});
        let answer = self.ok("BatchCheckLayerAvailability", check).await;
        answer["layers"][0]["layerAvailability"] == "AVAILABLE"
    }

    /// The records of a kind as they were at a revision.
    async fn all<R: store::Record>(&self, at: store::Revision) -> Vec<Versioned<R>> {
        let options = ListOptions { at: Some(at), ..ListOptions::default() };
        let found = self.ecr.platform.store.list::<R>(&self.ctx().scope(), options).await.unwrap();
        assert!(!found.more);
        found.items
    }

    /// Every image has its blobs, and every blob that is referred to is what its name says.
    async fn check(&self) {
        let now = self.ecr.platform.store.revision();
        let references: Vec<Versioned<BlobReference>> = self.all(now).await;
        let ids: BTreeSet<&[String]> = references.iter().map(|reference| reference.id.as_slice()).collect();
        for manifest in self.all::<Manifest>(now).await {
            for blob in manifest.kind.blobs() {
                let id = [manifest.id[0].clone(), blob.digest.to_string()];
                assert!(ids.contains(id.as_slice()), "{} lacks {}", manifest.name(), blob.digest);
            }
        }
        for digest in self.ecr.platform.store.referenced_blobs().await.unwrap() {
            assert!(self.ecr.content.blobs().verify(&digest).unwrap().is_some(), "{digest} is lost");
        }
    }

    /// There are no files but those that are needed.
    async fn check_nothing_is_left(&self) {
        let files: BTreeSet<_> = self.ecr.content.blobs().list().unwrap().into_iter().collect();
        assert_eq!(files, self.ecr.platform.store.referenced_blobs().await.unwrap());
        while !self.ecr.content.uploads().await.unwrap().is_empty() {
            // Files of uploads are removed by a thread of their own.
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_blob_goes_a_day_after_its_last_image() {
    let caller = Caller::new();
    caller.repository("web").await;
    let image = caller.image("web", &["v1"], "one").await;
    caller.image("web", &["v2"], "two").await;
    let lonely = caller.layer("web", b"of no image").await;
    caller.clean().await;
    assert!(!caller.is_available(&lonely.digest).await);
    let config = digest_of(json!({"content": "one"}).to_string().as_bytes());
    assert!(caller.is_available(&config).await);
    let delete = json!({"repositoryName": "web", "imageIds": [{"imageDigest": image.digest}]});
    caller.ok("BatchDeleteImage", delete).await;
    // Somebody was just told that it is here, and may be about to push an image that has it.
    caller.sweep().await;
    assert!(caller.is_available(&config).await);
    caller.clean().await;
    assert!(!caller.is_available(&config).await);
    assert!(caller.is_available(&digest_of(b"layer")).await, "the other image has it");
    caller.check().await;
    caller.check_nothing_is_left().await;
}

#[tokio::test]
async fn a_blob_that_two_repositories_have_stays_until_both_are_gone() {
    let caller = Caller::new();
    for name in ["web", "other"] {
        caller.repository(name).await;
        caller.image(name, &["v1"], "same").await;
    }
    for (name, left) in [("other", 3), ("web", 0)] {
        caller.ok("DeleteRepository", json!({"repositoryName": name, "force": true})).await;
        caller.clean().await;
        assert_eq!(caller.ecr.content.blobs().list().unwrap().len(), left);
    }
    caller.check_nothing_is_left().await;
}

#[tokio::test]
async fn an_upload_that_a_kill_interrupted_goes_on_or_leaves_nothing() {
    let caller = Caller::new();
    caller.repository("web").await;
    let upload = caller.ok("InitiateLayerUpload", json!({"repositoryName": "web"})).await["uploadId"].clone();
    let blob = base64::engine::general_purpose::STANDARD.encode(vec![7; 5 << 20]);
    let part = |first: usize, last: usize, blob: &str| {
        json!({"repositoryName": "web", "uploadId": upload, "partFirstByte": first, "partLastByte": last,
               "layerPartBlob": blob})
    };
    caller.ok("UploadLayerPart", part(0, (5 << 20) - 1, &blob)).await;
    let caller = caller.restarted();
    caller.ok("UploadLayerPart", part(5 << 20, 5 << 20, "eA==")).await;
    let digest = digest_of(&[vec![7; 5 << 20], b"x".to_vec()].concat());
    let complete = json!({"repositoryName": "web", "uploadId": upload, "layerDigests": [digest]});
    caller.ok("CompleteLayerUpload", complete).await;
    caller.check().await;
    let abandoned = caller.ok("InitiateLayerUpload", json!({"repositoryName": "web"})).await["uploadId"].clone();
    let first = json!({"repositoryName": "web", "uploadId": abandoned, "partFirstByte": 0, "partLastByte": 0,
                       "layerPartBlob": "eA=="});
    caller.ok("UploadLayerPart", first).await;
    let caller = caller.restarted();
    caller.clean().await;
    caller.check_nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_image_loses_a_layer_to_a_sweep_at_the_same_time() {
    push_and_sweep(Caller::new(), 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_image_on_disk_loses_a_layer_to_a_sweep_at_the_same_time() {
    push_and_sweep(Caller::on_disk(), 5).await;
}

/// Pushes and deletions go on while every blob counts as old and is swept as soon as no image has it.
async fn push_and_sweep(caller: Caller, rounds: usize) {
    caller.repository("web").await;
    let pushers = (0..3).map(|pusher| {
        let caller = caller.clone();
        tokio::spawn(async move {
            for round in 0..rounds {
                push_somehow(&caller, &format!("{pusher}-{}", round % 3)).await;
                if round % 2 == 0 {
                    let id = json!({"imageTag": format!("{pusher}-{}", round % 3)});
                    caller.ok("BatchDeleteImage", json!({"repositoryName": "web", "imageIds": [id]})).await;
                }
            }
        })
    });
    let pushers: Vec<_> = pushers.collect();
    while pushers.iter().any(|pusher| !pusher.is_finished()) {
        caller.advance(references::UNUSED_KEPT + Duration::from_secs(1));
        caller.sweep().await;
        caller.check().await;
    }
    for pusher in pushers {
        pusher.await.unwrap();
    }
    caller.clean().await;
    caller.check().await;
    caller.check_nothing_is_left().await;
}

/// Pushes an image whose layers may be swept away before its manifest comes; then they are uploaded again, as a client does.
async fn push_somehow(caller: &Caller, content: &str) {
    loop {
        let config = caller.layer("web", content.as_bytes()).await;
        let layer = caller.layer("web", b"shared layer").await;
        let manifest = manifest_of(&config, &[&layer]);
        let put = json!({"repositoryName": "web", "imageManifest": manifest, "imageTag": content});
        match caller.call("PutImage", put).await {
            Err(error) if error.code == "LayersNotFoundException" => {}
            Err(error) if error.code == "ImageAlreadyExistsException" => return,
            outcome => return drop(outcome.unwrap()),
        }
    }
}

/// What somebody does to the registry, and how far it gets before the process is killed.
#[derive(Debug, Clone)]
struct Act {
    what: What,
    /// After so many polls the work is dropped, as a kill would end it.
    polls: Option<u32>,
}

#[derive(Debug, Clone)]
enum What {
    Layer(u8),
    Image { config: u8, tag: u8 },
    Delete { tag: u8 },
    DeleteRepository,
    Sweep,
    Clean,
}

fn acts() -> impl Strategy<Value = Vec<Vec<Act>>> {
    let what = prop_oneof![
        2 => (0_u8..4).prop_map(What::Layer),
        4 => (0_u8..4, 0_u8..3).prop_map(|(config, tag)| What::Image { config, tag }),
        2 => (0_u8..3).prop_map(|tag| What::Delete { tag }),
        1 => Just(What::DeleteRepository),
        1 => Just(What::Sweep),
        1 => Just(What::Clean),
    ];
    let polls = prop_oneof![1 => Just(None), 1 => (1_u32..12).prop_map(Some)];
    let act = (what, polls).prop_map(|(what, polls)| Act { what, polls });
    prop::collection::vec(prop::collection::vec(act, 1..6), 1..4)
}

/// Polls a future so often and drops it then. A future that is done says so.
async fn until_killed<F: Future>(future: F, polls: Option<u32>) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => match &mut left {
            Some(0) => Poll::Ready(None),
            Some(left) => {
                *left -= 1;
                Poll::Pending
            }
            None => Poll::Pending,
        },
    })
    .await
}

async fn act(caller: &Caller, what: &What) {
    match what {
        What::Layer(n) => drop(caller.layer("web", &[*n]).await),
        What::Image { config, tag } => {
            let config = caller.layer("web", &[*config, 1]).await;
            let layer = caller.layer("web", &[2]).await;
            let manifest = manifest_of(&config, &[&layer]);
            let put = json!({"repositoryName": "web", "imageManifest": manifest, "imageTag": format!("t{tag}")});
            match caller.call("PutImage", put).await {
                Err(error) => assert_eq!(error.code, "ImageAlreadyExistsException"),
                Ok(_) => {
                    let id = json!({"imageTag": format!("t{tag}")});
                    let get = json!({"repositoryName": "web", "imageIds": [id]});
                    assert_eq!(caller.ok("BatchGetImage", get).await["failures"], json!([]));
                }
            }
        }
        What::Delete { tag } => {
            let ids = json!([{"imageTag": format!("t{tag}")}]);
            caller.ok("BatchDeleteImage", json!({"repositoryName": "web", "imageIds": ids})).await;
        }
        What::DeleteRepository => {
            let _ = caller.call("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
            let _ = caller.call("CreateRepository", json!({"repositoryName": "web"})).await;
        }
        What::Sweep => caller.sweep().await,
        What::Clean => caller.clean().await,
    }
}

/// One life of the process: it ends with whatever its threads had begun.
fn live<T>(life: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(life)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whenever_the_process_is_killed_no_image_is_damaged_and_nothing_is_left(lives in acts()) {
        let mut caller = Caller::new();
        for life in lives {
            caller = caller.restarted();
            live(async {
                // A kill may have come between the deletion and the creation.
                let _ = caller.call("CreateRepository", json!({"repositoryName": "web"})).await;
                for Act { what, polls } in life {
                    if until_killed(act(&caller, &what), polls).await.is_none() {
                        break;
                    }
                }
            });
            let survivor = caller.restarted();
            live(survivor.check());
        }
        let caller = caller.restarted();
        live(async {
            caller.clean().await;
            caller.clean().await;
            caller.check().await;
            caller.check_nothing_is_left().await;
        });
    }
}
