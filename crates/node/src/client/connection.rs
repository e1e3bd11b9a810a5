//! One connection to the node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::dial::{Dial, Stream};
use super::mailbox::{End, Mailbox};
use crate::lines::{self, Lines};
use crate::protocol::{
    Answer, Failure, FailureKind, FromNode, Hello, Input, Progress, Request, Session, ToNode, Welcome,
};

pub(super) type From = ReadHalf<Box<dyn Stream>>;
pub(super) type To = WriteHalf<Box<dyn Stream>>;

/// How long a node may take to say its first line: one that has just been started reads what layers it has.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// The connection broke before the answer came.
#[derive(Debug)]
pub(super) struct Lost;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unopened {
    /// The node says no, and would again.
    Refused(String),
    /// It could not be reached now.
    Failed(String),
}

#[derive(Debug)]
pub(super) struct Connection {
    next: AtomicU64,
    /// Lines to be sent. Each call that goes on adds two at most, and there are so many calls as there are turns; a session adds
    /// what its window has room for.
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<Waiting>,
    tasks: [JoinHandle<()>; 2],
}

/// Who waits for which answer; none once the connection is broken.
#[derive(Debug)]
struct Waiting(Mutex<Option<HashMap<u64, Call>>>);

#[derive(Debug)]
enum Call {
    Once { progress: watch::Sender<Option<Progress>>, answer: oneshot::Sender<Result<Answer, Failure>> },
    Session(Open),
}

/// A session under way. When it is forgotten before it was answered, that is told.
#[derive(Debug)]
struct Open(Arc<Mailbox>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.end(End::Lost);
    }
}

impl Connection {
    pub(super) async fn open(way: &dyn Dial) -> Result<Self, Unopened> {
        let greeting = async {
            let stream = way.dial().await.map_err(|error| Unopened::Failed(error.to_string()))?;
            let (from, to) = tokio::io::split(stream);
            greet(from, to).await
        };
        let silent = || Unopened::Failed(format!("no word within {} s", HELLO_PATIENCE.as_secs()));
        let (from, to) = timeout(HELLO_PATIENCE, greeting).await.map_err(|_| silent())??;
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let (outgoing, lines) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read(from, Arc::clone(&waiting)));
        let writing = tokio::spawn(write(to, lines, Arc::clone(&waiting)));
        Ok(Self { next: AtomicU64::new(1), outgoing, waiting, tasks: [reading, writing] })
    }

    pub(super) fn is_open(&self) -> bool {
        self.waiting.lock().is_some()
    }

    /// Begins a session: its number, and what comes of it.
    pub(super) fn begin(&self, session: Session) -> Result<(u64, Arc<Mailbox>), Lost> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        // Names, arguments and environments have their limits, and fit.
        let line = lines::line(&ToNode::Ask { id, request: Request::Open(session) }).map_err(|_| Lost)?;
        let mailbox = Arc::new(Mailbox::new());
        let call = Call::Session(Open(Arc::clone(&mailbox)));
        self.waiting.lock().as_mut().ok_or(Lost)?.insert(id, call);
        self.outgoing.send(line).map_err(|_| Lost)?;
        Ok((id, mailbox))
    }

    /// Says something in a session.
    pub(super) fn say(&self, id: u64, input: Input) -> Result<(), Lost> {
        let line = lines::line(&ToNode::<Request>::Input { id, input }).map_err(|_| Lost)?;
        self.outgoing.send(line).map_err(|_| Lost)
    }

    /// Ends a call or session that is not wanted any more, if it has not ended.
    pub(super) fn hang_up(&self, id: u64) {
        let waited = self.waiting.lock().as_mut().and_then(|calls| calls.remove(&id));
        if waited.is_some()
            && let Ok(line) = lines::line(&ToNode::<Request>::Cancel { id })
        {
            // If it is not sent, the connection is broken, and that cancels it too.
            let _ = self.outgoing.send(line);
        }
    }

    pub(super) async fn ask(
        &self,
        request: &Request,
        on_progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Result<Answer, Failure>, Lost> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let Ok(line) = lines::line(&ToNode::Ask { id, request }) else {
            let message = "what is asked for does not fit into a message";
            return Ok(Err(Failure::new(FailureKind::Refused, message)));
        };
        let (progress, mut heard) = watch::channel(None);
        let (answer, mut answered) = oneshot::channel();
        self.waiting.lock().as_mut().ok_or(Lost)?.insert(id, Call::Once { progress, answer });
        let mut asked = Asked { connection: self, id, is_answered: false };
        self.outgoing.send(line).map_err(|_| Lost)?;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answered => break answer,
                Ok(()) = heard.changed() => {
                    if let Some(progress) = &*heard.borrow_and_update() {
                        on_progress(progress);
                    }
                }
            }
        };
        // What was said last came together with the answer.
        let last = heard.borrow_and_update();
        if let Some(progress) = last.as_ref().filter(|_| last.has_changed()) {
            on_progress(progress);
        }
        drop(last);
        asked.is_answered = true;
        answer.map_err(|_| Lost)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A call under way. When it is dropped before it was answered, nobody wants the answer.
