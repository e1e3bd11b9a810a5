//! Execution environments: made when there is a call and none is free, kept for the next one, ended when nobody needs them.
//!
//! - [`Environments`] is the [`Executor`]: it admits a call (`admission`), takes a free environment from the version's pool or
//!   has one made (`pool`), and hands the call to it.
//! - `lifecycle`: one environment from its beginning to its end; `answer`: what its callers get. [`lines`]: what Lambda says of
//!   it; `log`: when; [`output`]: how that and what the function prints get into its log.
//! - [`host`]: where sandboxes are; [`spec`]: what sandbox a version needs.
//!
//! Nothing of it is written down: environments do not outlive the server, and a call that was under way with it is made again by
//! whoever waits for it.

mod admission;
mod answer;
pub mod host;
mod lifecycle;
pub mod lines;
mod log;
pub mod output;
mod pool;
pub mod spec;

use std::sync::Arc;
use std::time::Duration;

use base::ids::hex32;
use platform::ports::{CredentialIssuer, LogSink, ServiceSession};
use platform::{BoxFuture, Platform};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::debug;

use crate::configuration::Architecture;
use crate::executor::{Answered, Callee, Executor, Invocation, NotPrepared, PRINCIPAL, Readiness, Refused, Streaming};
use crate::local::frame::Begin;
use crate::names::FunctionName;
use admission::Admission;
use answer::Reply;
use host::{CannotStart, EnvironmentHost, Printed, Started};
use lifecycle::{After, Environment, Facts, INIT_MAX, InitFailed, Work, log_stream};
use lines::Said;
use log::Log;
use output::{Destination, Output};
use pool::{Given, Place, Pools};
use spec::TASK;

pub use lifecycle::Keeping;

/// How long a call waits for an environment to be free, where no machine has room for another.
const ROOM_PATIENCE: Duration = Duration::from_secs(30);
/// How long it takes until a free environment that made room has ended.
const SHED_PAUSE: Duration = Duration::from_millis(10);
/// How long after it was refused room is asked for again.
const ROOM_PAUSE: Duration = Duration::from_millis(200);
/// How long the credentials of an environment are good for beyond its own age.
const CREDENTIALS_BEYOND: Duration = Duration::from_secs(3600);
/// How many calls an environment has waiting: the one that it was taken for.
const WORK_WAITING_MAX: usize = 1;

/// Why none is ready of those that are provisioned.
const NONE_AHEAD: &str =
    "This installation makes no execution environments ahead of calls: one is made when a call finds none free.";

/// All environments of a server.
#[derive(Clone)]
pub struct Environments(Arc<Inner>);

/// What they are made of.
pub struct Parts {
    /// Clock, randomness, and the store that knows of reserved executions.
    pub platform: Platform,
    /// Where they run.
    pub host: Arc<dyn EnvironmentHost>,
    /// Where their output goes.
    pub logs: Arc<dyn LogSink>,
    /// Who gives them their roles' credentials.
    pub credentials: Arc<dyn CredentialIssuer>,
    /// How long they are kept.
    pub keeping: Keeping,
}

struct Inner {
    parts: Parts,
    admission: Admission,
    pools: Pools,
}

impl Environments {
    /// None yet.
    pub fn new(parts: Parts) -> Self {
        let admission = Admission::new(parts.platform.store.clone());
        Self(Arc::new(Inner { parts, admission, pools: Pools::default() }))
    }

    /// How many there are, of all versions.
    pub fn count(&self) -> usize {
        self.0.pools.count()
    }

    /// Has a call executed by a free environment, or by a new one.
    async fn call(&self, invocation: Invocation, reply: Reply) -> Result<(), Refused> {
        let permit = self.0.admission.admit(&invocation.callee).await?;
        let mut work = Work { invocation, reply, _permit: permit };
        let latest = Instant::now() + ROOM_PATIENCE;
        loop {
            let callee = &work.invocation.callee;
            let place = match self.0.pools.take(callee).await {
                Given::Free(free) => match free.give(work) {
                    Ok(()) => return Ok(()),
                    Err(back) => {
                        work = *back;
                        continue;
                    }
                },
                Given::New(place) => place,
            };
            match self.start(callee).await {
                Ok(begun) => {
                    tokio::spawn(self.clone().live(begun, work, place));
                    return Ok(());
                }
                Err(CannotStart::NoRoom) if Instant::now() < latest => {
                    drop(place);
                    work = match self.find_room(work, latest).await {
                        Some(work) => work,
                        None => return Ok(()),
                    };
                }
                Err(CannotStart::Entrypoint(reason)) => {
                    self.refuse_program(work, &reason, &place).await;
                    return Ok(());
                }
                Err(error) => return Err(refused(error)),
            }
        }
    }

