//! What is pushed is ready to run a moment later, and goes when its tag goes.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tests::image::{Compression, Entry, Image, Layer, Layout};
use tests::{Options, Server, program, recipe};

use super::{has_node, listed, ready, run_in, unpacked};
use crate::registry::Shop;

/// How often the node is killed while it unpacks.
const KILLS: usize = 6;

#[test]
fn pushed_images_become_roots_in_which_their_programs_run() {
    let server = Server::start(Options::default());
    let names = ["busybox", "static", "python", "node"];
    let mut shop = Shop::open(&server, &names);
    for name in names {
        shop.registry.push(name, "1", &Layout::at(recipe(name)).read("latest"));
    }
    if !has_node(&server) {
        assert!(server.log().contains("root"), "it is said why nothing is unpacked:\n{}", server.log());
        return;
    }
    let registry = format!("{}.dkr.ecr.us-east-1.amazonaws.com", shop.account.id);
    for name in names {
        let image = ready(&server, &format!("{registry}/{name}:1"));
        assert_eq!(image["origin"], "registry", "{image}");
        assert_eq!(image["manifest"], Layout::at(recipe(name)).read("latest").digest());
    }
    assert_eq!(unpacked(&server), 5, "Python and Node share their first layer");
    let run = |name: &str, command: &[&str]| run_in(&server, &format!("{registry}/{name}:1"), command);
    assert_eq!(run("busybox", &["/bin/sh", "-c", "echo $((6 * 7))"]), "42\n");
    assert!(run("static", &["/bin/busybox", "cat", "/srv/index.html"]).contains("static"));
    let script = "import ssl, sqlite3, json; print(json.dumps(sum(range(10))))";
    assert_eq!(run("python", &["/usr/bin/python3", "-c", script]), "45\n");
    assert_eq!(run("node", &["/usr/bin/node", "-e", "console.log([1, 2].map(n => n * 2))"]), "[ 2, 4 ]\n");

    // Without its tag an image is not kept ready; what others need stays.
    shop.registry.delete("/v2/python/manifests/1").with_status(202);
    let forgotten = program::until(program::LIMIT, || (listed(&server).len() == 3).then_some(()));
    assert!(forgotten.is_some(), "{:?}", listed(&server));
    server.command(&["image", "prune"]).success();
    assert_eq!(unpacked(&server), 4);
    assert_eq!(run("node", &["/usr/bin/node", "-e", "console.log(1)"]).trim(), "1");
    for name in names {
        shop.api.ecr("DeleteRepository", &json!({ "repositoryName": name, "force": true }));
    }
    let forgotten = program::until(program::LIMIT, || listed(&server).is_empty().then_some(()));
    assert!(forgotten.is_some(), "{:?}", listed(&server));
    server.command(&["image", "prune"]).success();
    assert_eq!(unpacked(&server), 0, "nothing stays of images that are gone");
}

#[test]
fn a_tag_that_moves_moves_what_is_ready() {
    let server = Server::start(Options::default());
    let mut shop = Shop::open(&server, &["moving"]);
    let reference = format!("{}.dkr.ecr.us-east-1.amazonaws.com/moving:latest", shop.account.id);
    if !has_node(&server) {
        return;
    }
    for text in ["first", "second", "third"] {
        let image = Image::small(text);
        shop.registry.push("moving", "latest", &image);
        let moved = program::until(program::LIMIT, || {
            listed(&server)
                .iter()
                .any(|known| known["reference"] == reference && known["manifest"] == image.digest())
                .then_some(())
        });
        assert!(moved.is_some(), "{text}: {:?}", listed(&server));
        let there = ready(&server, &reference);
        assert_eq!(there["manifest"], image.digest());
    }
    server.command(&["image", "prune"]).success();
    assert_eq!(unpacked(&server), 1, "what the tag named before is not needed any more");
}

#[test]
fn a_node_that_is_killed_while_it_unpacks_goes_on_and_leaves_nothing_half_done() {
    let server = Server::start(Options::default());
    let mut shop = Shop::open(&server, &["large"]);
    if !has_node(&server) {
        return;
    }
    let layers: Vec<Layer> = (0..6)
        .map(|number| {
            let files = (0..400).map(|file| {
                let content = format!("{number} {file} ").repeat(500);
                Entry::file(&format!("layer-{number}/file-{file}"), content)
            });
            let folder = [Entry::directory(&format!("layer-{number}"))];
            Layer::new(&folder.into_iter().chain(files).collect::<Vec<_>>(), Compression::Gzip)
        })
        .collect();
    shop.registry.push("large", "1", &Image::new(&layers, "amd64", &json!({})));
    let node = || {
        let status = server.command(&["status", "--format", "json"]).json();
        status["node"]["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().ok()?))
    };
    let mut before = None;
    for _ in 0..KILLS {
        let other = program::until(program::LIMIT, || node().filter(|pid| Some(*pid) != before));
        let pid = other.expect("`pilvi up` starts the node again");
        // It may have ended by itself in between, for the same reason.
        let _ = kill_process(pid, Signal::KILL);
        before = Some(pid);
    }
    let reference = format!("{}.dkr.ecr.us-east-1.amazonaws.com/large:1", shop.account.id);
    ready(&server, &reference);
    for (number, root) in super::layers(&server, &reference).iter().enumerate() {
        for file in 0..400 {
            let content = std::fs::read_to_string(root.join(format!("layer-{number}/file-{file}"))).unwrap();
            assert_eq!(content, format!("{number} {file} ").repeat(500));
        }
    }
    let staging = server.node_dir().join("images/staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0, "what was half unpacked is gone");
    assert_eq!(unpacked(&server), 6);
}
