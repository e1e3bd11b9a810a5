//! What is to be in an image: paths, and where their content comes from. Nothing is read but what the file system says of it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

/// How many symbolic links lead to a file at most; as Linux counts (`MAXSYMLINKS`).
const LINKS_MAX: usize = 40;
/// How many entries an image of this machine's files may have: Python's library has three thousand.
const ENTRIES_MAX: usize = 100_000;
/// How deep directories may lie in each other.
const DEPTH_MAX: usize = 32;

/// What an image has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A directory.
    Directory {
        /// Its permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link(PathBuf),
    /// A file of this machine's.
    Host {
        /// Where it is.
        path: PathBuf,
        /// How large it is, in bytes.
        size: u64,
        /// When it was changed, in seconds: by it Python knows whether what it has compiled is of this file.
        mtime: u64,
        /// Whether it is executed.
        is_executable: bool,
    },
    /// A file of ours.
    Own {
        /// What it says.
        bytes: Vec<u8>,
        /// Whether it is executed.
        is_executable: bool,
    },
}

/// The entries of an image, by their paths without the first `/`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree(BTreeMap<PathBuf, Entry>);

impl Tree {
    /// All entries, in the order of their paths: a directory comes before what is in it.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_path(), entry))
    }

    /// Whether there is something at a path of this machine's, once its links are followed.
    #[cfg(test)]
    pub(super) fn has(&self, path: &Path) -> bool {
        std::fs::canonicalize(path).is_ok_and(|real| self.0.contains_key(relative(&real)))
    }

    /// Leaves out what another tree has in the same way, but for the directories that lead to what is left.
    pub(super) fn without(mut self, other: &Self) -> Self {
        self.0.retain(|path, entry| other.0.get(path) != Some(entry));
        let paths: Vec<PathBuf> = self.0.keys().cloned().collect();
        for path in paths {
            for ancestor in path.ancestors().skip(1).filter(|ancestor| !ancestor.as_os_str().is_empty()) {
                if let Some(entry @ Entry::Directory { .. }) = other.0.get(ancestor) {
                    self.0.entry(ancestor.to_owned()).or_insert_with(|| entry.clone());
                }
            }
        }
        self
    }

    /// Adds a directory, and those that lead to it.
    pub(super) fn directory(&mut self, path: &str, mode: u32) {
        self.ancestors(relative(Path::new(path)));
        self.0.insert(relative(Path::new(path)).to_owned(), Entry::Directory { mode });
    }

    /// Adds a file of ours.
    pub(super) fn own(&mut self, path: &str, bytes: impl Into<Vec<u8>>, is_executable: bool) {
        let path = relative(Path::new(path));
        self.ancestors(path);
        self.0.insert(path.to_owned(), Entry::Own { bytes: bytes.into(), is_executable });
    }

    /// Adds a symbolic link, unless there is something of its name.
    pub(super) fn link(&mut self, path: &Path, target: impl Into<PathBuf>) {
        // Its directory may be a link on this machine, and so in here.
        let real = path.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
        let real = real.and_then(|parent| Some(parent.join(path.file_name()?)));
        let path = relative(real.as_deref().unwrap_or(path));
        if !self.0.contains_key(path) {
            self.ancestors(path);
            self.0.insert(path.to_owned(), Entry::Link(target.into()));
        }
    }

    /// Adds a file of this machine's at its own path, with the symbolic links that lead to it. Answers where it really is.
    ///
    /// # Errors
    /// When it is no file, or cannot be looked at.
    pub(super) fn host(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut left: VecDeque<PathBuf> = parts(path)?;
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        while let Some(part) = left.pop_front() {
            if part == Path::new("..") {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            let metadata = std::fs::symlink_metadata(&next)?;
            if metadata.is_symlink() {
                links += 1;
                if links > LINKS_MAX {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links lead to it"));
                }
                let target = std::fs::read_link(&next)?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let mut followed = parts(&target)?;
                followed.append(&mut left);
                left = followed;
                self.insert(&next, Entry::Link(target))?;
            } else if metadata.is_dir() {
                at = next;
                self.insert(&at, Entry::Directory { mode: 0o755 })?;
            } else {
                self.insert(&next, file(&next, &metadata)?)?;
                at = next;
                break;
            }
        }
        match left.is_empty() && self.0.get(relative(&at)).is_some_and(|entry| matches!(entry, Entry::Host { .. })) {
            true => Ok(at),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
        }
    }

    /// Adds what is in a directory of this machine's that `is_wanted`, by its path within. Symbolic links that lead out of it
    /// are left out, and so is what is neither a file nor a directory.
    ///
    /// # Errors
    /// When something cannot be looked at, or there is too much.
    pub(super) fn host_directory(&mut self, path: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> io::Result<()> {
        let root = std::fs::canonicalize(path)?;
        self.ancestors(relative(&root));
        self.lead_to(path)?;
        self.insert(&root, Entry::Directory { mode: 0o755 })?;
        self.inside(&root, &root, is_wanted, 0)
    }

    fn inside(&mut self, root: &Path, at: &Path, is_wanted: &dyn Fn(&Path) -> bool, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "directories lie too deep in each other"));
        }
        for entry in std::fs::read_dir(at)? {
            let path = entry?.path();
            let Ok(within) = path.strip_prefix(root) else { continue };
            if !is_wanted(within) {
                continue;
            }
            let metadata = std::fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                self.insert(&path, Entry::Directory { mode: 0o755 })?;
                self.inside(root, &path, is_wanted, depth + 1)?;
            } else if metadata.is_file() {
                self.insert(&path, file(&path, &metadata)?)?;
            } else if metadata.is_symlink() && std::fs::canonicalize(&path).is_ok_and(|real| real.starts_with(root)) {
                self.insert(&path, Entry::Link(std::fs::read_link(&path)?))?;
            }
        }
        Ok(())
    }

    /// Adds a directory of this machine's that is a symbolic link: the link alone.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub(super) fn host_link(&mut self, path: &Path) -> io::Result<()> {
        self.lead_to(path)
    }

    /// Adds the symbolic links on the way to a directory.
    fn lead_to(&mut self, path: &Path) -> io::Result<()> {
        for ancestor in path.ancestors() {
            if std::fs::symlink_metadata(ancestor)?.is_symlink() {
                let parent = std::fs::canonicalize(ancestor.parent().unwrap_or(Path::new("/")))?;
                let name = ancestor.file_name().unwrap_or_default();
                self.ancestors(relative(&parent.join(name)));
                self.insert(&parent.join(name), Entry::Link(std::fs::read_link(ancestor)?))?;
            }
        }
        Ok(())
    }

    /// Takes a file away again.
    pub(super) fn remove(&mut self, path: &Path) {
        self.0.remove(relative(path));
    }

    fn insert(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        if self.0.len() >= ENTRIES_MAX {
            return Err(io::Error::other(format!("there are more than {ENTRIES_MAX} files")));
        }
        self.0.entry(relative(path).to_owned()).or_insert(entry);
        Ok(())
    }

    fn ancestors(&mut self, path: &Path) {
        for ancestor in path.ancestors().skip(1).filter(|ancestor| !ancestor.as_os_str().is_empty()) {
            self.0.entry(ancestor.to_owned()).or_insert(Entry::Directory { mode: 0o755 });
        }
    }

    /// What tells this tree from one whose files have changed, without any file being read.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for (path, entry) in &self.0 {
            // Names and links have no zero bytes, so that no two lists are written alike.
            hasher.update(path.as_os_str().as_encoded_bytes());
            let said = match entry {
                Entry::Directory { mode } => format!("\0d{mode:o}\0"),
                Entry::Link(target) => format!("\0l{}\0", target.display()),
                Entry::Host { path, size, mtime, is_executable } => {
                    format!("\0h{}\0{size} {mtime} {is_executable}\0", path.display())
                }
                Entry::Own { bytes, is_executable } => {
                    format!("\0o{} {is_executable}\0", hex::encode(Sha256::digest(bytes)))
                }
            };
            hasher.update(said.as_bytes());
        }
        hex::encode(hasher.finalize())
    }
}

