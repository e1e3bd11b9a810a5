//! One connection, whose other side is believed nothing.

use std::collections::HashMap;
use std::time::Duration;

use ::images::Store;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;
use workload::WorkloadId;

use super::session::{BeyondWindow, Hearing, Inbox, Telling, session};
use super::{Agent, failure, images};
use crate::client::{CALLS_MAX, SESSIONS_MAX};
use crate::lines::{self, LineError, Lines};
use crate::protocol::{
    Answer, Channelled, Collected, Failure, FailureKind, FromNode, Hello, Progress, Request, Session, ToNode, VERSION,
    Welcome,
};

/// How long whoever connects may take to say the first line.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);
/// Lines that wait to be sent. What is quickly answered is not even looked up while so many wait.
const LINES_WAITING_MAX: usize = 8;

/// What whoever connected asks for, unread until its number is known.
#[derive(Deserialize)]
#[serde(transparent)]
struct Unread<'a>(#[serde(borrow)] &'a RawValue);

/// The requests under way.
#[derive(Default)]
struct Running {
    calls: JoinSet<u64>,
    sessions: JoinSet<u64>,
    by_id: HashMap<u64, One>,
}

/// A request under way.
struct One {
    abort: AbortHandle,
    inbox: Option<Inbox>,
}

/// Why a connection is ended.
#[derive(Debug, thiserror::Error)]
enum Breach {
    #[error(transparent)]
    Line(#[from] LineError),
    #[error("a line that is no message")]
    NoMessage,
    #[error("two requests of one number")]
    Number,
    #[error("no first line in time")]
    Silent,
    #[error("more input than was taken")]
    Window,
}

impl From<BeyondWindow> for Breach {
    fn from(_: BeyondWindow) -> Self {
        Self::Window
    }
}

/// Serves it until it ends. What is then still under way ends with it. `place` is among the connections.
pub(super) async fn serve(
    agent: Agent,
    from: impl AsyncRead + Unpin + Send + 'static,
    to: impl AsyncWrite + Unpin + Send + 'static,
    place: Option<OwnedSemaphorePermit>,
) {
    if let Err(breach) = converse(agent, Lines::new(from), to, place).await {
        tracing::warn!(%breach, "a connection was ended");
    }
}

async fn converse(
    agent: Agent,
    mut from: Lines<impl AsyncRead + Unpin + Send + 'static>,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
    place: Option<OwnedSemaphorePermit>,
) -> Result<(), Breach> {
    if !greet(&mut from, &mut to).await? {
        return Ok(());
    }
    let Some(first) = from.next().await? else { return Ok(()) };
    let first = first.to_vec();
    if let Ok(ToNode::<Unread<'_>>::Channel { id }) = serde_json::from_slice(&first) {
        return carry(agent, &id, from, to, place).await;
    }
    let _place = place;
    let (sender, mut waiting) = mpsc::channel::<Vec<u8>>(LINES_WAITING_MAX);
    let sending = async {
        while let Some(line) = waiting.recv().await {
            lines::send(&mut to, &line).await?;
        }
        Ok(())
    };
    // Whichever ends first ends the other.
    tokio::select! {
        ended = listen(agent, first, &mut from, sender) => ended,
        ended = sending => ended,
    }
}

/// Agrees on a version; no if there is none.
async fn greet(from: &mut Lines<impl AsyncRead + Unpin>, to: &mut (impl AsyncWrite + Unpin)) -> Result<bool, Breach> {
    let first = timeout(HELLO_PATIENCE, from.next()).await.map_err(|_| Breach::Silent)??;
    // Whoever only looks whether somebody answers.
    let Some(first) = first else { return Ok(false) };
    let hello: Hello = serde_json::from_slice(first).map_err(|_| Breach::NoMessage)?;
    let program = env!("CARGO_PKG_VERSION");
    let is_known = hello.versions.contains(&VERSION);
    let welcome = if is_known {
        Welcome::Accepted { version: VERSION, program: program.to_owned(), pid: std::process::id() }
    } else {
        Welcome::Refused { reason: format!("this node is of version {program} and speaks protocol {VERSION}") }
    };
    lines::send(to, &lines::line(&welcome)?).await?;
    Ok(is_known)
}

/// The connection is the way to what is served near a workload.
async fn carry(
    agent: Agent,
    id: &WorkloadId,
    from: Lines<impl AsyncRead + Unpin + Send + 'static>,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
    place: Option<OwnedSemaphorePermit>,
) -> Result<(), Breach> {
    let found = match agent.0.admission.channel() {
        Some(own) => agent.channel(id).await.map(|channel| (own, channel)),
        None => Err(Failure::new(FailureKind::Busy, "there are as many channels as there can be")),
    };
    let answer = found.as_ref().map_or_else(|failure| Channelled::Failed(failure.clone()), |_| Channelled::Opened);
    lines::send(&mut to, &lines::line(&answer)?).await?;
    if let Ok((_own, channel)) = found {
        // Others connect meanwhile.
        drop(place);
        channel.carry(Box::new(tokio::io::join(from.into_rest(), to))).await;
    }
    Ok(())
}

async fn listen(
    agent: Agent,
    first: Vec<u8>,
    from: &mut Lines<impl AsyncRead + Unpin>,
    sender: mpsc::Sender<Vec<u8>>,
) -> Result<(), Breach> {
    let mut running = Running::default();
    running.hear(&agent, &first, &sender).await?;
    while let Some(line) = from.next().await? {
        running.hear(&agent, line, &sender).await?;
    }
    Ok(())
}

impl Running {
    /// Takes one message.
    async fn hear(&mut self, agent: &Agent, line: &[u8], sender: &mpsc::Sender<Vec<u8>>) -> Result<(), Breach> {
        let message: ToNode<Unread<'_>> = serde_json::from_slice(line).map_err(|_| Breach::NoMessage)?;
        self.forget_the_ended();
        let (id, request) = match message {
            ToNode::Channel { .. } => return Err(Breach::NoMessage),
            ToNode::Cancel { id } => {
                self.by_id.remove(&id).inspect(|one| one.abort.abort());
                return Ok(());
            }
            ToNode::Input { id, input } => {
                // Whoever asks may not have heard yet that a session has ended.
                if let Some(inbox) = self.inbox(id) {
                    inbox.put(input)?;
                }
                return Ok(());
            }
            ToNode::Ask { id, request } => (id, serde_json::from_str(request.0.get())),
        };
        if self.by_id.contains_key(&id) {
            return Err(Breach::Number);
        }
        let failure = match request {
            Ok(request) => match self.begin(agent, id, request, sender) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            },
            Err(error) => Failure::new(FailureKind::Unknown, format!("not understood: {error}")),
        };
        send(sender, &FromNode::Failed { id, failure }).await;
        Ok(())
    }

