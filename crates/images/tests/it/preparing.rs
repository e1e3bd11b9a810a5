//! From a digest to an image in the store.

use std::io::{self, Read};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use images::{
    Algorithm, BlobSource, Descriptor, Digest, DocumentError, Error, Image, Layer, Options, Platform, Progress,
    Reference, Store,
};

use crate::archive::{Archive, directory, file};
use crate::bed::{Bed, Memory, gzip, image, zstd};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn put(source: &Memory, media_type: &str, text: &str) -> Descriptor {
    let size = text.len() as u64;
    let digest = source.put(text.as_bytes().to_vec());
    Descriptor { media_type: media_type.to_owned(), digest, size, platform: None }
}

fn json(descriptor: &Descriptor) -> String {
    let Descriptor { media_type, digest, size, .. } = descriptor;
    format!(r#""mediaType":"{media_type}","digest":"{digest}","size":{size}"#)
}

/// An image of some layers, for an architecture.
fn put_image(source: &Memory, architecture: &str, layers: &[Layer]) -> Descriptor {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", layer.diff_id)).collect();
    let config = format!(
        r#"{{"os":"linux","architecture":"{architecture}","config":{{"Cmd":["/run"]}},
            "rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let config = put(source, CONFIG, &config);
    let layers: Vec<String> = layers.iter().map(|layer| format!("{{{}}}", json(&layer.blob))).collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{{}}},"layers":[{}]}}"#,
        json(&config),
        layers.join(",")
    );
    put(source, MANIFEST, &manifest)
}

fn put_index(source: &Memory, members: &[(&Descriptor, &str)]) -> Descriptor {
    let members: Vec<String> = members.iter().map(|(it, platform)| format!("{{{}{platform}}}", json(it))).collect();
    put(source, INDEX, &format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, members.join(",")))
}

fn on(architecture: &str) -> String {
    format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}"#)
}

#[test]
fn an_index_leads_to_the_image_for_the_machine_and_that_into_the_store() {
    let bed = Bed::new();
    let layers = [
        bed.layer(&Archive::of([directory("bin"), file("bin/run", "one")]).end()),
        bed.layer(&Archive::of([file("bin/run", "two")]).end()),
    ];
    let ours = put_image(&bed.source, "arm64", &layers);
    let other = put_image(&bed.source, "amd64", &layers[..1]);
    let attestation = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
    let root = put_index(&bed.source, &[(&other, &on("amd64")), (&ours, &on("arm64")), (&other, attestation)]);
    let image = Image::resolve(&bed.source, &root, &Platform::linux("arm64", Some("v8"))).unwrap();
    assert_eq!((image.manifest, image.layers.len()), (ours.digest, 2));
    assert_eq!(image.run.cmd, ["/run"]);
    let prepared = bed.store.prepare(&image, &bed.source, &()).unwrap();
    let paths = prepared.paths();
    assert_eq!(std::fs::read_to_string(paths[0].join("bin/run")).unwrap(), "two", "the topmost comes first");
    assert_eq!(std::fs::read_to_string(paths[1].join("bin/run")).unwrap(), "one");
    let error = Image::resolve(&bed.source, &root, &Platform::linux("riscv64", None)).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("linux/riscv64") && told.contains("linux/amd64, linux/arm64"), "{told}");
}

#[test]
fn an_image_without_layers_is_an_empty_directory() {
    let bed = Bed::new();
    let root = put_image(&bed.source, "amd64", &[]);
    let image = Image::resolve(&bed.source, &root, &Platform::linux("amd64", None)).unwrap();
    let prepared = bed.store.prepare(&image, &bed.source, &()).unwrap();
    assert!(prepared.paths().is_empty());
    assert!(prepared.lower().unwrap().layers.is_empty());
}

