//! kill -9 while images are prepared, recorded and collected. A child of the test does so until it is killed at a random
//! moment; whoever opens the store afterwards must find layers that are whole and records that were acknowledged, and after
//! sweeping nothing else.
//!
//! `PILVI_CRASH_KILLS` sets the number of kills: 50 unless it says otherwise.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base::{Rng, SystemRng};
use images::{DiffId, Layer, Options, Reference, Store};

use crate::archive::{Archive, directory, file, hard_link, symlink};
use crate::bed::{Memory, image};
use crate::snapshot::{self, Tree};

const KILLS: u32 = 50;
const LAYERS: usize = 6;
/// Tells the child what it is: the directory of its store.
const CHILD: &str = "PILVI_IMAGES_CRASH_CHILD";

/// The same layers in the child and in its parent.
fn layers(source: &Memory) -> Vec<Layer> {
    (0..LAYERS).map(|number| layer(source, number)).collect()
}

fn layer(source: &Memory, number: usize) -> Layer {
    let files = (0..120).map(|n| file(format!("{number}/{}/{n}", n % 7), n.to_string().repeat(n * 20)));
    let others = [directory("d"), symlink("s", "d"), file("s/x", "y"), hard_link("h", "d/x"), file(".wh.gone", "")];
    let archive = Archive::of(files.chain(others).chain([file("number", number.to_string())])).end();
    let blob = crate::bed::zstd(&archive);
    let size = blob.len() as u64;
    let blob = images::Descriptor { media_type: String::new(), digest: source.put(blob), size, platform: None };
    Layer { blob, diff_id: images::Digest::of(images::Algorithm::Sha256, &archive).into() }
}

#[test]
fn no_kill_leaves_half_a_layer_or_loses_a_record() {
    let kills = std::env::var("PILVI_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let source = Memory::default();
    let layers = layers(&source);
    let expected = expected(&layers, &source);
    let (mut recorded, mut caught) = (0, 0);
    for _ in 0..kills {
        let mut child = start(directory.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = lines.by_ref().filter_map(|line| Some(line.strip_prefix("recorded ")?.to_owned()));
        // From the first moments of opening to well into the work, however slow the machine is.
        let mut acknowledged: Vec<String> = told.by_ref().take((SystemRng.next_u64() % 4) as usize).collect();
        std::thread::sleep(Duration::from_micros(SystemRng.next_u64() % 60_000));
        child.kill().unwrap();
        acknowledged.extend(told);
        child.wait().unwrap();
        recorded += acknowledged.len();
        caught += std::fs::read_dir(directory.path().join("staging")).map_or(0, Iterator::count);
        check(directory.path(), &layers, &expected, acknowledged.last());
    }
    assert!(recorded >= kills as usize, "only {recorded} images were recorded in {kills} runs");
    assert!(caught > 0, "no kill came while something was in the staging directory");
}

/// The child. Run by itself it does nothing.
#[test]
fn child_that_prepares_images_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let store = Store::open(Path::new(&directory), Options::default()).unwrap();
    let source = Memory::default();
    let layers = layers(&source);
    let name: Reference = "app".parse().unwrap();
    for round in 0.. {
        let some: Vec<Layer> = (0..3).map(|n| layers[(round + n) % LAYERS].clone()).collect();
        let image = image(some);
        let prepared = store.prepare(&image, &source, &()).unwrap();
        store.lease("child", &prepared).unwrap();
        store.record(&name, &image, &prepared).unwrap();
        let top = prepared.layers().last().unwrap().to_string();
        let mut out = std::io::stdout().lock();
        // On a line of its own, whatever the test's frame has written.
        writeln!(out, "\nrecorded {top}").and_then(|()| out.flush()).unwrap();
        drop(prepared);
        store.collect().unwrap();
    }
}

fn start(directory: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_prepares_images_until_it_is_killed", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What each layer is when nobody disturbs.
fn expected(layers: &[Layer], source: &Memory) -> HashMap<DiffId, Tree> {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Options::default()).unwrap();
    let prepared = store.prepare(&image(layers.to_vec()), source, &()).unwrap();
    let trees = prepared.paths().iter().rev().map(|path| timeless(snapshot::of(path))).collect::<Vec<_>>();
    prepared.layers().iter().copied().zip(trees).collect()
}

/// Directories that are only implied are as old as they are.
fn timeless(mut tree: Tree) -> Tree {
    tree.values_mut()
        .filter(|node| matches!(node.what, snapshot::What::Directory { .. }))
        .for_each(|node| node.mtime = 0);
    tree
}

fn check(directory: &Path, layers: &[Layer], expected: &HashMap<DiffId, Tree>, acknowledged: Option<&String>) {
    let store = Store::open(directory, Options::default()).unwrap();
    let mut found = 0;
    for layer in layers {
        if let Ok(held) = store.hold(&[layer.diff_id]) {
            found += 1;
            assert!(
                timeless(snapshot::of(&held.paths()[0])) == expected[&layer.diff_id],
                "{} is not whole",
                layer.diff_id
            );
        }
    }
    assert_eq!(store.usage().layers, found);
    let record = store.image(&"app".parse().unwrap());
    if let Some(top) = acknowledged {
        let record = record.as_ref().expect("a record that was acknowledged is gone");
        // It is what was acknowledged last, or what was just being recorded.
        let place = |diff_id: &str| layers.iter().position(|layer| layer.diff_id.to_string() == diff_id).unwrap();
        let (told, is) = (place(top), place(&record.layers.last().unwrap().to_string()));
        assert!(is == told || is == (told + 1) % LAYERS, "{told} was told and {is} is there");
    }
    if let Some(record) = record {
        store.hold(&record.layers).expect("an image that is recorded lacks a layer");
    }
    store.sweep().unwrap();
    assert_eq!(crate::bed::names(&directory.join("staging")), [""; 0]);
    store.collect().unwrap();
    let on_disk = std::fs::read_dir(directory.join("layers/sha256")).unwrap().count() as u64;
    assert_eq!(on_disk, store.usage().layers);
}
