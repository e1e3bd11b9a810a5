//! An image of real files, about as large as those that people run: six layers, 20,000 files, a gigabyte.
//!
//! It is made once and kept beside the reports, since compressing it takes a minute.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::blob::{Blob, Image};
use super::layer::{Compressed, Made, Plan};
use crate::report::say;

/// Raised with every change of what the layers hold.
const VERSION: u32 = 1;
const FACTS: &str = "layers.json";

const fn plan(folder: &'static str, seed: u64, files: u64, megabytes: u64) -> Plan {
    Plan { folder, seed, files, bytes: megabytes * 1_000_000, text: 46, program: 51, deletes: None }
}

/// The layers from below: a distribution, tools, a large runtime, its packages, an application, its configuration. The last
/// is the one that the second image has in place of the sixth.
const PLANS: [Plan; 7] = [
    plan("usr/lib/base", 1, 3_500, 130),
    plan("usr/lib/tools", 2, 2_500, 60),
    plan("opt/runtime", 3, 5_000, 550),
    plan("opt/packages", 4, 6_500, 220),
    Plan { deletes: Some(("usr/lib/base", 12)), ..plan("srv/app", 5, 2_000, 60) },
    plan("srv/assets", 6, 500, 30),
    plan("srv/assets", 7, 500, 30),
];
const LAYERS: usize = 6;

/// How the layers of an image are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Gzip,
    Zstd,
}

/// Which image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    First,
    /// It shares all layers but the last with the first.
    Second,
}

/// The layers that were made, and where.
#[derive(Debug)]
pub(crate) struct Tree {
    folder: PathBuf,
    layers: Vec<Made>,
}

/// What a root file system of an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Content {
    /// Regular files, each name counted.
    pub(crate) files: u64,
    /// Of these files.
    pub(crate) bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    version: u32,
    layers: Vec<Made>,
}

impl Tree {
    /// Finds the layers in a folder, or makes them there.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        if let Some(layers) = kept(folder) {
            return Ok(Self { folder: folder.to_owned(), layers });
        }
        say("making an image of 20,000 files, which is kept: about a minute");
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
        fs::create_dir_all(folder)?;
        let layers = make(folder)?;
        let facts = Facts { version: VERSION, layers };
        fs::write(folder.join(FACTS), serde_json::to_string_pretty(&facts)? + "\n")?;
        Ok(Self { folder: folder.to_owned(), layers: facts.layers })
    }

    /// An image, in memory.
    pub(crate) fn image(&self, which: Which, form: Form) -> Result<Image> {
        let layers = self.layers_of(which);
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": { "Cmd": ["/bin/true"] },
            "rootfs": { "type": "layers", "diff_ids": self.diff_ids(which) },
        });
        let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        let blobs = layers.into_iter().map(|made| self.blob(made, form)).collect::<Result<_>>()?;
        Ok(Image::new(config, blobs))
    }

    /// The digests of an image's archives, from below.
    pub(crate) fn diff_ids(&self, which: Which) -> Vec<String> {
        self.layers_of(which).into_iter().map(|made| made.diff_id.clone()).collect()
    }

    /// What a root of the image holds.
    pub(crate) fn content(&self, which: Which) -> Content {
        let layers = self.layers_of(which);
        let mut content = Content { files: 0, bytes: 0 };
        for made in &layers {
            content.files += made.files;
            content.bytes += made.bytes;
        }
        for plan in &PLANS[..LAYERS] {
            let Some((folder, count)) = plan.deletes else { continue };
            let Some(from) = PLANS.iter().position(|of| of.folder == folder) else { continue };
            content.files -= count;
            content.bytes -= self.layers[from].first_sizes.iter().zip(0..count).map(|(size, _)| size).sum::<u64>();
        }
        content
    }

    /// Bytes of the layers' files, before anything is deleted by a later layer.
    pub(crate) fn unpacked_bytes(&self, which: Which) -> u64 {
        self.layers_of(which).iter().map(|made| made.bytes).sum()
    }

    fn layers_of(&self, which: Which) -> Vec<&Made> {
        let last = match which {
            Which::First => LAYERS - 1,
            Which::Second => LAYERS,
        };
        self.layers[..LAYERS - 1].iter().chain([&self.layers[last]]).collect()
    }

    fn blob(&self, made: &Made, form: Form) -> Result<Blob> {
        let (media_type, Compressed { digest, size }) = match form {
            Form::Gzip => ("application/vnd.oci.image.layer.v1.tar+gzip", &made.gzip),
            Form::Zstd => ("application/vnd.oci.image.layer.v1.tar+zstd", &made.zstd),
        };
        let path = self.folder.join(digest);
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Blob { media_type, digest: digest.clone(), size: *size, parts: vec![bytes.into()] })
    }
}

/// The layers that an earlier run left, if they are what this program would make.
fn kept(folder: &Path) -> Option<Vec<Made>> {
    let facts: Facts = serde_json::from_str(&fs::read_to_string(folder.join(FACTS)).ok()?).ok()?;
    let has = |of: &Compressed| fs::metadata(folder.join(&of.digest)).is_ok_and(|file| file.len() == of.size);
    let is_whole =
        facts.layers.len() == PLANS.len() && facts.layers.iter().all(|made| has(&made.gzip) && has(&made.zstd));
    (facts.version == VERSION && is_whole).then_some(facts.layers)
}

/// Makes all layers, as many at a time as there are processors, the largest first.
fn make(folder: &Path) -> Result<Vec<Made>> {
    let mut order: Vec<usize> = (0..PLANS.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(PLANS[index].bytes));
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<(usize, Made)>> {
        let mut made = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            made.push((index, PLANS[index].make(folder)?));
        }
        Ok(made)
    };
    let mut layers = thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        let ends = workers.into_iter().map(|of| of.join().unwrap_or_else(|_| bail!("a thread panicked")));
        ends.collect::<Result<Vec<_>>>()
    })?
    .concat();
    layers.sort_by_key(|(index, _)| *index);
    Ok(layers.into_iter().map(|(_, made)| made).collect())
}

/// This machine, in the words of image configurations.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
