//! What an environment is doing, as its runtime and its extensions see it.
//!
//! An environment begins: extensions register, the runtime loads the function; each says that it is done by asking for its first
//! event. An event goes to the runtime and to the extensions that want it. It is over for the client when the function has
//! answered, and for the environment when runtime and extensions have all asked for the next one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Rng;
use base::ids::uuid;
use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::frame::{
    Begin, ExtensionFailed, FromEnvironment, Invoke, Ready, RegisteredExtension, Shutdown, ToEnvironment,
};

/// The largest event, in bytes. (Lambda quotas: 6 MB, which the Runtime API takes as this.)
pub const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
/// How many extensions there may be. (Extensions API: "You can register up to 10 extensions for a function".)
pub const EXTENSIONS_MAX: usize = 10;
/// How much of a streamed response may be under way to the server that nobody has taken, in bytes.
pub const STREAMED_BYTES_AHEAD: usize = 1024 * 1024;
/// How many events may wait for an extension that does not ask.
const EVENTS_WAITING_MAX: usize = 4;

/// An environment.
#[derive(Debug)]
pub struct Environment {
    rng: Arc<dyn Rng>,
    state: Mutex<State>,
    /// To the server.
    said: mpsc::Sender<FromEnvironment>,
    /// As many bytes of a streamed response as may still be sent.
    credit: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    begin: Option<Arc<Begin>>,
    has_begun: bool,
    /// An event whose payload is on its way from the server.
    arriving: Option<(Invoke, BytesMut)>,
    current: Option<Current>,
    runtime: Runtime,
    extensions: Vec<Extension>,
    is_closed: bool,
}

/// The event that is going on.
#[derive(Debug)]
struct Current {
    event: Event,
    /// Whether the runtime has it.
    is_delivered: bool,
    /// Whether the function has begun to answer.
    is_answered: bool,
    /// Whether the answer has been sent.
    is_sent: bool,
}

/// An event with its payload. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Event {
    /// What it is.
    pub invoke: Arc<Invoke>,
    /// What the function gets.
    pub payload: Bytes,
}

/// What the runtime is doing.
#[derive(Debug, Default)]
enum Runtime {
    /// It begins, or works on an event.
    #[default]
    Busy,
    /// It waits for an event.
    Waiting(oneshot::Sender<Event>),
}

#[derive(Debug)]
struct Extension {
    id: String,
    name: String,
    /// None before it has registered.
    wants: Option<Wants>,
    /// What it has not asked for yet.
    events: VecDeque<ExtensionEvent>,
    waiting: Option<oneshot::Sender<ExtensionEvent>>,
    /// Whether it is done with what it was given, and has said so by asking for more.
    is_ready: bool,
    has_failed: bool,
}

/// The events that an extension wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// Of each invocation.
    pub invoke: bool,
    /// Of the end.
    pub shutdown: bool,
}

/// What an extension is told.
#[derive(Debug, Clone)]
pub enum ExtensionEvent {
    /// An event goes to the function.
    Invoke(Arc<Invoke>),
    /// The environment ends.
    Shutdown(Shutdown),
}

/// Why somebody within does not get what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not now.
    #[error("State transition from {from} to {to} failed for {whom}. Error: State transition is not allowed")]
    State {
        /// What it is doing.
        from: &'static str,
        /// What it would be doing.
        to: &'static str,
        /// The runtime, or an extension.
        whom: String,
    },
    /// There is no such event, or it has an answer.
    #[error("Invalid request ID")]
    RequestId,
    /// There is no such extension.
    #[error("Unknown extension {0}")]
    UnknownExtension(String),
    /// Another has the name.
    #[error("Extension with this name already registered")]
    NameTaken,
    /// There are enough.
    #[error("Extension limit ({EXTENSIONS_MAX}) reached")]
    TooManyExtensions,
    /// The function is there already.
    #[error("Extension registration closed already")]
    RegistrationClosed,
    /// Nobody is there any more who could be told.
    #[error("the environment ends")]
    Closed,
}

