use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base::{Clock, Timestamp};
use images::remote::{Arrival, Credentials, Fetched, RemoteError, Sink};
use images::{Algorithm, Descriptor, DiffId, Digest, Platform, Reference};
use store::Scope;
use tokio::sync::Semaphore;

use super::*;
use crate::client::NodeError;
use crate::protocol::{Collected, Failure, FailureKind, ImageInfo, Prepare, PrepareLayer, PreparedImage};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image: its root, and all its blobs, the layers last.
#[derive(Clone)]
struct Sample {
    root: Descriptor,
    blobs: Vec<(Descriptor, Vec<u8>)>,
}

fn described(media_type: &str, bytes: &[u8]) -> Descriptor {
    described_by(Algorithm::Sha256, media_type, bytes)
}

fn described_by(algorithm: Algorithm, media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest = Digest::of(algorithm, bytes);
    Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, platform: None }
}

fn sample(content: &str) -> Sample {
    sample_of(&[content])
}

fn sample_of(contents: &[&str]) -> Sample {
    sample_by(Algorithm::Sha256, contents)
}

/// One whose layers are known by an algorithm.
fn sample_by(algorithm: Algorithm, contents: &[&str]) -> Sample {
    let layers = contents.iter().map(|content| content.repeat(1000).into_bytes());
    let layers: Vec<(Descriptor, Vec<u8>)> =
        layers.map(|bytes| (described_by(algorithm, LAYER, &bytes), bytes)).collect();
    let descriptors: Vec<&Descriptor> = layers.iter().map(|(blob, _)| blob).collect();
    let diff_ids: Vec<Digest> = descriptors.iter().map(|blob| blob.digest).collect();
    let host = Platform::host();
    let config = serde_json::json!({
        "architecture": host.architecture, "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids }
    });
    let config = config.to_string().into_bytes();
    let config_blob = described(CONFIG, &config);
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob, "layers": descriptors
    });
    let manifest = manifest.to_string().into_bytes();
    let root = described(MANIFEST, &manifest);
    let documents = vec![(root.clone(), manifest), (config_blob, config)];
    Sample { blobs: [documents, layers].concat(), root }
}

/// Registries elsewhere: images by name, and a gate that each fetch passes.
struct Elsewhere {
    images: Mutex<BTreeMap<String, Sample>>,
    gate: Semaphore,
    fetches: AtomicUsize,
    /// What the last layer of an image waits for.
    before_the_last: Semaphore,
}

impl Upstream for Elsewhere {
    fn fetch<'a>(
        &'a self,
        wanted: Wanted<'a>,
        sink: Arc<dyn Sink>,
        watcher: Arc<dyn Watcher>,
    ) -> BoxFuture<'a, Result<Fetched, RemoteError>> {
        Box::pin(async move {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            if wanted.reference.repository() == "too-large" {
                let blob = described(LAYER, b"so much");
                drop(sink.begin(&blob).unwrap().append(b"so"));
                return Err(RemoteError::Full);
            }
            let sample = self.images.lock().unwrap().get(&wanted.reference.to_string()).cloned();
            let sample = sample.ok_or(RemoteError::Stopped)?;
            watcher.resolved(&sample.root);
            let mut moved_bytes = 0;
            for (number, (blob, bytes)) in sample.blobs.iter().enumerate() {
                watcher.planned(blob);
                if number + 1 == sample.blobs.len() {
                    self.before_the_last.acquire().await.unwrap().forget();
                }
                if !sink.has(blob).unwrap() {
                    let mut partial = sink.begin(blob).unwrap();
                    partial.append(bytes).unwrap();
                    partial.finish(&blob.digest).unwrap();
                    moved_bytes += blob.size;
                }
                watcher.finished(blob, Arrival::Fetched { resumed_bytes: 0 });
            }
            let blobs: Vec<Descriptor> = sample.blobs.iter().map(|(blob, _)| blob.clone()).collect();
            let (manifest, config, layers) = (blobs[0].clone(), blobs[1].clone(), blobs[2..].to_vec());
            Ok(Fetched { root: sample.root.clone(), manifest, config, layers, blobs, moved_bytes })
        })
    }
}

