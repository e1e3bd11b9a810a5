//! Random archives, unpacked and compared with what a naive model says.

use std::collections::BTreeMap;

use images::Error;
use proptest::prelude::*;

use crate::archive::{Archive, Member, directory, file, hard_link, member, symlink};
use crate::bed::{Bed, gzip, is_root, zstd};
use crate::snapshot::{self, What};

/// What a layer is in the model: paths to inodes, inodes to what they are.
#[derive(Debug, Default)]
struct Model {
    paths: BTreeMap<Vec<String>, usize>,
    inodes: Vec<Inode>,
}

#[derive(Debug, Clone)]
struct Inode {
    what: What,
    mode: u32,
    owner: (u32, u32),
    mtime: Option<i64>,
    note: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
enum Step {
    File { path: Vec<String>, content: Vec<u8>, note: Option<Vec<u8>> },
    Directory { path: Vec<String> },
    Symlink { path: Vec<String>, target: String },
    HardLink { path: Vec<String>, target: Vec<String> },
    Fifo { path: Vec<String> },
    Whiteout { path: Vec<String> },
    Opaque { path: Vec<String> },
}

#[derive(Debug, Clone)]
struct Described {
    step: Step,
    mode: u32,
    owner: (u32, u32),
    mtime: i64,
}

#[derive(Debug)]
struct Refused;

impl Model {
    fn new() -> Self {
        let mut model = Self::default();
        model.put(vec![], Inode::implied());
        model
    }

    fn put(&mut self, path: Vec<String>, inode: Inode) {
        self.inodes.push(inode);
        self.paths.insert(path, self.inodes.len() - 1);
    }

    fn at(&mut self, path: &[String]) -> Option<&mut Inode> {
        self.paths.get(path).map(|&inode| &mut self.inodes[inode])
    }

    fn remove(&mut self, path: &[String]) {
        self.paths.retain(|known, _| !known.starts_with(path));
    }

    /// Links of the model lead nowhere, so a link in a path's middle is refused.
    fn make_parents(&mut self, path: &[String]) -> Result<(), Refused> {
        for end in 1..path.len() {
            let parent = path[..end].to_vec();
            match self.at(&parent).map(|inode| inode.what.clone()) {
                Some(What::Directory { .. }) => {}
                None => self.put(parent, Inode::implied()),
                Some(What::Whiteout) => {
                    self.remove(&parent);
                    self.put(parent, Inode { what: What::Directory { opaque: true }, ..Inode::implied() });
                }
                Some(_) => return Err(Refused),
            }
        }
        Ok(())
    }

    fn apply(&mut self, it: &Described) -> Result<(), Refused> {
        let inode = |what: What, note: &Option<Vec<u8>>| Inode {
            what,
            mode: it.mode,
            owner: it.owner,
            mtime: Some(it.mtime),
            note: note.clone(),
        };
        let path = match &it.step {
            Step::File { path, .. }
            | Step::Directory { path }
            | Step::Symlink { path, .. }
            | Step::HardLink { path, .. } => path,
            Step::Fifo { path } | Step::Whiteout { path } | Step::Opaque { path } => path,
        };
        let inside = matches!(it.step, Step::Opaque { .. }).then(|| [path.as_slice(), &["x".to_owned()]].concat());
        self.make_parents(inside.as_ref().unwrap_or(path))?;
        let there = self.at(path).map(|inode| inode.what.clone());
        match &it.step {
            Step::File { content, note, .. } => self.replace(path, inode(What::File(content.clone()), note)),
            Step::Symlink { target, .. } => {
                self.replace(path, Inode { mode: 0, ..inode(What::Symlink(target.clone().into_bytes()), &None) });
            }
            Step::Fifo { .. } => self.replace(path, inode(What::Fifo, &None)),
            Step::Directory { .. } => match there {
                Some(What::Directory { opaque }) => {
                    let note = self.at(path).and_then(|it| it.note.clone());
                    let at = self.paths[path];
                    self.inodes[at] = inode(What::Directory { opaque }, &note);
                }
                Some(_) => self.replace(path, inode(What::Directory { opaque: true }, &None)),
                None => self.replace(path, inode(What::Directory { opaque: false }, &None)),
            },
            Step::HardLink { target, .. } => match self.paths.get(target).copied() {
                Some(found) if !matches!(self.inodes[found].what, What::Directory { .. } | What::Whiteout) => {
                    if self.paths.get(path) != Some(&found) {
                        if target.starts_with(path) {
                            return Err(Refused);
                        }
                        self.remove(path);
                        self.paths.insert(path.clone(), found);
                    }
                }
                _ => return Err(Refused),
            },
            Step::Whiteout { .. } => match there {
                Some(What::Directory { .. }) => self.set_opaque(path),
                Some(_) => {}
                None => {
                    let whiteout = Inode { mode: 0, mtime: None, ..Inode::implied() };
                    self.put(path.clone(), Inode { what: What::Whiteout, ..whiteout });
                }
            },
            Step::Opaque { .. } => self.set_opaque(path),
        }
        Ok(())
    }

    fn replace(&mut self, path: &[String], inode: Inode) {
        self.remove(path);
        self.put(path.to_vec(), inode);
    }

    fn set_opaque(&mut self, path: &[String]) {
        if let Some(inode) = self.at(path) {
            inode.what = What::Directory { opaque: true };
        }
    }

