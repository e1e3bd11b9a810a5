//! The archive: a tar file whose first entry says what it is and whose last one proves it whole.
//!
//! ```text
//! pilvi-backup.json   format, version, revision
//! keys/… tls/…        the small files, as they are
//! state.db            a copy of the database, of one revision
//! blobs/sha256:…      each blob that the copy refers to
//! objects/…           the files that S3's objects are in; further names of one as links to it
//! logs/…              the files of log events: <account>/<region>/<group>/<file>
//! checksums.json      length and SHA-256 of each entry before
//! ```
//!
//! Only these names are taken from an archive, so no entry can lead out of the directory.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use base::{Clock, SystemClock};
use blobs::files::HeldFiles;
use blobs::{Blobs, Digest as BlobDigest};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use self::objects::Staged;
use super::log_files::{LogFiles, is_log_file};
use crate::data_dir::{DataDir, Lock, make_private_dir};

mod objects;

const MANIFEST: &str = "pilvi-backup.json";
const STATE: &str = "state.db";
const CHECKSUMS: &str = "checksums.json";
const BLOBS: &str = "blobs/";
const OBJECTS: &str = "objects/";
const LOGS: &str = "logs/";

/// Raised when an older program could not understand an archive: 2 brought the log events, 3 the nodes' authority, 4 the
/// objects, 5 links between these.
const FORMAT: u32 = 5;

/// Small files, and whether a data directory cannot do without them.
const FILES: [(&str, bool); 6] = [
    ("keys/root.json", true),
    ("keys/sealing.json", true),
    ("tls/ca.json", false),
    ("tls/ca.pem", false),
    ("tls/server.json", false),
    // By it the machines that joined know the server, and it knows them: without it each has to join anew.
    ("tls/nodes.json", false),
];

/// A larger "small file" is none of ours.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// What an entry takes among the checksums, at most: its name, and a hundred bytes besides.
const CHECKSUM_BYTES_MAX: u64 = 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    format: u32,
    version: String,
    created_at: String,
    revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Checksum {
    bytes: u64,
    sha256: String,
}

type Checksums = BTreeMap<String, Checksum>;

/// Writes an archive of a data directory, whether a server has it open or not.
///
/// # Errors
/// When the directory holds no state, another backup is under way, or something cannot be read or written.
pub(super) fn write(dir: &DataDir, to: impl Write) -> Result<()> {
    ensure!(dir.state().exists(), "{} holds no state yet", dir.path().display());
    make_private_dir(&dir.run())?;
    let lock = Lock::take(&dir.run().join("backup.lock"))?;
    let _lock = lock.map_err(|holder| anyhow::anyhow!("another backup is under way, by {holder}"))?;
    let copy = dir.run().join("backup.db");
    remove_if_there(&copy)?;
    let blobs = dir.blobs().exists().then(|| Blobs::open_root(&dir.blobs())).transpose()?;
    // From before the copy until after the last blob: what the copy refers to must not be collected meanwhile.
    let _hold = blobs.as_ref().map(Blobs::hold).transpose().context("cannot hold the collection of blobs")?;
    let objects = HeldFiles::at(&dir.objects()).context("cannot hold the objects")?;
    // Before the state, so that a group which is deleted in between leaves events without a group, which a server removes
    // when it starts, and never a group without its events.
    let logs = LogFiles::hold(dir)?;
    let revision = store::backup_directory(&dir.state(), &copy).context("cannot copy the state");
    let written = revision.and_then(|revision| {
        let (blobs, objects) = (blobs.as_ref(), objects.as_ref());
        write_entries(&Sources { dir, copy: &copy, revision, blobs, objects, logs: &logs }, to)
    });
    let removed = remove_if_there(&copy);
    written.and(removed)
}

/// What goes into an archive.
struct Sources<'a> {
    dir: &'a DataDir,
    /// The copy of the state.
    copy: &'a Path,
    revision: store::Revision,
    blobs: Option<&'a Blobs>,
    objects: Option<&'a HeldFiles>,
    logs: &'a LogFiles,
}