/// A node that has names and no layers.
#[derive(Default)]
struct Names {
    images: Mutex<BTreeMap<Reference, Digest>>,
    prunes: AtomicUsize,
    refuses: bool,
    is_away: AtomicBool,
    /// The layers that it was asked for by themselves.
    ahead: Mutex<Vec<Digest>>,
    /// Has a permit for each of them.
    asked_ahead: Permits,
    /// Layers take for ever.
    is_slow: bool,
    /// How often it was asked for an image.
    prepares: AtomicUsize,
}

struct Permits(Semaphore);

impl Default for Permits {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Permits {
    async fn take(&self, count: u32) {
        self.0.acquire_many(count).await.unwrap().forget();
    }
}

impl Unpacker for Names {
    fn prepare<'a>(
        &'a self,
        image: &'a Prepare,
        mut on_progress: Box<dyn FnMut(&crate::protocol::Progress) + Send + 'a>,
    ) -> BoxFuture<'a, Result<PreparedImage, NodeError>> {
        Box::pin(async move {
            self.prepares.fetch_add(1, Ordering::SeqCst);
            if self.refuses {
                return Err(Failure::new(FailureKind::Refused, "a bomb").into());
            }
            let digest = image.root.digest;
            on_progress(&crate::protocol::Progress {
                layer: digest,
                layer_bytes_done: 1,
                layer_bytes_total: 1,
                layers_done: 1,
                layers_total: 1,
                bytes_done: 7,
                bytes_total: 7,
            });
            self.images.lock().unwrap().insert(image.reference.clone().unwrap(), digest);
            let layers = vec![DiffId::from(digest)];
            Ok(PreparedImage { manifest: digest, config: digest, layers, unpacked_bytes: 7 })
        })
    }

    fn prepare_layer<'a>(
        &'a self,
        layer: &'a PrepareLayer,
        mut on_progress: Box<dyn FnMut(&crate::protocol::Progress) + Send + 'a>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            assert_eq!(layer.diff_id.digest(), layer.blob.digest, "layers of these tests are not compressed");
            self.ahead.lock().unwrap().push(layer.blob.digest);
            self.asked_ahead.0.add_permits(1);
            if self.is_slow {
                std::future::pending::<()>().await;
            }
            if self.refuses {
                return Err(Failure::new(FailureKind::Refused, "a bomb").into());
            }
            let size = layer.blob.size;
            on_progress(&crate::protocol::Progress {
                layer: layer.blob.digest,
                layer_bytes_done: size,
                layer_bytes_total: size,
                layers_done: 1,
                layers_total: 1,
                bytes_done: size,
                bytes_total: size,
            });
            Ok(())
        })
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<ImageInfo>, NodeError>> {
        if self.is_away.load(Ordering::SeqCst) {
            return Box::pin(async { Err(NodeError::Lost) });
        }
        let info = |(reference, manifest): (&Reference, &Digest)| ImageInfo {
            reference: reference.clone(),
            manifest: *manifest,
            config: *manifest,
            platform: Platform::host(),
            blob_bytes: 5,
            unpacked_bytes: 7,
            ready: true,
            recorded_at: Timestamp::from_millis(1),
        };
        let images = self.images.lock().unwrap().iter().map(info).collect();
        Box::pin(async { Ok(images) })
    }

    fn forget<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<bool, NodeError>> {
        Box::pin(async { Ok(self.images.lock().unwrap().remove(reference).is_some()) })
    }

    fn prune(&self) -> BoxFuture<'_, Result<Collected, NodeError>> {
        self.prunes.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Collected { layers: 1, bytes: 10 }) })
    }
}

/// The registry at `here.example`.
#[derive(Default)]
struct Here(Mutex<BTreeMap<String, Descriptor>>);

