//! One environment, from its beginning to its end: it begins, has one execution after the other, is frozen while there is none,
//! and ends when it is old, has failed, or nobody needs it.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use bytes::{Bytes, BytesMut};
use serde_json::json;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::admission::Permit;
use super::answer::{Answer, Outcome, Reply};
use super::host::{Channel, Ended, Sandbox, Started};
use super::lines::{Said, Status, timed_out};
use super::log::{Execution, Log};
use super::pool::Place;
use crate::configuration::LogFormat;
use crate::executor::Invocation;
use crate::local::frame::{
    self, Begin, Failed, FrameReader, FromEnvironment, InvocationFailed, Invoke, Shutdown, ToEnvironment, pieces,
};

/// How long an environment may take to begin. (Developer guide: "The Init phase is limited to 10 seconds".)
pub(super) const INIT_MAX: Duration = Duration::from_secs(10);
/// How long after an environment's connection has ended it is waited for how its program did.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long extensions have to end. (Developer guide: 2,000 ms with external extensions.)
const SHUTDOWN_MAX: Duration = Duration::from_millis(2000);
/// The largest streamed answer, in bytes. (Lambda quotas: 200 MB.)
const STREAMED_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// What Lambda calls it that a function's time is over.
const TIMED_OUT: &str = "Sandbox.Timedout";
/// What Lambda calls it that a function has no program.
const INVALID_ENTRYPOINT: &str = "Runtime.InvalidEntrypoint";

/// What an environment is of: the same for all its executions.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) begin: Begin,
    /// What the log calls its runtime.
    pub(super) runtime: String,
    pub(super) version: String,
    pub(super) memory_mib: u32,
    pub(super) timeout: Duration,
    pub(super) log_format: LogFormat,
}

/// How long environments are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// How long nothing happens before it is frozen.
    pub freeze_after: Duration,
    /// How long nobody calls before it ends.
    pub idle_max: Duration,
    /// How old it grows; its credentials last longer.
    pub age_max: Duration,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            freeze_after: Duration::from_millis(100),
            idle_max: Duration::from_secs(600),
            age_max: Duration::from_secs(4 * 3600),
        }
    }
}

/// An execution that somebody wants.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) invocation: Invocation,
    pub(super) reply: Reply,
    /// Given back when it is over.
    pub(super) _permit: Permit,
}

/// A running environment.
pub(super) struct Environment {
    facts: Arc<Facts>,
    clock: Arc<dyn base::Clock>,
    frames: FrameReader<ReadHalf<Box<dyn Channel>>>,
    to: WriteHalf<Box<dyn Channel>>,
    ended: oneshot::Receiver<Ended>,
    sandbox: Arc<dyn Sandbox>,
    log: Log,
    is_frozen: bool,
    has_extensions: bool,
}

/// Why an environment has not begun.
#[derive(Debug)]
pub(super) struct InitFailed {
    /// `Runtime.ExitError`, or what the runtime says; none if it took too long.
    error_type: Option<String>,
    /// What the caller is told: JSON.
    pub(super) payload: Bytes,
}

/// How an execution came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The environment can have another.
    Usable,
    /// It is of no more use.
    Broken,
}

/// What ends an execution before the runtime asks for the next event.
#[derive(Debug)]
enum Broke {
    TimedOut,
    Ended(Ended),
    Extension(String),
}

impl Environment {
    pub(super) fn new(clock: Arc<dyn base::Clock>, started: Started, log: Log) -> Self {
        let (from, to) = tokio::io::split(started.channel);
        Self {
            facts: log.facts(),
            clock,
            frames: FrameReader::new(from),
            to,
            ended: started.ended,
            sandbox: started.sandbox,
            log,
            is_frozen: false,
            has_extensions: false,
        }
    }

    /// Where what is said of it goes.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until runtime and extensions have begun, and says so in the log. Answers how long it took.
    pub(super) async fn begin(&mut self, since: Instant, until: Instant, phase: &str) -> Result<Duration, InitFailed> {
        let begun = self.begun(until).await;
        let took = since.elapsed();
        let status = begun.as_ref().err().map_or(Status::Success, InitFailed::status);
        self.log.say(&Said::InitReport { status, took, phase }).await;
        begun.map(|()| took)
    }

