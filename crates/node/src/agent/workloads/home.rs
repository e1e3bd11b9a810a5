//! What a node keeps of a workload on disk. Everything in there is root's own; what containers write is elsewhere.
//!
//! ```text
//! workloads/<id>/assignment.json    what it is, and what its images said when it was assigned; on the disk before that is answered, and
//!                                   before anything of it is executed
//! workloads/<id>/state.json         how far it is, a line each time: the last counts
//! workloads/<id>/shim/              its shim's: socket, output, last words
//! trash/                            what is being removed
//! secret                            what paths are made of that only a workload of the host's network knows
//! ```

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
const SECRET: &str = "secret";
/// The form of [`Assigned`] that is written.
const VERSION: u32 = 1;
/// The longest of these files, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// From how many bytes on what is known by its last line is written anew.
const LINES_BYTES_MAX: u64 = 256 * 1024;

/// What a node was told, and what it needs of images to do it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Assigned {
    version: u32,
    /// The start of the machine in which it was assigned: what was executed before another one is not executed again. None of what
    /// an older program wrote.
    #[serde(default)]
    pub(super) boot_id: Option<String>,
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
    pub(super) fn new(assignment: Assignment, images: BTreeMap<String, ImageUse>, boot_id: &str) -> Self {
        Self { version: VERSION, boot_id: Some(boot_id.to_owned()), assignment, images }
    }
}

/// Where workloads are.
#[derive(Debug, Clone)]
pub(super) struct Homes {
    node: PathBuf,
    /// Held while the trash is emptied.
    emptying: Arc<Mutex<()>>,
}

/// Where a workload is.
#[derive(Debug, Clone)]
pub(super) struct Home {
    path: PathBuf,
    node: PathBuf,
}

impl Homes {
    pub(super) fn open(node: &Path) -> io::Result<Self> {
        let homes = Self { node: node.to_owned(), emptying: Arc::default() };
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

    /// What nobody else knows, the same for every process of this node: workloads go on that were told something made of it.
    pub(super) fn secret(&self) -> io::Result<[u8; 32]> {
        let path = self.node.join(SECRET);
        if let Some(secret) = std::fs::read(&path).ok().and_then(|bytes| bytes.try_into().ok()) {
            return Ok(secret);
        }
        let mut secret = [0; 32];
        base::Rng::fill(&base::SystemRng, &mut secret);
        replace(&path, &secret)?;
        Ok(secret)
    }

    /// Removes what is in the trash. Takes as long as it takes.
    pub(super) fn empty_trash(&self) -> io::Result<()> {
        // What two remove at one time is not there for one of them.
        let _one_at_a_time = self.emptying.lock().unwrap_or_else(PoisonError::into_inner);
        let trash = File::open(self.node.join(TRASH))?;
        Ok(images::remove_all_in(std::os::fd::AsFd::as_fd(&trash))?)
    }

    /// Puts something into the trash, which takes no time.
    pub(super) fn trash(&self, path: &Path) -> io::Result<()> {
        to_trash(&self.node, path)
    }
}

impl Home {
    /// The directory of its shim.
    pub(super) fn shim(&self) -> io::Result<std::os::fd::OwnedFd> {
        let path = self.path.join("shim");
        directory(&path)?;
        Ok(File::open(path)?.into())
    }

    /// The directory of its shim, as the kernel names it.
    pub(super) fn shim_path(&self) -> io::Result<PathBuf> {
        std::fs::canonicalize(self.path.join("shim"))
    }

    /// On the disk when it returns, and the names of the files that it has later, too.
    pub(super) fn write_assigned(&self, assigned: &Assigned) -> io::Result<()> {
        directory(&self.path)?;
        OpenOptions::new().append(true).create(true).mode(0o600).open(self.path.join(STATE))?;
        replace(&self.path.join(ASSIGNMENT), &serde_json::to_vec(assigned)?)?;
        File::open(&self.path)?.sync_all()?;
        // Its own name.
        File::open(self.node.join(WORKLOADS))?.sync_all()
    }

    pub(super) fn assigned(&self) -> Option<Assigned> {
        let assigned: Assigned = parse(ASSIGNMENT, &self.bytes(ASSIGNMENT)?)?;
        (assigned.version == VERSION).then_some(assigned)
    }

    /// Survives this process; the machine, once [`Home::sync_state`] has returned.
    pub(super) fn write_state(&self, lines: &mut Lines, state: &State) -> io::Result<()> {
        let mut line = serde_json::to_vec(state)?;
        line.push(b'\n');
        let path = self.path.join(STATE);
        // Until it is written nothing is known: a disk that is full may take a part of it.
        let Lines { bytes, is_named } = std::mem::take(lines);
        let before = match bytes {
            Some(bytes) => bytes,
            None => {
                // What is there may be cut off in the middle of a line, by that or by the end of the process that wrote it.
                line.insert(0, b'\n');
                std::fs::metadata(&path).map_or(0, |about| about.len())
            }
        };
        let bytes = line.len() as u64;
        *lines = if before < LINES_BYTES_MAX {
            OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(&line)?;
            Lines { bytes: Some(before + bytes), is_named }
        } else {
            replace(&path, &line)?;
            Lines { bytes: Some(bytes), is_named: false }
        };
        Ok(())
    }