impl LocalRegistry for Here {
    fn resolve<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Local, String>> {
        let found = self.0.lock().unwrap().get(reference.repository()).cloned();
        let reference = reference.clone();
        Box::pin(async move {
            Ok(match (reference.registry() == "here.example", found) {
                (false, _) => Local::Elsewhere,
                (true, None) => Local::Missing,
                (true, Some(root)) => Local::Found { reference, root: Box::new(root) },
            })
        })
    }
}

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(12)
    }
}

struct Bed {
    directory: tempfile::TempDir,
    store: Store,
    blobs: Blobs,
    here: Arc<Here>,
    elsewhere: Arc<Elsewhere>,
    node: Arc<Names>,
    supply: Supply,
}

fn bed_with(node: Option<Names>) -> Bed {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
    let store = Store::in_memory(store::StoreOptions::default());
    let here = Arc::new(Here::default());
    let images = Mutex::new(BTreeMap::from([("far.example/app:latest".to_owned(), sample("one"))]));
    let elsewhere = Arc::new(Elsewhere {
        images,
        gate: Semaphore::new(100),
        fetches: AtomicUsize::new(0),
        before_the_last: Semaphore::new(100),
    });
    let has_node = node.is_some();
    let node = Arc::new(node.unwrap_or_default());
    let parts = Parts {
        store: store.clone(),
        blobs: blobs.clone(),
        local: here.clone(),
        upstream: elsewhere.clone(),
        node: has_node.then(|| node.clone() as Arc<dyn Unpacker>),
        clock: Arc::new(Noon),
        blob_grace: Duration::ZERO,
    };
    let supply = Supply::new(parts, &directory.path().join("downloads")).unwrap();
    Bed { directory, store, blobs, here, elsewhere, node, supply }
}

impl Bed {
    async fn images(&self) -> Vec<Listed> {
        self.supply.images().await.unwrap().images
    }
}

fn bed() -> Bed {
    bed_with(Some(Names::default()))
}

fn order(reference: &str) -> Order {
    Order { reference: reference.parse().unwrap(), platform: None, credentials: None }
}

fn names(images: &[Listed]) -> Vec<String> {
    images.iter().map(|image| image.reference.to_string()).collect()
}

#[tokio::test]
async fn an_image_from_elsewhere_is_downloaded_recorded_and_unpacked() {
    let bed = bed();
    let pulling = bed.supply.pull(order("far.example/app"));
    let pulled = pulling.outcome().await.unwrap();
    assert!(!pulled.is_local && pulled.downloaded_bytes > 3000);
    assert_eq!(pulled.prepared.unwrap().unpacked_bytes, 7);
    assert_eq!(pulling.progress().borrow().phase, Phase::Unpacking);
    let needed = bed.store.referenced_blobs().await.unwrap();
    assert_eq!(needed.len(), 3, "manifest, configuration and layer are all named by its record");
    let images = bed.images().await;
    assert_eq!(names(&images), ["far.example/app:latest"]);
    assert_eq!((images[0].origin, images[0].blob_bytes, images[0].unpacked_bytes), (Origin::Pulled, 3000, Some(7)));
    let again = bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    assert_eq!(again.downloaded_bytes, 0);
}

#[tokio::test]
async fn the_record_of_an_image_names_its_files_whatever_its_registry_knows_them_by() {
    let bed = bed();
    let long = sample_by(Algorithm::Sha512, &["one"]);
    bed.elsewhere.images.lock().unwrap().insert("far.example/long:latest".to_owned(), long.clone());
    bed.supply.pull(order("far.example/long")).outcome().await.unwrap();
    let needed = bed.store.referenced_blobs().await.unwrap();
    for (_, bytes) in &long.blobs {
        assert!(needed.contains(&blobs::Digest::of(bytes)), "it would be collected");
    }
}

