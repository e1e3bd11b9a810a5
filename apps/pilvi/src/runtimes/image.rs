//! An image of trees: each a layer. The same files always make the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use blobs::{BlobError, Blobs, Writer};
use images::{Descriptor, Platform};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::tree::{Entry, Tree};

/// The types of what an image is made of. (OCI image specification, "Media Types".)
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The largest layer that is made of this machine's files, in bytes.
const LAYER_BYTES_MAX: u64 = 4 << 30;
/// The largest document, in bytes; there is nothing in it but names of layers and variables.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
const BUFFER_BYTES: usize = 256 * 1024;

/// An image whose bytes are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// Its manifest.
    pub(super) root: Descriptor,
    /// The bytes of its layers.
    pub(super) layer_bytes: u64,
    /// The files of all its documents and layers.
    pub(super) files: Vec<blobs::Digest>,
}

/// Why no image was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    /// A file of this machine's could not be taken.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A layer could not be written.
    #[error("its layer cannot be written: {0}")]
    Write(io::Error),
    /// What was written could not be kept.
    #[error("it cannot be kept: {0}")]
    Blob(#[from] BlobError),
}

/// Makes an image with these layers and variables.
///
/// # Errors
/// [`MakeError`]; what was written by then goes with the next collection.
pub(super) fn make(blobs: &Blobs, layers: &[Tree], env: &BTreeMap<&str, String>) -> Result<Made, MakeError> {
    let layers = layers.iter().map(|tree| layer(blobs, tree)).collect::<Result<Vec<_>, _>>()?;
    let platform = Platform::host();
    let config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {
            "Env": env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            "WorkingDir": "/var/task",
        },
        // Layers that are not compressed are their own archives.
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| layer.digest).collect::<Vec<_>>() },
    });
    compose(blobs, &config, layers)
}

/// Writes the documents of an image.
pub(super) fn compose(blobs: &Blobs, config: &serde_json::Value, layers: Vec<Descriptor>) -> Result<Made, MakeError> {
    let config = document(blobs, CONFIG, config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": layers,
    });
    let root = document(blobs, MANIFEST, &manifest)?;
    let all = [&root, &config].into_iter().chain(&layers);
    Ok(Made {
        files: all.filter_map(|descriptor| descriptor.digest.blob()).collect(),
        layer_bytes: layers.iter().map(|layer| layer.size).sum(),
        root,
    })
}

/// Writes a layer.
pub(super) fn layer(blobs: &Blobs, tree: &Tree) -> Result<Descriptor, MakeError> {
    let mut builder = Builder::new(BufWriter::with_capacity(BUFFER_BYTES, Archive(blobs.writer(LAYER_BYTES_MAX)?)));
    for (path, entry) in tree.entries() {
        append(&mut builder, path, entry)?;
    }
    let buffered = builder.into_inner().map_err(MakeError::Write)?;
    let Archive(writer) = buffered.into_inner().map_err(|error| MakeError::Write(error.into_error()))?;
    finish(writer, LAYER)
}

fn append<W: Write>(builder: &mut Builder<W>, path: &Path, entry: &Entry) -> Result<(), MakeError> {
    let mut header = Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    let mode = |is_executable: bool| if is_executable { 0o755 } else { 0o644 };
    match entry {
        Entry::Directory { mode } => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(*mode);
            builder.append_data(&mut header, path, io::empty()).map_err(MakeError::Write)
        }
        Entry::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            builder.append_link(&mut header, path, target).map_err(MakeError::Write)
        }
        Entry::Own { bytes, is_executable } => {
            header.set_entry_type(EntryType::Regular);
            header.set_mode(mode(*is_executable));
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice()).map_err(MakeError::Write)
        }
        Entry::Host { path: from, size, mtime, is_executable } => {
            let failed = |source| MakeError::Read { path: from.display().to_string(), source };
            let file = File::open(from).map_err(failed)?;
            // What is replaced while it is read would not be what its name promises, and must not move what follows.
            if file.metadata().map_err(failed)?.len() != *size {
                return Err(failed(io::Error::other("it changes at the moment")));
            }
            header.set_entry_type(EntryType::Regular);
            header.set_mode(mode(*is_executable));
            header.set_size(*size);
            header.set_mtime(*mtime);
            let mut reading = Exactly { file: file.take(*size), left: *size };
            builder.append_data(&mut header, path, &mut reading).map_err(MakeError::Write)
        }
    }
}

/// A file that must not end early.
struct Exactly {
    file: io::Take<File>,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.left -= read as u64;
        if read == 0 && self.left > 0 && !into.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

/// A blob as the archive is written.
struct Archive(Writer);

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn document(blobs: &Blobs, media_type: &str, document: &serde_json::Value) -> Result<Descriptor, MakeError> {
    let mut writer = blobs.writer(DOCUMENT_BYTES_MAX)?;
    writer.append(document.to_string().as_bytes())?;
    finish(writer, media_type)
}

fn finish(writer: Writer, media_type: &str) -> Result<Descriptor, MakeError> {
    let size = writer.size();
    let digest = writer.finish()?;
    Ok(Descriptor { media_type: media_type.to_owned(), digest: images::Digest::from(digest), size, platform: None })
}

#[cfg(test)]
mod tests {
    use images::Image;

    use super::*;

    fn tree(directory: &Path) -> Tree {
        let mut tree = Tree::default();
        tree.directory("/var/task", 0o755);
        tree.own("/var/runtime/bootstrap", "#!/bin/sh\n", true);
        tree.host(&directory.join("program")).unwrap();
        tree.link(Path::new("/bin"), "usr/bin");
        tree
    }

    #[test]
    fn the_same_files_make_the_same_image_and_it_is_one_that_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::write(root.join("program"), vec![7; 300_000]).unwrap();
        let env = BTreeMap::from([("A", "b".to_owned())]);
        let made: Vec<Made> = ["one", "other"]
            .iter()
            .map(|name| {
                let blobs = Blobs::open_root(&root.join(name)).unwrap();
                let made = make(&blobs, &[tree(&root)], &env).unwrap();
                let image = Image::resolve(&blobs, &made.root, &Platform::host()).unwrap();
                assert_eq!((image.layers.len(), image.run.env), (1, vec!["A=b".to_owned()]));
                assert_eq!(image.run.working_dir, "/var/task");
                assert_eq!(made.files.len(), 3);
                made
            })
            .collect();
        assert_eq!(made[0], made[1]);
        assert!(made[0].layer_bytes > 300_000);
    }

    #[test]
    fn a_file_that_changes_meanwhile_makes_no_image() {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::write(root.join("program"), "before").unwrap();
        let tree = tree(&root);
        std::fs::write(root.join("program"), "after that").unwrap();
        let blobs = Blobs::open_root(&root.join("blobs")).unwrap();
        let error = make(&blobs, &[tree], &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("program cannot be read: it changes"), "{error}");
    }
}
