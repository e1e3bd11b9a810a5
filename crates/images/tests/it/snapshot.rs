//! What a directory holds, to be compared.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

pub(crate) type Tree = BTreeMap<Vec<u8>, Node>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) what: What,
    /// Permissions; nothing for links, which have none.
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Nothing for whiteouts, which have no time of their own.
    pub(crate) mtime: i64,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
    /// The first path of the same file, where it has several.
    pub(crate) same_as: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    File(Vec<u8>),
    Directory { opaque: bool },
    Symlink(Vec<u8>),
    Fifo,
    Whiteout,
    Other,
}

/// All beneath a directory, itself included under the empty path.
pub(crate) fn of(root: &Path) -> Tree {
    let (mut tree, mut seen) = (Tree::new(), BTreeMap::new());
    add(root, Vec::new(), &mut tree, &mut seen);
    tree
}

fn add(at: &Path, path: Vec<u8>, tree: &mut Tree, seen: &mut BTreeMap<u64, Vec<u8>>) {
    let meta = fs::symlink_metadata(at).unwrap();
    let kind = meta.file_type();
    let mut xattrs = xattrs(at);
    let opaque = xattrs.remove("trusted.overlay.opaque").or(xattrs.remove("user.overlay.opaque"));
    let what = if kind.is_dir() {
        What::Directory { opaque: opaque.as_deref() == Some(b"y") }
    } else if kind.is_symlink() {
        What::Symlink(fs::read_link(at).unwrap().as_os_str().as_bytes().to_vec())
    } else if kind.is_file() {
        What::File(fs::read(at).unwrap())
    } else if kind.is_fifo() {
        What::Fifo
    } else if kind.is_char_device() && meta.rdev() == 0 {
        What::Whiteout
    } else {
        What::Other
    };
    let same_as = if kind.is_dir() || what == What::Whiteout || meta.nlink() == 1 {
        None
    } else {
        let first = seen.entry(meta.ino()).or_insert_with(|| path.clone());
        (*first != path).then(|| first.clone())
    };
    let (mode, mtime) = match what {
        What::Symlink(_) => (0, meta.mtime()),
        What::Whiteout => (0, 0),
        _ => (meta.mode() & 0o7777, meta.mtime()),
    };
    let node = Node { what, mode, owner: (meta.uid(), meta.gid()), mtime, xattrs, same_as };
    tree.insert(path.clone(), node);
    if kind.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap()).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let inner =
                if path.is_empty() { name.as_bytes().to_vec() } else { [&path, &b"/"[..], name.as_bytes()].concat() };
            add(&entry.path(), inner, tree, seen);
        }
    }
}

fn xattrs(at: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut list = vec![0; 65_536];
    let length = rustix::fs::llistxattr(at, &mut list).unwrap_or(0);
    let names = list[..length].split(|&b| b == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65_536];
            let length = rustix::fs::lgetxattr(at, name, &mut value).unwrap_or(0);
            (String::from_utf8_lossy(name).into_owned(), value[..length].to_vec())
        })
        .collect()
}