/// An image of three layers, of which the last comes when the node was asked for the first.
fn bed_with_layers(node: Names) -> Bed {
    let bed = bed_with(Some(node));
    bed.elsewhere.before_the_last.forget_permits(100);
    let sample = sample_of(&["one", "two", "three"]);
    bed.elsewhere.images.lock().unwrap().insert("far.example/app:latest".to_owned(), sample);
    bed
}

#[tokio::test]
async fn layers_are_unpacked_while_others_are_on_their_way() {
    let bed = bed_with_layers(Names::default());
    let pulling = bed.supply.pull(order("far.example/app"));
    bed.node.asked_ahead.take(2).await;
    assert_eq!(pulling.progress().borrow().phase, Phase::Downloading);
    assert!(bed.node.images.lock().unwrap().is_empty());
    bed.elsewhere.before_the_last.add_permits(1);
    assert!(pulling.outcome().await.unwrap().prepared.is_some());
    let layers: Vec<Digest> = sample_of(&["one", "two"]).blobs[2..].iter().map(|(blob, _)| blob.digest).collect();
    assert_eq!(bed.node.ahead.lock().unwrap()[..2], layers);
    assert_eq!(bed.node.images.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_unpacked_ahead_is_told_when_all_of_it_is_here() {
    let bed = bed_with_layers(Names { refuses: true, ..Names::default() });
    let pulling = bed.supply.pull(order("far.example/app"));
    bed.node.asked_ahead.take(1).await;
    bed.elsewhere.before_the_last.add_permits(1);
    let failed = pulling.outcome().await.unwrap_err();
    assert_eq!(chain(&*failed), "far.example/app:latest is here and was not unpacked: a bomb");
    assert!(bed.node.ahead.lock().unwrap().len() < 3, "after one that fails no more is asked for");
}

#[tokio::test]
async fn a_layer_that_is_slow_keeps_neither_the_others_nor_the_image() {
    let bed = bed_with_layers(Names { is_slow: true, ..Names::default() });
    let pulling = bed.supply.pull(order("far.example/app"));
    bed.node.asked_ahead.take(2).await;
    bed.elsewhere.before_the_last.add_permits(1);
    assert!(pulling.outcome().await.unwrap().prepared.is_some());
    assert_eq!(bed.node.ahead.lock().unwrap().len(), 2, "no more at one time than are allowed");
    assert_eq!(Arc::strong_count(&bed.node), 2, "calls that nobody waits for any more have ended");
}

#[tokio::test]
async fn an_image_of_the_registry_here_moves_no_byte() {
    let bed = bed();
    let sample = sample("local");
    for (_, bytes) in &sample.blobs {
        bed.blobs.put(bytes).unwrap();
    }
    bed.here.0.lock().unwrap().insert("team/web".to_owned(), sample.root.clone());
    let pulled = bed.supply.pull(order("here.example/team/web:v1")).outcome().await.unwrap();
    assert!(pulled.is_local && pulled.prepared.is_some());
    assert_eq!((pulled.downloaded_bytes, bed.elsewhere.fetches.load(Ordering::SeqCst)), (0, 0));
    let missing = bed.supply.pull(order("here.example/other")).outcome().await.unwrap_err();
    assert!(matches!(*missing, SupplyError::Missing { .. }), "{missing}");
    let images = bed.images().await;
    assert_eq!((images.len(), images[0].origin), (1, Origin::Registry));
}

#[tokio::test]
async fn without_a_node_images_are_kept_and_what_is_no_image_is_told() {
    let bed = bed_with(None);
    let pulled = bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    assert_eq!(pulled.prepared, None);
    assert_eq!(bed.images().await[0].unpacked_bytes, None);
    let artifact = described(MANIFEST, b"{}");
    bed.blobs.put(b"{}").unwrap();
    bed.here.0.lock().unwrap().insert("artifact".to_owned(), artifact);
    let refused = bed.supply.pull(order("here.example/artifact")).outcome().await.unwrap_err();
    assert!(matches!(*refused, SupplyError::Image { .. }), "{refused}");
}

#[tokio::test]
async fn while_the_node_does_not_answer_what_was_pulled_is_listed_all_the_same() {
    let bed = bed();
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    assert_eq!(bed.supply.images().await.unwrap().node, NodeState::Answers);
    bed.node.is_away.store(true, Ordering::SeqCst);
    let inventory = bed.supply.images().await.unwrap();
    assert_eq!((inventory.images.len(), inventory.images[0].unpacked_bytes), (1, None));
    assert!(matches!(inventory.node, NodeState::Away { .. }));
}

#[tokio::test]
async fn the_same_pulls_at_one_time_are_one_and_others_credentials_are_another() {
    let bed = bed();
    bed.elsewhere.gate.forget_permits(100);
    let secret = Order { credentials: Some(Credentials::password("u", "p")), ..order("far.example/app") };
    let pulls = [order("far.example/app"), order("far.example/app"), secret].map(|order| bed.supply.pull(order));
    bed.elsewhere.gate.add_permits(3);
    for pulling in &pulls {
        pulling.outcome().await.unwrap();
    }
    assert_eq!(bed.elsewhere.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_any_more_ends() {
    let bed = bed();
    bed.elsewhere.gate.forget_permits(100);
    let pulling = bed.supply.pull(order("far.example/app"));
    let mut progress = pulling.progress();
    drop(pulling);
    while progress.changed().await.is_ok() {}
    assert!(bed.images().await.is_empty());
    bed.elsewhere.gate.add_permits(1);
    assert!(bed.supply.pull(order("far.example/app")).outcome().await.is_ok());
}

#[tokio::test]
async fn a_pull_for_which_there_is_no_room_leaves_none_of_it() {
    let bed = bed();
    let failed = bed.supply.pull(order("far.example/too-large")).outcome().await.unwrap_err();
    assert_eq!(chain(&*failed), "far.example/too-large:latest was not pulled: no space is left for images");
    assert_eq!(std::fs::read_dir(bed.directory.path().join("downloads")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_tag_that_moved_keeps_only_what_it_means_now() {
    let bed = bed();
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    let moved = sample("two");
    let root = moved.root.digest;
    bed.elsewhere.images.lock().unwrap().insert("far.example/app:latest".to_owned(), moved);
    let pulled = bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    assert_eq!(pulled.root, root);
    assert_eq!(bed.images().await.len(), 1);
    assert_eq!(bed.store.referenced_blobs().await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_image_that_cannot_be_unpacked_is_listed_until_it_is_removed() {
    let bed = bed_with(Some(Names { refuses: true, ..Names::default() }));
    let failed = bed.supply.pull(order("far.example/app")).outcome().await.unwrap_err();
    assert_eq!(chain(&*failed), "far.example/app:latest is here and was not unpacked: a bomb");
    let images = bed.images().await;
    assert_eq!((images.len(), images[0].unpacked_bytes), (1, None));
    assert!(bed.supply.remove(&images[0].reference).await.unwrap());
    assert!(!bed.supply.remove(&images[0].reference).await.unwrap());
    assert!(bed.images().await.is_empty());
}

#[tokio::test]
async fn what_is_pruned_is_what_nothing_needs_and_on_demand_what_was_pulled() {
    let bed = bed();
    let local = sample("local");
    for (_, bytes) in &local.blobs {
        bed.blobs.put(bytes).unwrap();
    }
    bed.here.0.lock().unwrap().insert("kept".to_owned(), local.root.clone());
    for reference in ["here.example/kept", "far.example/app"] {
        bed.supply.pull(order(reference)).outcome().await.unwrap();
    }
    let gone: Reference = "here.example/gone".parse().unwrap();
    bed.node.images.lock().unwrap().insert(gone, local.root.digest);
    let pruned = bed.supply.prune(Prune::Unneeded).await.unwrap();
    assert_eq!((pruned.images, pruned.layers, pruned.layer_bytes), (1, 1, 10));
    assert_eq!(pruned.blobs, 3, "the blobs of the local image have no record in this test");
    let images = bed.images().await;
    assert_eq!(names(&images), ["far.example/app:latest", "here.example/kept:latest"]);
    let pruned = bed.supply.prune(Prune::Pulled).await.unwrap();
    assert_eq!((pruned.images, pruned.blobs), (1, 3));
    assert!(pruned.blob_bytes > 3000 && pruned.young_bytes == 0);
    assert_eq!(names(&bed.images().await), ["here.example/kept:latest"]);
}

#[tokio::test]
async fn an_image_of_the_registry_here_is_not_removed_behind_its_back() {
    let bed = bed();
    bed.here.0.lock().unwrap().insert("kept".to_owned(), sample("x").root);
    let refused = bed.supply.remove(&"here.example/kept".parse().unwrap()).await.unwrap_err();
    assert!(matches!(refused, SupplyError::InRegistry { .. }), "{refused}");
}

#[tokio::test]
async fn the_record_of_an_image_is_the_installations() {
    let bed = bed();
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    let records = bed.store.list::<PulledImage>(&Scope::system(), store::ListOptions::default()).await.unwrap();
    let record = &records.items[0].value;
    assert_eq!((record.reference.to_string().as_str(), record.files.len()), ("far.example/app:latest", 3));
    assert_eq!(record.pulled, Timestamp::from_millis(12));
}

impl Bed {
    fn prepares(&self) -> usize {
        self.node.prepares.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_was_pulled_and_is_not_ready_is_unpacked_without_being_asked_for() {
    let bed = bed();
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied::default());
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied::default());
    assert_eq!(bed.prepares(), 1, "it is ready");
    let moved = bed.node.images.lock().unwrap().first_entry().unwrap().insert(sample("old").root.digest);
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied { images: 1, left: 0 });
    assert_eq!(bed.node.images.lock().unwrap().first_key_value().unwrap().1, &moved);
    bed.node.images.lock().unwrap().clear();
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied { images: 1, left: 0 });
    assert_eq!(bed.images().await[0].unpacked_bytes, Some(7));
    bed.node.is_away.store(true, Ordering::SeqCst);
    assert!(matches!(bed.supply.ready_pulled().await, Err(SupplyError::Node(_))));
}

#[tokio::test]
async fn a_round_leaves_out_what_somebody_pulls_and_has_its_bounds() {
    let bed = bed();
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap();
    bed.node.images.lock().unwrap().clear();
    bed.elsewhere.gate.forget_permits(100);
    let pulling = bed.supply.pull(order("far.example/app"));
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied { images: 0, left: 1 });
    bed.elsewhere.gate.add_permits(100);
    pulling.outcome().await.unwrap();
    for number in 0..UNREADY_ROUND_MAX {
        let name = format!("far.example/app{number}:latest");
        bed.elsewhere.images.lock().unwrap().insert(name.clone(), sample("one"));
        bed.supply.pull(order(&name)).outcome().await.unwrap();
    }
    bed.node.images.lock().unwrap().clear();
    let images = UNREADY_ROUND_MAX as u64;
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied { images, left: 1 });
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied { images: 1, left: 0 });
}

#[tokio::test]
async fn what_the_node_refuses_is_told_once_and_tried_again_when_it_is_pulled() {
    let bed = bed_with(Some(Names { refuses: true, ..Names::default() }));
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap_err();
    assert!(matches!(bed.supply.ready_pulled().await, Err(SupplyError::Unpack { .. })));
    assert_eq!(bed.supply.ready_pulled().await.unwrap(), Readied::default());
    assert_eq!(bed.prepares(), 2);
    bed.elsewhere.images.lock().unwrap().insert("far.example/app:latest".to_owned(), sample("two"));
    bed.supply.pull(order("far.example/app")).outcome().await.unwrap_err();
    assert!(bed.supply.ready_pulled().await.is_err(), "it means something else now");
    assert_eq!(bed.prepares(), 4);
}
