//! The server's handle on the node.

mod channel;
mod connection;
mod dial;
mod mailbox;
mod running;
mod talk;
mod workloads;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use images::Reference;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::protocol::{
    Answer, Collected, Failure, FailureKind, ImageInfo, Prepare, PrepareArchive, PrepareLayer, PreparedImage, Progress,
    Request, Status, Usage,
};
use connection::{Connection, Unopened};
use dial::Socket;
pub use dial::{Dial, Dialling, Stream};
pub use running::{Running, is_made};
pub use talk::{Following, Talk, TalkSender};

/// Calls that go on at one time and may take long; further ones wait for their turn.
const LONG_CALLS_MAX: usize = 48;
/// The same of those that are quickly answered, so that they need not wait for the others.
const QUICK_CALLS_MAX: usize = 16;
/// The node takes so many on a connection.
pub(crate) const CALLS_MAX: usize = LONG_CALLS_MAX + QUICK_CALLS_MAX;
/// Sessions that are open at one time; the node takes so many on a connection.
pub(crate) const SESSIONS_MAX: usize = 2048;
/// Channels that are being opened at one time: each is a connection like others until it is one.
const CHANNELS_OPENING_MAX: usize = 8;
/// How long a call waits for a node that is being started again.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The first pause between two attempts to connect; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// The longest pause between two attempts to connect.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// For so long after a node could not be reached calls fail at once.
const KNOWN_TO_BE_AWAY: Duration = Duration::from_millis(500);
/// How often a call is repeated whose connection broke: an image at which the node dies must not kill it for ever.
const REPEATS_MAX: u32 = 2;
/// How long the node may take to answer what it has in memory.
const QUICK: Duration = Duration::from_secs(30);

/// Why the node did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Nobody answers there.
    #[error("the node at {node} cannot be reached: {reason}")]
    Unreachable {
        /// The socket, or the node's name.
        node: String,
        /// Why.
        reason: String,
    },
    /// The node does not speak with this program.
    #[error("the node does not take the connection: {reason}")]
    Refused {
        /// What it says.
        reason: String,
    },
    /// The connection broke, each time that it was tried.
    #[error("the node ended while it was asked")]
    Lost,
    /// The node takes too long for something that it should know.
    #[error("the node has not answered for {} s", after.as_secs())]
    Silent {
        /// How long it was waited for.
        after: Duration,
    },
    /// The node answered something else than it was asked for.
    #[error("the node's answer makes no sense")]
    Confused,
    /// The node says that it failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl NodeError {
    /// What failed, where the node itself said so.
    pub fn kind(&self) -> Option<FailureKind> {
        match self {
            Self::Failed(failure) => Some(failure.kind),
            _ => None,
        }
    }

    /// Whether the same call will fail the same way each time.
    pub fn is_permanent(&self) -> bool {
        self.kind().is_some_and(FailureKind::is_permanent)
    }
}

/// The node, wherever its process is in its life; cheap to clone. It connects when it is first needed, and anew when the
/// connection broke. Calls that may be repeated without harm are when the node was killed in between: all but signals and
/// sessions. Dropping a call cancels it.
#[derive(Debug, Clone)]
pub struct Node(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    way: Box<dyn Dial>,
    sessions: Arc<Semaphore>,
    /// The right to open a channel now.
    opening: Semaphore,
    long: Semaphore,
    quick: Semaphore,
    link: Mutex<Link>,
}

#[derive(Debug, Default)]
struct Link {
    current: Option<Arc<Connection>>,
    /// When it last turned out that the node cannot be reached, and why.
    away: Option<(Instant, String)>,
}