/// The server says what does not fit to what it said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Confused {
    /// An event while there is one.
    #[error("an event while another goes on")]
    Busy,
    /// A payload of nothing, or of too much.
    #[error("a payload that belongs to nothing, or that is too large")]
    Payload,
}

const RUNTIME: &str = "runtime";

impl Environment {
    /// One that begins, and what it says.
    pub(super) fn new(rng: Arc<dyn Rng>, said: mpsc::Sender<FromEnvironment>) -> Self {
        Self { rng, state: Mutex::default(), said, credit: Arc::new(Semaphore::new(STREAMED_BYTES_AHEAD)) }
    }

    /// Does what the server says.
    pub(super) fn hear(&self, frame: ToEnvironment) -> Result<(), Confused> {
        let mut state = self.state();
        match frame {
            ToEnvironment::Begin(begin) => {
                let named = begin.extensions.iter().map(|name| Extension::new(self.id(), name.clone(), None));
                state.extensions.extend(named);
                state.begin = Some(Arc::new(begin));
            }
            ToEnvironment::Invoke(invoke) if state.arriving.is_none() && state.is_free() => {
                state.arriving = Some((invoke, BytesMut::new()));
            }
            ToEnvironment::Invoke(_) => return Err(Confused::Busy),
            ToEnvironment::Payload(piece) => {
                let (_, payload) = state.arriving.as_mut().ok_or(Confused::Payload)?;
                if payload.len() + piece.len() > PAYLOAD_BYTES_MAX {
                    return Err(Confused::Payload);
                }
                payload.extend_from_slice(&piece);
            }
            ToEnvironment::PayloadEnd => {
                let (invoke, payload) = state.arriving.take().ok_or(Confused::Payload)?;
                state.invoke(Event { invoke: Arc::new(invoke), payload: payload.freeze() });
            }
            ToEnvironment::Credit(bytes) => self.credit.add_permits(usize::try_from(bytes).unwrap_or_default()),
            ToEnvironment::Shutdown(shutdown) => state.shutdown(&shutdown),
        }
        Ok(())
    }

    /// What the environment is; none before the server has said it.
    pub fn begin(&self) -> Option<Arc<Begin>> {
        self.state().begin.clone()
    }

    /// The runtime is done with what it did and waits for an event.
    ///
    /// # Errors
    /// [`Refused::State`], while it has one.
    pub async fn next(&self) -> Result<Event, Refused> {
        let (told, event) = oneshot::channel();
        let said = {
            let mut state = self.state();
            state.runtime_waits(told)?;
            state.settle()
        };
        self.say_all(said).await?;
        event.await.map_err(|_| Refused::Closed)
    }

    /// The function answers an event, in one way or the other. Until [`Environment::answered`] nothing else goes on.
    ///
    /// # Errors
    /// [`Refused::RequestId`]
    pub fn answers(&self, request_id: &str) -> Result<(), Refused> {
        let mut state = self.state();
        let current = state.current.as_mut().filter(|current| current.event.invoke.request_id == request_id);
        match current {
            Some(current) if current.is_delivered && !current.is_answered => {
                current.is_answered = true;
                Ok(())
            }
            _ => Err(Refused::RequestId),
        }
    }

    /// The answer has been sent.
    ///
    /// # Errors
    /// [`Refused::Closed`]
    pub async fn answered(&self) -> Result<(), Refused> {
        let said = {
            let mut state = self.state();
            if let Some(current) = state.current.as_mut() {
                current.is_sent = true;
            }
            state.settle()
        };
        self.say_all(said).await
    }

    /// Whether the runtime may still say that it cannot begin.
    ///
    /// # Errors
    /// [`Refused::State`]
    pub fn may_fail_init(&self) -> Result<(), Refused> {
        let state = self.state();
        let is_busy = matches!(state.runtime, Runtime::Busy);
        if !state.has_begun && is_busy {
            return Ok(());
        }
        let from = if is_busy { "Running" } else { "Ready" };
        Err(Refused::State { from, to: "InitError", whom: RUNTIME.to_owned() })
    }

