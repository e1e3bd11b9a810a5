//! Where images come from: the registry on this machine, registries elsewhere, the node that unpacks. Wired here, with
//! what the control socket and ecr ask of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, SystemClock};
use blobs::Blobs;
use images::Reference;
use images::remote::{self, Registries};
use node::client::Node;
use node::protocol::{Prepare, Urgency};
use node::supply::{
    Order, Parts, Prune, PulledImage, Readied, Supply, UNREADY_LIMIT, UNREADY_ROUND_MAX, Unpacker, chain,
};
use platform::ports::{ImagePreparer, PreparedReference};
use platform::{BoxFuture, Cause, Reconciler, Round, Wake};
use store::Store;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::warn;
use zeroize::Zeroizing;

use crate::control_socket::workloads::{Runtime, WorkloadCommands};
use crate::control_socket::{Answer, Answerers, Commands, ControlSocket, Credentials, ImageRequest, Pull, Teller};
use crate::data_dir::DataDir;
use crate::local_registry::OwnNames;
use crate::node_gate::NodeCommands;
use crate::runtimes::{RuntimeCommands, Runtimes};
use crate::settings::Settings;
use crate::stop::Stop;

/// How often at most a command hears how far a pull is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How often it is looked for downloads that nobody went on with.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How long after a round it is looked again for images that were left out, because somebody pulled them.
const LEFT_OUT_WAIT: Duration = Duration::from_secs(60);

/// What images are made of and from.
pub(crate) struct Materials {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) own: Arc<OwnNames>,
    /// Who unpacks; nobody where `pilvi up` is not root.
    pub(crate) node: Option<Node>,
}

/// What goes on about images.
pub(crate) struct Started {
    /// Ends when it was told to stop, and all commands have been answered.
    pub(crate) commands: JoinHandle<()>,
    /// Has what was pulled unpacked, should something have come between.
    pub(crate) reconciler: Arc<dyn Reconciler>,
}

/// Keeps the supply of images in order, and answers what the command line asks of it and of what `runtime` runs, until told
/// to stop.
///
/// # Errors
/// When the control socket cannot be made.
pub(crate) fn start(
    supply: Supply,
    runtime: Arc<dyn Runtime>,
    nodes: NodeCommands,
    runtimes: Runtimes,
    dir: &DataDir,
    stop: Stop,
) -> Result<Started> {
    let clock = Arc::new(SystemClock);
    let socket = ControlSocket::open(dir)?;
    tokio::spawn(sweep(supply.clone(), stop.clone()));
    let reconciler = Arc::new(PulledImages { supply: supply.clone(), clock, stop: stop.clone() });
    let answerers = Answerers {
        runtimes: Arc::new(RuntimeCommands { runtimes, supply: supply.clone() }),
        images: Arc::new(ImageCommands(supply)),
        workloads: Arc::new(WorkloadCommands::new(runtime)),
        nodes,
    };
    Ok(Started { commands: tokio::spawn(socket.serve(answerers, stop)), reconciler })
}

/// Who makes images ready that are pushed to the registry on this machine.
pub(crate) fn preparer(node: Node, stop: Stop) -> Arc<dyn ImagePreparer> {
    Arc::new(NodePreparer { node, stop })
}

/// Makes the supply of images.
///
/// # Errors
/// When downloads cannot be kept, or `[registries]` cannot be used.
pub(crate) fn build(materials: Materials, settings: &Settings, dir: &DataDir) -> Result<Supply> {
    let Materials { store, blobs, own, node } = materials;
    let clock = Arc::new(SystemClock);
    let upstream = Registries::new(settings.registries.remote()?).context("[registries] cannot be used")?;
    let parts = Parts {
        store,
        blobs,
        local: own,
        upstream: Arc::new(upstream),
        node: node.map(|node| Arc::new(node) as Arc<dyn Unpacker>),
        clock,
        blob_grace: ecr::reconcile::unreferenced::GRACE,
    };
    Supply::new(parts, &dir.downloads()).with_context(|| format!("cannot use {}", dir.downloads().display()))
}

/// Removes, now and then, the downloads that nobody went on with.
async fn sweep(supply: Supply, stop: Stop) {
    loop {
        if let Err(error) = supply.sweep().await {
            warn!(error = chain(&error), "old downloads could not be removed");
        }
        if timeout(SWEEP_EVERY, stop.requested()).await.is_ok() {
            return;
        }
    }
}

/// Has the node unpack what was pulled and is not ready: a crash cut it off, or the node was away.
struct PulledImages {
    supply: Supply,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Reconciler for PulledImages {
    fn name(&self) -> &str {
        "images/pulled-image"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<PulledImage>()]
    }

