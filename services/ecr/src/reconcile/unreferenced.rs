//! Removes the files of blobs that no record needs.
//!
//! What is needed is read first; what comes to be needed meanwhile was written, or made new again, not long before
//! ([`Content::put`], [`Session::publish`] and [`Content::refresh`] see to that), and [`GRACE`] spares it.
//!
//! [`Content::put`]: crate::content::Content::put
//! [`Content::refresh`]: crate::content::Content::refresh
//! [`Session::publish`]: crate::content::Session::publish

use std::sync::Arc;
use std::time::Duration;

use platform::{BoxFuture, Cause, Reconciler, Round, Wake};

use crate::Ecr;
use crate::content::blocking;

/// How old a file has to be, by the clock of the file system: far longer than it takes to commit what needs it.
pub const GRACE: Duration = Duration::from_secs(6 * 3600);
/// How often it looks.
const EVERY: Duration = Duration::from_secs(3600);

struct Unreferenced {
    ecr: Ecr,
    grace: Duration,
}

impl Reconciler for Unreferenced {
    fn name(&self) -> &str {
        "ecr/unreferenced-files"
    }

    fn wakes(&self) -> Vec<Wake> {
        Vec::new()
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let needed = self.ecr.platform.store.referenced_blobs().await?;
            let (blobs, grace) = (self.ecr.content.blobs().clone(), self.grace);
            let collected = blocking(move || Ok(blobs.collect(|digest| needed.contains(digest), grace)?)).await?;
            let did = format!("removed {} files of {} bytes", collected.removed, collected.removed_bytes);
            Ok(Round::did(collected.removed, did).due(self.ecr.platform.clock.now().plus(EVERY)))
        })
    }
}

/// The reconciler, to be started.
pub fn reconciler(ecr: &Ecr) -> Arc<dyn Reconciler> {
    with_grace(ecr, GRACE)
}

/// The same with another grace: for tests, which write no file hours ago.
pub fn with_grace(ecr: &Ecr, grace: Duration) -> Arc<dyn Reconciler> {
    Arc::new(Unreferenced { ecr: ecr.clone(), grace })
}