    async fn begun(&mut self, until: Instant) -> Result<(), InitFailed> {
        let begin = ToEnvironment::Begin(self.facts.begin.clone());
        if frame::write(&mut self.to, &[begin]).await.is_err() {
            return Err(InitFailed::of(&self.how_it_ended().await));
        }
        let mut said: Option<Failed> = None;
        loop {
            match timeout_at(until, self.frames.next()).await {
                Err(_) => return Err(InitFailed::timed_out()),
                Ok(Ok(Some(FromEnvironment::Ready(ready)))) => {
                    self.has_extensions = !ready.extensions.is_empty();
                    return Ok(());
                }
                // It ends by itself after that, and if it does not, its time does.
                Ok(Ok(Some(FromEnvironment::InitError(failed)))) => return Err(InitFailed::said(failed)),
                Ok(Ok(Some(FromEnvironment::ExtensionFailed(failed)))) => {
                    said = Some(Failed { error_type: "Extension.InitError".to_owned(), body: failed.error_type });
                }
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None) | Err(_)) => {
                    let ended = self.how_it_ended().await;
                    return Err(said.map_or_else(|| InitFailed::of(&ended), InitFailed::said));
                }
            }
        }
    }

    /// Has one execution after the other, until the environment is of no more use or nobody needs it.
    pub(super) async fn live(mut self, mut work: mpsc::Receiver<Work>, keeping: Keeping, place: &Place) {
        let too_old = Instant::now() + keeping.age_max;
        let reason = loop {
            let (freeze_at, unneeded) = (Instant::now() + keeping.freeze_after, Instant::now() + keeping.idle_max);
            let next = loop {
                tokio::select! {
                    biased;
                    next = work.recv() => break next,
                    ended = &mut self.ended => {
                        debug!(?ended, function = self.facts.begin.function_name, "an environment ended by itself");
                        return;
                    }
                    () = sleep_until(freeze_at), if !self.is_frozen => self.freeze(true).await,
                    () = sleep_until(unneeded.min(too_old)) => {
                        // What has been handed over already is done.
                        work.close();
                    }
                }
            };
            let Some(next) = next else { break "spindown" };
            if self.is_frozen {
                self.freeze(false).await;
            }
            match self.execute(next, None, place).await {
                After::Usable => place.frees(),
                After::Broken => break "failure",
            }
        };
        self.shut_down(reason).await;
    }

    /// Has one execution; `init` is how long the environment took to begin for it.
    pub(super) async fn execute(&mut self, work: Work, init: Option<Duration>, place: &Place) -> After {
        let Work { invocation, reply, _permit } = work;
        let id = invocation.request_id.clone();
        let wants_tail = invocation.wants_log_tail;
        self.log.begins(&id).await;
        let started = Instant::now();
        let until = started + self.facts.timeout;
        let mut answer = Answer::new(reply, &self.facts.version, place);
        let mut outcome = Outcome::default();
        let gone = match self.deliver(&invocation, until).await {
            Ok(()) => timeout_at(until, self.attend(&mut answer, &mut outcome, wants_tail)).await,
            Err(broke) => Ok(Err(broke)),
        };
        let broke = match gone {
            Ok(Ok(())) => None,
            Ok(Err(broke)) => Some(broke),
            Err(_) => Some(Broke::TimedOut),
        };
        let took = started.elapsed().min(self.facts.timeout);
        if let Some(broke) = &broke
            && !outcome.is_answered
        {
            let (error_type, message) = broke.told(&id, self.facts.timeout);
            outcome.payload = Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string());
            outcome.error = Some(error_type);
        }
        let tail = report(&self.log, &*self.sandbox, &invocation, &outcome, broke.as_ref(), took, init).await;
        answer.end(&outcome, tail).await;
        if broke.is_some() { After::Broken } else { After::Usable }
    }

    async fn deliver(&mut self, invocation: &Invocation, until: Instant) -> Result<(), Broke> {
        let left = until.saturating_duration_since(Instant::now());
        let deadline = self.clock.now().plus(left);
        let invoke = Invoke {
            request_id: invocation.request_id.clone(),
            deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or_default(),
            function_arn: invocation.callee.invoked_arn.clone(),
            trace_id: invocation.trace.clone(),
            client_context: invocation.client_context.clone(),
            cognito_identity: None,
        };
        let mut frames = vec![ToEnvironment::Invoke(invoke)];
        frames.extend(pieces(&invocation.payload).map(ToEnvironment::Payload));
        frames.push(ToEnvironment::PayloadEnd);
        match frame::write(&mut self.to, &frames).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Broke::Ended(self.how_it_ended().await)),
        }
    }

    /// Takes what the function says, until runtime and extensions have asked for the next event.
    async fn attend(&mut self, answer: &mut Answer<'_>, outcome: &mut Outcome, wants_tail: bool) -> Result<(), Broke> {
        let mut payload = BytesMut::new();
        let mut error: Option<InvocationFailed> = None;
        loop {
            let frame = match self.frames.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(_) => return Err(Broke::Ended(self.how_it_ended().await)),
            };
            match frame {
                FromEnvironment::Response(head) => answer.begins(&head),
                FromEnvironment::Error(failed) => error = Some(failed),
                FromEnvironment::Payload(piece) => {
                    outcome.produced_bytes += piece.len() as u64;
                    if error.is_none() && answer.is_streamed() {
                        self.pass_on(answer, outcome, piece).await?;
                    } else {
                        payload.extend_from_slice(&piece);
                    }
                }
                FromEnvironment::PayloadEnd(end) => {
                    outcome.payload = std::mem::take(&mut payload).freeze();
                    outcome.error = error.take().map(|failed| unnamed(failed.error_type));
                    if let Some(failed) = end.failed {
                        outcome.payload = Bytes::from(failed.body);
                        outcome.error = Some(unnamed(failed.error_type));
                    }
                    outcome.is_answered = true;
                    // Who does not want the output as well need not wait for extensions.
                    if !wants_tail {
                        answer.end(outcome, None).await;
                    }
                }
                FromEnvironment::Idle { .. } => return Ok(()),
                FromEnvironment::ExtensionFailed(failed) => return Err(Broke::Extension(failed.error_type)),
                FromEnvironment::Ready(_) | FromEnvironment::InitError(_) => {}
            }
        }
    }

    async fn pass_on(&mut self, answer: &Answer<'_>, outcome: &Outcome, piece: Bytes) -> Result<(), Broke> {
        if outcome.produced_bytes > STREAMED_BYTES_MAX {
            return Err(Broke::Extension("Function.ResponseSizeTooLarge".to_owned()));
        }
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        answer.piece(piece).await;
        match frame::write(&mut self.to, &[ToEnvironment::Credit(length)]).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Broke::Ended(self.how_it_ended().await)),
        }
    }

    /// Its connection has ended: how its program did.
    async fn how_it_ended(&mut self) -> Ended {
        match timeout_at(Instant::now() + END_PATIENCE, &mut self.ended).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) | Err(_) => Ended::Lost("its connection broke off".to_owned()),
        }
    }

    async fn freeze(&mut self, frozen: bool) {
        match self.sandbox.freeze(frozen).await {
            Ok(()) => self.is_frozen = frozen,
            // It runs on for nothing, or has ended, which is seen elsewhere.
            Err(error) => {
                debug!(%error, frozen, "an environment cannot be frozen, or not be let go on");
                self.is_frozen = true;
            }
        }
    }

    /// Lets extensions end in their own way. The sandbox is taken down after that.
    pub(super) async fn shut_down(mut self, reason: &str) {
        if !self.has_extensions {
            return;
        }
        if self.is_frozen {
            self.freeze(false).await;
        }
        let until = Instant::now() + SHUTDOWN_MAX;
        let deadline = self.clock.now().plus(SHUTDOWN_MAX);
        let shutdown = Shutdown {
            reason: reason.to_owned(),
            deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or_default(),
        };
        if frame::write(&mut self.to, &[ToEnvironment::Shutdown(shutdown)]).await.is_ok() {
            let _ = timeout_at(until, &mut self.ended).await;
        }
    }
}

