//! Where the program under test and the clients are.

use std::path::{Path, PathBuf};

/// The program under test.
pub fn pilvi() -> PathBuf {
    let path = std::env::var_os("PILVI_BIN").map_or_else(|| profile_dir().join("pilvi"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `cargo build -p pilvi`, or set PILVI_BIN", path.display());
    path
}

/// A file of the folder that `cargo xtask clients` makes.
pub fn clients(file: &str) -> PathBuf {
    let folder = std::env::var_os("PILVI_CLIENTS").map_or_else(|| target_dir().join("clients"), PathBuf::from);
    let path = folder.join(file);
    assert!(path.exists(), "{} is missing: run `cargo xtask clients`, or set PILVI_CLIENTS", path.display());
    path
}

/// The folder of an image that `tests/images` has a recipe for: an OCI image layout in which it is called `latest`.
pub fn image(name: &str) -> PathBuf {
    let folder = std::env::var_os("PILVI_IMAGES").map_or_else(|| target_dir().join("images"), PathBuf::from);
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask clients`, or set PILVI_IMAGES", path.display());
    path
}

/// The folder in which docker's daemon and client were unpacked; none where the daemon does not run.
pub fn docker() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PILVI_DOCKER") {
        return Some(folder.into());
    }
    // Whoever unpacked it wrote down why it does not run, or nothing.
    let folder = target_dir().join("docker");
    std::fs::read_to_string(folder.join("verdict")).is_ok_and(|why| why.is_empty()).then_some(folder)
}

/// A file of the repository, by its path below the root.
pub fn source(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `target/<triple>/<profile>`: the test program runs in its folder `deps`.
fn profile_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    program.ancestors().nth(2).expect("cargo puts test programs two folders below the target directory").to_owned()
}

/// The target directory itself, recognised by the mark that cargo leaves in it.
fn target_dir() -> PathBuf {
    let profile = profile_dir();
    let marked = |dir: &&Path| dir.join("CACHEDIR.TAG").exists() && !is_triple(dir);
    profile.ancestors().find(marked).unwrap_or(&profile).to_owned()
}

/// With an explicit target cargo marks the triple's folder too; the triple's parent is marked as well.
fn is_triple(dir: &Path) -> bool {
    dir.parent().is_some_and(|parent| parent.join("CACHEDIR.TAG").exists())
}
