//! The image that all run: busybox, as the project builds it for its tests.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::oci::blob::{Blob, Image};
use crate::setting::Setting;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer of busybox has two million.
const LAYER_BYTES_MAX: u64 = 64 << 20;

/// An image of one layer.
pub(super) struct Busybox {
    /// To be pushed.
    pub(super) image: Image,
    /// Its layer, not compressed.
    archive: Vec<u8>,
}

impl Busybox {
    /// Reads the layout (`PILVI_IMAGES`).
    pub(super) fn read() -> Result<Self> {
        let layout = Setting::images()?.join("busybox");
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
        let manifest: Value = serde_json::from_slice(&blob(&layout, &index["manifests"][0])?)?;
        let layers = manifest["layers"].as_array().context("a manifest without layers")?;
        ensure!(layers.len() == 1, "busybox has {} layers", layers.len());
        let layer = blob(&layout, &layers[0])?;
        let mut archive = Vec::new();
        GzDecoder::new(&layer[..]).take(LAYER_BYTES_MAX).read_to_end(&mut archive).context("busybox's layer")?;
        let config = Blob::new(CONFIG, blob(&layout, &manifest["config"])?);
        Ok(Self { image: Image::new(config, vec![Blob::new(LAYER, layer)]), archive })
    }

    /// Makes a root of it.
    pub(super) fn unpack(&self, root: &Path) -> Result<()> {
        fs::create_dir(root)?;
        let mut archive = tar::Archive::new(&self.archive[..]);
        archive.set_preserve_permissions(true);
        archive.unpack(root).with_context(|| format!("unpacking busybox into {}", root.display()))?;
        // Runtimes make what is missing, and would do it in the first round.
        for directory in ["dev", "proc", "sys"] {
            fs::create_dir_all(root.join(directory))?;
        }
        Ok(())
    }

    /// Writes the root's archive into a folder.
    pub(super) fn archive(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("busybox.tar");
        fs::write(&path, &self.archive)?;
        File::open(&path)?.sync_all()?;
        Ok(path)
    }
}

/// A blob of a layout, by what names it.
fn blob(layout: &Path, descriptor: &Value) -> Result<Vec<u8>> {
    let digest = descriptor["digest"].as_str().context("a descriptor without a digest")?;
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    fs::read(&path).with_context(|| format!("reading {}", path.display()))
}
