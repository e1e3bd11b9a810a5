//! kill -9 of the node while it unpacks and collects. The test holds the listening socket and starts the node again, as its
//! supervisor does, and asks all the time; a child of the test is the node.
//!
//! `PILVI_CRASH_KILLS` sets the number of kills: 50 unless it says otherwise.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base::{Rng, SystemRng};
use images::{DiffId, Options as ImageOptions, Reference, Store};
use node::agent::{Agent, Options};
use node::client::{Node, NodeError};

use crate::bed::{Bed, archive, layer, names, noise, wanted};

const KILLS: u32 = 50;
/// How many times as many there are at most, until one came while something was in the staging directory.
const PATIENCE: u32 = 10;
const IMAGES: usize = 5;
const FILES: usize = 60;
/// Tells the child what it is: the folder with the node's directory and the blobs.
const CHILD: &str = "PILVI_NODE_CRASH_CHILD";

fn content(image: usize, file: usize) -> Vec<u8> {
    noise(3000 + image * 1000 + file * 97, (image * 1000 + file + 1) as u64)
}

/// The child. Run by itself it does nothing.
#[test]
fn child_that_is_a_node_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    let listener = UnixListener::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let me = rustix::process::geteuid().as_raw();
    let mut options = Options { spare_bytes: 0, ..Options::new(folder.join("node"), folder.join("blobs"), me) };
    options.collect_every = [Duration::from_millis(5); 2];
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        Agent::open(options).unwrap().serve(&listener, std::future::pending()).await;
    });
}

fn number_file(image: usize) -> Vec<(&'static str, Vec<u8>)> {
    vec![("number", image.to_string().into_bytes())]
}

fn start(folder: &Path, listener: &UnixListener) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_is_a_node_until_it_is_killed", "--nocapture"])
        .env(CHILD, folder)
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_of_the_node_corrupts_or_leaks() {
    let kills = std::env::var("PILVI_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let bed = Bed::new();
    let roots: Vec<_> = (0..IMAGES)
        .map(|image| {
            let names: Vec<String> = (0..FILES).map(|file| format!("d{}/{file}", file % 7)).collect();
            let files = names.iter().enumerate().map(|(file, name)| (name.as_str(), content(image, file)));
            bed.image(&[files.collect(), number_file(image)])
        })
        .collect();
    let socket = bed.folder.path().join("node.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let asking: Vec<_> = roots
        .iter()
        .enumerate()
        .map(|(number, root)| {
            let (node, done, answered) = (Node::at(&socket), Arc::clone(&done), Arc::clone(&answered));
            let wanted = wanted(root, &format!("app:{number}"));
            let reference = wanted.reference.clone().unwrap();
            let ahead = layer(&bed.layers_of(root)[1], &archive(&number_file(number)));
            tokio::spawn(async move {
                let mut is_named = false;
                while !done.load(Ordering::Relaxed) {
                    match node.prepare_layer(&ahead, |_| {}).await {
                        Ok(()) | Err(NodeError::Lost | NodeError::Unreachable { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    is_named = match node.prepare(&wanted, |_| {}).await {
                        Ok(_) => true,
                        Err(NodeError::Lost | NodeError::Unreachable { .. }) => continue,
                        Err(error) => panic!("{error:?}"),
                    };
                    answered.fetch_add(1, Ordering::Relaxed);
                    // The even ones stay named once they are; the layers of the odd ones come and go.
                    if number % 2 == 1 && node.forget(&reference).await.is_ok() {
                        is_named = false;
                    }
                }
                (reference, is_named)
            })
        })
        .collect();
    let mut caught = 0;
    for round in 0..kills * PATIENCE {
        if round >= kills && caught > 0 {
            break;
        }
        let before = answered.load(Ordering::Relaxed);
        let mut child = start(bed.folder.path(), &listener);
        if !SystemRng.next_u64().is_multiple_of(4) {
            // Well into the work, however slow the machine is; else from its first moments on.
            while answered.load(Ordering::Relaxed) == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        tokio::time::sleep(Duration::from_micros(SystemRng.next_u64() % 40_000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let staging = bed.node_dir().join("images/staging");
        caught += std::fs::read_dir(staging).map_or(0, Iterator::count);
        check_layers(&bed);
    }
    let mut last = start(bed.folder.path(), &listener);
    done.store(true, Ordering::Relaxed);
    let mut named = Vec::new();
    for asking in asking {
        let (reference, is_named) = asking.await.unwrap();
        named.extend(is_named.then_some(reference));
    }
    last.kill().unwrap();
    last.wait().unwrap();
    assert!(caught > 0, "no kill came while something was in the staging directory");
    check_all(&bed, &named);
}

/// Each layer that has its name is whole, whatever moment the node was killed at.
fn check_layers(bed: &Bed) {
    let images = bed.node_dir().join("images");
    let Ok(store) = Store::open(&images, ImageOptions::default()) else { return };
    for record in store.images() {
        let held = store.hold(&record.layers).expect("an image that is named lacks a layer");
        let number: usize = record.reference.tag().unwrap().parse().unwrap();
        let paths = held.paths();
        assert_eq!(std::fs::read(paths[0].join("number")).unwrap(), number.to_string().into_bytes());
        for file in 0..FILES {
            let path = paths[1].join(format!("d{}/{file}", file % 7));
            assert!(std::fs::read(path).unwrap() == content(number, file), "{} is not whole", record.reference);
        }
    }
}

/// What was acknowledged is there, and nothing is left over.
fn check_all(bed: &Bed, named: &[Reference]) {
    check_layers(bed);
    let images = bed.node_dir().join("images");
    let store = Store::open(&images, ImageOptions::default()).unwrap();
    assert!(named.len() >= IMAGES.div_ceil(2), "{named:?}");
    for reference in named {
        let record = store.image(reference).expect("a name that was acknowledged is gone");
        store.hold(&record.layers).unwrap();
    }
    store.sweep().unwrap();
    assert_eq!(names(&images.join("staging")), [""; 0]);
    store.collect().unwrap();
    let needed: std::collections::HashSet<DiffId> =
        store.images().iter().flat_map(|image| image.layers.clone()).collect();
    assert_eq!(names(&images.join("layers/sha256")).len(), needed.len());
}
