//! Making a data directory, or taking the one that is there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, Dir, Gid, Mode, OFlags, Uid};

use super::{DataDir, make_private_dir};
use crate::owner::{Caller, Owner, Passwd};

/// A data directory that is ready for its owner.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) dir: DataDir,
    pub(crate) owner: Owner,
    /// Whether it had to be made.
    pub(crate) made: bool,
}

/// Makes the data directory, or checks the one that is there: it belongs to somebody but root, that user reaches it and
/// nobody else does, and it holds nothing but a data directory's content.
///
/// # Errors
/// Says what is wrong with the directory and what to do.
pub(crate) fn prepare(caller: &Caller, named: Option<PathBuf>, passwd: &Passwd) -> Result<Prepared> {
    let path = named.map_or_else(|| caller.default_data_dir(passwd), Ok)?;
    let (owner, made) = match std::fs::metadata(&path) {
        Ok(metadata) if !metadata.is_dir() => bail!("{} is not a directory", path.display()),
        Ok(metadata) => (adopt(&path, &metadata, caller, passwd)?, false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let owner = caller.owner_of_a_new_directory(passwd)?;
            make(&path, caller, &owner)?;
            (owner, true)
        }
        Err(error) => return Err(error).with_context(|| format!("cannot reach {}", path.display())),
    };
    let dir = DataDir::at(path);
    if let Err(error) = owner.act(|| settle(&dir, &owner)) {
        if made {
            // Nobody can use it; it is removed only while it is empty.
            let _ = std::fs::remove_dir(dir.path());
        }
        return Err(error);
    }
    Ok(Prepared { dir, owner, made })
}

/// Decides whose an existing directory is.
fn adopt(path: &Path, metadata: &std::fs::Metadata, caller: &Caller, passwd: &Passwd) -> Result<Owner> {
    let (uid, gid) = (metadata.uid(), metadata.gid());
    let owner = Owner::of_directory(uid, gid, passwd);
    let shown = path.display();
    match caller {
        Caller::Person { uid: own, .. } if *own == uid => Ok(owner),
        Caller::Person { .. } => bail!("{shown} belongs to {}, not to you: name another --data-dir", owner.name),
        Caller::Sudo { .. } | Caller::Root if uid != 0 => Ok(owner),
        Caller::Sudo { .. } | Caller::Root => {
            let owner = caller.owner_of_a_new_directory(passwd)?;
            if !content(path)?.is_empty() {
                bail!(
                    "{shown} belongs to root and is not empty, and the server does not run as root: give it to its \
                     user (chown -R {}: {shown}), or name another --data-dir",
                    owner.name
                );
            }
            give(path, &owner)?;
            Ok(owner)
        }
    }
}

/// Makes the directory with the owner's own rights where they suffice, else with root's.
fn make(path: &Path, caller: &Caller, owner: &Owner) -> Result<()> {
    let as_owner = owner.act(|| Ok(DirBuilder::new().recursive(true).mode(0o700).create(path)))?;
    match as_owner {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && caller.is_root() => {
            if let Some(parent) = path.parent() {
                let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
                made.with_context(|| format!("cannot make {}", parent.display()))?;
            }
            make_private_dir(path)?;
            give(path, owner)
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

/// Gives an empty directory of root's to its owner. The descriptor, opened without following a link, keeps what is checked and
/// what is given one thing.
fn give(path: &Path, owner: &Owner) -> Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let directory = rustix::fs::openat(CWD, path, flags, Mode::empty())
        .with_context(|| format!("cannot open {}", path.display()))?;
    let directory = File::from(directory);
    if directory.metadata()?.uid() != 0 {
        bail!("{} changed hands while it was prepared", path.display());
    }
    // Asked again, of the descriptor: whoever can write above it may have put another directory of root's there since.
    for entry in Dir::read_from(&directory)? {
        let name = entry?.file_name().to_owned();
        if ![c".", c"..", c"lost+found"].contains(&name.as_c_str()) {
            bail!("{} was filled while it was prepared", path.display());
        }
    }
    rustix::fs::fchown(&directory, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
        .with_context(|| format!("cannot give {} to {}", path.display(), owner.name))
}

/// What the owner sees and does in the directory, with the owner's rights.
fn settle(dir: &DataDir, owner: &Owner) -> Result<()> {
    let path = dir.path();
    let content = match content(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bail!(
            "the server runs as {}, who cannot reach {}: a directory above it is closed to that user. Name a \
             --data-dir elsewhere",
            owner.name,
            path.display()
        ),
        content => content.with_context(|| format!("cannot read {}", path.display()))?,
    };
    if content.is_empty() {
        mark(dir)?;
    } else if !content.iter().any(|name| name == "lock") {
        bail!("{} is neither empty nor a data directory of Pilvi's; name another --data-dir", path.display());
    }
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot close {} to other users", path.display()))?;
    }
    make_private_dir(&dir.run())
}

/// Makes the lock's file, before anything else: by it a data directory is known.
fn mark(dir: &DataDir) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.lock());
    made.map(drop).with_context(|| format!("cannot write in {}", dir.path().display()))
}