/// Says in the log what an execution took. Answers the end of its output, if that is wanted.
async fn report(
    log: &Log,
    sandbox: &dyn Sandbox,
    invocation: &Invocation,
    outcome: &Outcome,
    broke: Option<&Broke>,
    took: Duration,
    init: Option<Duration>,
) -> Option<Vec<u8>> {
    let report_type = broke.map(Broke::report_type);
    let status = match (broke, &report_type) {
        (Some(Broke::TimedOut), _) => Status::Timeout,
        (Some(_), Some(error_type)) => Status::Error(error_type),
        _ => Status::Success,
    };
    let of_runtime = match (&outcome.error, status) {
        (Some(error_type), Status::Success) => Status::Error(error_type),
        _ => status,
    };
    let memory_bytes_used = sandbox.memory_peak().await.unwrap_or_default();
    let produced_bytes = outcome.produced_bytes;
    let execution = Execution { invocation, status, of_runtime, took, init, produced_bytes, memory_bytes_used };
    log.ends(&execution).await
}

impl Broke {
    /// What the caller is told: the type and the message of the error.
    fn told(&self, request_id: &str, timeout: Duration) -> (String, String) {
        let of_runtime = |message: String| format!("RequestId: {request_id} Error: {message}");
        match self {
            Self::TimedOut => {
                let message = timed_out(request_id, timeout);
                let message = message.strip_prefix(request_id).unwrap_or(&message).trim_start();
                (TIMED_OUT.to_owned(), of_runtime(message.to_owned()))
            }
            Self::Ended(ended) => (ended.error_type().to_owned(), of_runtime(ended.told())),
            Self::Extension(error_type) => {
                (error_type.clone(), of_runtime("an extension of the function failed".to_owned()))
            }
        }
    }

