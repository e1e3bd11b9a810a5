//! A node as [`NodeDriver`] has it, over its protocol.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Timestamp;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use images::Reference;
use node::client::{self, Node, Talk};
use node::protocol::{self, Event, FailureKind, Session};
use platform::BoxFuture;
use platform::workloads::{
    Assignment, Description, DriverError, Following, ImageOrder, NodeDriver, OutputOf, Printed, Printing, PullPolicy,
    Report,
};
use workload::WorkloadId;

use super::images::{Here, Images, of_node};

/// The most images of which it is remembered that the node has them ready.
const READY_MAX: usize = 1000;

/// A node.
pub(super) struct Driver {
    /// None once it has left.
    node: Mutex<Option<Node>>,
    images: Arc<Images>,
    /// Images that were made ready on this connection, and their manifests. Should one be collected, the node says so when
    /// it is assigned, and all of this is forgotten.
    ready: Mutex<HashMap<String, (Here, String)>>,
}

impl Driver {
    pub(super) fn new(node: Node, images: Arc<Images>) -> Self {
        Self { node: Mutex::new(Some(node)), images, ready: Mutex::default() }
    }

    /// It has left; or it has come back, and this is its handle.
    pub(super) fn set_node(&self, node: Option<Node>) {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = node;
    }

    /// The node's handle, unless it has left.
    pub(super) fn node(&self) -> Option<Node> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an image is known to be ready there.
    pub(super) fn is_ready(&self, here: &Here) -> bool {
        self.ready().get(&here.reference.to_string()).is_some_and(|(ready, _)| ready == here)
    }

    /// The manifest of an image that is known to be ready there.
    pub(super) fn manifest_of(&self, here: &Here) -> Option<String> {
        let ready = self.ready();
        let known = ready.get(&here.reference.to_string()).filter(|(ready, _)| ready == here);
        known.map(|(_, manifest)| manifest.clone())
    }

    /// The node has not what it was known to have.
    pub(super) fn forget_ready(&self) {
        self.ready().clear();
    }

    fn there(&self) -> Result<Node, DriverError> {
        self.node().ok_or_else(|| DriverError::Unavailable("it has left".to_owned()))
    }

    async fn make_ready(
        &self,
        order: ImageOrder<'_>,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> Result<String, DriverError> {
        let reference: Reference =
            order.image.parse().map_err(|error| DriverError::Refused(format!("{}: {error}", order.image)))?;
        let here = self.images.get(&reference, order.pull, tell).await?;
        // By the one name that it has here, whichever it was asked for by.
        let key = here.reference.to_string();
        if order.pull != PullPolicy::Always
            && let Some((known, manifest)) = self.ready().get(&key)
            && *known == here
        {
            return Ok(manifest.clone());
        }
        let manifest = Images::prepare(&self.there()?, &here, tell).await?;
        let mut ready = self.ready();
        if ready.len() >= READY_MAX {
            ready.clear();
        }
        ready.insert(key, (here, manifest.clone()));
        Ok(manifest)
    }

    fn ready(&self) -> MutexGuard<'_, HashMap<String, (Here, String)>> {
        // Whole values go in and out.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NodeDriver for Driver {
    fn describe(&self) -> BoxFuture<'_, Result<Description, DriverError>> {
        Box::pin(async {
            let told = self.there()?.describe().await.map_err(|error| of_node(&error))?;
            Ok(Description {
                cpu_millis: u64::from(told.cpu_millis),
                memory_bytes: told.memory_bytes,
                disk_bytes: told.disk_bytes,
                attributes: told.attributes,
                boot_id: told.boot_id,
            })
        })
    }

    fn prepare<'a>(
        &'a self,
        image: ImageOrder<'a>,
        tell: &'a (dyn Fn(String) + Send + Sync),
    ) -> BoxFuture<'a, Result<String, DriverError>> {
        Box::pin(self.make_ready(image, tell))
    }

    fn assign(&self, assignment: Assignment) -> BoxFuture<'_, Result<(), DriverError>> {
        Box::pin(async move {
            let Assignment { id, generation, spec, desired, images } = assignment;
            let digest = |(name, text): (String, String)| match text.parse() {
                Ok(digest) => Ok((name, digest)),
                Err(_) => Err(DriverError::Refused(format!("{text} is no digest"))),
            };
            let images = images.into_iter().map(digest).collect::<Result<BTreeMap<_, _>, _>>()?;
            let assignment = protocol::Assignment { id, generation, spec, desired, images };
            match self.there()?.assign(&assignment).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    if error.kind() == Some(FailureKind::NotFound) {
                        self.ready().clear();
                    }
                    Err(of_node(&error))
                }
            }
        })
    }

    fn retire<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<(), DriverError>> {
        Box::pin(async move { self.there()?.retire(id).await.map(drop).map_err(|error| of_node(&error)) })
    }

    fn follow(&self) -> BoxFuture<'_, Result<Box<dyn Following>, DriverError>> {
        Box::pin(async {
            self.ready().clear();
            let following = self.there()?.follow().await.map_err(|error| of_node(&error))?;
            Ok(Box::new(Follow(following)) as Box<dyn Following>)
        })
    }

    fn output<'a>(&'a self, wanted: OutputOf<'a>) -> BoxFuture<'a, Result<Box<dyn Printing>, DriverError>> {
        Box::pin(async move {
            let output = protocol::OutputOf {
                id: wanted.id.clone(),
                container: Some(wanted.container.to_owned()),
                from: wanted.position,
                tail_lines: None,
                follow: wanted.follow,
            };
            let talk = self.there()?.open(Session::Output(output)).await.map_err(|error| of_node(&error))?;
            Ok(Box::new(Print(talk)) as Box<dyn Printing>)
        })
    }
}

/// What the node tells.
struct Follow(client::Following);

impl Following for Follow {
    fn next(&mut self) -> BoxFuture<'_, Result<Report, DriverError>> {
        Box::pin(async {
            loop {
                match self.0.next().await.map_err(|error| of_node(&error))? {
                    Event::Observed { id, generation, observed } => {
                        return Ok(Report::Observed { id, generation, observed });
                    }
                    Event::Told => return Ok(Report::Told),
                    // A newer node may say more.
                    _ => {}
                }
            }
        })
    }
}

/// What a container prints.
struct Print(Talk);

impl Printing for Print {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Printed>, DriverError>> {
        Box::pin(async {
            loop {
                let output = match self.0.next().await {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(of_node(&error)),
                    Some(Ok(Event::Output(output))) => output,
                    Some(Ok(_)) => continue,
                };
                let data = BASE64_STANDARD.decode(&output.data);
                let data = data.map_err(|_| DriverError::Unavailable("the node's output is no base64".to_owned()))?;
                let at = Timestamp::from_millis(i64::try_from(output.at_ms).unwrap_or(i64::MAX));
                let protocol::Output { stream, next, lost_bytes, .. } = output;
                return Ok(Some(Printed { stream, data, at, next, lost_bytes }));
            }
        })
    }
}
