//! A layer: an archive of files, compressed by gzip and by zstd in one pass.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::blob::name;
use super::contents::{Contents, Kind};

/// Docker's client compresses at this level.
const GZIP_LEVEL: u32 = 6;
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;
/// What every file says of its last change: nothing may depend on when an image is made.
const MODIFIED_S: u64 = 1_700_000_000;

/// What a layer is to hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The folder that all its files are in; no other layer has it.
    pub(crate) folder: &'static str,
    pub(crate) seed: u64,
    pub(crate) files: u64,
    /// Of all files.
    pub(crate) bytes: u64,
    /// Of a hundred bytes so many are texts, so many programs; the rest is packed.
    pub(crate) text: u64,
    pub(crate) program: u64,
    /// Files of another layer, the first of its folder, that this one deletes.
    pub(crate) deletes: Option<(&'static str, u64)>,
}

/// A layer that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The digest of the archive.
    pub(crate) diff_id: String,
    pub(crate) gzip: Compressed,
    pub(crate) zstd: Compressed,
    /// Regular files and their bytes.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// The sizes of the first files, which another layer may delete.
    pub(crate) first_sizes: Vec<u64>,
}

/// A blob in a file that has its digest as its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compressed {
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// How many sizes are kept.
const FIRST_SIZES: usize = 64;

impl Plan {
    /// Makes the layer's two blobs in `folder`.
    pub(crate) fn make(&self, folder: &Path) -> Result<Made> {
        let temporary = |form: &str| folder.join(format!("{}-{}.{form}", self.folder.replace('/', "-"), self.seed));
        let (gzip, zstd) = (temporary("gzip"), temporary("zstd"));
        let forms = Forms {
            archive: Sha256::new(),
            gzip: GzEncoder::new(Hashed::create(&gzip)?, Compression::new(GZIP_LEVEL)),
            zstd: zstd::Encoder::new(Hashed::create(&zstd)?, ZSTD_LEVEL)?,
        };
        let mut archive = tar::Builder::new(forms);
        let sizes = self.write(&mut archive)?;
        let Forms { archive, gzip: gzip_encoder, zstd: zstd_encoder } = archive.into_inner()?;
        Ok(Made {
            diff_id: name(archive.finalize().as_slice()),
            gzip: gzip_encoder.finish()?.keep(&gzip, folder)?,
            zstd: zstd_encoder.finish()?.keep(&zstd, folder)?,
            files: sizes.len() as u64,
            bytes: sizes.iter().sum(),
            first_sizes: sizes.into_iter().take(FIRST_SIZES).collect(),
        })
    }

    /// Writes the members; answers the sizes of the regular files.
    fn write<W: Write>(&self, archive: &mut tar::Builder<W>) -> Result<Vec<u64>> {
        const FILES_A_FOLDER: u64 = 12;
        let contents = Contents::new(self.seed);
        let mut sizes = self.sizes(&contents);
        let mut parent = String::new();
        for depth in self.folder.split('/') {
            parent = if parent.is_empty() { depth.to_owned() } else { format!("{parent}/{depth}") };
            directory(archive, &parent)?;
        }
        for (number, &size) in (0..).zip(&sizes) {
            let below = format!("{parent}/{:04}", number / FILES_A_FOLDER);
            if number % FILES_A_FOLDER == 0 {
                directory(archive, &below)?;
                link(archive, EntryType::Symlink, &format!("{below}/current"), "0.bin")?;
            }
            let kind = self.kind(&contents);
            let bytes = contents.file(kind, usize::try_from(size)?);
            let mut header = header(EntryType::Regular, if kind == Kind::Program { 0o755 } else { 0o644 });
            header.set_size(size);
            header.set_mtime(MODIFIED_S + number);
            archive.append_data(&mut header, path(&parent, number), bytes.as_slice())?;
        }
        let twice = format!("{parent}/twice");
        link(archive, EntryType::Link, &twice, &path(&parent, 0))?;
        sizes.push(sizes[0]);
        if let Some((other, count)) = self.deletes {
            for number in 0..count {
                let deleted = path(other, number);
                let (folder, file) = deleted.rsplit_once('/').context("a path without a folder")?;
                let mut header = header(EntryType::Regular, 0o600);
                header.set_size(0);
                archive.append_data(&mut header, format!("{folder}/.wh.{file}"), io::empty())?;
            }
        }
        Ok(sizes)
    }

