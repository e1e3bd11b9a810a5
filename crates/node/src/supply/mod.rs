//! The supply of images, on the server's side: where an image that somebody names comes from, and what is known here.
//!
//! [`Supply::pull`] looks into the registry on this machine first; what is there moves no byte. For every other name the
//! blobs are downloaded from the registry that it names, by the server and with no right of root, a record is kept of them,
//! and the node unpacks them, each layer as soon as it is here. Those who ask for the same image at one time share one pull. It ends when the last of them
//! leaves; what has come by then is gone on with by the next pull ([`PARTIAL_AGE_MAX`]).
//!
//! Without a node images are downloaded and kept all the same; only nothing can be made from them.

mod ahead;
mod error;
mod flights;
mod list;
mod order;
mod ports;
mod prune;
mod pull;
mod record;
mod room;
mod tracker;
mod unready;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use blobs::Blobs;
use images::remote::Downloads;
use store::Store;
use tokio::sync::watch;

pub use error::{SupplyError, chain};
pub use order::{Inventory, Listed, Local, NodeState, Order, Origin, Phase, Prepared, Progress, Pruned, Pulled};
pub use ports::{BoxFuture, LocalRegistry, Unpacker, Upstream, Wanted, Watcher};
pub use prune::Prune;
pub use record::PulledImage;
pub use unready::{Readied, UNREADY_LIMIT, UNREADY_ROUND_MAX};

use flights::{Flights, Share};
use room::{ROOM_KEPT, Roomy};
use unready::Refused;

/// How long a part of a blob is kept that nobody goes on with.
pub const PARTIAL_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How many bytes of such parts are kept; the oldest go first.
pub const PARTIAL_BYTES_MAX: u64 = 32 << 30;

/// What a pull comes to; errors are shared by all who asked.
pub type Outcome = Result<Pulled, Arc<SupplyError>>;

/// The supply of images; a handle that is cheap to clone.
#[derive(Clone)]
pub struct Supply {
    means: Arc<Means>,
    pulls: Arc<Flights<Order, Progress, Outcome>>,
}

/// What the supply is made of.
pub struct Parts {
    /// Where it is written down which images there are.
    pub store: Store,
    /// Where blobs are.
    pub blobs: Blobs,
    /// The registry on this machine.
    pub local: Arc<dyn LocalRegistry>,
    /// The registries elsewhere.
    pub upstream: Arc<dyn Upstream>,
    /// Who unpacks; nobody where there is no root.
    pub node: Option<Arc<dyn Unpacker>>,
    /// What tells the time of records.
    pub clock: Arc<dyn Clock>,
    /// How old a blob that nothing needs has to be before it is removed: as long as anybody who writes one may take to
    /// note that it is needed.
    pub blob_grace: Duration,
}

struct Means {
    parts: Parts,
    downloads: Roomy,
    refused: Refused,
}

/// A share in a pull. Dropping the last one ends it.
#[derive(Debug)]
pub struct Pulling(Share<Order, Progress, Outcome>);

impl Supply {
    /// The supply that keeps what is on its way in the directory `downloads`, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory can be neither made nor read.
    pub fn new(parts: Parts, downloads: &Path) -> io::Result<Self> {
        let opened = Downloads::open(downloads, parts.blobs.clone())?;
        let downloads = Roomy::new(opened, downloads, ROOM_KEPT);
        let means = Means { parts, downloads, refused: Refused::default() };
        Ok(Self { means: Arc::new(means), pulls: Arc::default() })
    }

    /// Begins to pull an image, or joins those who pull it already.
    pub fn pull(&self, order: Order) -> Pulling {
        let means = Arc::clone(&self.means);
        let wanted = order.clone();
        Pulling(self.pulls.join(order, |progress| async move {
            let outcome = means.pull(&wanted, progress).await;
            outcome.map_err(Arc::new)
        }))
    }
}

impl Pulling {
    /// How far it has come: what is seen is the latest, not each step.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress()
    }

    /// What it comes to.
    ///
    /// # Errors
    /// [`SupplyError`]
    pub async fn outcome(&self) -> Outcome {
        self.0.outcome().await.unwrap_or_else(|| Err(Arc::new(SupplyError::BrokenOff)))
    }
}

/// Does what blocks on the disk.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SupplyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|source| SupplyError::Io { doing, source }),
        // A panic in there has been printed; nothing else keeps the work from ending.
        Err(_) => Err(SupplyError::BrokenOff),
    }
}

#[cfg(test)]
mod tests;