    fn check(&self, tree: &snapshot::Tree) -> Result<(), TestCaseError> {
        let paths: Vec<Vec<u8>> = self.paths.keys().map(|path| path.join("/").into_bytes()).collect();
        let mut expected = paths.clone();
        expected.sort();
        prop_assert_eq!(tree.keys().cloned().collect::<Vec<_>>(), expected);
        for (path, &number) in &self.paths {
            let (node, inode) = (&tree[path.join("/").as_bytes()], &self.inodes[number]);
            prop_assert_eq!(&node.what, &inode.what, "{:?}", path);
            prop_assert_eq!(node.mode, inode.mode, "mode of {:?}", path);
            if is_root() && inode.what != What::Whiteout {
                prop_assert_eq!(node.owner, inode.owner, "owner of {:?}", path);
            }
            if let Some(mtime) = inode.mtime {
                prop_assert_eq!(node.mtime, mtime, "time of {:?}", path);
            }
            prop_assert_eq!(node.xattrs.get("user.note"), inode.note.as_ref(), "attributes of {:?}", path);
            let others = self.paths.iter().filter(|(_, it)| **it == number).count();
            prop_assert!(node.same_as.is_none() || others > 1, "{:?}", path);
            if let Some(first) = &node.same_as {
                let first = std::str::from_utf8(first).unwrap().split('/').map(str::to_owned).collect::<Vec<_>>();
                prop_assert_eq!(self.paths.get(&first), Some(&number));
            }
        }
        Ok(())
    }
}

impl Inode {
    fn implied() -> Self {
        Self { what: What::Directory { opaque: false }, mode: 0o755, owner: (0, 0), mtime: None, note: None }
    }
}

fn written(it: &Described) -> Member {
    let joined = |path: &[String]| path.join("/");
    let member = match &it.step {
        Step::File { path, content, note } => match note {
            Some(note) => file(joined(path), content).xattr("user.note", note),
            None => file(joined(path), content),
        },
        Step::Directory { path } => directory(format!("./{}/", joined(path))),
        Step::Symlink { path, target } => symlink(joined(path), target),
        Step::HardLink { path, target } => hard_link(joined(path), format!("./{}", joined(target))),
        Step::Fifo { path } => member(b'6', format!("/{}", joined(path))),
        Step::Whiteout { path } => {
            let (name, parents) = path.split_last().unwrap();
            file(joined(&[parents, &[format!(".wh.{name}")]].concat()), "")
        }
        Step::Opaque { path } => file(joined(&[path.as_slice(), &[".wh..wh..opq".to_owned()]].concat()), ""),
    };
    Member { mode: it.mode, uid: it.owner.0.into(), gid: it.owner.1.into(), mtime: it.mtime, ..member }
}

fn path() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let content = prop::collection::vec(any::<u8>(), 0..1500);
    let note = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    prop_oneof![
        6 => (path(), content, note).prop_map(|(path, content, note)| Step::File { path, content, note }),
        4 => path().prop_map(|path| Step::Directory { path }),
        2 => (path(), "/nowhere/[a-z]{1,200}").prop_map(|(path, target)| Step::Symlink { path, target }),
        3 => (path(), path()).prop_map(|(path, target)| Step::HardLink { path, target }),
        1 => path().prop_map(|path| Step::Fifo { path }),
        2 => path().prop_map(|path| Step::Whiteout { path }),
        1 => path().prop_map(|path| Step::Opaque { path }),
    ]
}

fn described() -> impl Strategy<Value = Described> {
    let mode = prop_oneof![Just(0o755), Just(0o644), Just(0o4711), Just(0o2775), Just(0o1777), 0o700..=0o777_u32];
    (step(), mode, (0..5_u32, 0..5_u32), -5_000..2_000_000_000_i64).prop_map(|(step, mode, owner, mtime)| Described {
        step,
        mode: mode | if is_root() { 0o600 } else { 0o700 },
        owner,
        mtime,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_archive_becomes_what_the_model_says(steps in prop::collection::vec(described(), 0..24), form in 0..3) {
        let archive = Archive::of(steps.iter().map(written)).end();
        let bed = Bed::new();
        let layer = bed.layer_of(&archive, match form {
            0 => archive.clone(),
            1 => gzip(&archive),
            _ => zstd(&archive),
        });
        let mut model = Model::new();
        let modelled = steps.iter().try_for_each(|step| model.apply(step));
        match (bed.prepare(vec![layer]), modelled) {
            (Ok(prepared), Ok(())) => model.check(&snapshot::of(&prepared.paths()[0]))?,
            (Err(Error::Layer { .. }), Err(Refused)) => {}
            (found, expected) => prop_assert!(false, "{found:?}, and {expected:?} in the model"),
        }
        bed.store.collect().unwrap();
        bed.check_untouched();
    }

    #[test]
    fn no_bytes_at_all_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..2048), place in 0..4096_usize, flip in 1..=255_u8) {
        let bed = Bed::new();
        let _ = bed.unpack_bytes(&bytes);
        // An honest archive with one byte changed.
        let mut archive = Archive::of([directory("d"), file("d/f", "x").xattr("user.a", "b"), symlink("l", "/d"), file("l/g", "y")]).end();
        let place = place % archive.len();
        archive[place] ^= flip;
        let _ = bed.unpack_bytes(&archive);
        bed.check_untouched();
    }
}