#[test]
fn documents_that_are_missing_damaged_or_endless_are_refused() {
    let bed = Bed::new();
    let machine = Platform::linux("amd64", None);
    let good = put_image(&bed.source, "amd64", &[]);
    let resolve = |root: &Descriptor| Image::resolve(&bed.source, root, &machine).unwrap_err();
    let document = |root: &Descriptor| match resolve(root) {
        Error::Document { source, .. } => *source,
        other => panic!("{other:?}"),
    };
    let missing = Descriptor { digest: Digest::of(Algorithm::Sha256, b"missing"), ..good.clone() };
    assert!(matches!(resolve(&missing), Error::NotFound { .. }));
    let shorter = Descriptor { size: good.size - 1, ..good.clone() };
    assert!(matches!(resolve(&shorter), Error::Mismatch { .. }));
    let longer = Descriptor { size: good.size + 1, ..good.clone() };
    assert!(matches!(resolve(&longer), Error::Mismatch { .. }));
    let huge = Descriptor { size: u64::MAX, ..good.clone() };
    assert!(matches!(document(&huge), DocumentError::TooLarge { .. }));
    let as_index = Descriptor { media_type: INDEX.to_owned(), ..good.clone() };
    assert!(matches!(document(&as_index), DocumentError::Ambiguous));
    let foreign = put_image(&bed.source, "s390x", &[]);
    assert!(matches!(resolve(&foreign), Error::NoPlatform { .. }));
    let mut nested = good.clone();
    for _ in 0..4 {
        nested = put_index(&bed.source, &[(&nested, "")]);
    }
    let members = [(&nested, "")];
    let root = put_index(&bed.source, &members);
    assert!(matches!(document(&root), DocumentError::IndexesTooDeep { .. }));
    bed.source.replace(good.digest, b"{}".to_vec());
    assert!(matches!(resolve(&good), Error::Mismatch { .. }));
}

#[test]
fn sha512_names_documents_blobs_and_layers_as_well() {
    let bed = Bed::new();
    let archive = Archive::of([file("a", "x")]).end();
    let blob = zstd(&archive);
    let digest = Digest::of(Algorithm::Sha512, &blob);
    let mut layer = bed.layer(&archive);
    layer.blob = Descriptor { digest, size: blob.len() as u64, ..layer.blob };
    layer.diff_id = Digest::of(Algorithm::Sha512, &archive).into();
    bed.source.replace(digest, blob);
    let prepared = bed.prepare(vec![layer.clone()]).unwrap();
    assert!(prepared.paths()[0].join("a").exists());
    assert!(prepared.paths()[0].to_str().unwrap().contains("/layers/sha512/"));
    drop(prepared);
    let bed = bed.reopened(Options::default());
    assert!(bed.store.hold(&[layer.diff_id]).is_ok());
}

#[test]
fn a_layer_that_images_share_is_unpacked_once_even_at_the_same_time() {
    /// Counts how often a blob is opened.
    struct Counting<'a>(&'a Memory, AtomicUsize);
    impl BlobSource for Counting<'_> {
        fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.open(blob)
        }
    }
    let bed = Bed::new();
    let layers: Vec<Layer> = (0..10)
        .map(|n| bed.layer(&Archive::of((0..50).map(|m| file(format!("{n}/{m}"), "x".repeat(1000)))).end()))
        .collect();
    let source = Counting(&bed.source, AtomicUsize::new(0));
    let start = Barrier::new(6);
    std::thread::scope(|scope| {
        for shift in 0..6 {
            let (mut layers, source, bed, start) = (layers.clone(), &source, &bed, &start);
            layers.rotate_left(shift);
            scope.spawn(move || {
                start.wait();
                let prepared = bed.store.prepare(&image(layers), source, &()).unwrap();
                assert_eq!(prepared.layers().len(), 10);
            });
        }
    });
    assert_eq!(source.1.load(Ordering::Relaxed), 10);
    assert_eq!(bed.store.usage().layers, 10);
    bed.check_untouched();
}

#[test]
fn another_blob_of_a_layer_that_is_there_is_verified_once_and_writes_nothing() {
    struct Counting<'a>(&'a Memory, AtomicUsize);
    impl BlobSource for Counting<'_> {
        fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.open(blob)
        }
    }
    let bed = Bed::new();
    let archive = Archive::of([file("a", "x")]).end();
    let (first, second) = (bed.layer(&archive), bed.layer_of(&archive, zstd(&archive)));
    bed.prepare(vec![first.clone()]).unwrap();
    bed.store.settle().unwrap();
    let opened = |bed: &Bed, layer: &Layer| {
        let source = Counting(&bed.source, AtomicUsize::new(0));
        bed.store.prepare(&image(vec![layer.clone()]), &source, &()).unwrap();
        source.1.into_inner()
    };
    assert_eq!((opened(&bed, &first), opened(&bed, &second), opened(&bed, &second)), (0, 1, 0));
    let bed = bed.reopened(Options { boot_id: Some("another".to_owned()), ..Options::default() });
    assert_eq!((opened(&bed, &first), opened(&bed, &second)), (0, 0), "it is remembered");
    bed.check_untouched();
}

#[test]
fn a_hundred_layers_and_the_same_one_twice_are_prepared() {
    let bed = Bed::new();
    let mut layers: Vec<Layer> =
        (0..100).map(|n| bed.layer(&Archive::of([file(format!("f{n}"), n.to_string())]).end())).collect();
    layers.push(layers[3].clone());
    let prepared = bed.prepare(layers).unwrap();
    assert_eq!(prepared.layers().len(), 100);
    assert!(prepared.paths()[0].join("f3").exists(), "the upper one of the two");
}

