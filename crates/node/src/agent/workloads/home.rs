//! What a node keeps of a workload on disk. Everything in there is root's own; what containers write is elsewhere.
//!
//! ```text
//! workloads/<id>/assignment.json    what it is, and what its images said when it was assigned; on the disk before that is answered
//! workloads/<id>/state.json         how far it is
//! workloads/<id>/shim/              its shim's: socket, output, last words
//! trash/                            what is being removed
//! ```

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use images::{DiffId, Digest, Run};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use workload::WorkloadId;

use super::state::State;
use crate::protocol::Assignment;

const WORKLOADS: &str = "workloads";
const TRASH: &str = "trash";
const ASSIGNMENT: &str = "assignment.json";
const STATE: &str = "state.json";
/// The form of [`Assigned`] that is written.
const VERSION: u32 = 1;
/// The longest of these files, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a node was told, and what it needs of images to do it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Assigned {
    version: u32,
    pub(super) assignment: Assignment,
    /// By container.
    pub(super) images: BTreeMap<String, ImageUse>,
}

/// What a container needs of its image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ImageUse {
    pub(super) manifest: Digest,
    pub(super) run: Run,
    pub(super) layers: Vec<DiffId>,
}

impl Assigned {
    pub(super) fn new(assignment: Assignment, images: BTreeMap<String, ImageUse>) -> Self {
        Self { version: VERSION, assignment, images }
    }
}

/// Where workloads are.
#[derive(Debug, Clone)]
pub(super) struct Homes {
    node: PathBuf,
}

/// Where a workload is.
#[derive(Debug, Clone)]
pub(super) struct Home {
    path: PathBuf,
    node: PathBuf,
}

impl Homes {
    pub(super) fn open(node: &Path) -> io::Result<Self> {
        let homes = Self { node: node.to_owned() };
        for name in [WORKLOADS, TRASH] {
            directory(&homes.node.join(name))?;
        }
        Ok(homes)
    }

    pub(super) fn of(&self, id: &WorkloadId) -> Home {
        Home { path: self.node.join(WORKLOADS).join(id.as_str()), node: self.node.clone() }
    }

    /// The workloads that have something on disk, and what else is there.
    pub(super) fn list(&self) -> io::Result<(Vec<WorkloadId>, Vec<PathBuf>)> {
        let (mut ids, mut others) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(self.node.join(WORKLOADS))? {
            let entry = entry?;
            match entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                Some(id) => ids.push(id),
                None => others.push(entry.path()),
            }
        }
        ids.sort();
        Ok((ids, others))
    }

    /// Removes what is in the trash. Takes as long as it takes.
    pub(super) fn empty_trash(&self) -> io::Result<()> {
        let trash = File::open(self.node.join(TRASH))?;
        Ok(images::remove_all_in(std::os::fd::AsFd::as_fd(&trash))?)
    }

    /// Puts something into the trash, which takes no time.
    pub(super) fn trash(&self, path: &Path) -> io::Result<()> {
        to_trash(&self.node, path)
    }
}

impl Home {
    /// Makes it, or takes what is there.
    pub(super) fn make(&self) -> io::Result<()> {
        directory(&self.path)
    }

    /// The directory of its shim.
    pub(super) fn shim(&self) -> io::Result<std::os::fd::OwnedFd> {
        let path = self.path.join("shim");
        directory(&path)?;
        Ok(File::open(path)?.into())
    }

    /// On the disk when it returns.
    pub(super) fn write_assigned(&self, assigned: &Assigned) -> io::Result<()> {
        self.make()?;
        self.write(ASSIGNMENT, assigned, true)?;
        // Its own name.
        File::open(self.node.join(WORKLOADS))?.sync_all()
    }

    pub(super) fn assigned(&self) -> Option<Assigned> {
        self.read::<Assigned>(ASSIGNMENT).filter(|assigned| assigned.version == VERSION)
    }

    /// Survives this process; the machine, if it is final.
    pub(super) fn write_state(&self, state: &State) -> io::Result<()> {
        self.write(STATE, state, state.phase.is_final())
    }

    pub(super) fn state(&self) -> Option<State> {
        self.read(STATE)
    }

    /// Takes it away.
    pub(super) fn remove(&self) -> io::Result<()> {
        to_trash(&self.node, &self.path)
    }

    fn write(&self, name: &str, what: &impl Serialize, durable: bool) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        if durable {
            file.sync_data()?;
        }
        std::fs::rename(&new, self.path.join(name))?;
        if durable { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let file = File::open(self.path.join(name)).ok()?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut bytes).ok()?;
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, name, "what is kept of a workload cannot be read"))
            .ok()
    }
}

/// Makes a directory for root alone, and those above it.
pub(super) fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn to_trash(node: &Path, path: &Path) -> io::Result<()> {
    let trash = node.join(TRASH);
    for _ in 0..TRASH_NAMES_TRIED_MAX {
        let name = base::Rng::next_u64(&base::SystemRng);
        match std::fs::rename(path, trash.join(format!("{name:016x}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Names are random: two that are the same are a wonder.
const TRASH_NAMES_TRIED_MAX: usize = 4;