fn write_entries(sources: &Sources<'_>, to: impl Write) -> Result<()> {
    let Sources { dir, copy, revision, blobs, objects, logs } = *sources;
    let mut archive = Builder::new(io::BufWriter::with_capacity(1 << 20, to));
    let mut checksums = Checksums::new();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let created_at = SystemClock.now().iso8601();
    let manifest = Manifest { format: FORMAT, version, created_at, revision: revision.0 };
    append_bytes(&mut archive, MANIFEST, &serde_json::to_vec_pretty(&manifest)?, &mut checksums)?;
    for (name, needed) in FILES {
        match std::fs::read(dir.path().join(name)) {
            Ok(content) => append_bytes(&mut archive, name, &content, &mut checksums)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !needed => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        }
    }
    let state = File::open(copy)?;
    let bytes = state.metadata()?.len();
    append(&mut archive, STATE, state, bytes, &mut checksums)?;
    for digest in store::blobs_referenced_in(copy)? {
        let blob = blobs.map(|blobs| blobs.open(&digest)).transpose()?.flatten();
        let blob = blob.with_context(|| format!("the state refers to the blob {digest}, which is not there"))?;
        let bytes = blob.size();
        append(&mut archive, &format!("{BLOBS}{digest}"), blob.into_file(), bytes, &mut checksums)?;
    }
    if let Some(held) = objects {
        objects::append_all(&mut archive, held, &mut checksums)?;
    }
    for file in logs.files() {
        let (content, bytes) = logs.open(file)?;
        append(&mut archive, &format!("{LOGS}{}", file.path), content, bytes, &mut checksums)?;
    }
    append_bytes(&mut archive, CHECKSUMS, &serde_json::to_vec_pretty(&checksums)?, &mut Checksums::new())?;
    archive.into_inner()?.flush().context("cannot write the archive")
}

fn append_bytes(
    archive: &mut Builder<impl Write>,
    name: &str,
    content: &[u8],
    checksums: &mut Checksums,
) -> Result<()> {
    append(archive, name, content, content.len() as u64, checksums)
}

fn append(
    archive: &mut Builder<impl Write>,
    name: &str,
    content: impl Read,
    bytes: u64,
    checksums: &mut Checksums,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(bytes);
    header.set_mtime(SystemClock.now().as_secs().unsigned_abs());
    let mut content = Hashing::new(content.take(bytes));
    archive
        .append_data(&mut header, name, &mut content)
        .with_context(|| format!("cannot write {name} to the archive"))?;
    let checksum = content.checksum();
    ensure!(checksum.bytes == bytes, "{name} has become shorter while it was read");
    checksums.insert(name.to_owned(), checksum);
    Ok(())
}

/// Fills a data directory from an archive. Nothing is put in place before all of it has been read and found whole.
///
/// # Errors
/// When the directory holds data, or the archive is damaged, cut off or of a later format.
pub(super) fn read(dir: &DataDir, from: impl Read) -> Result<()> {
    for taken in [dir.state(), dir.blobs(), dir.objects(), dir.logs(), dir.keys(), dir.tls()] {
        ensure!(!taken.exists(), "{} exists: a backup is restored into an empty data directory", taken.display());
    }
    let staged = dir.path().join("restoring");
    remove_dir_if_there(&staged)?;
    for place in [staged.clone(), staged.join("keys"), staged.join("tls")] {
        make_private_dir(&place)?;
    }
    let read = unpack(&staged, from).and_then(|()| put_in_place(dir, &staged));
    let removed = remove_dir_if_there(&staged);
    read.and(removed)
}

fn unpack(staged: &Path, from: impl Read) -> Result<()> {
    let mut archive = Archive::new(io::BufReader::with_capacity(1 << 20, from));
    let mut found = Checksums::new();
    let mut objects = Staged::below(staged.join("objects"));
    let mut expected = None;
    for entry in archive.entries()? {
        ensure!(expected.is_none(), "there is more after the archive's end");
        let mut entry = entry.context("not a backup, or a damaged one")?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let is_link = entry.header().entry_type() == EntryType::Link && name.starts_with(OBJECTS);
        ensure!(is_link || entry.header().entry_type() == EntryType::Regular, "{name} is not a plain file");
        if name == CHECKSUMS {
            let bytes_max = FILE_BYTES_MAX + found.len() as u64 * CHECKSUM_BYTES_MAX;
            let content = whole(&mut entry, &name, bytes_max)?;
            expected = Some(serde_json::from_slice::<Checksums>(&content).context("damaged checksums")?);
            continue;
        }
        ensure!(!found.contains_key(&name), "{name} is there twice");
        ensure!(!found.is_empty() || name == MANIFEST, "this is not a backup of Pilvi's");
        let checksum = match name.as_str() {
            MANIFEST => check_manifest(&small(&mut entry, &name)?)?,
            STATE => stage(&staged.join(STATE), &mut entry)?,
            _ if name.starts_with(BLOBS) => stage_blob(&staged.join("blobs"), &name, &mut entry)?,
            _ if is_link => objects.link(&name, &entry, &found)?,
            _ if name.starts_with(OBJECTS) => objects.file(&name, &mut entry)?,
            _ if name.strip_prefix(LOGS).is_some_and(is_log_file) => stage_log_file(staged, &name, &mut entry)?,
            _ if FILES.iter().any(|(known, _)| *known == name) => {
                stage(&staged.join(&name), small(&mut entry, &name)?.as_slice())?
            }
            _ => bail!("{name} does not belong into a backup"),
        };
        found.insert(name, checksum);
    }
    let expected = expected.context("the archive is cut off")?;
    ensure!(found == expected, "the archive is damaged: its content does not fit its checksums");
    let needed = FILES.iter().filter(|(_, needed)| *needed).map(|(name, _)| *name).chain([STATE]);
    for name in needed {
        ensure!(found.contains_key(name), "the archive has no {name}");
    }
    for digest in store::blobs_referenced_in(&staged.join(STATE)).context("the backup's state cannot be used")? {
        ensure!(found.contains_key(&format!("{BLOBS}{digest}")), "the archive has no blob {digest}");
    }
    Ok(())
}

