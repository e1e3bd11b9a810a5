//! The shared libraries that programs need, found as the loader finds them: where the program says, in the loader's cache,
//! in the default directories.
//!
//! An image has no cache of the loader's. A library that is found by the cache alone gets a link beside the C library, where the
//! loader looks by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::elf::{self, Object};
use super::tree::Tree;

/// The loader's cache. (glibc, `dl-cache.h`.)
const CACHE: &str = "/etc/ld.so.cache";
/// The largest that is read, in bytes.
const CACHE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const CACHE_HEADER_BYTES: usize = 48;
const CACHE_ENTRY_BYTES: usize = 24;
/// This machine's processor (`e_machine`).
const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
/// How many objects programs may need altogether.
const OBJECTS_MAX: usize = 4096;

/// Where the loader looks by itself, whichever distribution it is of.
const DEFAULT_DIRECTORIES: [&str; 10] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
];
/// How the C library's name begins: `libc.so.6`, `libc.musl-x86_64.so.1`.
const C_LIBRARY: &str = "libc.";

/// Where libraries are on this machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Libraries {
    cache: BTreeMap<String, Vec<PathBuf>>,
    defaults: Vec<PathBuf>,
}

/// Why an object cannot be had with all that it needs.
#[derive(Debug, thiserror::Error)]
pub(super) enum LibraryError {
    /// One that it needs is nowhere.
    #[error("{needed}, which {by} needs, is not on this machine")]
    Missing {
        /// Its name.
        needed: String,
        /// What needs it.
        by: String,
    },
    /// It is no program and no library.
    #[error("{0} is no program of this machine")]
    NoObject(String),
    /// It needs more than can be right.
    #[error("{0} needs more than {OBJECTS_MAX} libraries")]
    TooMany(String),
    /// One cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Libraries {
    /// This machine's.
    pub(super) fn of_host() -> Self {
        let cache = std::fs::metadata(CACHE)
            .ok()
            .filter(|metadata| metadata.len() <= CACHE_BYTES_MAX)
            .and_then(|_| std::fs::read(CACHE).ok());
        Self {
            cache: cache.map(|bytes| read_cache(&bytes)).unwrap_or_default(),
            defaults: DEFAULT_DIRECTORIES.iter().map(PathBuf::from).collect(),
        }
    }

    /// Adds an object and all that it needs, unless one of these is missing: then nothing is added.
    ///
    /// # Errors
    /// [`LibraryError`]
    pub(super) fn add(&self, tree: &mut Tree, object: &Path) -> Result<(), LibraryError> {
        let found = self.needed(object)?;
        for Found { path, is_linked } in &found {
            tree.host(path).map_err(unreadable(path))?;
            if let (Some(directory), Some(name), true) = (c_library(&found), path.file_name(), is_linked) {
                let place = directory.join(name);
                if !place.exists() {
                    tree.link(&place, path);
                }
            }
        }
        Ok(())
    }

    /// Adds a library that programs may open by its name, with all that it needs; nothing if it is not here.
    pub(super) fn add_named(&self, tree: &mut Tree, name: &str) {
        let cached = self.cache.get(name).into_iter().flatten();
        let default = self.defaults.iter().map(|directory| directory.join(name));
        // What is no object is a script for the linker.
        let is_object = |path: &PathBuf| matches!(elf::read(path), Ok(Some(found)) if found.machine == MACHINE);
        if let Some(path) = cached.cloned().chain(default).find(is_object) {
            // What lacks a library cannot be opened here either.
            let _ = self.add(tree, &path);
        }
    }

    /// An object and all that it needs, each by the path that leads to it.
    fn needed(&self, object: &Path) -> Result<Vec<Found>, LibraryError> {
        let mut all = vec![Found { path: object.to_owned(), is_linked: false }];
        let (mut seen, mut left) = (BTreeSet::new(), VecDeque::from([object.to_owned()]));
        while let Some(path) = left.pop_front() {
            let no_object = || LibraryError::NoObject(path.display().to_string());
            let read = elf::read(&path).map_err(unreadable(&path))?.ok_or_else(no_object)?;
            if let Some(loader) = read.interpreter.as_deref().map(PathBuf::from)
                && seen.insert(loader.clone().into_os_string())
            {
                all.push(Found { path: loader, is_linked: false });
            }
            for needed in &read.needed {
                if !seen.insert(needed.into()) {
                    continue;
                }
                if all.len() >= OBJECTS_MAX {
                    return Err(LibraryError::TooMany(object.display().to_string()));
                }
                let found = self.find(needed, &path, &read)?;
                left.push_back(found.path.clone());
                all.push(found);
            }
        }
        Ok(all)
    }