    fn begin(
        &mut self,
        agent: &Agent,
        id: u64,
        request: Request,
        sender: &mpsc::Sender<Vec<u8>>,
    ) -> Result<(), Failure> {
        let one = match request {
            Request::Open(_) if self.sessions.len() >= SESSIONS_MAX => {
                return Err(Failure::new(FailureKind::Busy, "too many sessions at one time"));
            }
            Request::Open(wanted) => {
                let (inbox, telling, hearing) = session(id, sender.clone());
                let task = attend(agent.clone(), id, wanted, telling, hearing, sender.clone());
                One { abort: self.sessions.spawn(task), inbox: Some(inbox) }
            }
            _ if self.calls.len() >= CALLS_MAX => {
                return Err(Failure::new(FailureKind::Busy, "too many requests at one time"));
            }
            request => One { abort: self.calls.spawn(answer(agent.clone(), id, request, sender.clone())), inbox: None },
        };
        self.by_id.insert(id, one);
        Ok(())
    }

    fn inbox(&self, id: u64) -> Option<&Inbox> {
        self.by_id.get(&id)?.inbox.as_ref()
    }

    fn forget_the_ended(&mut self) {
        for tasks in [&mut self.calls, &mut self.sessions] {
            while let Some(ended) = tasks.try_join_next() {
                // Else it was cancelled, and is forgotten already; or it panicked, and its number is not used again.
                if let Ok(id) = ended {
                    self.by_id.remove(&id);
                }
            }
        }
    }
}