#[test]
fn of_several_failures_the_first_is_told_and_nothing_is_left() {
    let bed = Bed::new();
    let mut layers: Vec<Layer> = (0..8).map(|n| bed.layer(&Archive::of([file(format!("f{n}"), "x")]).end())).collect();
    layers.push(bed.layer(&Archive::of([file("../escape", "x")]).end()));
    let mut missing = layers[0].clone();
    missing.blob.digest = Digest::of(Algorithm::Sha256, b"nowhere");
    missing.diff_id = missing.blob.digest.into();
    assert!(matches!(bed.prepare(vec![missing]), Err(Error::NotFound { .. })));
    assert!(matches!(bed.prepare(layers), Err(Error::Layer { .. })));
    bed.check_untouched();
    bed.store.collect().unwrap();
    assert_eq!(bed.store.usage().layers, 0, "a failed preparation holds nothing");
}

#[test]
fn a_source_that_fails_is_told_from_a_bad_layer() {
    struct Failing(Vec<u8>);
    impl BlobSource for Failing {
        fn open(&self, _: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
            let begun = io::Cursor::new(self.0.clone());
            Ok(Some(Box::new(begun.chain(Broken))))
        }
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let bed = Bed::new();
    let archive = Archive::of([file("a", "x".repeat(10_000))]).end();
    let blob = gzip(&archive);
    let layer = bed.layer(&archive);
    for length in [0, 1, 5, blob.len() / 2, blob.len()] {
        let source = Failing(blob[..length].to_vec());
        let error = bed.store.prepare(&image(vec![layer.clone()]), &source, &()).unwrap_err();
        assert!(
            matches!(&error, Error::Read { source, .. } if source.kind() == io::ErrorKind::ConnectionReset),
            "{error:?}"
        );
    }
    bed.check_untouched();
}

#[test]
fn a_blob_that_comes_byte_by_byte_is_read_like_any_other() {
    struct Slowly(Vec<u8>);
    impl BlobSource for Slowly {
        fn open(&self, _: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
            Ok(Some(Box::new(ByteByByte(io::Cursor::new(self.0.clone()), 0))))
        }
    }
    struct ByteByByte(io::Cursor<Vec<u8>>, u32);
    impl Read for ByteByByte {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(&mut buffer[..1])
        }
    }
    let archive = Archive::of([file("a", "x".repeat(10_000))]).end();
    for blob in [archive.clone(), gzip(&archive), zstd(&archive)] {
        let bed = Bed::new();
        let layer = bed.layer_of(&archive, blob.clone());
        bed.store.prepare(&image(vec![layer]), &Slowly(blob), &()).unwrap();
    }
}

#[test]
fn progress_is_told_and_can_stop() {
    #[derive(Default)]
    struct Watching {
        bytes: AtomicU64,
        finished: AtomicU64,
        stop: AtomicBool,
    }
    impl Progress for Watching {
        fn advanced(&self, _: &Layer, read_bytes: u64) {
            self.bytes.fetch_max(read_bytes, Ordering::Relaxed);
        }
        fn finished(&self, _: &Layer) {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
        fn stopped(&self) -> bool {
            self.stop.load(Ordering::Relaxed)
        }
    }
    let bed = Bed::new();
    let layer = bed.layer(&Archive::of([file("a", "x".repeat(10_000))]).end());
    let watching = Watching { stop: AtomicBool::new(true), ..Watching::default() };
    let stopped = bed.store.prepare(&image(vec![layer.clone()]), &bed.source, &watching);
    assert!(matches!(stopped, Err(Error::Stopped)));
    bed.check_untouched();
    watching.stop.store(false, Ordering::Relaxed);
    bed.store.prepare(&image(vec![layer.clone()]), &bed.source, &watching).unwrap();
    assert_eq!(watching.bytes.load(Ordering::Relaxed), layer.blob.size);
    assert_eq!(watching.finished.load(Ordering::Relaxed), 1);
}

#[test]
fn blobs_of_this_machine_are_a_source() {
    let bed = Bed::new();
    let blobs = blobs::Blobs::open_root(&bed.directory.path().join("store/../blobs")).unwrap();
    let archive = Archive::of([file("a", "x")]).end();
    let blob = blobs.put(&gzip(&archive)).unwrap();
    let mut layer = bed.layer(&archive);
    layer.blob.digest = blob.into();
    let prepared = bed.store.prepare(&image(vec![layer.clone()]), &blobs, &()).unwrap();
    assert!(prepared.paths()[0].join("a").exists());
    layer.blob.digest = Digest::of(Algorithm::Sha512, b"no such blobs");
    layer.diff_id = layer.blob.digest.into();
    assert!(matches!(bed.store.prepare(&image(vec![layer]), &blobs, &()), Err(Error::NotFound { .. })));
}

#[test]
fn a_store_belongs_to_one_process_and_one_user() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new();
    let path = bed.directory.path().join("store");
    assert!(matches!(Store::open(&path, Options::default()), Err(Error::InUse)));
    let shared = bed.directory.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Store::open(&shared, Options::default()), Err(Error::Insecure)));
}