impl Node {
    /// The node at a socket. Nothing happens before the first call.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self::over(Socket(socket.into()))
    }

    /// The node that is reached in another way. Nothing happens before the first call.
    pub fn over(way: impl Dial) -> Self {
        let (long, quick) = (Semaphore::new(LONG_CALLS_MAX), Semaphore::new(QUICK_CALLS_MAX));
        let sessions = Arc::new(Semaphore::new(SESSIONS_MAX));
        let opening = Semaphore::new(CHANNELS_OPENING_MAX);
        Self(Arc::new(Inner { way: Box::new(way), sessions, opening, long, quick, link: Mutex::default() }))
    }

    /// Makes an image ready to run, from blobs that are there. `on_progress` hears how far it is, several times a second
    /// at most. Takes as long as it takes.
    ///
    /// # Errors
    /// [`NodeError`]; [`FailureKind::NotFound`] if a blob is not there.
    pub async fn prepare(
        &self,
        image: &Prepare,
        mut on_progress: impl FnMut(&Progress) + Send,
    ) -> Result<PreparedImage, NodeError> {
        match self.long(&Request::Prepare(image.clone()), &mut on_progress).await? {
            Answer::Prepared(prepared) => Ok(prepared),
            _ => Err(NodeError::Confused),
        }
    }

    /// Unpacks a layer whose blob is there, ahead of the image that it belongs to; `on_progress` as for an image.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`FailureKind::Unknown`] with a node of a version that knows only whole images.
    pub async fn prepare_layer(
        &self,
        layer: &PrepareLayer,
        mut on_progress: impl FnMut(&Progress) + Send,
    ) -> Result<(), NodeError> {
        match self.long(&Request::PrepareLayer(layer.clone()), &mut on_progress).await? {
            Answer::LayerPrepared => Ok(()),
            _ => Err(NodeError::Confused),
        }
    }

    /// Unpacks a zip archive whose blob is there, for workloads with a volume made of it; `on_progress` as for an image. Quick, if
    /// it is unpacked already.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`FailureKind::NotFound`] if the blob is not there, [`FailureKind::Refused`] if the archive is none
    /// that is unpacked.
    pub async fn prepare_archive(
        &self,
        archive: &PrepareArchive,
        mut on_progress: impl FnMut(&Progress) + Send,
    ) -> Result<(), NodeError> {
        match self.long(&Request::PrepareArchive(archive.clone()), &mut on_progress).await? {
            Answer::ArchivePrepared => Ok(()),
            _ => Err(NodeError::Confused),
        }
    }

    /// The images that references name, in the order of the references.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn images(&self) -> Result<Vec<ImageInfo>, NodeError> {
        let mut images: Vec<ImageInfo> = Vec::new();
        loop {
            let after = images.last().map(|image| image.reference.clone());
            let Answer::Images(page) = self.quick(&Request::Images { after }).await? else {
                return Err(NodeError::Confused);
            };
            if page.more && page.images.is_empty() {
                return Err(NodeError::Confused);
            }
            images.extend(page.images);
            if !page.more {
                return Ok(images);
            }
        }
    }

    /// Makes a reference name nothing. Answers whether it named something; it may say no if the node was killed meanwhile.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn forget(&self, reference: &Reference) -> Result<bool, NodeError> {
        match self.quick(&Request::Forget { reference: reference.clone() }).await? {
            Answer::Forgotten(it_did) => Ok(it_did),
            _ => Err(NodeError::Confused),
        }
    }

    /// Removes the layers that nothing needs. Takes as long as it takes.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn prune(&self) -> Result<Collected, NodeError> {
        match self.long(&Request::Prune, &mut |_| {}).await? {
            Answer::Collected(collected) => Ok(collected),
            _ => Err(NodeError::Confused),
        }
    }

    /// What there is.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn usage(&self) -> Result<Usage, NodeError> {
        match self.quick(&Request::Usage).await? {
            Answer::Usage(usage) => Ok(usage),
            _ => Err(NodeError::Confused),
        }
    }

    /// How it is.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn status(&self) -> Result<Status, NodeError> {
        match self.quick(&Request::Status).await? {
            Answer::Status(status) => Ok(status),
            _ => Err(NodeError::Confused),
        }
    }

    async fn quick(&self, request: &Request) -> Result<Answer, NodeError> {
        let asked = async {
            // Nobody closes it.
            let _turn = self.0.quick.acquire().await.ok();
            self.call(request, &mut |_| {}).await
        };
        timeout(QUICK, asked).await.map_err(|_| NodeError::Silent { after: QUICK })?
    }

    async fn long(
        &self,
        request: &Request,
        on_progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Answer, NodeError> {
        // Nobody closes it.
        let _turn = self.0.long.acquire().await.ok();
        self.call(request, on_progress).await
    }

    async fn call(
        &self,
        request: &Request,
        on_progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Answer, NodeError> {
        let _right = self.0.way.asking(request);
        for _ in 0..=REPEATS_MAX {
            // An error is that the connection was lost on the way.
            if let Ok(answer) = self.connection().await?.ask(request, on_progress).await {
                return Ok(answer?);
            }
        }
        Err(NodeError::Lost)
    }

    /// The connection that is there, or a new one.
    async fn connection(&self) -> Result<Arc<Connection>, NodeError> {
        let mut link = self.0.link.lock().await;
        if let Some(current) = link.current.as_ref().filter(|it| it.is_open()) {
            return Ok(Arc::clone(current));
        }
        link.current = None;
        if let Some((_, reason)) = link.away.as_ref().filter(|(since, _)| since.elapsed() < KNOWN_TO_BE_AWAY) {
            return Err(self.unreachable(reason.clone()));
        }
        let deadline = Instant::now() + CONNECT_PATIENCE;
        let mut pause = PAUSE_FIRST;
        loop {
            match Connection::open(&*self.0.way).await {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    (link.current, link.away) = (Some(Arc::clone(&connection)), None);
                    return Ok(connection);
                }
                Err(Unopened::Refused(reason)) => return Err(NodeError::Refused { reason }),
                Err(Unopened::Failed(reason)) if Instant::now() + pause >= deadline => {
                    link.away = Some((Instant::now(), reason.clone()));
                    return Err(self.unreachable(reason));
                }
                Err(Unopened::Failed(_)) => sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn unreachable(&self, reason: String) -> NodeError {
        NodeError::Unreachable { node: self.0.way.name(), reason }
    }
}
