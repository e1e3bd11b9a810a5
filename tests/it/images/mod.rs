//! Images as ready root file systems: by itself after a push, by `pilvi pull`, and gone again when nobody needs them.
//!
//! Unpacking is the work of the node, which needs root: without it each of these tests only sees that this is said.

mod attacks;
mod pulling;
mod ready;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::{Server, program};

/// What `pilvi images` tells.
#[track_caller]
fn listed(server: &Server) -> Vec<Value> {
    let told = server.command(&["images", "--json"]).json();
    told["images"].as_array().cloned().unwrap_or_default()
}

/// Whether the server has a node that unpacks images; there is one wherever root runs the tests.
#[track_caller]
fn has_node(server: &Server) -> bool {
    let told = server.command(&["images", "--json"]).json();
    let has = told["hasNode"].as_bool().unwrap();
    assert_eq!(has, tests::is_root(), "{told}");
    has
}

/// The image of this name, as soon as it is unpacked.
#[track_caller]
fn ready(server: &Server, reference: &str) -> Value {
    let found = program::until(program::LIMIT, || {
        listed(server).into_iter().find(|image| image["reference"] == reference && !image["unpackedBytes"].is_null())
    });
    found.unwrap_or_else(|| panic!("{reference} is not made ready: {:?}", listed(server)))
}

/// The folders of an image's layers, the lowest first.
#[track_caller]
fn layers(server: &Server, reference: &str) -> Vec<PathBuf> {
    let store = server.node_dir().join("images");
    let records = std::fs::read_dir(store.join("images")).unwrap();
    let mut records = records.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let record = records.find_map(|text| {
        let record: Value = serde_json::from_slice(&text).unwrap();
        (record["reference"] == reference).then_some(record)
    });
    let record = record.unwrap_or_else(|| panic!("the node has no record of {reference}"));
    let folder = |digest: &Value| store.join("layers").join(digest.as_str().unwrap().replace(':', "/")).join("root");
    record["layers"].as_array().unwrap().iter().map(folder).collect()
}

/// The layers that the node has unpacked.
fn unpacked(server: &Server) -> usize {
    std::fs::read_dir(server.node_dir().join("images/layers/sha256")).map_or(0, Iterator::count)
}

/// Runs a program in an image's root, with the layers below and everything that it writes above; what it printed.
#[track_caller]
fn run_in(server: &Server, reference: &str, command: &[&str]) -> String {
    // In a mount namespace of its own: nothing is left mounted, however it ends.
    const SCRIPT: &str = r#"mkdir -p "$2" && cd "$2" && mkdir -p upper work root &&
        mount -t overlay overlay -o "lowerdir=$1,upperdir=upper,workdir=work" root && shift 2 && exec chroot root "$@""#;
    let mut layers: Vec<String> = layers(server, reference).iter().map(|path| path.display().to_string()).collect();
    layers.reverse();
    let place = server.folder().file(&format!("root-{}", reference.replace(['/', ':'], "-")));
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", SCRIPT, "sh", &layers.join(":")]).arg(&place).args(command);
    unshare.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    program::run(&mut unshare).success()
}