/// Serves one session; its number is the task's result.
async fn attend(
    agent: Agent,
    id: u64,
    wanted: Session,
    telling: Telling,
    hearing: Hearing,
    sender: mpsc::Sender<Vec<u8>>,
) -> u64 {
    let ended = agent.session(wanted, telling, hearing).await;
    if let Some(line) = ended.and_then(|answered| line_of(id, answered)) {
        // If nobody takes it, the connection has ended.
        let _ = sender.send(line).await;
    }
    id
}

/// Answers one request; its number is the task's result.
async fn answer(agent: Agent, id: u64, request: Request, sender: mpsc::Sender<Vec<u8>>) -> u64 {
    let answered = match request {
        Request::Prepare(wanted) => agent.prepare(wanted, reporter(id, &sender)).await.map(Answer::Prepared),
        Request::PrepareLayer(wanted) => {
            agent.prepare_layer(wanted, reporter(id, &sender)).await.map(|()| Answer::LayerPrepared)
        }
        Request::PrepareArchive(wanted) => {
            agent.prepare_archive(wanted, reporter(id, &sender)).await.map(|()| Answer::ArchivePrepared)
        }
        Request::Prune => prune(&agent).await,
        about_workloads @ (Request::Describe
        | Request::Assign(_)
        | Request::Retire { .. }
        | Request::Signal { .. }
        | Request::Freeze { .. }
        | Request::Stats { .. }
        | Request::Purge) => agent.about_workloads(about_workloads).await,
        quick => {
            // What may be long is not made before there is room for it.
            let Ok(room) = sender.reserve().await else { return id };
            let looked_up = spawn_blocking(move || look_up(&agent, quick)).await;
            if let Some(line) = line_of(id, looked_up.unwrap_or_else(|_| Err(broken()))) {
                room.send(line);
            }
            return id;
        }
    };
    if let Some(line) = line_of(id, answered) {
        // If nobody takes it, the connection has ended.
        let _ = sender.send(line).await;
    }
    id
}

/// Tells whoever asked how far it is.
fn reporter(id: u64, sender: &mpsc::Sender<Vec<u8>>) -> impl Fn(Progress) + Send + Sync + 'static {
    let sender = sender.clone();
    move |progress| {
        // What does not fit is overtaken by the next.
        if let (Ok(room), Ok(line)) = (sender.try_reserve(), lines::line(&FromNode::Progress { id, progress })) {
            room.send(line);
        }
    }
}

async fn prune(agent: &Agent) -> Result<Answer, Failure> {
    let collected = agent.chore(Store::collect).await.ok_or_else(broken)?;
    let ::images::Collected { layers, bytes } = collected.map_err(|error| failure::of(&error))?;
    Ok(Answer::Collected(Collected { layers, bytes }))
}

fn look_up(agent: &Agent, request: Request) -> Result<Answer, Failure> {
    Ok(match request {
        Request::Images { after } => Answer::Images(images::page(&agent.0.store, after.as_ref())),
        Request::Forget { reference } => Answer::Forgotten(agent.0.recorded.forget(&agent.0.store, &reference)?),
        Request::Usage => Answer::Usage(agent.usage()),
        Request::Status => Answer::Status(agent.status()),
        _ => return Err(broken()),
    })
}

fn broken() -> Failure {
    Failure::new(FailureKind::Internal, "the node could not do it")
}

fn line_of(id: u64, answered: Result<Answer, Failure>) -> Option<Vec<u8>> {
    let message = match answered {
        Ok(answer) => FromNode::Done { id, answer },
        Err(failure) => FromNode::Failed { id, failure },
    };
    // Each message has its limits, and fits.
    lines::line(&message).inspect_err(|error| tracing::error!(%error, "an answer cannot be sent")).ok()
}

async fn send(sender: &mpsc::Sender<Vec<u8>>, message: &FromNode) {
    if let Ok(line) = lines::line(message) {
        let _ = sender.send(line).await;
    }
}