#[test]
fn records_name_images_and_survive_the_process() {
    let bed = Bed::new();
    let prepared = bed.prepare(vec![bed.layer(&Archive::of([file("a", "x")]).end())]).unwrap();
    let (one, two): (Reference, Reference) = ("app:1".parse().unwrap(), "127.0.0.1:4566/app:2".parse().unwrap());
    let image = image(vec![bed.layer(&Archive::of([file("a", "x")]).end())]);
    let record = bed.store.record(&one, &image, &prepared).unwrap();
    bed.store.record(&two, &image, &prepared).unwrap();
    assert_eq!((record.reference.clone(), record.layers.clone()), (one.clone(), prepared.layers().to_vec()));
    drop(prepared);
    assert!(bed.store.forget(&two).unwrap());
    assert!(!bed.store.forget(&two).unwrap());
    // A record that a loss of power has torn, and one that says to be another's.
    let images = bed.directory.path().join("store/images");
    std::fs::write(images.join("torn.json"), "{\"version\":1,").unwrap();
    let own = std::fs::read_dir(&images).unwrap().map(|it| it.unwrap().path()).find(|it| !it.ends_with("torn.json"));
    std::fs::copy(own.unwrap(), images.join("copy.json")).unwrap();
    let bed = bed.reopened(Options::default());
    assert_eq!(bed.store.images(), std::slice::from_ref(&record));
    assert_eq!(bed.store.image(&one), Some(record.clone()));
    assert_eq!(bed.store.image(&two), None);
    assert_eq!(crate::bed::names(&images).len(), 1);
    assert!(bed.store.hold(&record.layers).is_ok());
}

#[test]
fn layers_survive_a_restart_and_after_a_loss_of_power_those_that_were_settled() {
    let boot = |id: &str| Options { boot_id: Some(id.to_owned()), ..Options::default() };
    let bed = Bed::with(boot("first"));
    let layers: Vec<Layer> = (0..2).map(|n| bed.layer(&Archive::of([file(format!("f{n}"), "x")]).end())).collect();
    bed.prepare(vec![layers[0].clone()]).unwrap();
    bed.store.settle().unwrap();
    bed.prepare(vec![layers[1].clone()]).unwrap();
    let bed = bed.reopened(boot("first"));
    assert!(bed.store.hold(&[layers[0].diff_id, layers[1].diff_id]).is_ok());
    let bed = bed.reopened(boot("second"));
    assert!(bed.store.hold(&[layers[0].diff_id]).is_ok());
    assert!(matches!(bed.store.hold(&[layers[1].diff_id]), Err(Error::LayerMissing { .. })));
    assert_eq!(bed.store.usage().layers, 1);
    bed.store.sweep().unwrap();
    bed.check_untouched();
    bed.prepare(vec![layers[1].clone()]).unwrap();
    bed.store.settle().unwrap();
    let bed = bed.reopened(boot("third"));
    assert_eq!(bed.store.usage().layers, 2);
}

#[test]
fn layers_of_another_policy_and_what_is_no_layer_are_not_used() {
    let bed = Bed::new();
    let layer = bed.layer(&Archive::of([file("a", "x")]).end());
    bed.prepare(vec![layer.clone()]).unwrap();
    let policy = images::Policy { devices: images::DevicePolicy::Refuse, ..bed.store.policy() };
    let layers = bed.directory.path().join("store/layers/sha256");
    std::fs::create_dir_all(layers.join("not-a-digest/x")).unwrap();
    std::fs::create_dir(layers.join("0".repeat(64))).unwrap();
    let bed = bed.reopened(Options { policy: Some(policy), ..Options::default() });
    assert_eq!(bed.store.usage().layers, 0);
    bed.store.sweep().unwrap();
    bed.check_untouched();
    assert_eq!(crate::bed::names(&layers), [""; 0]);
    bed.prepare(vec![layer]).unwrap();
}