    /// An extension says what it is; answers its id. One that was started by the environment is known by its name already.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn register(&self, name: &str, wants: Wants) -> Result<String, Refused> {
        let mut state = self.state();
        if let Some(known) = state.extensions.iter_mut().find(|extension| extension.name == name) {
            if known.wants.is_some() {
                return Err(Refused::NameTaken);
            }
            known.wants = Some(wants);
            return Ok(known.id.clone());
        }
        if state.has_begun || matches!(state.runtime, Runtime::Waiting(_)) {
            return Err(Refused::RegistrationClosed);
        }
        if state.extensions.len() >= EXTENSIONS_MAX {
            return Err(Refused::TooManyExtensions);
        }
        let id = self.id();
        state.extensions.push(Extension::new(id.clone(), name.to_owned(), Some(wants)));
        Ok(id)
    }

    /// An extension is done with what it did and waits for what comes.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn next_of_extension(&self, id: &str) -> Result<ExtensionEvent, Refused> {
        let (told, event) = oneshot::channel();
        let said = {
            let mut state = self.state();
            state.extension(id)?.waits(told)?;
            state.settle()
        };
        self.say_all(said).await?;
        event.await.map_err(|_| Refused::Closed)
    }

    /// An extension cannot go on.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn extension_fails(&self, id: &str, is_init: bool, error_type: &str) -> Result<(), Refused> {
        let name = {
            let mut state = self.state();
            let has_begun = state.has_begun;
            let extension = state.extension(id)?;
            if extension.wants.is_none() || extension.has_failed || (is_init && (has_begun || extension.is_ready)) {
                let to = if is_init { "InitError" } else { "ExitError" };
                return Err(Refused::State { from: extension.doing(), to, whom: format!("extension {id}") });
            }
            extension.has_failed = true;
            extension.name.clone()
        };
        let failed = ExtensionFailed { name, is_init, error_type: error_type.to_owned() };
        self.say(FromEnvironment::ExtensionFailed(failed)).await
    }

    /// Says something to the server.
    ///
    /// # Errors
    /// [`Refused::Closed`]
    pub async fn say(&self, frame: FromEnvironment) -> Result<(), Refused> {
        self.said.send(frame).await.map_err(|_| Refused::Closed)
    }

    /// Waits until so many bytes of a streamed response may be sent.
    ///
    /// # Errors
    /// [`Refused::Closed`]
    pub async fn spend(&self, bytes: usize) -> Result<(), Refused> {
        let bytes = u32::try_from(bytes.min(STREAMED_BYTES_AHEAD)).unwrap_or(u32::MAX);
        self.credit.acquire_many(bytes).await.map_err(|_| Refused::Closed)?.forget();
        Ok(())
    }

    /// Nobody is there any more: whoever waits is let go.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.runtime = Runtime::Busy;
        state.extensions.iter_mut().for_each(|extension| extension.waiting = None);
        self.credit.close();
    }

    async fn say_all(&self, frames: Vec<FromEnvironment>) -> Result<(), Refused> {
        for frame in frames {
            self.say(frame).await?;
        }
        Ok(())
    }

    fn id(&self) -> String {
        uuid(&*self.rng)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything in it can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether an event may come.
    fn is_free(&self) -> bool {
        self.has_begun && self.current.is_none()
    }

    fn invoke(&mut self, event: Event) {
        for extension in &mut self.extensions {
            if extension.wants.is_some_and(|wants| wants.invoke) {
                extension.tell(ExtensionEvent::Invoke(event.invoke.clone()));
            }
        }
        let mut current = Current { event, is_delivered: false, is_answered: false, is_sent: false };
        self.deliver(&mut current);
        self.current = Some(current);
    }

    /// Gives the runtime its event, if it waits for one.
    fn deliver(&mut self, current: &mut Current) {
        if let Runtime::Waiting(told) = std::mem::take(&mut self.runtime) {
            // Who does not wait any more asks again.
            current.is_delivered = told.send(current.event.clone()).is_ok();
        }
    }

    fn runtime_waits(&mut self, told: oneshot::Sender<Event>) -> Result<(), Refused> {
        if self.is_closed {
            return Err(Refused::Closed);
        }
        let refused = |from| Refused::State { from, to: "Ready", whom: RUNTIME.to_owned() };
        if matches!(&self.runtime, Runtime::Waiting(other) if !other.is_closed()) {
            return Err(refused("Ready"));
        }
        if self.current.as_ref().is_some_and(|current| current.is_delivered && !current.is_answered) {
            return Err(refused("Running"));
        }
        self.runtime = Runtime::Waiting(told);
        if let Some(mut current) = self.current.take() {
            if !current.is_delivered {
                self.deliver(&mut current);
            }
            self.current = Some(current);
        }
        Ok(())
    }

    fn shutdown(&mut self, shutdown: &Shutdown) {
        for extension in &mut self.extensions {
            if extension.wants.is_some_and(|wants| wants.shutdown) {
                extension.tell(ExtensionEvent::Shutdown(shutdown.clone()));
            }
        }
    }

    /// What is to be told of how things stand now.
    fn settle(&mut self) -> Vec<FromEnvironment> {
        let all_wait = matches!(self.runtime, Runtime::Waiting(_))
            && self.extensions.iter().all(|extension| extension.is_ready || extension.has_failed);
        if !all_wait {
            return Vec::new();
        }
        if !self.has_begun {
            self.has_begun = true;
            let extensions = self.extensions.iter().filter_map(Extension::registered).collect();
            return vec![FromEnvironment::Ready(Ready { extensions })];
        }
        match self.current.take_if(|current| current.is_sent) {
            Some(current) => {
                vec![FromEnvironment::Idle { request_id: current.event.invoke.request_id.clone() }]
            }
            None => Vec::new(),
        }
    }

    fn extension(&mut self, id: &str) -> Result<&mut Extension, Refused> {
        let found = self.extensions.iter_mut().find(|extension| extension.id == id);
        found.ok_or_else(|| Refused::UnknownExtension(id.to_owned()))
    }
}

