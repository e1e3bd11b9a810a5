//! The files of S3's objects in an archive.
//!
//! A copy of an object has the bytes of the first one: their file has a name for each. The archive has those bytes once; each
//! further name is a link (tar's own kind) to the one that stands with them, and is a link again when it is restored.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use blobs::files::{FileId, HeldFiles};
use tar::{Builder, Entry, EntryType, Header};

use super::{Checksum, Checksums, OBJECTS, append, stage};

/// Writes all files. What comes meanwhile may be taken along: a restored server finds that no record names it.
pub(super) fn append_all(archive: &mut Builder<impl Write>, held: &HeldFiles, checksums: &mut Checksums) -> Result<()> {
    // Nothing is removed as long as it is held, so that no two files ever have one number.
    let mut written: HashMap<(u64, u64), FileId> = HashMap::new();
    for id in held.all() {
        let id = id.context("cannot list the objects")?;
        let Some(opened) = held.open(&id)? else { continue };
        let name = name_of(&id);
        let of = opened.file.metadata()?;
        if let Some(first) = written.get(&number(&of)) {
            append_link(archive, &name, &name_of(first), checksums)?;
            continue;
        }
        // One that gets its second name later is written twice at most.
        if of.nlink() > 1 {
            written.insert(number(&of), id);
        }
        append(archive, &name, opened.file, opened.size, checksums)?;
    }
    Ok(())
}

fn number(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

fn name_of(id: &FileId) -> String {
    format!("{OBJECTS}{id}")
}

fn append_link(archive: &mut Builder<impl Write>, name: &str, to: &str, checksums: &mut Checksums) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Link);
    header.set_mode(0o600);
    header.set_size(0);
    archive.append_link(&mut header, name, to).with_context(|| format!("cannot write {name} to the archive"))?;
    let of_target = checksums.get(to).with_context(|| format!("{to} is not in the archive"))?.clone();
    checksums.insert(name.to_owned(), of_target);
    Ok(())
}

/// The files of objects that come out of an archive.
pub(super) struct Staged {
    root: PathBuf,
    /// For files that can have no further name: the copy that takes those that come.
    substitutes: HashMap<FileId, FileId>,
    link: fn(&Path, &Path) -> io::Result<()>,
}

impl Staged {
    /// None yet, below a directory that is made when one comes.
    pub(super) fn below(root: PathBuf) -> Self {
        Self { root, substitutes: HashMap::new(), link: |from, to| std::fs::hard_link(from, to) }
    }

    /// Takes an entry that is a file.
    pub(super) fn file(&self, name: &str, content: impl Read) -> Result<Checksum> {
        stage(&self.place(&id_of(name)?)?, content)
    }

    /// Takes an entry that is a link. Its checksum is that of the file, so that a link that was bent is found out in the end.
    ///
    /// # Errors
    /// When it leads to anything but an object that came before it.
    pub(super) fn link(&mut self, name: &str, entry: &Entry<'_, impl Read>, found: &Checksums) -> Result<Checksum> {
        ensure!(entry.size() == 0, "{name} is a link and has content");
        let to = entry.link_name()?.unwrap_or_default().to_string_lossy().into_owned();
        let (id, first) = (id_of(name)?, id_of(&to)?);
        let checksum = found.get(&to).with_context(|| format!("{name} leads to {to}, which is not there"))?;
        let from = self.place(self.substitutes.get(&first).unwrap_or(&first))?;
        let place = self.place(&id)?;
        // A file system has a number of names at which it ends, and it may be another one than the archive came from.
        if (self.link)(&from, &place).is_err() {
            stage(&place, File::open(&from)?)?;
            self.substitutes.insert(first, id);
        }
        Ok(checksum.clone())
    }

    /// Where a file goes, in a folder that is there.
    fn place(&self, id: &FileId) -> Result<PathBuf> {
        let place = self.root.join(id.path());
        if let Some(folder) = place.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(place)
    }
}

fn id_of(name: &str) -> Result<FileId> {
    let id = name.strip_prefix(OBJECTS).and_then(|id| id.parse().ok());
    id.with_context(|| format!("{name} does not belong into a backup"))
}

#[cfg(test)]
mod tests;
