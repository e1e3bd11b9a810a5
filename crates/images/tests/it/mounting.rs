//! Root file systems. They are mounted where no path leads, so nothing is left of them however a test ends.

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use images::overlay::Upper;
use images::{DevicePolicy, Layer, Options, Owners, Policy, XattrNamespace};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::archive::{Archive, directory, file};
use crate::bed::{Bed, is_root};

fn read(root: &OwnedFd, path: &str) -> Result<String, Errno> {
    let file = rustix::fs::openat(root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(std::io::read_to_string(fs::File::from(file)).unwrap())
}

fn names(root: &OwnedFd, path: &str) -> Vec<String> {
    let directory = rustix::fs::openat(root, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let entries = rustix::fs::Dir::read_from(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|it| !it.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn layers_are_one_tree_with_what_the_upper_ones_hide_and_replace() {
    if !is_root() {
        return eprintln!("skipped: only root can mount an overlay");
    }
    for overlay in [XattrNamespace::Trusted, XattrNamespace::User] {
        let policy = Policy { owners: Owners::Archive { shift: 0 }, devices: DevicePolicy::Omit, overlay };
        hide_and_replace(&Bed::with(Options { policy: Some(policy), ..Options::default() }));
    }
}

fn hide_and_replace(bed: &Bed) {
    let layer = |members: Vec<crate::archive::Member>| bed.layer(&Archive::of(members).end());
    let layers = vec![
        layer(vec![
            file("etc/a", "lower"),
            file("etc/b", "lower"),
            file("opaque/old", "x"),
            file("gone/x", "x"),
            file("back/old", "x"),
        ]),
        layer(vec![file("etc/a", "upper"), file("etc/.wh.b", ""), file(".wh.gone", ""), file(".wh.back", "")]),
        layer(vec![
            directory("opaque"),
            file("opaque/.wh..wh..opq", ""),
            file("opaque/new", "y"),
            file("back/new", "y"),
        ]),
    ];
    let root = bed.prepare(layers).unwrap().lower().unwrap().mount(None).unwrap();
    assert_eq!(read(&root, "etc/a").unwrap(), "upper");
    assert_eq!(names(&root, "etc"), ["a"]);
    assert_eq!(names(&root, "opaque"), ["new"]);
    assert_eq!(names(&root, "back"), ["new"]);
    assert_eq!(names(&root, "."), ["back", "etc", "opaque"]);
    let written = rustix::fs::openat(&root, "etc/new", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU);
    assert_eq!(written.unwrap_err(), Errno::ROFS);
}

#[test]
fn what_is_written_goes_to_the_upper_directory() {
    if !is_root() {
        return eprintln!("skipped: only root can mount an overlay");
    }
    let bed = Bed::new();
    let prepared = bed.prepare(vec![bed.layer(&Archive::of([file("a", "image"), file("b", "image")]).end())]).unwrap();
    let directory = |name: &str| {
        let path = bed.directory.path().join("store").join(name);
        fs::create_dir(&path).unwrap();
        fs::File::open(path).unwrap()
    };
    let (upper, work) = (directory("upper"), directory("work"));
    let upper = Upper { upper: upper.as_fd(), work: work.as_fd(), volatile: true };
    let root = prepared.lower().unwrap().mount(Some(upper)).unwrap();
    let opened = rustix::fs::openat(&root, "a", OFlags::WRONLY | OFlags::TRUNC, Mode::empty()).unwrap();
    fs::File::from(opened).write_all(b"container").unwrap();
    rustix::fs::unlinkat(&root, "b", AtFlags::empty()).unwrap();
    assert_eq!(read(&root, "a").unwrap(), "container");
    assert_eq!(read(&root, "b").unwrap_err(), Errno::NOENT);
    drop(root);
    assert_eq!(fs::read_to_string(prepared.paths()[0].join("a")).unwrap(), "image", "layers never change");
    assert_eq!(fs::read_to_string(bed.directory.path().join("store/upper/a")).unwrap(), "container");
}

#[test]
fn as_many_layers_as_an_image_may_have_are_mounted_from_a_store_with_a_long_path() {
    if !is_root() {
        return eprintln!("skipped: only root can mount an overlay");
    }
    let bed = Bed::new();
    let long = bed.directory.path().join("p".repeat(250));
    let store = images::Store::open(&long, images::Options::default()).unwrap();
    let layers: Vec<Layer> = (0..images::LAYERS_MAX)
        .map(|n| bed.layer(&Archive::of([file(format!("f{n}"), "x"), file("top", n.to_string())]).end()))
        .collect();
    let prepared = store.prepare(&crate::bed::image(layers), &bed.source, &()).unwrap();
    let root = prepared.lower().unwrap().mount(None).unwrap();
    assert_eq!(names(&root, ".").len(), images::LAYERS_MAX + 1);
    assert_eq!(read(&root, "top").unwrap(), "127");
}

#[test]
fn an_image_of_one_layer_or_none_is_mounted_as_well() {
    if !is_root() {
        return eprintln!("skipped: only root can mount an overlay");
    }
    let bed = Bed::new();
    let one = bed.prepare(vec![bed.layer(&Archive::of([file("a", "x")]).end())]).unwrap();
    assert_eq!(names(&one.lower().unwrap().mount(None).unwrap(), "."), ["a"]);
    assert_eq!(names(&bed.prepare(vec![]).unwrap().lower().unwrap().mount(None).unwrap(), "."), [""; 0]);
    let none = bed.prepare(vec![]).unwrap();
    let directory = |name: &str| {
        fs::create_dir(bed.directory.path().join("store").join(name)).unwrap();
        fs::File::open(bed.directory.path().join("store").join(name)).unwrap()
    };
    let (upper, work) = (directory("upper"), directory("work"));
    let upper = Upper { upper: upper.as_fd(), work: work.as_fd(), volatile: false };
    let root = none.lower().unwrap().mount(Some(upper)).unwrap();
    rustix::fs::mkdirat(&root, "made", Mode::RWXU).unwrap();
    assert_eq!(names(&root, "."), ["made"]);
}