    /// Where a library is that an object needs.
    fn find(&self, needed: &str, by: &Path, object: &Object) -> Result<Found, LibraryError> {
        let suits = |path: &PathBuf| matches!(elf::read(path), Ok(Some(found)) if found.machine == object.machine);
        if needed.contains('/') {
            let path = PathBuf::from(needed);
            return match suits(&path) {
                true => Ok(Found { path, is_linked: false }),
                false => Err(missing(needed, by)),
            };
        }
        let origin = std::fs::canonicalize(by).ok();
        let origin = origin.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
        let said = object.search.iter().filter_map(|text| expanded(text, origin));
        if let Some(path) = said.map(|directory| directory.join(needed)).find(&suits) {
            return Ok(Found { path, is_linked: false });
        }
        let own = |path: &PathBuf| path.parent().is_some_and(|parent| self.defaults.iter().any(|it| it == parent));
        let cached = self.cache.get(needed).into_iter().flatten();
        let default = self.defaults.iter().map(|directory| directory.join(needed));
        let path = cached.cloned().chain(default).find(suits).ok_or_else(|| missing(needed, by))?;
        // The last two of the default directories are so by configuration only.
        let is_local = path.starts_with("/usr/local");
        Ok(Found { is_linked: is_local || !own(&path), path })
    }
}

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    /// Whether the loader finds it only by a link.
    is_linked: bool,
}

/// The directory of the C library.
fn c_library(found: &[Found]) -> Option<&Path> {
    let is_c = |path: &Path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(C_LIBRARY));
    found.iter().find(|found| is_c(&found.path)).and_then(|found| found.path.parent())
}

/// A directory of a search path; none if it says what only the loader knows.
fn expanded(text: &str, origin: &Path) -> Option<PathBuf> {
    let origin = origin.to_str()?;
    let text = text.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
    (!text.contains('$') && text.starts_with('/')).then(|| PathBuf::from(text))
}