/// The names in a directory, but for the one that a file system's root has of its own.
fn content(path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let names = std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name()));
    let content: io::Result<Vec<_>> = names.collect();
    Ok(content?.into_iter().filter(|name| name != "lost+found").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        let me = rustix::process::geteuid().as_raw();
        // Tests may run as root: a person of another id then, so that no system user is made.
        if me == 0 { Caller::Sudo { uid: 65_534, gid: 65_534 } } else { Caller::Person { uid: me, gid: me } }
    }

    /// A directory that every user can reach.
    fn reachable() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    fn prepare_at(path: &Path) -> Result<Prepared> {
        prepare(&caller(), Some(path.to_owned()), &Passwd::default())
    }

    #[test]
    fn a_missing_directory_is_made_for_its_owner_alone() {
        let parent = reachable();
        let path = parent.path().join("a/b");
        let prepared = prepare_at(&path).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (0o700, prepared.owner.uid));
        assert!(prepared.made && metadata.uid() != 0);
        assert!(!prepare_at(&path).unwrap().made);
    }

    #[test]
    fn an_empty_directory_is_taken_and_closed_to_others() {
        let parent = reachable();
        let path = parent.path().join("data");
        std::fs::create_dir_all(path.join("lost+found")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let prepared = prepare_at(&path).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (0o700, prepared.owner.uid));
    }

    #[test]
    fn a_directory_with_other_content_is_refused_and_left_alone() {
        let parent = reachable();
        let path = parent.path().join("home");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("diary"), "").unwrap();
        let before = std::fs::metadata(&path).unwrap().mode();
        assert!(prepare_at(&path).is_err());
        assert_eq!(std::fs::metadata(&path).unwrap().mode(), before);
        assert!(!path.join("run").exists());
    }

    #[test]
    fn a_directory_that_its_owner_cannot_reach_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let closed = reachable();
        std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = closed.path().join("data");
        let refused = prepare_at(&path).unwrap_err().to_string();
        assert!(refused.contains("cannot reach") && !path.exists(), "{refused}");
    }

    #[test]
    fn a_directory_that_holds_something_is_not_given_away_whatever_was_seen_before() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let parent = reachable();
        let etc = parent.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        std::fs::write(etc.join("passwd"), "").unwrap();
        let owner = Owner { uid: 65_534, gid: 65_534, name: "nobody".into() };
        assert!(give(&etc, &owner).is_err());
        assert_eq!(std::fs::metadata(&etc).unwrap().uid(), 0);
        std::fs::remove_file(etc.join("passwd")).unwrap();
        give(&etc, &owner).unwrap();
        assert_eq!(std::fs::metadata(&etc).unwrap().uid(), 65_534);
    }

    #[test]
    fn a_link_to_a_directory_of_roots_is_not_given_away() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let parent = reachable();
        std::fs::create_dir(parent.path().join("roots")).unwrap();
        let link = parent.path().join("data");
        std::os::unix::fs::symlink(parent.path().join("roots"), &link).unwrap();
        assert!(prepare_at(&link).is_err());
        assert_eq!(std::fs::metadata(parent.path().join("roots")).unwrap().uid(), 0);
    }
}