fn file(path: &Path, metadata: &Metadata) -> io::Result<Entry> {
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(Entry::Host {
        path: path.to_owned(),
        size: metadata.len(),
        mtime: u64::try_from(metadata.mtime()).unwrap_or_default(),
        is_executable: metadata.permissions().mode() & 0o111 != 0,
    })
}

/// The parts of a path; `..` is one, too.
fn parts(path: &Path) -> io::Result<VecDeque<PathBuf>> {
    let mut parts = VecDeque::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir => parts.push_back(PathBuf::from("..")),
            Component::Normal(name) => parts.push_back(PathBuf::from(name)),
            Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(parts)
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(tree: &Tree, below: &Path) -> Vec<String> {
        let below = relative(below);
        tree.entries().filter_map(|(path, _)| Some(path.strip_prefix(below).ok()?.display().to_string())).collect()
    }

    #[test]
    fn a_file_comes_with_the_links_that_lead_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        std::fs::write(root.join("usr/lib/libx.so.1.2"), "x").unwrap();
        symlink("libx.so.1.2", root.join("usr/lib/libx.so.1")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        let mut tree = Tree::default();
        let real = tree.host(&root.join("lib/../lib/libx.so.1")).unwrap();
        assert_eq!(real, root.join("usr/lib/libx.so.1.2"));
        assert_eq!(names(&tree, &root), ["", "lib", "usr", "usr/lib", "usr/lib/libx.so.1", "usr/lib/libx.so.1.2"]);
        assert!(tree.has(&root.join("lib/libx.so.1")) && !tree.has(&root.join("lib/liby.so")));
        assert!(tree.host(&root.join("usr")).is_err(), "a directory is no file");
        assert!(tree.host(&root.join("lib/libx.so.1/more")).is_err());
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert!(tree.host(&root.join("a")).is_err(), "links in a circle lead nowhere");
    }

    #[test]
    fn a_directory_comes_without_what_leads_out_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::create_dir_all(root.join("library/inner")).unwrap();
        std::fs::write(root.join("secret"), "s").unwrap();
        std::fs::write(root.join("library/os.py"), "o").unwrap();
        std::fs::write(root.join("library/inner/unwanted"), "u").unwrap();
        symlink("../secret", root.join("library/out")).unwrap();
        symlink("os.py", root.join("library/in")).unwrap();
        let mut tree = Tree::default();
        tree.host_directory(&root.join("library"), &|path| !path.ends_with("unwanted")).unwrap();
        assert_eq!(names(&tree, &root.join("library")), ["", "in", "inner", "os.py"]);
    }

    #[test]
    fn a_changed_file_changes_the_fingerprint_and_what_another_has_is_left_out() {
        let mut base = Tree::default();
        base.directory("/opt", 0o755);
        base.own("/etc/passwd", "root", false);
        let mut tree = base.clone();
        assert_eq!(tree.fingerprint(), base.fingerprint());
        tree.own("/var/runtime/bootstrap", "#!", true);
        tree.own("/etc/group", "root", false);
        assert_ne!(tree.fingerprint(), base.fingerprint());
        let left: Vec<_> = tree.without(&base).entries().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(left, ["etc", "etc/group", "var", "var/runtime", "var/runtime/bootstrap"]);
    }
}
