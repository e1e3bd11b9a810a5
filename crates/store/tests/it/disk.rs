//! A disk that forgets: a SQLite file system in memory which keeps what was synced apart from what was not.
//!
//! When its power fails, every file keeps what was synced and a random part of what was written since: each sector of
//! each write is there or not, independently, as are changes of a file's length. It can also run full.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use base::{Rng, SeededRng};
use sqlite_vfs::{DatabaseHandle, LockKind, OpenOptions, Vfs, WalDisabled};

/// The name under which the file system is registered.
pub(crate) const FORGETFUL: &str = "forgetful";

/// The disks that are plugged in, by the directory that their files seem to be in.
static DISKS: Mutex<BTreeMap<String, Disk>> = Mutex::new(BTreeMap::new());

/// A handle to a disk; its clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Surface>>);

#[derive(Default)]
struct Surface {
    files: HashMap<String, Content>,
    /// How many more writes and syncs happen before the power fails.
    operations_left: Option<u64>,
    /// What is left of each file, once the power has failed.
    remains: Option<BTreeMap<String, Vec<u8>>>,
    seed: u64,
    /// No file may grow beyond what all of them have together now plus this.
    bytes_free: Option<u64>,
}

#[derive(Default, Clone)]
struct Content {
    synced: Vec<u8>,
    now: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum Pending {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Plugs in a disk whose files seem to be in the directory, with the files that are really there, synced.
    pub(crate) fn plug_in(directory: &Path, seed: u64) -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| sqlite_vfs::register(FORGETFUL, FileSystem, false).unwrap());
        let disk = Self::default();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let content = Content { synced: bytes.clone(), now: bytes, pending: Vec::new() };
            lock(&disk.0).files.insert(path.to_str().unwrap().to_owned(), content);
        }
        lock(&disk.0).seed = seed;
        lock(&DISKS).insert(directory.to_str().unwrap().to_owned(), disk.clone());
        disk
    }

    /// Lets the power fail after so many writes and syncs more.
    pub(crate) fn fail_after(&self, operations: u64) {
        lock(&self.0).operations_left = Some(operations);
    }

    /// Lets the disk have room for so many bytes more; none lifts the limit.
    pub(crate) fn set_free(&self, bytes: Option<u64>) {
        lock(&self.0).bytes_free = bytes;
    }

    /// Whether the power has failed.
    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.0).remains.is_some()
    }

    /// Takes the power away, if it has not failed yet, and writes what is left into a directory.
    pub(crate) fn remains_into(&self, directory: &Path) {
        let mut surface = lock(&self.0);
        surface.fail();
        for (path, bytes) in surface.remains.iter().flatten() {
            std::fs::write(directory.join(Path::new(path).file_name().unwrap()), bytes).unwrap();
        }
    }
}

impl Surface {
    /// Counts an operation on the disk; an error, once there is no power.
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => self.fail(),
            Some(left) => *left -= 1,
            None => {}
        }
        if self.remains.is_some() { Err(io::Error::other("there is no power")) } else { Ok(()) }
    }

    fn fail(&mut self) {
        if self.remains.is_some() {
            return;
        }
        let rng = SeededRng::new(self.seed);
        // A disk with small sectors, one with large ones; one that had written almost all, or almost nothing.
        let sector = if rng.next_u64().is_multiple_of(2) { 512 } else { 4096 };
        let kept_percent = [0, 10, 50, 90, 100][(rng.next_u64() % 5) as usize];
        let kept = || rng.next_u64() % 100 < kept_percent;
        let mut paths: Vec<&String> = self.files.keys().collect();
        paths.sort();
        let remains = paths.into_iter().map(|path| (path.clone(), self.files[path].after_power_loss(sector, &kept)));
        self.remains = Some(remains.collect());
    }
}

impl Content {
    fn after_power_loss(&self, sector: usize, kept: &dyn Fn() -> bool) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for pending in &self.pending {
            match pending {
                Pending::Length(length) if kept() => bytes.resize(*length, 0),
                Pending::Length(_) => {}
                Pending::Write { offset, data } => {
                    let (mut at, end) = (*offset, offset + data.len());
                    while at < end {
                        let next = (at / sector * sector + sector).min(end);
                        if kept() {
                            overwrite(&mut bytes, at, &data[at - offset..next - offset]);
                        }
                        at = next;
                    }
                }
            }
        }
        bytes
    }
}

