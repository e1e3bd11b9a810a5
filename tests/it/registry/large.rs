//! Images of many layers, and layers that are larger than the memory that the server may have.

use serde_json::json;
use tests::engine::Skopeo;
use tests::image::{Compression, Entry, Image, Layer, Layout, MANIFEST};
use tests::registry::Long;
use tests::{Aws, Folder, Options, Registry, Server};

use super::Shop;

/// The most memory that the server may ever have had, in bytes.
const MEMORY_MAX: u64 = 60_000_000;

#[test]
fn an_image_of_a_hundred_layers_comes_back_bit_for_bit() {
    let server = Server::shared();
    let shop = Shop::open(&server, &["tall"]);
    let layers: Vec<Layer> = (0..100)
        .map(|number| {
            let content = format!("layer {number}\n").repeat(64 + number);
            Layer::new(&[Entry::file(&format!("layers/{number}"), content)], Compression::Gzip)
        })
        .collect();
    let (image, folder) = (Image::new(&layers, "amd64", &json!({})), Folder::new());
    let (there, back) = (Layout::at(folder.file("there")), Layout::at(folder.file("back")));
    there.write("1", &image);
    let skopeo = Skopeo::new(&server);
    skopeo.log_in(&Aws::new(&server, &shop.account.root));
    skopeo.push(&there.reference("1"), "tall:1", &[]);
    skopeo.pull("tall:1", &back.reference("1"), &[]);
    assert!(back.read("1") == image);
    // The same again moves nothing: every layer is there.
    skopeo.push(&there.reference("1"), "tall:2", &[]);
}

#[test]
fn a_layer_of_a_gibibyte_goes_in_and_out_in_little_memory() {
    let server = Server::start(Options::default());
    let mut shop = Shop::open(&server, &["heavy"]);
    let layer = Long::new(1024).archived("gibibyte");
    let digest = layer.digest();
    let registry = &mut shop.registry;
    let location = registry.begin("heavy");
    // In two requests, as some clients do: everything streamed, then the end.
    let answer = registry.send_long("PATCH", &location, &layer).unwrap().with_status(202);
    assert_eq!(answer.header("range"), Some(format!("0-{}", layer.size() - 1).as_str()));
    registry.end(&answer.location(), &digest, b"").with_status(201);

    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [digest] },
    });
    let config = tests::image::Blob::json(tests::image::CONFIG, &config);
    registry.upload("heavy", &config.content);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(),
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.size(),
        }],
    });
    registry.put_manifest("heavy", "1", &tests::image::Blob::json(MANIFEST, &manifest)).with_status(201);

    let received = registry.receive_long(&format!("/v2/heavy/blobs/{digest}")).unwrap();
    assert_eq!((received.head.status, received.bytes), (200, layer.size()));
    assert_eq!(received.digest, digest);
    let peak = server.memory_peak();
    assert!(peak <= MEMORY_MAX, "the server has had {peak} bytes of memory");
}

#[test]
fn each_of_many_who_push_and_pull_at_once_takes_little_more() {
    const CLIENTS: u8 = 48;
    /// What may be on its way from one client to the disk, with all that goes with it.
    const CLIENT_MEMORY_MAX: u64 = 1 << 20;
    let server = Server::start(Options::default());
    let shop = Shop::open(&server, &["crowd"]);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let mut registry = Registry::anonymous(&server).authorized(shop.registry.authorization());
            scope.spawn(move || {
                let content = vec![client; 4 << 20];
                let digest = registry.upload("crowd", &content);
                assert!(registry.blob("crowd", &digest) == content);
            });
        }
    });
    let (peak, allowed) = (server.memory_peak(), MEMORY_MAX + u64::from(CLIENTS) * CLIENT_MEMORY_MAX);
    assert!(peak <= allowed, "the server has had {peak} bytes of memory");
}