fn small(entry: &mut impl Read, name: &str) -> Result<Vec<u8>> {
    whole(entry, name, FILE_BYTES_MAX)
}

fn whole(entry: &mut impl Read, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = entry.take(bytes_max + 1).read_to_end(&mut content);
    read.with_context(|| format!("cannot read {name}: the archive is damaged or cut off"))?;
    ensure!(content.len() as u64 <= bytes_max, "{name} is too large");
    Ok(content)
}

fn check_manifest(content: &[u8]) -> Result<Checksum> {
    let manifest: Manifest = serde_json::from_slice(content).context("this is not a backup of Pilvi's")?;
    if manifest.format > FORMAT {
        bail!("Pilvi {} wrote this backup; a version as new is needed to restore it", manifest.version);
    }
    let mut content = Hashing::new(content);
    io::copy(&mut content, &mut io::sink())?;
    Ok(content.checksum())
}

/// Writes a file. It is on the disk once all are.
fn stage(path: &Path, content: impl Read) -> Result<Checksum> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut content = Hashing::new(content);
    io::copy(&mut content, &mut file).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(content.checksum())
}

fn stage_log_file(staged: &Path, name: &str, content: impl Read) -> Result<Checksum> {
    let path = staged.join(name);
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    stage(&path, content)
}

fn stage_blob(root: &Path, name: &str, mut content: impl Read) -> Result<Checksum> {
    let digest: BlobDigest =
        name[BLOBS.len()..].parse().with_context(|| format!("{name} does not belong into a backup"))?;
    let mut writer = Blobs::open_root(root)?.writer(u64::MAX)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match content.read(&mut piece).with_context(|| format!("cannot read {name}"))? {
            0 => break,
            read => writer.append(&piece[..read])?,
        }
    }
    let bytes = writer.size();
    writer.finish_as(&digest).with_context(|| format!("{name} is damaged"))?;
    Ok(Checksum { bytes, sha256: digest.hex() })
}

/// Blobs, objects and log events go first, so that nothing refers to what is not there; then the state, and the keys last: a
/// start in between finds state without its key and stops, rather than making a new key for an empty state.
fn put_in_place(dir: &DataDir, staged: &Path) -> Result<()> {
    // All that is staged, in one go: there can be many small files.
    rustix::fs::syncfs(File::open(staged)?)?;
    let first = [("blobs", dir.blobs()), ("objects", dir.objects()), ("logs", dir.logs())];
    for (from, to) in first.map(|(name, to)| (staged.join(name), to)) {
        if from.exists() {
            std::fs::rename(from, to)?;
        }
    }
    let revision = store::restore_directory(&staged.join(STATE), &dir.state());
    if let Err(error) = revision {
        for placed in [dir.state(), dir.blobs(), dir.objects(), dir.logs()] {
            remove_dir_if_there(&placed)?;
        }
        return Err(error).context("the backup's state cannot be used");
    }
    let tls = staged.join("tls");
    if std::fs::read_dir(&tls)?.next().is_some() {
        std::fs::rename(tls, dir.tls())?;
    }
    std::fs::rename(staged.join("keys"), dir.keys())?;
    Ok(File::open(dir.path())?.sync_all()?)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn remove_dir_if_there(path: &PathBuf) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Counts and hashes what is read through it.
struct Hashing<R> {
    inner: R,
    bytes: u64,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, bytes: 0, hash: Sha256::new() }
    }

    fn checksum(self) -> Checksum {
        Checksum { bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