    /// The function has no program that can be executed: its caller is told, and its log.
    async fn refuse_program(&self, work: Work, reason: &str, place: &Place) {
        let (parts, callee) = (&self.0.parts, &work.invocation.callee);
        let stream = log_stream(parts.platform.clock.now(), &callee.version, &hex32(&*parts.platform.rng));
        let (_, nothing) = mpsc::channel(1);
        let log = self.log(callee, stream, nothing);
        let failed = InitFailed::entrypoint(&absent(callee, reason));
        log.say(&Said::InitReport { status: failed.status(), took: Duration::ZERO, phase: "init" }).await;
        log.fails(work, &failed, Duration::ZERO, place).await;
    }

    /// The log of an environment.
    fn log(&self, callee: &Callee, stream: String, printed: mpsc::Receiver<Printed>) -> Log {
        let parts = &self.0.parts;
        let destination = Destination {
            account: callee.function.account,
            region: callee.function.region.clone(),
            group: callee.configuration.logging.group.clone(),
            stream,
        };
        let output = Output::start(parts.logs.clone(), destination, printed);
        Log::new(Arc::new(facts_of(callee)), parts.platform.clock.clone(), output)
    }

    /// No machine has room: somebody who is free makes some, else it is waited for an environment that is free. Answers the call,
    /// unless it has been handed over.
    async fn find_room(&self, work: Work, latest: Instant) -> Option<Work> {
        if self.0.pools.shed() {
            tokio::time::sleep(SHED_PAUSE).await;
            return Some(work);
        }
        let until = latest.min(Instant::now() + ROOM_PAUSE);
        match self.0.pools.wait_for_free(&work.invocation.callee, until).await {
            Some(free) => free.give(work).err().map(|back| *back),
            None => Some(work),
        }
    }

    /// A sandbox with a runtime that begins.
    async fn start(&self, callee: &Callee) -> Result<Begun, CannotStart> {
        let parts = &self.0.parts;
        let since = Instant::now();
        let id = hex32(&*parts.platform.rng);
        let now = parts.platform.clock.now();
        let stream = log_stream(now, &callee.version, &id);
        let session = ServiceSession {
            role_arn: &callee.configuration.role,
            service: PRINCIPAL,
            session_name: &callee.function.name,
            duration: parts.keeping.age_max + CREDENTIALS_BEYOND,
            account: callee.function.account,
            source_arn: None,
        };
        let credentials = parts.credentials.issue(session).await;
        let credentials = credentials.map_err(|error| CannotStart::Failed(error.to_string()))?;
        let spec = spec::of(&parts.platform.keyring, callee, &credentials, &stream)
            .map_err(|error| CannotStart::Failed(error.to_string()))?;
        let Started { channel, output, ended, sandbox } = parts.host.start(spec).await?;
        let log = self.log(callee, stream, output);
        log.say(&Said::InitStart { runtime: &log.facts().runtime }).await;
        // What is printed goes to the log by way of the task; the environment has the rest.
        let (_, nothing) = mpsc::channel(1);
        let started = Started { channel, output: nothing, ended, sandbox };
        Ok(Begun { environment: Environment::new(parts.platform.clock.clone(), started, log), since })
    }

    /// Begins, executes the call that it was made for, and then those that come.
    async fn live(self, begun: Begun, work: Work, place: Place) {
        let Begun { mut environment, since } = begun;
        let init = match environment.begin(since, since + INIT_MAX, "init").await {
            Ok(took) => Some(took),
            Err(failed) => {
                let log = environment.log().clone();
                drop(environment);
                environment = match self.begin_again(&work, log, failed).await {
                    Ok(another) => another,
                    Err(NotBegun { log, failed, took }) => return log.fails(work, &failed, took, &place).await,
                };
                None
            }
        };
        let (sender, receiver) = mpsc::channel(WORK_WAITING_MAX);
        place.settles(sender);
        if environment.execute(work, init, &place).await == After::Broken {
            return environment.shut_down("failure").await;
        }
        place.frees();
        environment.live(receiver, self.0.parts.keeping, &place).await;
    }

