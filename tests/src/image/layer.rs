//! Layers, with what no honest program would put into them.

use std::io::Write as _;

use flate2::write::GzEncoder;

use super::{Blob, digest};

/// The time of every file: 2024-01-01T00:00:00Z.
const MOMENT_S: u64 = 1_704_067_200;
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// How a layer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// As most clients do it.
    Gzip,
    /// As new ones can.
    Zstd,
}

/// A layer: the blob, and the archive's own name.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What travels.
    pub blob: Blob,
    archive_digest: String,
}

/// A member of an archive. Its name is written as it stands here, whatever is in it.
#[derive(Debug, Clone)]
pub struct Entry {
    name: String,
    kind: tar::EntryType,
    mode: u32,
    target: String,
    content: Vec<u8>,
}

impl Entry {
    /// A regular file.
    pub fn file(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::of(name, tar::EntryType::Regular, 0o644, "", content.into())
    }

    /// A file that can be executed.
    pub fn program(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::of(name, tar::EntryType::Regular, 0o755, "", content.into())
    }

    /// A pipe with a name.
    pub fn pipe(name: &str) -> Self {
        Self::of(name, tar::EntryType::Fifo, 0o666, "", Vec::new())
    }

    /// A directory.
    pub fn directory(name: &str) -> Self {
        Self::of(name, tar::EntryType::Directory, 0o755, "", Vec::new())
    }

    /// A symbolic link.
    pub fn link(name: &str, target: &str) -> Self {
        Self::of(name, tar::EntryType::Symlink, 0o777, target, Vec::new())
    }

    /// Another name of a file.
    pub fn hard_link(name: &str, target: &str) -> Self {
        Self::of(name, tar::EntryType::Link, 0o644, target, Vec::new())
    }

    /// A device.
    pub fn device(name: &str) -> Self {
        Self::of(name, tar::EntryType::Block, 0o660, "", Vec::new())
    }

    fn of(name: &str, kind: tar::EntryType, mode: u32, target: &str, content: Vec<u8>) -> Self {
        Self { name: name.to_owned(), kind, mode, target: target.to_owned(), content }
    }

    fn append(&self, archive: &mut Vec<u8>) {
        let mut header = tar::Header::new_gnu();
        let fields = header.as_gnu_mut().expect("the header is of this kind");
        // By hand: the library's own way refuses the names that an attack needs.
        assert!(self.name.len() < fields.name.len() && self.target.len() < fields.linkname.len(), "a name is too long");
        fields.name[..self.name.len()].copy_from_slice(self.name.as_bytes());
        fields.linkname[..self.target.len()].copy_from_slice(self.target.as_bytes());
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(MOMENT_S);
        header.set_size(self.content.len() as u64);
        if self.kind == tar::EntryType::Block {
            header.set_device_major(8).expect("the header has room for devices");
            header.set_device_minor(0).expect("the header has room for devices");
        }
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(&self.content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
}

impl Layer {
    /// A layer of these members, in their order.
    pub fn new(entries: &[Entry], compression: Compression) -> Self {
        let mut archive = Vec::new();
        for entry in entries {
            entry.append(&mut archive);
        }
        archive.resize(archive.len() + 1024, 0);
        Self::of_archive(&archive, compression)
    }

    /// A layer of an archive.
    pub fn of_archive(archive: &[u8], compression: Compression) -> Self {
        let archive_digest = digest(archive);
        let blob = match compression {
            Compression::None => Blob::new(TAR, archive),
            Compression::Gzip => Blob::new(&format!("{TAR}+gzip"), gzip(archive)),
            Compression::Zstd => {
                let content = zstd::bulk::compress(archive, 3).expect("memory can be compressed");
                Blob::new(&format!("{TAR}+zstd"), content)
            }
        };
        Self { blob, archive_digest }
    }

    /// The name of the uncompressed archive.
    pub fn diff_id(&self) -> String {
        self.archive_digest.clone()
    }
}

/// Bytes as gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}