impl Extension {
    fn new(id: String, name: String, wants: Option<Wants>) -> Self {
        Self { id, name, wants, events: VecDeque::new(), waiting: None, is_ready: false, has_failed: false }
    }

    fn tell(&mut self, event: ExtensionEvent) {
        self.is_ready = false;
        let event = match self.waiting.take() {
            Some(waiting) => match waiting.send(event) {
                Ok(()) => return,
                Err(event) => event,
            },
            None => event,
        };
        if self.events.len() < EVENTS_WAITING_MAX {
            self.events.push_back(event);
        }
    }

    fn waits(&mut self, told: oneshot::Sender<ExtensionEvent>) -> Result<(), Refused> {
        let refused = |from| Refused::State { from, to: "Ready", whom: format!("extension {}", self.id) };
        if self.wants.is_none() || self.has_failed {
            return Err(refused(self.doing()));
        }
        if self.waiting.as_ref().is_some_and(|other| !other.is_closed()) {
            return Err(refused("Ready"));
        }
        match self.events.pop_front() {
            // It is told at once, and not done before it asks again.
            Some(event) => drop(told.send(event)),
            None => {
                self.waiting = Some(told);
                self.is_ready = true;
            }
        }
        Ok(())
    }

    fn doing(&self) -> &'static str {
        match (self.wants, self.has_failed, self.is_ready) {
            (None, ..) => "Started",
            (_, true, _) => "Failed",
            (_, _, true) => "Ready",
            _ => "Running",
        }
    }

    fn registered(&self) -> Option<RegisteredExtension> {
        let wants = self.wants?;
        let events = [(wants.invoke, "INVOKE"), (wants.shutdown, "SHUTDOWN")];
        let events = events.iter().filter(|(wanted, _)| *wanted).map(|(_, name)| (*name).to_owned()).collect();
        Some(RegisteredExtension { name: self.name.clone(), events })
    }
}