fn overwrite(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

struct FileSystem;

pub(crate) struct Handle {
    disk: Disk,
    path: String,
    locked: LockKind,
}

fn disk_of(path: &str) -> io::Result<Disk> {
    let directory = Path::new(path).parent().and_then(Path::to_str).unwrap_or_default();
    lock(&DISKS).get(directory).cloned().ok_or(ErrorKind::NotFound.into())
}

impl Vfs for FileSystem {
    type Handle = Handle;

    fn open(&self, path: &str, options: OpenOptions) -> io::Result<Handle> {
        let disk = disk_of(path)?;
        {
            let mut surface = lock(&disk.0);
            let creates = !matches!(options.access, sqlite_vfs::OpenAccess::Read | sqlite_vfs::OpenAccess::Write);
            if !surface.files.contains_key(path) {
                if !creates {
                    return Err(ErrorKind::NotFound.into());
                }
                surface.operate()?;
                surface.files.insert(path.to_owned(), Content::default());
            }
        }
        Ok(Handle { disk, path: path.to_owned(), locked: LockKind::None })
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        let disk = disk_of(path)?;
        let mut surface = lock(&disk.0);
        surface.operate()?;
        surface.files.remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(disk_of(path).is_ok_and(|disk| lock(&disk.0).files.contains_key(path)))
    }

    fn temporary_name(&self) -> String {
        unreachable!("nothing that the store does needs a temporary file")
    }

    fn random(&self, buffer: &mut [i8]) {
        buffer.fill_with(|| base::SystemRng.next_u64() as i8);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        std::thread::sleep(duration);
        duration
    }
}

impl Handle {
    fn with<T>(&self, act: impl FnOnce(&mut Surface, &str) -> io::Result<T>) -> io::Result<T> {
        act(&mut lock(&self.disk.0), &self.path)
    }
}

impl DatabaseHandle for Handle {
    type WalIndex = WalDisabled;

    fn size(&self) -> io::Result<u64> {
        self.with(|surface, path| Ok(surface.files.get(path).map_or(0, |file| file.now.len() as u64)))
    }

    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.with(|surface, path| {
            let bytes = surface.files.get(path).map_or(&[][..], |file| &file.now);
            let there = bytes.get(offset as usize..).unwrap_or_default();
            let read = there.len().min(buffer.len());
            buffer[..read].copy_from_slice(&there[..read]);
            buffer[read..].fill(0);
            if read < buffer.len() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
        })
    }

    fn write_all_at(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        self.with(|surface, path| {
            surface.operate()?;
            let offset = offset as usize;
            let length = surface.files.get(path).map_or(0, |file| file.now.len());
            let growth = (offset + data.len()).saturating_sub(length) as u64;
            if let Some(free) = &mut surface.bytes_free {
                // What is told to SQLite as a full disk.
                *free = free.checked_sub(growth).ok_or(io::Error::from(ErrorKind::WriteZero))?;
            }
            let file = surface.files.entry(path.to_owned()).or_default();
            overwrite(&mut file.now, offset, data);
            file.pending.push(Pending::Write { offset, data: data.to_vec() });
            Ok(())
        })
    }

    fn sync(&mut self, _data_only: bool) -> io::Result<()> {
        self.with(|surface, path| {
            surface.operate()?;
            let file = surface.files.entry(path.to_owned()).or_default();
            for pending in std::mem::take(&mut file.pending) {
                match pending {
                    Pending::Length(length) => file.synced.resize(length, 0),
                    Pending::Write { offset, data } => overwrite(&mut file.synced, offset, &data),
                }
            }
            Ok(())
        })
    }

    fn set_len(&mut self, size: u64) -> io::Result<()> {
        self.with(|surface, path| {
            surface.operate()?;
            let file = surface.files.entry(path.to_owned()).or_default();
            file.now.resize(size as usize, 0);
            file.pending.push(Pending::Length(size as usize));
            Ok(())
        })
    }

    fn lock(&mut self, lock: LockKind) -> io::Result<bool> {
        // The store has one connection, and the directory's lock keeps others out.
        self.locked = lock;
        Ok(true)
    }

    fn reserved(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn current_lock(&self) -> io::Result<LockKind> {
        Ok(self.locked)
    }

    fn wal_index(&self, _readonly: bool) -> io::Result<WalDisabled> {
        Ok(WalDisabled)
    }
}
