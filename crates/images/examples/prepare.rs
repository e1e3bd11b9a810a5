//! Prepares the image of an OCI layout, and tells how long it took.
//!
//! `prepare LAYOUT STORE`: LAYOUT is a directory with `index.json` and `blobs/`; STORE is made if it is not there, and kept.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use images::{Algorithm, BlobSource, Descriptor, Digest, Image, Options, Platform, Store};

/// The blobs of a layout.
struct Layout(PathBuf);

impl BlobSource for Layout {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        let path = self.0.join("blobs").join(blob.digest.algorithm().name()).join(blob.digest.hex());
        match File::open(path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A layout whose own index is read like any blob.
struct WithIndex<'a>(&'a Layout, Digest, Vec<u8>);

impl BlobSource for WithIndex<'_> {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        if blob.digest == self.1 { Ok(Some(Box::new(io::Cursor::new(self.2.clone())))) } else { self.0.open(blob) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [layout, store] = arguments.as_slice() else { return Err("usage: prepare LAYOUT STORE".into()) };
    let layout = Layout(layout.into());
    let index = std::fs::read(layout.0.join("index.json"))?;
    let digest = Digest::of(Algorithm::Sha256, &index);
    let size = index.len() as u64;
    let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
    let root = Descriptor { media_type, digest, size, platform: None };
    let source = WithIndex(&layout, digest, index);

    let image = Image::resolve(&source, &root, &Platform::host())?;
    let store = Store::open(Path::new(store), Options::default())?;
    let start = Instant::now();
    let prepared = store.prepare(&image, &source, &())?;
    let ready = start.elapsed();
    let start = Instant::now();
    let root = prepared.lower()?.mount(None);
    let mounted = start.elapsed();
    let start = Instant::now();
    store.settle()?;
    let usage = store.usage();
    let mut out = io::stdout().lock();
    writeln!(out, "{} layers, {} entries, {} MB", usage.layers, usage.entries, usage.bytes / 1_000_000)?;
    writeln!(
        out,
        "ready after {ready:?}, mounted ({}) in {mounted:?}, on the disk {:?} later",
        root.is_ok(),
        start.elapsed()
    )?;
    Ok(())
}
