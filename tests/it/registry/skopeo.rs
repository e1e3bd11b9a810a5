//! What skopeo pushes it pulls back bit for bit, whatever kind of image it is.

use serde_json::json;
use tests::engine::Skopeo;
use tests::image::{Compression, Entry, Image, Index, Layer, Layout};
use tests::{Aws, Folder, Server, recipe};

use super::Shop;

/// Skopeo, logged in as the root of an account that has these repositories.
fn skopeo(server: &Server, repositories: &[&str]) -> (Shop, Skopeo, Folder) {
    let shop = Shop::open(server, repositories);
    let skopeo = Skopeo::new(server);
    skopeo.log_in(&Aws::new(server, &shop.account.root));
    (shop, skopeo, Folder::new())
}

#[test]
fn busybox_static_python_and_node_come_back_bit_for_bit() {
    let server = Server::shared();
    let names = ["busybox", "static", "python", "node"];
    let (mut shop, skopeo, folder) = skopeo(&server, &names);
    let (back, mut sent) = (Layout::at(folder.file("back")), Vec::new());
    for name in names {
        let image = Layout::at(recipe(name)).read("latest");
        skopeo.push(&Layout::at(recipe(name)).reference("latest"), &format!("{name}:latest"), &[]);
        skopeo.pull(&format!("{name}:latest"), &back.reference(name), &[]);
        assert_eq!(back.read(name).digest(), image.digest(), "{name}");
        assert!(back.read(name) == image, "{name} came back with other bytes");
        let described = shop.api.ecr("DescribeImages", &json!({ "repositoryName": name }));
        assert_eq!(described["imageDetails"][0]["imageDigest"], image.digest());
        assert_eq!(described["imageDetails"][0]["imageTags"], json!(["latest"]));
        let size: usize = image.blobs().map(|blob| blob.content.len()).sum();
        assert_eq!(described["imageDetails"][0]["imageSizeInBytes"], size, "{name}: {described}");
        sent.push(image);
    }
    assert_eq!(sent[2].layers[0].digest(), sent[3].layers[0].digest(), "Python and Node share their first layer");
    let tags = skopeo.ask("list-tags", &[], "python").json();
    assert_eq!(tags["Tags"], json!(["latest"]));
    let inspected = skopeo.ask("inspect", &[], "python:latest").json();
    assert_eq!(inspected["Digest"], sent[2].digest());
}

#[test]
fn an_index_for_several_machines_comes_back_whole() {
    let server = Server::shared();
    let (mut shop, skopeo, folder) = skopeo(&server, &["multi"]);
    let of = |machine: &str| {
        let layer = Layer::new(&[Entry::file("etc/machine", machine)], Compression::Gzip);
        Image::new(&[layer], machine, &json!({ "Cmd": ["/bin/sh"] }))
    };
    let index = Index::new(&[(of("amd64"), "amd64"), (of("arm64"), "arm64"), (of("riscv64"), "riscv64")]);
    let (there, back) = (Layout::at(folder.file("there")), Layout::at(folder.file("back")));
    there.write_index("all", &index);
    skopeo.push(&there.reference("all"), "multi:all", &["--all"]);
    skopeo.pull("multi:all", &back.reference("all"), &["--all"]);
    assert!(back.read_index("all") == index, "it came back with other bytes");
    skopeo.pull("multi:all", &back.reference("one"), &["--override-arch", "arm64"]);
    assert!(back.read("one") == index.images[1], "of an index a client takes what is for its machine");
    let described = shop.api.ecr("DescribeImages", &json!({ "repositoryName": "multi" }));
    assert_eq!(described["imageDetails"].as_array().map(Vec::len), Some(4), "{described}");
}

#[test]
fn layers_in_zstd_and_manifests_of_dockers_schema_come_back_bit_for_bit() {
    let server = Server::shared();
    let (mut shop, skopeo, folder) = skopeo(&server, &["kinds"]);
    let (there, back) = (Layout::at(folder.file("there")), Layout::at(folder.file("back")));
    let text = "the same text again and again ".repeat(2000);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let tag = format!("{compression:?}").to_lowercase();
        let layer = Layer::new(&[Entry::file("etc/text", text.as_str())], compression);
        let image = Image::new(&[layer], "amd64", &json!({}));
        there.write(&tag, &image);
        skopeo.push(&there.reference(&tag), &format!("kinds:{tag}"), &["--preserve-digests"]);
        skopeo.pull(&format!("kinds:{tag}"), &back.reference(&tag), &["--preserve-digests"]);
        assert!(back.read(&tag) == image, "{tag} came back with other bytes");
    }
    // A client that makes zstd of gzip while it pushes.
    let options = ["--dest-compress-format", "zstd", "--dest-compress", "--format", "oci"];
    skopeo.push(&Layout::at(recipe("busybox")).reference("latest"), "kinds:made-zstd", &options);
    skopeo.pull("kinds:made-zstd", &back.reference("made-zstd"), &["--preserve-digests"]);
    let pulled = shop.registry.pull("kinds", "made-zstd");
    assert!(pulled == back.read("made-zstd"));
    // One that writes manifests of Docker's second schema.
    skopeo.push(&Layout::at(recipe("busybox")).reference("latest"), "kinds:v2s2", &["--format", "v2s2"]);
    let pulled = shop.registry.pull("kinds", "v2s2");
    assert_eq!(pulled.manifest.media_type, tests::image::DOCKER_MANIFEST);
    assert_eq!(pulled.layers[0].content, Layout::at(recipe("busybox")).read("latest").layers[0].content);
    skopeo.pull("kinds:v2s2", &format!("dir:{}", folder.file("v2s2").display()), &[]);
}

#[test]
fn one_who_is_not_logged_in_or_may_not_is_told_so() {
    let server = Server::shared();
    let (shop, known, folder) = skopeo(&server, &["shut"]);
    let there = Layout::at(folder.file("there"));
    there.write("a", &Image::small("a"));
    known.push(&there.reference("a"), "shut:a", &[]);
    let stranger = Skopeo::new(&server);
    let said = tests::program::run(&mut stranger.pushing(&there.reference("a"), "shut:b", &[])).failure();
    assert!(said.contains("unauthorized") || said.contains("authentication required"), "{said}");
    let said = stranger.ask("inspect", &[], "shut:a").failure();
    assert!(said.contains("unauthorized") || said.contains("authentication required"), "{said}");
    // A user without a policy has no token, so only a token got while there was a policy is one to try.
    let refused = Aws::new(&server, &shop.account.user).refused(&["ecr", "get-login-password"]);
    assert_eq!(refused.code, "AccessDeniedException", "{refused:?}");
    known.ask("delete", &[], "shut:a").success();
    let said = known.ask("inspect", &[], "shut:a").failure();
    assert!(said.contains("manifest unknown") || said.contains("not found"), "{said}");
}