struct Asked<'a> {
    connection: &'a Connection,
    id: u64,
    is_answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        self.connection.hang_up(self.id);
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, Call>>> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over what came. What nobody waits for any more is passed over.
    fn deliver(&self, message: FromNode) {
        let mut waiting = self.lock();
        let Some(calls) = waiting.as_mut() else { return };
        let (id, answer) = match message {
            FromNode::Progress { id, progress } => {
                if let Some(Call::Once { progress: heard, .. }) = calls.get(&id) {
                    heard.send_replace(Some(progress));
                }
                return;
            }
            FromNode::Event { id, event } => {
                if let Some(Call::Session(open)) = calls.get(&id) {
                    open.0.put(event);
                }
                return;
            }
            FromNode::Done { id, answer } => (id, Ok(answer)),
            FromNode::Failed { id, failure } => (id, Err(failure)),
        };
        match calls.remove(&id) {
            Some(Call::Once { answer: waited, .. }) => drop(waited.send(answer)),
            Some(Call::Session(open)) => open.0.end(End::Answered(answer)),
            None => {}
        }
    }
}

/// Agrees on a version.
pub(super) async fn greet(from: From, mut to: To) -> Result<(Lines<From>, To), Unopened> {
    let failed = |error: lines::LineError| Unopened::Failed(error.to_string());
    lines::send(&mut to, &lines::line(&Hello::own()).map_err(failed)?).await.map_err(failed)?;
    let mut from = Lines::new(from);
    let line = from.next().await.map_err(failed)?.ok_or_else(|| Unopened::Failed("it hung up".to_owned()))?;
    match serde_json::from_slice(line) {
        Ok(Welcome::Accepted { version, program, pid }) => {
            tracing::debug!(version, program, pid, "connected with the node");
            Ok((from, to))
        }
        Ok(Welcome::Refused { reason }) => Err(Unopened::Refused(reason)),
        Err(_) => Err(Unopened::Refused("what answers is no node".to_owned())),
    }
}

async fn read(mut from: Lines<From>, waiting: Arc<Waiting>) {
    loop {
        let message = match from.next().await {
            Ok(Some(line)) => serde_json::from_slice(line).map_err(|error| error.to_string()),
            Ok(None) => break,
            Err(error) => Err(error.to_string()),
        };
        match message {
            Ok(message) => waiting.deliver(message),
            Err(error) => {
                tracing::warn!(error, "the node says what is not to be understood");
                break;
            }
        }
    }
    // Whoever waits hears that nothing will come.
    waiting.lock().take();
}

async fn write(mut to: To, mut lines: mpsc::UnboundedReceiver<Vec<u8>>, waiting: Arc<Waiting>) {
    while let Some(line) = lines.recv().await {
        if lines::send(&mut to, &line).await.is_err() {
            break;
        }
    }
    waiting.lock().take();
}