    /// Few files have most of the bytes, as in real images.
    fn sizes(&self, contents: &Contents) -> Vec<u64> {
        const SPREAD: u64 = 400;
        let weights: Vec<u64> = (0..self.files).map(|_| SPREAD * SPREAD / (1 + contents.below(SPREAD))).collect();
        let sum: u64 = weights.iter().sum();
        weights.into_iter().map(|weight| self.bytes * weight / sum).collect()
    }

    fn kind(&self, contents: &Contents) -> Kind {
        match contents.below(100) {
            drawn if drawn < self.text => Kind::Text,
            drawn if drawn < self.text + self.program => Kind::Program,
            _ => Kind::Packed,
        }
    }
}

/// Where a file of a layer is.
fn path(folder: &str, number: u64) -> String {
    const FILES_A_FOLDER: u64 = 12;
    format!("{folder}/{:04}/{}.bin", number / FILES_A_FOLDER, number % FILES_A_FOLDER)
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MODIFIED_S);
    header.set_size(0);
    header
}

fn directory<W: Write>(archive: &mut tar::Builder<W>, path: &str) -> Result<()> {
    Ok(archive.append_data(&mut header(EntryType::Directory, 0o755), format!("{path}/"), io::empty())?)
}

fn link<W: Write>(archive: &mut tar::Builder<W>, kind: EntryType, path: &str, target: &str) -> Result<()> {
    Ok(archive.append_link(&mut header(kind, 0o777), path, target)?)
}

/// The archive, on its way into both forms.
struct Forms {
    archive: Sha256,
    gzip: GzEncoder<Hashed>,
    zstd: zstd::Encoder<'static, Hashed>,
}

impl Write for Forms {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.archive.update(bytes);
        self.gzip.write_all(bytes)?;
        self.zstd.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file whose bytes are hashed as they come.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Hashed {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { file: BufWriter::new(file), hash: Sha256::new(), size: 0 })
    }

    /// Gives the file its digest as its name.
    fn keep(mut self, path: &Path, folder: &Path) -> Result<Compressed> {
        self.file.flush()?;
        let digest = name(self.hash.finalize().as_slice());
        std::fs::rename(path, folder.join(&digest))?;
        Ok(Compressed { digest, size: self.size })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;
    use std::io::Read;

    #[test]
    fn a_layer_holds_what_was_planned_in_both_forms_and_is_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let deletes = Some(("usr/lib", 2));
        let plan = Plan { folder: "opt/app", seed: 3, files: 30, bytes: 300_000, text: 50, program: 40, deletes };
        let made = plan.make(folder.path()).unwrap();
        assert_eq!(made, plan.make(folder.path()).unwrap());
        assert!((250_000..400_000).contains(&made.bytes), "{}", made.bytes);
        assert_eq!(made.files, 31, "with the hard link");
        let read = |form: &Compressed| File::open(folder.path().join(&form.digest)).unwrap();
        let mut archives = [Vec::new(), Vec::new()];
        flate2::read::GzDecoder::new(read(&made.gzip)).read_to_end(&mut archives[0]).unwrap();
        zstd::Decoder::new(read(&made.zstd)).unwrap().read_to_end(&mut archives[1]).unwrap();
        assert_eq!(archives[0], archives[1]);
        assert_eq!(name(Sha256::digest(&archives[0]).as_slice()), made.diff_id);
        let mut archive = tar::Archive::new(archives[0].as_slice());
        let members = archive.entries().unwrap().map(|of| of.unwrap().path().unwrap().display().to_string());
        let members: BTreeSet<String> = members.collect();
        for member in ["opt/", "opt/app/0000/", "opt/app/0002/5.bin", "opt/app/twice", "usr/lib/0000/.wh.1.bin"] {
            assert!(members.contains(member), "{member} is not in {members:?}");
        }
    }
}
