//! What a sandbox is made of, made ready on its node: the image of its runtime or its owner's, and archives of code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use images::{Descriptor, Digest, Reference};
use lambda::executor::NotPrepared;
use node::client::Node;
use node::protocol::{FailureKind, PrepareArchive, Urgency};
use node::supply::chain;
use platform::workloads::{DriverError, ImageOrder, NodeDriver, PullPolicy};
use store::Scope;
use workload::{NodeId, Spec, VolumeSource};

use super::Machines;
use crate::fleet::driver::Driver;

/// What archives are called among other blobs (IANA, `application/zip`).
const ZIP: &str = "application/zip";
/// Of so many archives a node it is remembered that they are unpacked there.
const ARCHIVES_MAX: usize = 10_000;

/// The archives that nodes are known to have unpacked.
#[derive(Debug, Default)]
pub(super) struct Archives(Mutex<BTreeMap<NodeId, BTreeSet<String>>>);

/// Why something is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unready {
    /// There is no such image here.
    NoImage(String),
    /// The image is none that runs.
    Image(String),
    /// The archive is none that is unpacked.
    Archive(String),
    /// It may go better later.
    Passing(String),
}

impl Unready {
    /// The same in Lambda's words; an image that is missing may be a runtime's.
    pub(super) fn told(self, is_of_runtime: bool) -> NotPrepared {
        let (code, reason, is_passing) = match self {
            Self::NoImage(reason) if is_of_runtime => ("InvalidRuntime", reason, false),
            Self::NoImage(reason) => ("ImageDeleted", reason, false),
            Self::Image(reason) if is_of_runtime => ("InvalidRuntime", reason, false),
            Self::Image(reason) => ("InvalidImage", reason, false),
            Self::Archive(reason) => ("InvalidZipFileException", reason, false),
            Self::Passing(reason) => ("InternalError", reason, true),
        };
        NotPrepared { code: code.to_owned(), reason, is_passing }
    }
}

impl Archives {
    fn has(&self, node: &NodeId, archive: &str) -> bool {
        self.all().get(node).is_some_and(|archives| archives.contains(archive))
    }

    fn note(&self, node: &NodeId, archive: &str) {
        let mut all = self.all();
        let archives = all.entry(node.clone()).or_default();
        if archives.len() >= ARCHIVES_MAX {
            archives.clear();
        }
        archives.insert(archive.to_owned());
    }

    /// A node has not what it was known to have.
    pub(super) fn forget(&self, node: &NodeId) {
        self.all().remove(node);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, BTreeSet<String>>> {
        // Whole values go in and out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machines {
    /// Has a node make ready what a sandbox needs. Quick, if it is there. Answers the manifests of its images, by container.
    pub(super) async fn make_ready(
        &self,
        at: &NodeId,
        driver: &Arc<Driver>,
        spec: &Spec,
    ) -> Result<BTreeMap<String, Digest>, Unready> {
        let mut images = BTreeMap::new();
        for container in &spec.containers {
            images.insert(container.name.clone(), self.image(driver, &container.image).await?);
        }
        for archive in archives(spec) {
            if !self.archives.has(at, archive) {
                let node = driver.node().ok_or_else(|| Unready::Passing("its machine has left".to_owned()))?;
                self.archive(&node, archive).await?;
                self.archives.note(at, archive);
            }
        }
        Ok(images)
    }

    async fn image(&self, driver: &Arc<Driver>, name: &str) -> Result<Digest, Unready> {
        let reference: Reference = name.parse().map_err(|error| Unready::Image(format!("{name}: {error}")))?;
        let here = self.fleet.0.images.find(&reference).await.map_err(|error| of_image(&error))?;
        let here = here.ok_or_else(|| Unready::NoImage(format!("The image {name} does not exist.")))?;
        let manifest = match driver.manifest_of(&here) {
            Some(manifest) => manifest,
            None => {
                let scope = Scope::system();
                // What a function is made of is here, or it is nowhere: nobody's registry is asked in its name.
                let order = ImageOrder { scope: &scope, image: name, pull: PullPolicy::Never };
                driver.prepare(order, &|_| {}).await.map_err(|error| of_image(&error))?
            }
        };
        manifest.parse().map_err(|_| Unready::Passing(format!("{manifest} is no digest")))
    }

    async fn archive(&self, node: &Node, archive: &str) -> Result<(), Unready> {
        let digest: Digest = archive.parse().map_err(|_| Unready::Archive(format!("{archive} is no digest")))?;
        let blob = digest.blob().ok_or_else(|| Unready::Archive(format!("{archive} is no name of a blob")))?;
        let blobs = self.blobs.clone();
        let size = tokio::task::spawn_blocking(move || Ok(blobs.open(&blob)?.map(|blob| blob.size())));
        let size = size.await.unwrap_or(Ok(None)).map_err(|error: blobs::BlobError| Unready::Passing(chain(&error)))?;
        let size = size.ok_or_else(|| Unready::Passing(format!("the code {archive} is not there")))?;
        let blob = Descriptor { media_type: ZIP.to_owned(), digest, size, platform: None };
        let wanted = PrepareArchive { blob, urgency: Urgency::Waited };
        node.prepare_archive(&wanted, |_| {}).await.map_err(|error| match error.kind() {
            Some(FailureKind::Refused | FailureKind::Mismatch) => Unready::Archive(chain(&error)),
            _ => Unready::Passing(chain(&error)),
        })
    }
}

fn archives(spec: &Spec) -> impl Iterator<Item = &str> {
    spec.volumes
        .iter()
        .filter_map(|volume| match &volume.source {
            VolumeSource::Archive { archives } => Some(archives),
            _ => None,
        })
        .flatten()
        .map(String::as_str)
}

fn of_image(error: &DriverError) -> Unready {
    match error {
        DriverError::Refused(reason) => Unready::Image(reason.clone()),
        DriverError::Unavailable(reason) => Unready::Passing(reason.clone()),
    }
}
