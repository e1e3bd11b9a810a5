//! A node's network.

use std::sync::Arc;

use tokio::net::TcpStream;
use workload::WorkloadId;

use crate::inner::Inner;
use crate::{Adopted, Attached, Error, Living, Settings, Subnet, Traffic, host};

/// A node's network. Clones are the same one; when the last is dropped, what the kernel does goes on, what this process does ends.
#[derive(Debug, Clone)]
pub struct Network(Arc<Inner>);

impl Network {
    /// Makes the network, or finds what an earlier process made. Workloads that have one keep it; [`Network::adopt`] must be called
    /// before anything else. To be called within a runtime, which serves the resolver and the proxies.
    ///
    /// # Errors
    /// Settings that cannot be; addresses that others have; a system that refuses (it takes root).
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        settings.validate()?;
        let runtime = tokio::runtime::Handle::current();
        let inner = Arc::new(blocking(move || Inner::open(settings, runtime)).await?);
        Inner::watch_over_table(&inner);
        Ok(Self(inner))
    }

    /// What does not work on this host and why, a sentence each.
    pub fn what_is_missing(&self) -> Vec<String> {
        self.0.missing.clone()
    }

    /// What was changed on the host beside what is this node's own, a sentence each.
    pub fn what_was_changed(&self) -> Vec<String> {
        self.0.changed.clone()
    }

    /// The workloads' addresses.
    pub fn subnet(&self) -> Subnet {
        self.0.host.subnet
    }

    /// Takes over workloads that outlived an earlier process, and removes what belonged to any other. The answers are in the order
    /// of what was given; one that cannot be taken over has nothing any more.
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn adopt(&self, living: Vec<Living>) -> Result<Vec<Adopted>, Error> {
        let inner = Arc::clone(&self.0);
        let adopted = blocking(move || inner.adopt(living)).await?;
        Inner::fill_pool(&self.0);
        Ok(adopted)
    }

    /// Gives a workload its network. Whoever gives up waiting must call [`Network::detach`].
    ///
    /// # Errors
    /// A wish that cannot be fulfilled, a taken port, no free address, a system that refuses. Nothing is left then.
    pub async fn attach(&self, id: &WorkloadId, wanted: &workload::Network) -> Result<Attached, Error> {
        let (inner, id, wanted) = (Arc::clone(&self.0), id.clone(), wanted.clone());
        let attached = blocking(move || inner.attach(&id, &wanted)).await;
        Inner::fill_pool(&self.0);
        attached
    }

    /// Takes a workload's network away: nothing reaches it or comes from it from then on, whoever still holds its namespace. Of one
    /// that has none nothing is done.
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn detach(&self, id: &WorkloadId) -> Result<(), Error> {
        let (inner, id) = (Arc::clone(&self.0), id.clone());
        blocking(move || inner.detach(&id)).await?.end().await;
        Ok(())
    }

    /// How much went through a workload's link; nothing, where it has none.
    ///
    /// # Errors
    /// A workload that is not attached; a system that refuses.
    pub async fn stats(&self, id: &WorkloadId) -> Result<Traffic, Error> {
        let (inner, id) = (Arc::clone(&self.0), id.clone());
        blocking(move || inner.stats(&id)).await
    }

    /// Connects to a port of a workload from inside: at its address or, if nobody listens there, at its loopback.
    ///
    /// # Errors
    /// A workload that is not attached; a port at which nobody listens; a minute without an answer.
    pub async fn connect(&self, id: &WorkloadId, port: u16) -> Result<TcpStream, Error> {
        let target = self.0.target(id, port)?;
        let limit = std::time::Duration::from_secs(crate::limits::CONNECT_TIMEOUT_S);
        let silent = |_| {
            Error::io(format!("connect to port {port} of {id}"))(std::io::Error::from(std::io::ErrorKind::TimedOut))
        };
        tokio::time::timeout(limit, target.connect()).await.map_err(silent)?
    }

    /// Removes everything, of every workload, from the host. Nothing can be attached afterwards.
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn purge(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.purge()).await
    }

    /// What there is on this host by a node's tag, a line each: links, claimed addresses, the table. For tests and for who looks after
    /// a [`Network::purge`].
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn leftovers(tag: &str) -> Result<Vec<String>, Error> {
        let tag = tag.to_owned();
        blocking(move || host::leftovers(&tag)).await
    }
}

/// Does work that blocks on a thread where that is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => Err(Error::io("go on")(std::io::Error::from(std::io::ErrorKind::Interrupted))),
        },
    }
}
