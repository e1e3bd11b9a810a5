//! Where functions run: Lambda's execution environments are workloads of the fleet that live as long as Lambda keeps them.
//!
//! [`room`] finds a node and remembers what of it is taken; [`needs`] has the node make ready what a sandbox is made of;
//! [`running`] starts it, and is what Lambda holds in its hand after that. Nothing of it is written down: a sandbox ends with
//! the connection that it was started by.

mod needs;
mod room;
mod running;

use std::sync::Arc;

use base::ids::hex32;
use base::{Rng, Timestamp};
use blobs::Blobs;
use lambda::configuration::Architecture;
use lambda::environment::host::{CannotStart, EnvironmentHost, Printed, Started};
use lambda::environment::spec::RUNTIME_IMAGES;
use lambda::executor::NotPrepared;
use node::protocol;
use platform::BoxFuture;
use tokio::sync::watch;
use workload::{Demand, Desired, NodeId, Spec, WorkloadId};

use super::driver::Driver;
use super::{Fleet, local};
use needs::Archives;
use room::{Room, Taken};
use running::NotStarted;

/// How often a sandbox is started whose image or code the node had collected meanwhile.
const TRIES: usize = 2;

/// Where functions run, as it is handed to Lambda: before there is a fleet. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FunctionHost(watch::Sender<Option<Arc<Machines>>>);

/// The machines that functions run on.
struct Machines {
    fleet: Fleet,
    /// The code of functions.
    blobs: Blobs,
    rng: Arc<dyn Rng>,
    room: Room,
    archives: Archives,
}

impl FunctionHost {
    /// Whoever asks waits until [`FunctionHost::open`].
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Has functions run on the machines of a fleet, with code from `blobs`.
    pub(crate) fn open(&self, fleet: Fleet, blobs: Blobs, rng: Arc<dyn Rng>) {
        let machines = Machines { fleet, blobs, rng, room: Room::default(), archives: Archives::default() };
        self.0.send_replace(Some(Arc::new(machines)));
    }

    async fn machines(&self) -> Arc<Machines> {
        let mut machines = self.0.subscribe();
        loop {
            if let Some(machines) = &*machines.borrow_and_update() {
                return Arc::clone(machines);
            }
            if machines.changed().await.is_err() {
                // The sender is this handle's own.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl EnvironmentHost for FunctionHost {
    fn offers<'a>(&'a self, runtime: &'a str, architecture: Architecture) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            architecture == Architecture::of_this_machine() && self.machines().await.offers(runtime).await
        })
    }

    fn prepare<'a>(&'a self, spec: &'a Spec) -> BoxFuture<'a, Result<(), NotPrepared>> {
        Box::pin(async move { self.machines().await.prepare(spec).await })
    }

    fn start(&self, spec: Spec) -> BoxFuture<'_, Result<Started, CannotStart>> {
        Box::pin(async move { self.machines().await.start(spec).await })
    }
}

impl Machines {
    async fn offers(&self, runtime: &str) -> bool {
        let Ok(reference) = format!("{RUNTIME_IMAGES}{runtime}").parse() else { return false };
        matches!(self.fleet.0.images.find(&reference).await, Ok(Some(_)))
    }

    /// Makes ready what a sandbox needs where the next one would be started.
    async fn prepare(&self, spec: &Spec) -> Result<(), NotPrepared> {
        let passing = |reason: String| NotPrepared { code: "InternalError".to_owned(), reason, is_passing: true };
        let (node, driver) = match self.find(spec).await {
            Ok((taken, driver)) => (taken.node().clone(), driver),
            // It will be started once there is room; made ready it can be now.
            Err(CannotStart::NoRoom) => self.any().ok_or_else(|| passing("no machine answers".to_owned()))?,
            Err(error) if self.fleet.is_empty() => {
                return Err(NotPrepared {
                    code: "InternalError".to_owned(),
                    reason: error.to_string(),
                    is_passing: false,
                });
            }
            Err(error) => return Err(passing(error.to_string())),
        };
        match self.make_ready(&node, &driver, spec).await {
            Ok(_) => Ok(()),
            Err(unready) => Err(unready.told(is_of_runtime(spec))),
        }
    }

    async fn start(&self, spec: Spec) -> Result<Started, CannotStart> {
        let (taken, driver) = self.find(&spec).await?;
        let mut taken = Some(taken);
        for _ in 0..TRIES {
            let Some(now) = taken.take() else { break };
            let there = now.node().clone();
            let images = self.make_ready(&there, &driver, &spec).await;
            let images = images.map_err(|unready| CannotStart::Failed(unready.told(is_of_runtime(&spec)).reason))?;
            let node = driver.node().ok_or_else(|| CannotStart::Failed("its machine has left".to_owned()))?;
            let id = WorkloadId::try_from(hex32(&*self.rng)).map_err(|error| CannotStart::Failed(error.to_string()))?;
            let (spec, desired) = (spec.clone(), Desired::Running);
            let assignment = protocol::Assignment { id, generation: 1, spec, desired, images };
            match running::start(node, Arc::clone(&driver), &assignment, now).await {
                Ok(started) => return Ok(started),
                Err(NotStarted::Cannot(error)) => return Err(error),
                Err(NotStarted::Unready(back)) => {
                    driver.forget_ready();
                    self.archives.forget(&there);
                    taken = Some(back);
                }
            }
        }
        Err(CannotStart::Failed("its image or code goes as soon as it has been unpacked".to_owned()))
    }

    /// A node with room for a sandbox, which is taken.
    async fn find(&self, spec: &Spec) -> Result<(Taken, Arc<Driver>), CannotStart> {
        if self.fleet.is_empty() {
            return Err(CannotStart::Failed(
                "No machine runs functions here: `pilvi up` starts a node if it is root, and machines join by `pilvi node \
                 --join`."
                    .to_owned(),
            ));
        }
        let nodes = self.fleet.0.workloads.nodes().await.map_err(|error| CannotStart::Failed(error.to_string()))?;
        let taken = self.room.take(&nodes, &local(), &Demand::of(spec))?;
        let driver = self.fleet.0.lock().get(taken.node()).map(Arc::clone);
        Ok((taken, driver.ok_or(CannotStart::NoRoom)?))
    }

    /// Any node: the one of this machine, if there is one.
    fn any(&self) -> Option<(NodeId, Arc<Driver>)> {
        let nodes = self.fleet.0.lock();
        let found = nodes.get_key_value(&local()).or_else(|| nodes.first_key_value());
        found.map(|(id, driver)| (id.clone(), Arc::clone(driver)))
    }
}

/// Whether what a sandbox is made of is a runtime of Lambda's, and no image of its owner's.
fn is_of_runtime(spec: &Spec) -> bool {
    spec.containers.iter().any(|container| container.image.starts_with(RUNTIME_IMAGES))
}

/// What was printed, as Lambda takes it.
fn printed(printed: platform::workloads::Printed) -> Printed {
    let at: Timestamp = printed.at;
    Printed { at, bytes: printed.data.into() }
}
