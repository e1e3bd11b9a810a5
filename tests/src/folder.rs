//! Folders that live as long as a test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Whom a data directory belongs to when root runs the tests: the server never runs as root, and left to itself `up`
/// would make a system user on this machine. Debian reserves the numbers from 65000 and gives them to nobody.
pub(crate) const SERVER_UID: u32 = 65_111;

/// A temporary folder, removed when dropped. Others may look into it, so that the server's user reaches what is below.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pilvi-test-").tempdir().expect("the temporary folder is writable");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        Self(dir)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file that only its owner reads.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).expect("the folder is writable");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the file is ours");
        path
    }

    /// Makes an empty folder in it for a server's data.
    pub fn data_dir(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        fs::create_dir(&path).expect("the folder is writable");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("the folder is ours");
        if is_root() {
            chown(&path, Some(SERVER_UID), Some(SERVER_UID)).expect("root gives a folder away");
        }
        path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
