//! Where the images of workloads come from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use images::{Descriptor, Platform, Reference};
use node::client::{Node, NodeError};
use node::protocol::{Prepare, Urgency};
use node::supply::{Local, LocalRegistry, Order, Progress, PulledImage, Supply, SupplyError, chain};
use platform::workloads::{DriverError, PullPolicy};
use store::{ChangeCount, Record, Scope, Store, StoreError};

/// What is known of images here, and how others are got.
pub(super) struct Images {
    store: Store,
    supply: Supply,
    registry: Arc<dyn LocalRegistry>,
    pulled: Mutex<Option<Pulled>>,
    changes: ChangeCount,
}

/// What names were pulled as, as it was when so many changes had been counted.
struct Pulled {
    count: u64,
    roots: Arc<HashMap<Reference, Descriptor>>,
}

/// An image whose blobs are on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here {
    /// The name that it has here.
    pub(super) reference: Reference,
    /// Where its documents begin.
    pub(super) root: Descriptor,
}

impl Images {
    pub(super) fn new(store: Store, supply: Supply, registry: Arc<dyn LocalRegistry>) -> Self {
        let pulled = Scope::system().key().join([PulledImage::SERVICE, PulledImage::KIND]);
        Self { changes: store.count_changes(&pulled), store, supply, registry, pulled: Mutex::default() }
    }

    /// What a name means here; nothing if it is to be pulled, or is not in the registry here.
    pub(super) async fn find(&self, reference: &Reference) -> Result<Option<Here>, DriverError> {
        match self.registry.resolve(reference).await.map_err(DriverError::Unavailable)? {
            Local::Found { reference, root } => Ok(Some(Here { reference, root: *root })),
            Local::Missing => Ok(None),
            Local::Elsewhere => {
                let roots = self.roots().await.map_err(|error| DriverError::Unavailable(error.to_string()))?;
                let root = roots.get(reference).cloned();
                Ok(root.map(|root| Here { reference: reference.clone(), root }))
            }
        }
    }

    /// Whether the node on this machine has an image unpacked.
    pub(super) async fn is_unpacked(&self, here: &Here) -> bool {
        let Ok(inventory) = self.supply.images().await else { return false };
        inventory.images.iter().any(|image| image.reference == here.reference && image.unpacked_bytes.is_some())
    }

    /// An image, got from wherever it is.
    pub(super) async fn get(
        &self,
        reference: &Reference,
        pull: PullPolicy,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Here, DriverError> {
        if pull != PullPolicy::Always
            && let Some(here) = self.find(reference).await?
        {
            return Ok(here);
        }
        if pull == PullPolicy::Never {
            return Err(DriverError::Refused("it is not here, and is not to be pulled".to_owned()));
        }
        self.pull(reference, tell).await?;
        let here = self.find(reference).await?;
        here.ok_or_else(|| DriverError::Unavailable("it was removed as soon as it had come".to_owned()))
    }

    /// Makes an image ready on a node.
    pub(super) async fn prepare(
        node: &Node,
        here: &Here,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> Result<String, DriverError> {
        let (reference, root) = (Some(here.reference.clone()), here.root.clone());
        let wanted = Prepare { reference, root, platform: None, urgency: Urgency::Waited };
        let told = |progress: &node::protocol::Progress| {
            let (done, total) = (progress.bytes_done >> 20, progress.bytes_total >> 20);
            tell(format!("image {} is unpacked: {done} of {total} MiB", here.reference));
        };
        match node.prepare(&wanted, told).await {
            Ok(prepared) => Ok(prepared.manifest.to_string()),
            Err(error) => Err(of_node(&error)),
        }
    }

    async fn pull(&self, reference: &Reference, tell: &(dyn Fn(String) + Send + Sync)) -> Result<(), DriverError> {
        let pulling = self.supply.pull(Order { reference: reference.clone(), platform: None, credentials: None });
        let mut progress = pulling.progress();
        let outcome = pulling.outcome();
        tokio::pin!(outcome);
        loop {
            tokio::select! {
                biased;
                pulled = &mut outcome => return pulled.map(drop).map_err(|error| of_supply(&error)),
                Ok(()) = progress.changed() => tell(how_far(reference, &progress.borrow_and_update())),
            }
        }
    }

    /// What names were pulled as for this machine, read anew only if something was pulled or removed.
    async fn roots(&self) -> Result<Arc<HashMap<Reference, Descriptor>>, StoreError> {
        // Before it is read: a change that comes between is seen twice, not never.
        let count = self.changes.get();
        if let Some(known) = &*self.pulled.lock().unwrap_or_else(PoisonError::into_inner)
            && known.count == count
        {
            return Ok(Arc::clone(&known.roots));
        }
        let (mut roots, mut after, machine) = (HashMap::new(), None::<String>, Platform::host());
        loop {
            let options = store::ListOptions { after: after.as_deref(), ..store::ListOptions::default() };
            let page = self.store.list::<PulledImage>(&Scope::system(), options).await?;
            let for_here = page.items.into_iter().map(|image| image.value).filter(|image| image.machine == machine);
            roots.extend(for_here.map(|image| (image.reference, image.root)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let roots = Arc::new(roots);
        let read = Pulled { count, roots: Arc::clone(&roots) };
        *self.pulled.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        Ok(roots)
    }
}

fn how_far(reference: &Reference, progress: &Progress) -> String {
    if let Some(trouble) = &progress.trouble {
        return format!("image {reference} is tried again: {trouble}");
    }
    let (done, total) = (progress.bytes_done >> 20, progress.bytes_total >> 20);
    format!("image {reference} is pulled: {done} of {total} MiB")
}

/// Why an image was not got. What a person must change is not tried again.
fn of_supply(error: &SupplyError) -> DriverError {
    use images::remote::RemoteError;
    let is_lasting = match error {
        SupplyError::Reference(_) | SupplyError::Missing { .. } | SupplyError::Image { .. } => true,
        SupplyError::Remote { source, .. } => matches!(
            source,
            RemoteError::Address { .. }
                | RemoteError::Inward { .. }
                | RemoteError::Certificate { .. }
                | RemoteError::Unauthorized { .. }
                | RemoteError::Denied { .. }
                | RemoteError::NotFound { .. }
        ),
        SupplyError::Unpack { source, .. } => source.is_permanent(),
        _ => false,
    };
    let what = chain(error);
    if is_lasting { DriverError::Refused(what) } else { DriverError::Unavailable(what) }
}

/// Why a node did not do something.
pub(super) fn of_node(error: &NodeError) -> DriverError {
    let what = chain(error);
    if error.is_permanent() { DriverError::Refused(what) } else { DriverError::Unavailable(what) }
}