    /// Waits until everything that was written is on the disk; the file's name, too, unless it is.
    pub(super) fn sync_state(&self, is_named: bool) -> io::Result<()> {
        File::open(self.path.join(STATE))?.sync_data()?;
        if is_named { Ok(()) } else { File::open(&self.path)?.sync_all() }
    }

    pub(super) fn state(&self) -> Option<State> {
        let text = self.bytes(STATE)?;
        let mut lines = text.split(|byte| *byte == b'\n').rev().filter(|line| !line.is_empty());
        lines.find_map(|line| parse(STATE, line))
    }

    /// Takes it away.
    pub(super) fn remove(&self) -> io::Result<()> {
        to_trash(&self.node, &self.path)
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let file = File::open(self.path.join(name)).ok()?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut bytes).ok()?;
        Some(bytes)
    }
}

/// A file of lines of which the last counts, as this process writes it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// How long it is, if it is known not to be cut off.
    bytes: Option<u64>,
    /// Whether its name is on the disk.
    pub(super) is_named: bool,
}

impl Lines {
    /// Those of a workload that has none yet.
    pub(super) const NONE_YET: Self = Self { bytes: Some(0), is_named: true };
}

/// Writes a file beside the one that may be there, and puts it in its place once it is on the disk: whenever the machine fails, one of
/// them is there as a whole.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_data()?;
    std::fs::rename(&new, path)
}

fn parse<T: DeserializeOwned>(name: &str, text: &[u8]) -> Option<T> {
    serde_json::from_slice(text)
        .inspect_err(|error| tracing::warn!(%error, name, "what is kept of a workload cannot be read"))
        .ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn home(node: &Path) -> Home {
        let homes = Homes::open(node).unwrap();
        homes.of(&"0123456789abcdef0123456789abcdef".parse().unwrap())
    }

    fn state(sequence: u64) -> State {
        let mut state = State::new(&workload::Spec::default(), "boot", |_| None);
        state.skip(sequence, 0);
        state
    }

    #[test]
    fn the_last_whole_line_says_how_far_a_workload_is() {
        let node = tempfile::tempdir().unwrap();
        let home = home(node.path());
        let assignment = Assignment {
            id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            generation: 1,
            spec: workload::Spec::default(),
            desired: workload::Desired::Running,
            images: BTreeMap::new(),
        };
        let assigned = Assigned::new(assignment, BTreeMap::new(), "boot");
        home.write_assigned(&assigned).unwrap();
        assert_eq!(home.assigned(), Some(assigned));
        assert_eq!(home.state(), None, "nothing of it was executed");
        let mut lines = Lines::NONE_YET;
        for sequence in 1..=3 {
            home.write_state(&mut lines, &state(sequence)).unwrap();
        }
        assert_eq!(home.state(), Some(state(3)));
        let path = home.path.join(STATE);
        let text = std::fs::read(&path).unwrap();
        for length in (text.len() * 2 / 3 + 1)..text.len() - 1 {
            std::fs::write(&path, &text[..length]).unwrap();
            assert_eq!(home.state(), Some(state(2)), "{length}");
        }
        // The next process does not write on in the middle of a line.
        home.write_state(&mut Lines::default(), &state(4)).unwrap();
        assert_eq!(home.state(), Some(state(4)));
        home.sync_state(false).unwrap();
    }

    #[test]
    fn a_line_that_a_full_disk_has_cut_off_spoils_none_that_comes_after_it() {
        let node = tempfile::tempdir().unwrap();
        let home = home(node.path());
        directory(&home.path).unwrap();
        let path = home.path.join(STATE);
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut lines = Lines::NONE_YET;
        assert_eq!(home.write_state(&mut lines, &state(1)).unwrap_err().kind(), io::ErrorKind::StorageFull);
        // As much of it as there was room for.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &serde_json::to_vec(&state(1)).unwrap()[..100]).unwrap();
        for sequence in 2..=3 {
            home.write_state(&mut lines, &state(sequence)).unwrap();
            assert_eq!(home.state(), Some(state(sequence)));
        }
    }

    #[test]
    fn many_empty_the_trash_at_one_time() {
        let node = tempfile::tempdir().unwrap();
        let homes = Homes::open(node.path()).unwrap();
        for round in 0..20 {
            for number in 0..20 {
                let path = node.path().join(format!("{round}-{number}"));
                std::fs::create_dir_all(path.join("a/b/c")).unwrap();
                homes.trash(&path).unwrap();
            }
            std::thread::scope(|scope| {
                let emptying: Vec<_> = (0..4).map(|_| scope.spawn(|| homes.empty_trash())).collect();
                emptying.into_iter().for_each(|one| one.join().unwrap().unwrap());
            });
        }
        assert_eq!(std::fs::read_dir(node.path().join(TRASH)).unwrap().count(), 0);
    }

    #[test]
    fn what_is_written_again_and_again_does_not_grow_without_end() {
        let node = tempfile::tempdir().unwrap();
        let home = home(node.path());
        directory(&home.path).unwrap();
        let mut lines = Lines::default();
        let mut longest = 0;
        for sequence in 0..2000 {
            home.write_state(&mut lines, &state(sequence)).unwrap();
            longest = longest.max(std::fs::metadata(home.path.join(STATE)).unwrap().len());
        }
        assert!(longest > LINES_BYTES_MAX && longest < 2 * LINES_BYTES_MAX, "{longest}");
        assert_eq!(home.state(), Some(state(1999)));
    }
}
