//! `pilvi pull`: from the registry here without moving a byte, and from another one, here another Pilvi.

use std::io::Write as _;
use std::process::Stdio;

use tests::image::{Image, Layout};
use tests::registry::{password, token};
use tests::{Api, Options, Registry, Server, recipe};

use super::{has_node, listed, ready, unpacked};
use crate::registry::blobs;

const REGISTRY: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// A repository of the root account with an image in it.
#[track_caller]
fn push(server: &Server, name: &str, image: &Image) {
    let mut api = Api::new(server, &server.root());
    api.ecr("CreateRepository", &serde_json::json!({ "repositoryName": name }));
    Registry::of(server, &server.root()).push(name, "1", image);
}

/// `pilvi pull`, with a password if there is one.
#[track_caller]
fn pull(server: &Server, arguments: &[&str], password: Option<&str>) -> std::process::Output {
    let mut pull = server.command_to_follow(&["pull"]);
    pull.args(arguments).env("HOME", server.folder().file("no-home"));
    let mut pull = pull.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = pull.stdin.take().unwrap();
    input.write_all(password.unwrap_or_default().as_bytes()).unwrap();
    drop(input);
    pull.wait_with_output().unwrap()
}

#[track_caller]
fn pulled(server: &Server, arguments: &[&str], password: Option<&str>) -> String {
    let done = pull(server, arguments, password);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn what_is_in_the_registry_here_is_pulled_without_moving_a_byte() {
    let server = Server::start(Options::default());
    let image = Layout::at(recipe("busybox")).read("latest");
    push(&server, "team/busybox", &image);
    if !has_node(&server) {
        return;
    }
    ready(&server, &format!("{REGISTRY}/team/busybox:1"));
    let before = blobs(&server);
    let host = server.address();
    for name in [format!("{host}/team/busybox:1"), format!("{REGISTRY}/team/busybox:1")] {
        let said = pulled(&server, &[&name], None);
        assert!(said.contains(&image.digest()) && said.contains("in the registry on this machine"), "{said}");
    }
    let by_digest = format!("{host}/team/busybox@{}", image.digest());
    assert!(pulled(&server, &["--quiet", &by_digest], None).contains(&image.digest()));
    assert_eq!(blobs(&server), before, "no blob was written");
    assert_eq!(unpacked(&server), 1);
    let missing = pull(&server, &[&format!("{host}/team/nothing:1")], None);
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no image"), "{missing:?}");
    // The table that a person sees.
    let table = server.command(&["images"]).success();
    assert!(table.starts_with("REFERENCE") && table.contains("team/busybox:1"), "{table}");
}

#[test]
fn what_is_in_another_registry_is_downloaded_once_and_goes_when_it_is_let_go() {
    let (here, there) = (Server::start(Options::default()), Server::start(Options::default()));
    let image = Layout::at(recipe("python")).read("latest");
    push(&there, "python", &image);
    let name = format!("{}/python:1", there.address());
    let refused = pull(&here, &[&name], None);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(blobs(&here).is_empty());

    let secret = password(&token(&there, &there.root()));
    let arguments = ["--username", "AWS", "--password-stdin", name.as_str()];
    let said = pulled(&here, &arguments, Some(&secret));
    assert!(said.contains(&image.digest()), "{said}");
    assert!(!said.contains(&secret) && !here.log().contains(&secret), "a password is shown to nobody");
    let listed_now = listed(&here);
    assert_eq!(listed_now.len(), 1, "{listed_now:?}");
    assert_eq!(listed_now[0]["manifest"], image.digest());
    let size: usize = image.blobs().chain([&image.manifest]).map(|blob| blob.content.len()).sum();
    assert!(listed_now[0]["blobBytes"].as_u64().unwrap() <= size as u64, "{listed_now:?}");
    let stored = blobs(&here);
    assert_eq!(stored.len(), image.layers.len() + 2, "{stored:?}");
    pulled(&here, &arguments, Some(&secret));
    assert_eq!(blobs(&here), stored);
    if has_node(&here) {
        ready(&here, listed_now[0]["reference"].as_str().unwrap());
        assert_eq!(unpacked(&here), 2);
    }

    // With the other registry gone the image is here still.
    drop(there);
    let reference = listed_now[0]["reference"].as_str().unwrap();
    here.command(&["image", "prune"]).success();
    assert_eq!(listed(&here).len(), 1, "`prune` leaves what was pulled");
    here.command(&["image", "rm", reference]).success();
    assert!(listed(&here).is_empty());
    here.command(&["image", "prune", "--all"]).success();
    assert_eq!(unpacked(&here), 0);
    assert!(!here.command(&["image", "rm", reference]).status.success(), "it is not there any more");
}
