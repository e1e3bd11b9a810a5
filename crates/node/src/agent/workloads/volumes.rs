//! The directories that containers share or keep, and how they get into a container.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use images::overlay::Lower;
use images::{DiffId, Store, archive_layer};
use rustix::fs::{Mode, OFlags};
use sandbox::mounts::{self, Depth, Kind, MemoryFile, Moment};
use sandbox::plan::MountFlags;
use workload::{MountedVolume, Reason, ReasonCode, Volume as Wanted, VolumeSource};

use super::area::{self, Area, Whose};
use super::users::Users;
use super::{copy, home};
use crate::agent::failure;

/// Where the volumes that outlive workloads are, in the node's directory.
pub(super) const VOLUMES: &str = "volumes";
/// The longest name of a scope or of a volume in it, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Who writes to a volume in memory is not known when it is made: everybody may, as in `/tmp`.
const MEMORY_MODE: u32 = 0o1777;

/// A volume that is there.
#[derive(Debug)]
pub(super) enum Volume {
    /// A directory in the workload's area, by its place in the specification and its name.
    Scratch(usize, String),
    /// A directory that outlives the workload.
    Named(OwnedFd),
    /// A directory or file of the host, and what is mounted below it.
    Host(OwnedFd),
    /// What archives hold, by the volume's place in the specification.
    Archive(usize, Lower),
    /// What copies of a mount are made of ([`mounts::original`]): a node that comes after this one finds it by its descriptor alone.
    Memory(OwnedFd),
}

/// Makes a workload's volumes, each with its place in the specification, or finds those that are there. `kept` are those that an earlier node had handed on.
pub(super) fn make<'a>(
    wanted: impl Iterator<Item = (usize, &'a Wanted)>,
    node: &Path,
    store: &Store,
    area: &Area,
    mut kept: HashMap<String, OwnedFd>,
) -> Result<HashMap<String, Volume>, Reason> {
    let make = |(index, volume): (usize, &Wanted)| match kept.remove(&volume.name) {
        Some(place) => Ok((volume.name.clone(), Volume::Memory(place))),
        None => make_one(index, volume, node, store, area).map(|made| (volume.name.clone(), made)).map_err(|error| {
            Reason::new(ReasonCode::Volume, format!("the volume {} cannot be made: {error}", volume.name))
        }),
    };
    wanted.map(make).collect()
}

fn make_one(index: usize, wanted: &Wanted, node: &Path, store: &Store, area: &Area) -> io::Result<Volume> {
    Ok(match &wanted.source {
        VolumeSource::Scratch { .. } => Volume::Scratch(index, file_name(&wanted.name)?),
        VolumeSource::Named { scope, name } => {
            let path = node.join(VOLUMES).join(file_name(scope)?);
            home::directory(&path)?;
            let path = path.join(file_name(name)?);
            // Containers of any user look into it.
            match rustix::fs::mkdir(&path, Mode::RWXU) {
                // Whatever the node's umask.
                Ok(()) => rustix::fs::chmod(&path, Mode::from_raw_mode(0o755))?,
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            Volume::Named(open_path(&path, OFlags::NOFOLLOW)?)
        }
        VolumeSource::Host { path, create } => {
            if *create {
                std::fs::create_dir_all(path).or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Ok(()),
                    _ => Err(error),
                })?;
            }
            Volume::Host(open_path(Path::new(path), OFlags::empty())?)
        }
        VolumeSource::Archive { archives } => {
            // They are kept by whoever keeps the workload.
            let lower = store.hold(&layers_of(archives)).and_then(|held| held.lower());
            Volume::Archive(index, lower.map_err(|error| io::Error::other(failure::told(&error)))?)
        }
        VolumeSource::Memory { bytes_max } => {
            let flags = MountFlags { no_suid: true, no_dev: true, ..MountFlags::default() };
            let root = area.users.as_ref().map_or(0, Users::root);
            Volume::Memory(mounts::original(mounts::tmpfs(*bytes_max, MEMORY_MODE, root, root, flags)?)?)
        }
        VolumeSource::Files { files } => {
            let files = files.iter().map(|(path, content)| {
                let content = BASE64.decode(content).map_err(|_| io::ErrorKind::InvalidInput)?;
                Ok(MemoryFile { path: path.clone(), content, mode: 0o644 })
            });
            Volume::Memory(mounts::original(mounts::memory_files(&files.collect::<io::Result<Vec<_>>>()?)?)?)
        }
    })
}

