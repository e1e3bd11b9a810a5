//! The node's directory and socket, which the supervisor prepares: nothing in them can be changed by the server's user.
//!
//! ```text
//! DIR/           0711, root's
//!   lock         held by the supervisor; by it a node's directory is known
//!   data-dir     the path of the data directory that it belongs to
//!   node.sock    where the server meets the node; 0600, the server's user's
//!   images/      0700, root's: layers and what references name
//! ```

use std::ffi::OsString;
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::Mode;
use sha2::{Digest, Sha256};

use crate::data_dir::{DataDir, Lock};
use crate::owner::{Caller, Owner};

/// Where nodes' directories are unless one is named.
pub(crate) const SYSTEM_NODE_DIRS: &str = "/var/lib/pilvi-node";
/// Where in a node's directory the path of its data directory is.
pub(crate) const DATA_DIR_NOTE: &str = "data-dir";
/// Where in a node's directory its lock is.
pub(crate) const LOCK: &str = "lock";
/// Where in a node's directory root says what workloads may have of the host; it may be there before the node is.
const SETTINGS: &str = "node.toml";
/// How much of the data directory's hash names its node's directory, in bytes.
const NAME_BYTES: usize = 8;
/// Others pass through to the socket, and list nothing.
const DIRECTORY_MODE: u32 = 0o711;

/// A directory that is ready for a node, and locked.
#[derive(Debug)]
pub(crate) struct NodePlace {
    directory: PathBuf,
    listener: UnixListener,
    _lock: Lock,
}

impl NodePlace {
    /// Prepares the directory that is named, or the one that belongs to the data directory; none without root's rights.
    ///
    /// # Errors
    /// When it cannot be made, is not root's alone, or is in use.
    pub(super) fn prepare(caller: &Caller, named: Option<&Path>, dir: &DataDir, owner: &Owner) -> Result<Option<Self>> {
        if !caller.is_root() {
            return Ok(None);
        }
        let path = named.map_or_else(|| default_for(dir.path()), Path::to_owned);
        let remedy = || format!("the node cannot use {} (another one: --node-dir)", path.display());
        let prepared = Self::at(&path, owner).with_context(remedy)?;
        prepared.belongs_to(dir.path()).with_context(remedy)?;
        Ok(Some(prepared))
    }

    /// Prepares the directory of a node that is no server's on this machine.
    ///
    /// # Errors
    /// As [`NodePlace::prepare`].
    pub(crate) fn joined(path: &Path) -> Result<Self> {
        let root = Owner { uid: 0, gid: 0, name: "root".to_owned() };
        let prepared = Self::at(path, &root);
        prepared
            .and_then(|place| place.belongs_to(&place.directory).map(|()| place).map_err(anyhow::Error::from))
            .with_context(|| format!("the node cannot use {} (another one: --node-dir)", path.display()))
    }

    fn at(path: &Path, owner: &Owner) -> Result<Self> {
        let directory = secure(path)?;
        let lock = Lock::take(&directory.join(LOCK))?;
        let lock = lock.map_err(|holder| anyhow::anyhow!("{holder} holds it: another Pilvi has it for its node"))?;
        let listener = listen(&directory, owner)?;
        Ok(Self { directory, listener, _lock: lock })
    }

    /// Notes whose it is, so that somebody knows what it was when the data directory is gone.
    fn belongs_to(&self, data_dir: &Path) -> io::Result<()> {
        let real = data_dir.canonicalize()?;
        let (noted, new) = (self.directory.join(DATA_DIR_NOTE), self.directory.join(format!("{DATA_DIR_NOTE}.new")));
        if std::fs::read(&noted).is_ok_and(|before| before == real.as_os_str().as_bytes()) {
            return Ok(());
        }
        std::fs::write(&new, real.as_os_str().as_bytes())?;
        std::fs::rename(&new, &noted)
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the node answers.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.directory)
    }

    /// The listening socket. It stays open while nodes come and go: whoever connects meanwhile waits.
    pub(crate) fn listener(&self) -> Result<OwnedFd> {
        Ok(OwnedFd::from(self.listener.try_clone()?))
    }
}

