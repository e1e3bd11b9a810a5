//! Who may connect, and how often.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of the server's user: the server's own, and those of commands.
const OWNER_CONNECTIONS_MAX: usize = 16;
/// Connections of root, which a captured server cannot take away.
const ROOT_CONNECTIONS_MAX: usize = 4;

/// Connections that have become channels to what is served near workloads: as many as there can be workloads that have one.
const CHANNELS_MAX: usize = 4096;

/// Root and the server's user, each with places of their own.
#[derive(Debug)]
pub(super) struct Admission {
    owner: u32,
    owners: Arc<Semaphore>,
    roots: Arc<Semaphore>,
    channels: Arc<Semaphore>,
}

/// What becomes of a connection.
#[derive(Debug)]
pub(super) enum Admitted {
    /// It is served for as long as it keeps this.
    Yes(OwnedSemaphorePermit),
    /// The user has as many as there may be.
    Full,
    /// The user is somebody else.
    No,
}

impl Admission {
    pub(super) fn of(owner: u32) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            owner,
            owners: places(OWNER_CONNECTIONS_MAX),
            roots: places(ROOT_CONNECTIONS_MAX),
            channels: places(CHANNELS_MAX),
        }
    }

    pub(super) fn admit(&self, uid: u32) -> Admitted {
        let places = match uid {
            0 => &self.roots,
            uid if uid == self.owner => &self.owners,
            _ => return Admitted::No,
        };
        Arc::clone(places).try_acquire_owned().map_or(Admitted::Full, Admitted::Yes)
    }
}

impl Admission {
    /// A place for a channel, instead of that of a connection; none if there are as many as there may be.
    pub(super) fn channel(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.channels).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_owner_are_admitted_up_to_their_limits_and_nobody_else() {
        let admission = Admission::of(1000);
        let owners: Vec<_> = (0..OWNER_CONNECTIONS_MAX).map(|_| admission.admit(1000)).collect();
        assert!(owners.iter().all(|it| matches!(it, Admitted::Yes(_))));
        assert!(matches!(admission.admit(1000), Admitted::Full));
        assert!(matches!(admission.admit(1001), Admitted::No));
        assert!(matches!(admission.admit(0), Admitted::Yes(_)), "the owner has not taken root's places");
        drop(owners);
        assert!(matches!(admission.admit(1000), Admitted::Yes(_)));
    }
}
