//! Attacks of images and of what runs in containers, by a tenant's means alone: an image that he pushed, the flags of
//! `pilvi run`, and code of his own inside.
//!
//! Each class of attack is found here by its name. What needs more than the command line to be provoked is attacked where it is
//! made: `crates/sandbox/tests/it/setup_escape.rs` (roots, mounts, descriptors, users), `setup_confinement.rs` (capabilities,
//! devices, files of the kernel), `crates/network/tests/it/attacks.rs` (forged packets, other workloads' addresses, the host's
//! ports), `crates/node/tests/it/hostile_*.rs` (the node's own callers) and `crates/images/tests` (archives).

mod exhaustion;
mod kernel;
mod mounts;
mod neighbours;
mod runtime;
mod users;

use serde_json::Value;
use tests::image::{Compression, Entry, Image, Layer, Layout};

use crate::containers::Stage;

/// Pushes the small image with more files in it and other settings; the name by which it is run.
#[track_caller]
fn hostile(stage: &Stage, name: &str, files: &[Entry], settings: &Value) -> String {
    let base = Layout::at(tests::recipe("busybox")).read("latest");
    stage.server.push(name, &Image::on(&base, &Layer::new(files, Compression::Gzip), settings))
}

/// `pilvi run --rm FLAGS IMAGE COMMAND`, of any image.
#[track_caller]
fn run(stage: &Stage, flags: &[&str], image: &str, command: &[&str]) -> tests::program::Answer {
    stage.pilvi(&[&["run", "--rm"], flags, &[image], command].concat())
}

/// What a program in Python says in a container, with these arguments; it must end with 0.
#[track_caller]
fn python(stage: &Stage, flags: &[&str], program: &str, arguments: &[&str]) -> String {
    let command = [&["python3", "-c", program], arguments].concat();
    run(stage, flags, stage.python(), &command).success()
}