impl Drop for NodePlace {
    fn drop(&mut self) {
        // One that stays is replaced by the next.
        let _ = std::fs::remove_file(self.socket());
    }
}

/// The directory of a data directory's node unless one is named, by whatever way the data directory is named.
pub(crate) fn default_for(data_dir: &Path) -> PathBuf {
    let real = data_dir.canonicalize();
    let hash = Sha256::digest(real.as_deref().unwrap_or(data_dir).as_os_str().as_bytes());
    Path::new(SYSTEM_NODE_DIRS).join(hex::encode(&hash[..NAME_BYTES]))
}

/// Makes the directory, or takes the one that is there, and makes sure that root alone can change what it is and holds.
/// Answers the path without links.
fn secure(path: &Path) -> Result<PathBuf> {
    let missing = path.ancestors().take_while(|directory| !directory.exists()).count();
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
    made.with_context(|| format!("cannot make {}", path.display()))?;
    let path = path.canonicalize()?;
    for directory in path.ancestors() {
        let metadata = directory.symlink_metadata()?;
        if !is_roots_alone(&metadata, directory == path) {
            bail!("others than root can change {}: what the node unpacks would be theirs", directory.display());
        }
    }
    let names: io::Result<Vec<OsString>> = std::fs::read_dir(&path)?.map(|entry| Ok(entry?.file_name())).collect();
    let names = names?;
    // A new one may hold what root allows it before it is there.
    let is_new = names.iter().all(|name| name == SETTINGS);
    if !is_new && !names.iter().any(|name| name == LOCK) {
        bail!("it is neither empty nor a node's directory");
    }
    // Whatever root's umask is: the server's user must pass through all that were made here.
    for directory in path.ancestors().take(missing.max(1)) {
        std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?;
    }
    Ok(path)
}

/// Whether nobody but root can put something else there. Above the directory itself a sticky one will do (/tmp): what root
/// has in it stays root's.
fn is_roots_alone(metadata: &Metadata, is_itself: bool) -> bool {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let others_write = metadata.mode() & WRITABLE_BY_OTHERS != 0;
    let is_sticky = metadata.mode() & STICKY != 0;
    metadata.uid() == 0 && metadata.is_dir() && (!others_write || is_sticky && !is_itself)
}

/// Makes the socket, for the server's user alone.
fn listen(directory: &Path, owner: &Owner) -> Result<UnixListener> {
    let socket = socket_in(directory);
    let shown = socket.display();
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {shown}"));
        }
        _ => {}
    }
    // Nobody else for a moment, either. There is no other thread that makes files.
    let before = rustix::process::umask(Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO));
    let bound = UnixListener::bind(&socket);
    rustix::process::umask(before);
    let listener = bound.with_context(|| format!("cannot listen at {shown}"))?;
    std::fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
    chown(&socket, Some(owner.uid), Some(owner.gid))
        .with_context(|| format!("cannot give {shown} to {}", owner.name))?;
    if owner.act(|| Ok(socket.symlink_metadata()))?.is_err() {
        bail!("{} cannot reach {shown}: a directory above it is closed to that user", owner.name);
    }
    Ok(listener)
}

