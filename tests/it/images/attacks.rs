//! Layers that try to leave their image. The registry keeps what it is given, byte for byte; the node unpacks none of it.

use serde_json::json;
use tests::image::{Compression, Entry, Image, Layer};
use tests::{Api, Options, Registry, Server};

use super::{has_node, listed, unpacked};

/// What no layer may make, whichever way it tries.
const TARGET: &str = "escaped-from-an-image";

#[test]
fn layers_that_lead_out_of_their_image_are_refused_by_name_and_nothing_is_left_of_them() {
    let server = Server::start(Options::default());
    if !has_node(&server) {
        return;
    }
    let outside = server.folder().file(TARGET);
    let path = outside.to_str().unwrap();
    let up = format!("{}{}", "../".repeat(12), path.trim_start_matches('/'));
    let file = |name: &str| Entry::file(name, "out");
    let tricks: Vec<(&str, Vec<Entry>)> = vec![
        ("dots", vec![file(&up)]),
        ("dots-inside", vec![Entry::directory("a"), file(&format!("a/{up}"))]),
        (
            "through-a-link",
            vec![Entry::link("out", server.folder().path().to_str().unwrap()), file(&format!("out/{TARGET}"))],
        ),
        ("hard-link-out", vec![Entry::hard_link("passwd", &format!("{}etc/passwd", "../".repeat(12)))]),
        ("hard-link-absolute", vec![Entry::hard_link("passwd", "/etc/shadow")]),
        ("whiteout-of-dots", vec![file("a/.wh...")]),
    ];
    Api::new(&server, &server.root()).ecr("CreateRepository", &json!({ "repositoryName": "hostile" }));
    let mut registry = Registry::of(&server, &server.root());
    for (name, entries) in &tricks {
        let image = Image::new(&[Layer::new(entries, Compression::Gzip)], "amd64", &json!({}));
        registry.push("hostile", name, &image);
        assert!(registry.pull("hostile", name) == image, "{name}");
        let reference = format!("{}/hostile:{name}", server.address());
        let pulled = server.command(&["pull", &reference]);
        // Where a name is harmless once it is taken to be inside, inside is where it goes.
        if !pulled.status.success() {
            assert!(!pulled.stderr.trim().is_empty(), "{name}: no reason is given");
        }
        assert!(!outside.exists(), "{name} has left its image");
    }
    // What a layer says of itself must be true, too.
    let honest = Layer::new(&[file("honest")], Compression::Gzip);
    let liar = Layer::new(&[file("other")], Compression::Gzip);
    let mut image = Image::new(&[honest], "amd64", &json!({}));
    image.layers = vec![liar.blob];
    let image = Image::of_parts(tests::image::MANIFEST, image.config, image.layers);
    registry.push("hostile", "liar", &image);
    let said = server.command(&["pull", &format!("{}/hostile:liar", server.address())]).failure();
    assert!(said.contains("sha256:"), "{said}");

    // And everything goes on.
    let good = Image::small("good");
    registry.push("hostile", "good", &good);
    server.command(&["pull", &format!("{}/hostile:good", server.address())]).success();
    assert!(listed(&server).iter().any(|image| image["manifest"] == good.digest()));
    assert!(unpacked(&server) >= 1);
    let shadow = std::fs::metadata("/etc/shadow").unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&shadow), 1, "nobody has another name of it");
}