fn missing(needed: &str, by: &Path) -> LibraryError {
    LibraryError::Missing { needed: needed.to_owned(), by: by.display().to_string() }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LibraryError {
    let path = path.display().to_string();
    move |source| LibraryError::Unreadable { path, source }
}

/// What the loader's cache says: where each name is. What is damaged says nothing; what is only for processors of a certain
/// kind is left out.
fn read_cache(bytes: &[u8]) -> BTreeMap<String, Vec<PathBuf>> {
    let mut names: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    // Older libraries put their own form before it.
    let Some(at) = bytes.windows(CACHE_MAGIC.len()).position(|window| window == CACHE_MAGIC) else { return names };
    let cache = &bytes[at..];
    let u32_at = |at: usize| {
        let bytes: Option<[u8; 4]> = cache.get(at..at.checked_add(4)?)?.try_into().ok();
        bytes.map(u32::from_le_bytes)
    };
    let text = |at: u32| {
        let rest = cache.get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    };
    let Some(count) = u32_at(CACHE_MAGIC.len()).and_then(|count| usize::try_from(count).ok()) else { return names };
    let count = count.min(cache.len() / CACHE_ENTRY_BYTES);
    for entry in (0..count).map(|entry| CACHE_HEADER_BYTES + entry * CACHE_ENTRY_BYTES) {
        let is_for_all = u32_at(entry + 16) == Some(0) && u32_at(entry + 20) == Some(0);
        let (name, path) = (u32_at(entry + 4).and_then(text), u32_at(entry + 8).and_then(text));
        if let (Some(name), Some(path), true) = (name, path, is_for_all) {
            names.entry(name.to_owned()).or_default().push(PathBuf::from(path));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::elf::tests::object;
    use super::*;

    struct Bed {
        _directory: tempfile::TempDir,
        root: PathBuf,
        libraries: Libraries,
    }

    /// A machine with a program that needs `liba.so` and a C library, and `liba.so`, which needs `libb.so`.
    fn bed() -> Bed {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        for name in ["bin", "lib", "far", "own"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let loader = root.join("lib/ld.so");
        let write = |path: &str, bytes: Vec<u8>| std::fs::write(root.join(path), bytes).unwrap();
        write("lib/ld.so", object(None, &[], None));
        write("lib/libc.so.6", object(None, &[], None));
        write("far/libb.so", object(None, &["libc.so.6"], None));
        write("own/liba.so", object(None, &["libb.so"], None));
        write("bin/program", object(loader.to_str(), &["liba.so", "libc.so.6"], Some("$ORIGIN/../own")));
        write("bin/lacking", object(loader.to_str(), &["libnowhere.so"], None));
        let cache = BTreeMap::from([("libb.so".to_owned(), vec![root.join("far/libb.so")])]);
        let libraries = Libraries { cache, defaults: vec![root.join("lib")] };
        Bed { _directory: directory, root, libraries }
    }

    #[test]
    fn a_program_comes_with_its_loader_and_all_libraries_that_it_needs() {
        let bed = bed();
        let mut tree = Tree::default();
        bed.libraries.add(&mut tree, &bed.root.join("bin/program")).unwrap();
        for path in ["bin/program", "lib/ld.so", "lib/libc.so.6", "far/libb.so", "own/liba.so"] {
            assert!(tree.has(&bed.root.join(path)), "{path}");
        }
        // What only the cache knows is where the loader looks.
        let link = bed.root.join("lib/libb.so");
        let link = link.strip_prefix("/").unwrap();
        let linked: Vec<_> = tree.entries().filter(|(path, _)| *path == link).collect();
        assert_eq!(linked.len(), 1);
        assert_eq!(*linked[0].1, super::super::tree::Entry::Link(bed.root.join("far/libb.so")));
    }

    #[test]
    fn a_program_that_lacks_a_library_is_left_out_and_the_library_named() {
        let bed = bed();
        let mut tree = Tree::default();
        let error = bed.libraries.add(&mut tree, &bed.root.join("bin/lacking")).unwrap_err();
        assert!(error.to_string().contains("libnowhere.so"), "{error}");
        assert_eq!(tree, Tree::default());
        std::fs::write(bed.root.join("bin/script"), "#!/bin/sh\n").unwrap();
        let error = bed.libraries.add(&mut tree, &bed.root.join("bin/script")).unwrap_err();
        assert!(matches!(error, LibraryError::NoObject(_)), "{error}");
    }

    #[test]
    fn the_loaders_cache_is_read_after_an_older_one_and_however_it_is_cut_off() {
        let mut cache = b"ld.so-1.7.0\0\0\0\0".to_vec();
        let begin = cache.len();
        cache.extend(CACHE_MAGIC);
        cache.extend(2_u32.to_le_bytes());
        cache.resize(begin + CACHE_HEADER_BYTES, 0);
        let texts = (CACHE_HEADER_BYTES + 2 * CACHE_ENTRY_BYTES) as u32;
        for hwcap in [0_u64, 1 << 62] {
            cache.extend([0x303, texts, texts + 8, 0].iter().flat_map(|field: &u32| field.to_le_bytes()));
            cache.extend(hwcap.to_le_bytes());
        }
        cache.extend(b"liba.so\0/lib/liba.so\0");
        assert_eq!(read_cache(&cache), BTreeMap::from([("liba.so".to_owned(), vec![PathBuf::from("/lib/liba.so")])]));
        for length in 0..cache.len() {
            read_cache(&cache[..length]);
        }
    }

    #[test]
    fn the_program_of_this_machine_that_is_everywhere_has_its_libraries() {
        let mut tree = Tree::default();
        if Path::new("/bin/sh").exists() {
            Libraries::of_host().add(&mut tree, Path::new("/bin/sh")).unwrap();
            assert!(tree.has(Path::new("/bin/sh")));
        }
    }
}