impl Volume {
    /// A mount of it, attached nowhere. While it is empty it may be given what the image has there.
    pub(super) fn mount(&self, how: &MountedVolume, area: &Area, root: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        match self {
            Self::Scratch(index, name) => area.within(Whose::Scratch(*index), |places| {
                let place = area::directory(places.upper, &["scratch", name])?;
                mount(place.as_fd(), how, Depth::Alone, Some((root, area)))
            }),
            Self::Named(place) => mount(place.as_fd(), how, Depth::Alone, Some((root, area))),
            Self::Host(place) => mount(place.as_fd(), how, Depth::Tree, None),
            Self::Archive(..) | Self::Memory(_) => {
                self.mount_late(how, area).unwrap_or_else(|| Err(io::ErrorKind::Unsupported.into()))
            }
        }
    }

    /// The same for those that know nothing of a root: none for others.
    pub(super) fn mount_late(&self, how: &MountedVolume, area: &Area) -> Option<io::Result<OwnedFd>> {
        let mount = match self {
            Self::Archive(index, lower) => one_over_the_other(*index, lower, area),
            Self::Memory(place) => {
                mounts::clone_within(place.as_fd(), how.sub_path.as_deref().unwrap_or("")).map_err(io::Error::from)
            }
            Self::Scratch(..) | Self::Named(_) | Self::Host(_) => return None,
        };
        Some(mount.and_then(|mount| restricted(mount, how, Depth::Alone)))
    }
}

fn mount(
    place: BorrowedFd<'_>,
    how: &MountedVolume,
    depth: Depth,
    own: Option<(BorrowedFd<'_>, &Area)>,
) -> io::Result<OwnedFd> {
    let within = how.sub_path.as_deref().map(|path| sub_path(place, path)).transpose()?;
    let place = within.as_ref().map_or(place, OwnedFd::as_fd);
    if let (true, Some((root, area))) = (how.copy_image_content, own) {
        // On disk everything is as if the workload had the host's users.
        copy::if_empty(root, &how.path, place, area.users.as_ref().map_or(0, Users::root))?;
    }
    let mount = match own.and_then(|(_, area)| area.users.as_ref()) {
        Some(users) => users.mapped(place)?,
        None => mounts::clone_of(place, depth)?,
    };
    restricted(mount, how, depth)
}

/// What archives are called among the store's layers. Each is in the specification by its digest, which has been looked at.
pub(super) fn layers_of(archives: &[String]) -> Vec<DiffId> {
    archives.iter().filter_map(|digest| digest.parse().ok()).map(|digest| archive_layer(&digest)).collect()
}

/// A mount of several directories, the topmost first, as one.
fn one_over_the_other(index: usize, lower: &Lower, area: &Area) -> io::Result<OwnedFd> {
    let mapped = |layer: BorrowedFd<'_>| match &area.users {
        Some(users) => users.mapped(layer),
        None => Ok(mounts::clone_of(layer, Depth::Alone)?),
    };
    if let [only] = lower.layers.as_slice() {
        return mapped(only.as_fd());
    }
    let layers = lower.layers.iter().map(|layer| match &area.users {
        Some(_) => mapped(layer.as_fd()),
        None => layer.try_clone(),
    });
    let layers = layers.collect::<io::Result<Vec<_>>>()?;
    let [first, second] = &lower.empty;
    let lower = Lower { layers, empty: [first.try_clone()?, second.try_clone()?], namespace: lower.namespace };
    area.within(Whose::Scratch(index), |places| {
        let attached = if area.users.is_some() { &lower.layers[..] } else { &[] };
        let _attached = Moment::of(attached, places.work, &format!("archives-{index}"))?;
        let name = format!("archive-{index}");
        area::directory(places.work, &[&name])?;
        let mount = lower.mount_by_way_of(None, places.work, &name);
        mount.map_err(|error| io::Error::other(failure::told(&error)))
    })
}

fn restricted(mount: OwnedFd, how: &MountedVolume, depth: Depth) -> io::Result<OwnedFd> {
    let flags = MountFlags { read_only: how.read_only, no_dev: true, ..MountFlags::default() };
    mounts::restrict(mount.as_fd(), flags, depth)?;
    Ok(mount)
}

fn sub_path(place: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    match mounts::open_beneath(place, path, OFlags::PATH) {
        Err(rustix::io::Errno::NOENT) => Ok(mounts::make_beneath(place, path, Kind::Directory)?),
        found => Ok(found?),
    }
}

/// A name that is a file's: nothing of it leads elsewhere.
fn file_name(name: &str) -> io::Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'@' | b'+');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain);
    if fits { Ok(name.to_owned()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no possible name")) }
}

/// Opens a directory or file without reading it.
pub(super) fn open_path(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = (OFlags::PATH | flags).bits().cast_signed();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_volume_leads_elsewhere() {
        for name in ["", ".", "..", "a/b", ".hidden", "a\0", "ä", &"x".repeat(256)] {
            assert!(file_name(name).is_err(), "{name}");
        }
        for name in ["data", "000000000000:eu-north-1", "a.b_c-d"] {
            assert_eq!(file_name(name).unwrap(), name);
        }
    }
}
