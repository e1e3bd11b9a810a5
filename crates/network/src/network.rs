//! A node's network.

use std::sync::Arc;

use tokio::net::TcpStream;
use workload::WorkloadId;

use crate::{Attached, Error, Living, Settings, Subnet, Traffic};

/// A node's network. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Network(Arc<Settings>);

impl Network {
    /// Makes the network, or finds what an earlier process made. Workloads that have one keep it; [`Network::adopt`] must be called
    /// before anything else.
    ///
    /// # Errors
    /// Settings that cannot be; addresses that others have; a system that refuses (it takes root).
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self(Arc::new(settings)))
    }

    /// What does not work on this host and why, a sentence each.
    pub fn what_is_missing(&self) -> Vec<String> {
        todo!()
    }

    /// What was changed on the host beside what is this node's own, a sentence each.
    pub fn what_was_changed(&self) -> Vec<String> {
        todo!()
    }

    /// The workloads' addresses.
    pub fn subnet(&self) -> Subnet {
        todo!()
    }

    /// Takes over workloads that outlived an earlier process, and removes what belonged to any other. The answers are in the order
    /// of what was given; one that cannot be taken over has nothing any more.
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn adopt(&self, living: Vec<Living>) -> Result<Vec<(WorkloadId, Result<Attached, Error>)>, Error> {
        let _ = living;
        todo!()
    }

    /// Gives a workload its network. Whoever gives up waiting must call [`Network::detach`].
    ///
    /// # Errors
    /// A wish that cannot be fulfilled, a taken port, no free address, a system that refuses. Nothing is left then.
    pub async fn attach(&self, id: &WorkloadId, wanted: &workload::Network) -> Result<Attached, Error> {
        let _ = (id, wanted);
        todo!()
    }

    /// Takes a workload's network away: nothing reaches it or comes from it from then on, whoever still holds its namespace. Of one
    /// that has none nothing is done.
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn detach(&self, id: &WorkloadId) -> Result<(), Error> {
        let _ = id;
        todo!()
    }

    /// How much went through a workload's link; nothing, where it has none.
    ///
    /// # Errors
    /// A workload that is not attached; a system that refuses.
    pub async fn stats(&self, id: &WorkloadId) -> Result<Traffic, Error> {
        let _ = id;
        todo!()
    }

    /// Connects to a port of a workload from inside: at its address or, if nobody listens there, at its loopback.
    ///
    /// # Errors
    /// A workload that is not attached; a port at which nobody listens; a minute without an answer.
    pub async fn connect(&self, id: &WorkloadId, port: u16) -> Result<TcpStream, Error> {
        let _ = (id, port);
        todo!()
    }

    /// Removes everything, of every workload, from the host. Nothing can be attached afterwards.
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn purge(&self) -> Result<(), Error> {
        todo!()
    }

    /// What there is on this host by a node's tag, a line each: links, addresses, routes, tables. For tests and for who looks after a
    /// [`Network::purge`].
    ///
    /// # Errors
    /// A system that refuses.
    pub async fn leftovers(tag: &str) -> Result<Vec<String>, Error> {
        let _ = tag;
        todo!()
    }
}