    fn limit(&self) -> Duration {
        UNREADY_LIMIT.saturating_mul(u32::try_from(UNREADY_ROUND_MAX).unwrap_or(u32::MAX))
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let readied = tokio::select! {
                biased;
                // What is cut off is gone on with after the next start.
                () = self.stop.requested() => return Ok(Round::idle()),
                readied = self.supply.ready_pulled() => readied,
            };
            let Readied { images, left } = readied.map_err(|error| chain(&error))?;
            let due = (left > 0).then(|| self.clock.now().plus(LEFT_OUT_WAIT));
            Ok(Round::did(images, format!("had {images} images unpacked")).due(due))
        })
    }
}

/// Has the node make images ready that were pushed to the registry on this machine.
#[derive(Debug)]
struct NodePreparer {
    node: Node,
    stop: Stop,
}

impl ImagePreparer for NodePreparer {
    fn prepare<'a>(&'a self, image: PreparedReference<'a>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let root = images::Descriptor {
                media_type: image.media_type.to_owned(),
                digest: image.digest.parse().map_err(|error| format!("{}: {error}", image.digest))?,
                size: image.size,
                platform: None,
            };
            let (reference, urgency) = (Some(reference(image.reference)?), Urgency::Background);
            let prepare = Prepare { reference, root, platform: None, urgency };
            tokio::select! {
                // The end waits for nobody's image; what is cut off is gone on with after the next start.
                () = self.stop.requested() => Err("Pilvi stops".to_owned()),
                prepared = self.node.prepare(&prepare, |_| {}) => {
                    prepared.map(drop).map_err(|error| chain(&error))
                }
            }
        })
    }

    fn forget<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.node.forget(&reference(name)?).await.map(drop).map_err(|error| chain(&error)) })
    }
}

fn reference(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// Answers what the command line asks of images.
struct ImageCommands(Supply);

impl Commands for ImageCommands {
    fn answer(&self, request: ImageRequest, teller: Teller) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let answered = match request {
                ImageRequest::List => self.images(&teller).await,
                ImageRequest::Pull(pull) => self.pull(pull, &teller).await,
                ImageRequest::Remove { reference } if reference.registry() == lambda::runtimes::REGISTRY => {
                    Err("the images of runtimes go with these: `pilvi runtime remove`".to_owned())
                }
                ImageRequest::Remove { reference } => {
                    self.0.remove(&reference).await.map(Answer::Removed).map_err(|error| chain(&error))
                }
                ImageRequest::Prune { all } => {
                    let which = if all { Prune::Pulled } else { Prune::Unneeded };
                    self.0.prune(which).await.map(Answer::Pruned).map_err(|error| chain(&error))
                }
            };
            answered.unwrap_or_else(|reason| Answer::Failed { reason })
        })
    }
}

impl ImageCommands {
    async fn images(&self, teller: &Teller) -> Result<Answer, String> {
        let inventory = self.0.images().await.map_err(|error| chain(&error))?;
        for image in inventory.images {
            teller.tell(Answer::Image(Box::new(image))).await;
        }
        Ok(Answer::Listed { node: inventory.node })
    }

    async fn pull(&self, pull: Pull, teller: &Teller) -> Result<Answer, String> {
        let Pull { reference, platform, credentials } = pull;
        let credentials = credentials.map(credentials_of);
        let pulling = self.0.pull(Order { reference, platform, credentials });
        let mut progress = pulling.progress();
        let mut outcome = std::pin::pin!(pulling.outcome());
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut outcome => break outcome,
                Ok(()) = progress.changed() => {
                    let now = progress.borrow_and_update().clone();
                    teller.tell(Answer::Progress(now)).await;
                }
            }
            // What changes meanwhile is told in one.
            if let Ok(outcome) = timeout(PROGRESS_EVERY, &mut outcome).await {
                break outcome;
            }
        };
        outcome.map(|pulled| Answer::Pulled(Box::new(pulled))).map_err(|error| chain(&*error))
    }
}

fn credentials_of(credentials: Credentials) -> remote::Credentials {
    match credentials {
        Credentials::Password { username, password } => remote::Credentials::password(username, password.reveal()),
        Credentials::IdentityToken(token) => {
            remote::Credentials::IdentityToken(Zeroizing::new(token.reveal().to_owned()))
        }
        Credentials::RegistryToken(token) => remote::Credentials::Bearer(Zeroizing::new(token.reveal().to_owned())),
    }
}