    /// Once more, in the time of the call. (Developer guide: "Lambda retries the Init phase at the time of the first function
    /// invocation with the configured function timeout".)
    async fn begin_again(&self, work: &Work, log: Log, failed: InitFailed) -> Result<Environment, NotBegun> {
        let timeout = log.facts().timeout;
        let until = Instant::now() + timeout;
        let Begun { mut environment, since } = match self.start(&work.invocation.callee).await {
            Ok(begun) => begun,
            Err(error) => {
                debug!(function = log.facts().begin.function_name, %error, "an environment had no second try to begin");
                return Err(NotBegun { log, failed, took: Duration::ZERO });
            }
        };
        match environment.begin(since, until, "invoke").await {
            Ok(_) => Ok(environment),
            Err(failed) => Err(NotBegun { log: environment.log().clone(), failed, took: since.elapsed() }),
        }
    }
}

/// An environment that has been started and may begin.
struct Begun {
    environment: Environment,
    since: Instant,
}

/// An environment that has not begun at the second try either.
struct NotBegun {
    log: Log,
    failed: InitFailed,
    took: Duration,
}

/// What is said of a function whose program cannot be executed.
fn absent(callee: &Callee, reason: &str) -> String {
    match &callee.configuration.runtime {
        Some(runtime) if runtime.starts_with("provided") => {
            format!("Couldn't find valid bootstrap(s): [{TASK}/bootstrap]: {reason}")
        }
        _ => reason.to_owned(),
    }
}

fn facts_of(callee: &Callee) -> Facts {
    let configuration = &callee.configuration;
    Facts {
        begin: Begin {
            function_name: callee.function.name.clone(),
            function_version: callee.version.clone(),
            handler: configuration.handler.clone().unwrap_or_default(),
            account_id: callee.function.account.to_string(),
            extensions: Vec::new(),
        },
        runtime: configuration.runtime.clone().unwrap_or_else(|| "image".to_owned()),
        version: callee.version.clone(),
        memory_mib: configuration.memory_mib,
        timeout: Duration::from_secs(configuration.timeout_s.into()),
        log_format: configuration.logging.format,
    }
}

fn refused(error: CannotStart) -> Refused {
    match error {
        CannotStart::NoRoom => Refused::NoRoom("No machine has room for another execution environment.".to_owned()),
        CannotStart::Entrypoint(reason) | CannotStart::Failed(reason) => Refused::Failed(reason),
    }
}

impl Executor for Environments {
    fn offers<'a>(&'a self, runtime: &'a str, architecture: Architecture) -> BoxFuture<'a, bool> {
        self.0.parts.host.offers(runtime, architecture)
    }

    fn prepare<'a>(&'a self, callee: &'a Callee) -> BoxFuture<'a, Result<(), NotPrepared>> {
        Box::pin(async move {
            let needs = spec::needs(callee);
            self.0.parts.host.prepare(&needs).await
        })
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Answered, Refused>> {
        Box::pin(async move {
            let (reply, answered) = oneshot::channel();
            self.call(invocation, Reply::Whole(reply)).await?;
            answered.await.map_err(|_| Refused::Failed("the execution environment is gone".to_owned()))
        })
    }

    fn invoke_streaming(&self, invocation: Invocation) -> BoxFuture<'_, Result<Streaming, Refused>> {
        Box::pin(async move {
            let (reply, streaming) = oneshot::channel();
            self.call(invocation, Reply::Streamed(reply)).await?;
            streaming.await.map_err(|_| Refused::Failed("the execution environment is gone".to_owned()))
        })
    }

    fn provisioned<'a>(&'a self, _: &'a FunctionName, _: &'a str) -> BoxFuture<'a, Readiness> {
        let failed = Some(NONE_AHEAD.to_owned());
        Box::pin(std::future::ready(Readiness { ready: 0, failed }))
    }
}

#[cfg(test)]
mod tests;