fn socket_in(directory: &Path) -> PathBuf {
    directory.join("node.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { uid: 65_534, gid: 65_534, name: "nobody".into() }
    }

    /// A directory of root's that every user can pass; none unless the tests run as root.
    fn reachable() -> Option<tempfile::TempDir> {
        let dir = rustix::process::geteuid().is_root().then(|| tempfile::tempdir().unwrap())?;
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Some(dir)
    }

    fn mode(path: &Path) -> (u32, u32) {
        let metadata = std::fs::metadata(path).unwrap();
        (metadata.mode() & 0o777, metadata.uid())
    }

    fn why(path: &Path) -> String {
        format!("{:#}", NodePlace::at(path, &owner()).unwrap_err())
    }

    #[test]
    fn a_node_has_a_directory_of_roots_and_a_socket_of_the_owners() {
        let Some(parent) = reachable() else { return };
        let path = parent.path().join("a/node");
        let place = NodePlace::at(&path, &owner()).unwrap();
        assert_eq!(mode(place.directory()), (0o711, 0));
        assert_eq!(mode(&place.socket()), (0o600, 65_534));
        let connected = owner().act(|| Ok(std::os::unix::net::UnixStream::connect(place.socket()))).unwrap();
        assert!(connected.is_ok());
        let socket = place.socket();
        drop(place);
        assert!(!socket.exists());
        NodePlace::at(&path, &owner()).unwrap();
    }

    #[test]
    fn a_nodes_directory_says_whose_it_is() {
        let Some(parent) = reachable() else { return };
        let place = NodePlace::at(&parent.path().join("node"), &owner()).unwrap();
        let real = parent.path().canonicalize().unwrap();
        for _ in 0..2 {
            place.belongs_to(&parent.path().join("node/..")).unwrap();
            assert_eq!(std::fs::read(place.directory().join(DATA_DIR_NOTE)).unwrap(), real.as_os_str().as_bytes());
        }
        place.belongs_to(place.directory()).unwrap();
        let noted = std::fs::read(place.directory().join(DATA_DIR_NOTE)).unwrap();
        assert_eq!(noted, place.directory().as_os_str().as_bytes());
    }

    #[test]
    fn all_that_is_made_on_the_way_to_the_socket_can_be_passed() {
        let Some(parent) = reachable() else { return };
        let path = parent.path().join("a/b/node");
        NodePlace::at(&path, &owner()).unwrap();
        for made in path.ancestors().take(3) {
            assert_eq!(mode(made), (0o711, 0), "{}", made.display());
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        NodePlace::at(&path, &owner()).unwrap();
        assert_eq!((mode(&path).0, mode(parent.path()).0), (0o711, 0o755));
    }

    #[test]
    fn what_is_not_roots_alone_is_refused() {
        let Some(parent) = reachable() else { return };
        let theirs = parent.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(65_534), None).unwrap();
        assert!(why(&theirs).contains("others than root"));
        assert!(why(&theirs.join("node")).contains("others than root"));
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(theirs.join("node"), &link).unwrap();
        assert!(why(&link).contains("others than root"), "a link to what is theirs");
        let open = parent.path().join("open");
        std::fs::create_dir(&open).unwrap();
        for (mode, is_taken) in [(0o777, false), (0o775, false), (0o1777, true)] {
            std::fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
            assert_eq!(NodePlace::at(&open.join("node"), &owner()).is_ok(), is_taken, "{mode:o}");
        }
        assert!(why(&open).contains("others than root"), "a sticky directory itself");
    }

    #[test]
    fn what_holds_something_else_is_left_alone() {
        let Some(parent) = reachable() else { return };
        let etc = parent.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        std::fs::set_permissions(&etc, Permissions::from_mode(0o755)).unwrap();
        std::fs::write(etc.join("passwd"), "").unwrap();
        assert!(why(&etc).contains("neither empty"));
        assert_eq!(mode(&etc).0, 0o755);
    }

    #[test]
    fn what_root_allows_may_be_written_down_before_the_node_is_there() {
        let Some(parent) = reachable() else { return };
        let path = parent.path().join("node");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        std::fs::write(path.join(SETTINGS), "").unwrap();
        assert!(NodePlace::at(&path, &owner()).is_ok());
    }

    #[test]
    fn a_directory_that_is_closed_to_the_servers_user_is_refused() {
        let Some(parent) = reachable() else { return };
        let path = parent.path().join("node");
        std::fs::set_permissions(parent.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(why(&path).contains("closed to that user"));
    }

    #[test]
    fn each_data_directory_has_a_directory_of_its_own_by_default() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::create_dir(parent.path().join("data")).unwrap();
        let one = default_for(&parent.path().join("data"));
        assert_eq!(one, default_for(&parent.path().join("./data/../data")));
        assert_ne!(one, default_for(parent.path()));
        assert_eq!(one.file_name().unwrap().len(), 16);
    }
}
