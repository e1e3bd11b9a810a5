//! A server's gate, and hosts that join by it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, ManualClock, SystemClock, SystemRng};
use node::agent::{Agent, Elsewhere, Options};
use node::client::{Node, Stream};
use node::gate::{Authority, BoxFuture, Door, Gate, HostState, Parts, Token, uptime};
use node::join::{Address, Identity, JoinError, Joined, Resident, join};
use store::{Store, StoreOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use workload::NodeId;

use crate::bed::Bed;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A server's gate. Its leases are counted by a clock that goes as the test says, and so are its certificates.
pub(crate) struct Server {
    pub(crate) bed: Bed,
    store: Store,
    pub(crate) authority: Authority,
    pub(crate) gate: Gate,
    pub(crate) address: Address,
    pub(crate) uptime: Arc<AtomicU64>,
    pub(crate) clock: Arc<ManualClock>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// A workload's connection is answered with the host's name and what it said.
struct Echo;

impl Door for Echo {
    fn serve(&self, host: NodeId, mut stream: Box<dyn Stream>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = stream.write_all(format!("{host}:").as_bytes()).await;
            let mut piece = [0; 64];
            while let Ok(count @ 1..) = stream.read(&mut piece).await {
                let _ = stream.write_all(&piece[..count]).await;
            }
        })
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let store = Store::in_memory(StoreOptions::default());
        let authority = Authority::make(SystemClock.now()).unwrap();
        let clock = Arc::new(ManualClock::starting_at(SystemClock.now()));
        Self::start_with(Bed::new(), store, authority, clock, "127.0.0.1:0").await
    }

    async fn start_with(bed: Bed, store: Store, authority: Authority, clock: Arc<ManualClock>, at: &str) -> Self {
        let uptime = Arc::new(AtomicU64::new(1_000_000));
        let told = uptime.clone();
        let parts = Parts {
            store: store.clone(),
            blobs: bed.blobs.clone(),
            authority: authority.clone(),
            reserved: vec![host("local")],
            facts: BTreeMap::from([("where".to_owned(), "here".to_owned())]),
            door: Arc::new(Echo),
            clock: clock.clone(),
            rng: Arc::new(SystemRng),
            uptime: Arc::new(move || Duration::from_millis(told.load(Ordering::SeqCst))),
        };
        let gate = Gate::open(parts).await.unwrap();
        let listener = TcpListener::bind(at).await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = gate.clone();
        let serving = tokio::spawn(async move { serving.serve(&listener, async { drop(stopped.await) }).await });
        Self { bed, store, authority, gate, address, uptime, clock, stop: Some(stop), serving: Some(serving) }
    }

    /// Ends, and begins again at the same place.
    pub(crate) async fn restart(self) -> Self {
        self.end().await.start_again().await
    }

    /// Ends: nobody answers at its place any more.
    pub(crate) async fn end(mut self) -> Self {
        self.stop.take().map(|stop| stop.send(()));
        self.serving.take().unwrap().await.unwrap();
        self
    }

    /// Begins again at the same place.
    pub(crate) async fn start_again(self) -> Self {
        let at = self.at();
        Self::start_with(self.bed, self.store, self.authority, self.clock, &at).await
    }

    /// Where it listens.
    pub(crate) fn at(&self) -> String {
        self.address.to_string().replace("https://", "")
    }

    pub(crate) async fn token(&self) -> Token {
        self.gate.create_token(HOUR).await.unwrap()
    }

    pub(crate) async fn join(&self, directory: &Path, name: &str, token: &Token) -> Result<Identity, JoinError> {
        join(directory, &self.address, &host(name), Some(token), &SystemClock).await
    }

    /// A host that has joined, and stays.
    pub(crate) async fn host(&self, name: &str) -> Host {
        let directory = tempfile::tempdir().unwrap();
        let token = self.token().await;
        let identity = self.join(directory.path(), name, &token).await.unwrap();
        Host::start(identity, directory)
    }

    pub(crate) async fn until(&self, name: &str, state: Option<HostState>) {
        self.gate.states().wait_for(|states| states.get(&host(name)).copied() == state).await.unwrap();
    }

    pub(crate) fn node(&self, name: &str) -> Node {
        self.gate.node(&host(name)).unwrap()
    }
}

/// A host: an agent, and the membership.
pub(crate) struct Host {
    pub(crate) joined: Joined,
    fenced: watch::Receiver<Duration>,
    pub(crate) staying: JoinHandle<JoinError>,
    pub(crate) directory: TempDir,
    /// What its machine has been up for beyond what this one has, in milliseconds.
    pub(crate) ahead_ms: Arc<AtomicU64>,
    /// What it was told, in order: `fence`, and `serve` of each connection.
    pub(crate) told: Arc<Mutex<Vec<&'static str>>>,
}

struct House {
    agent: Agent,
    fenced: watch::Sender<Duration>,
    told: Arc<Mutex<Vec<&'static str>>>,
}

impl Resident for House {
    fn serve(&self, stream: Box<dyn Stream>) -> BoxFuture<'static, ()> {
        self.told.lock().unwrap().push("serve");
        let agent = self.agent.clone();
        Box::pin(async move { agent.serve_on(stream).await })
    }

    fn fence(&self, at: Duration) -> BoxFuture<'_, ()> {
        self.told.lock().unwrap().push("fence");
        self.fenced.send_replace(at);
        Box::pin(std::future::ready(()))
    }
}

impl Host {
    pub(crate) fn start(identity: Identity, directory: TempDir) -> Self {
        Self::start_by(identity, directory, Arc::new(SystemClock))
    }

    /// The same on a machine whose clock may be wrong.
    pub(crate) fn start_by(identity: Identity, directory: TempDir, clock: Arc<dyn Clock>) -> Self {
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let ahead = ahead_ms.clone();
        let counted = Arc::new(move || uptime() + Duration::from_millis(ahead.load(Ordering::SeqCst)));
        let joined = Joined::counted_by(identity, directory.path(), clock, counted).unwrap();
        let me = rustix::process::geteuid().as_raw();
        let options = Options {
            spare_bytes: 0,
            elsewhere: Some(Elsewhere(Arc::new(joined.blobs()))),
            ..Options::new(directory.path().join("node"), directory.path().join("no-blobs"), me)
        };
        // The one before may still be on its way out.
        let agent = loop {
            match Agent::open(options.clone()) {
                Err(images::Error::InUse) => std::thread::sleep(Duration::from_millis(5)),
                opened => break opened.unwrap(),
            }
        };
        let (fence, fenced) = watch::channel(Duration::ZERO);
        let told = Arc::<Mutex<Vec<_>>>::default();
        let (stays, house) = (joined.clone(), House { agent, fenced: fence, told: told.clone() });
        let staying = tokio::spawn(async move { stays.stay(Arc::new(house)).await });
        Self { joined, fenced, staying, directory, ahead_ms, told }
    }

    pub(crate) async fn renewed(&mut self) -> Duration {
        self.fenced.changed().await.unwrap();
        *self.fenced.borrow_and_update()
    }

    pub(crate) fn away(self) -> (Identity, TempDir) {
        self.staying.abort();
        (self.joined.identity(), self.directory)
    }
}

pub(crate) fn host(name: &str) -> NodeId {
    NodeId::try_from(name.to_owned()).unwrap()
}

pub(crate) fn message(error: &JoinError) -> String {
    error.to_string()
}