    fn report_type(&self) -> String {
        match self {
            Self::TimedOut => TIMED_OUT.to_owned(),
            Self::Ended(Ended::Killed { is_out_of_memory: true, .. }) => "Runtime.OutOfMemory".to_owned(),
            Self::Ended(ended) => ended.error_type().to_owned(),
            Self::Extension(error_type) => error_type.clone(),
        }
    }
}

impl Ended {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Exited(_) | Self::Killed { .. } => "Runtime.ExitError",
            Self::Lost(_) => "Sandbox.Failure",
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Exited(0) => "Runtime exited without providing a reason".to_owned(),
            Self::Exited(status) => format!("Runtime exited with error: exit status {status}"),
            Self::Killed { signal, .. } => format!("Runtime exited with error: signal: {}", name_of(*signal)),
            Self::Lost(reason) => format!("the environment is gone: {reason}"),
        }
    }
}

impl InitFailed {
    fn timed_out() -> Self {
        Self { error_type: None, payload: Bytes::new() }
    }

    fn of(ended: &Ended) -> Self {
        let payload = json!({ "errorType": ended.error_type(), "errorMessage": ended.told() });
        Self { error_type: Some(ended.error_type().to_owned()), payload: Bytes::from(payload.to_string()) }
    }

    fn said(failed: Failed) -> Self {
        let payload = match serde_json::from_str::<serde_json::Value>(&failed.body) {
            Ok(said) if said.is_object() => said,
            _ => json!({ "errorType": failed.error_type, "errorMessage": failed.body }),
        };
        Self { error_type: Some(unnamed(failed.error_type)), payload: Bytes::from(payload.to_string()) }
    }

    /// Its program cannot be executed, for this reason.
    pub(super) fn entrypoint(reason: &str) -> Self {
        let payload = json!({ "errorType": INVALID_ENTRYPOINT, "errorMessage": reason });
        Self { error_type: Some(INVALID_ENTRYPOINT.to_owned()), payload: Bytes::from(payload.to_string()) }
    }

    /// Its type, in Lambda's words.
    pub(super) fn error_type(&self) -> String {
        self.error_type.clone().unwrap_or_else(|| TIMED_OUT.to_owned())
    }

    /// How it stands in the log.
    pub(super) fn status(&self) -> Status<'_> {
        self.error_type.as_deref().map_or(Status::Timeout, Status::Error)
    }

    /// What the caller is told of a function that cannot begin.
    pub(super) fn answered(&self, request_id: &str, timeout: Duration) -> Bytes {
        let Some(_) = &self.error_type else {
            let (error_type, message) = Broke::TimedOut.told(request_id, timeout);
            return Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string());
        };
        match serde_json::from_slice::<serde_json::Value>(&self.payload) {
            Ok(mut said) if said["errorType"] == "Runtime.ExitError" || said["errorType"] == INVALID_ENTRYPOINT => {
                let message = said["errorMessage"].as_str().unwrap_or_default().to_owned();
                said["errorMessage"] = format!("RequestId: {request_id} Error: {message}").into();
                Bytes::from(said.to_string())
            }
            _ => self.payload.clone(),
        }
    }
}

/// The type of an error that has none.
fn unnamed(error_type: String) -> String {
    if error_type.is_empty() { "Function.Unknown".to_owned() } else { error_type }
}

/// As Go's programs, and so AWS's, name signals.
fn name_of(signal: i32) -> String {
    let known = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    known.to_owned()
}

/// The name of an environment's log stream: its day, its version, its own id.
pub(super) fn log_stream(at: Timestamp, version: &str, id: &str) -> String {
    let day = at.iso8601();
    format!("{}/[{version}]{id}", day[..10].replace('-', "/"))
}
