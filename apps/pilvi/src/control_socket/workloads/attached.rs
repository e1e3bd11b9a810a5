//! Somebody who stays with a workload from its beginning to its end, also while its node is started anew.

use std::time::Duration;

use node::protocol::{OutputOf, Session};
use node::supply::BoxFuture;
use tokio::time::{Instant, sleep};
use workload::{Reason, WorkloadId};

use super::Answered;
use super::ending::{ended, gone, has_begun};
use super::pass::pass;
use super::protocol::{Say, Told, WorkloadAnswer};
use super::runtime::{Broken, Runtime, Takes, Talking, Watching};
use crate::control_socket::{Heard, Teller};

/// How long a node may be away before nobody waits for it any more: it is started anew within two seconds.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// A pause before a node that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Somebody who stays with a workload.
pub(super) struct Attached<'a> {
    runtime: &'a dyn Runtime,
    id: WorkloadId,
    /// Where its output goes on.
    position: u64,
    /// The size of the terminal, once it is known.
    size: Option<[u16; 2]>,
    /// What is known of it.
    latest: Option<Told>,
    /// Hears that its node has taken it.
    takes: Option<Box<dyn Takes>>,
    /// A session that was opened before it began.
    early: Option<Talking>,
}

impl<'a> Attached<'a> {
    pub(super) fn new(runtime: &'a dyn Runtime, id: WorkloadId, position: u64) -> Self {
        Self { runtime, id, position, size: None, latest: None, takes: None, early: None }
    }

    /// The same, with the session opened as soon as its node has taken it, and not when it is known to run.
    pub(super) fn hearing(self, takes: Box<dyn Takes>) -> Self {
        Self { takes: Some(takes), ..self }
    }

    /// Waits until it runs, or never will.
    pub(super) async fn until_begun(&mut self, teller: &Teller, mut heard: Heard) -> Answered {
        let mut watching = self.runtime.watch(&self.id).await?;
        Ok(match self.begin(&mut *watching, teller, &mut heard).await? {
            Some(answer) => answer,
            None => WorkloadAnswer::Started,
        })
    }

    /// Stays until it has ended.
    pub(super) async fn go_on(&mut self, teller: &Teller, mut heard: Heard) -> Answered {
        let mut watching = self.runtime.watch(&self.id).await?;
        if let Some(answer) = self.begin(&mut *watching, teller, &mut heard).await? {
            return Ok(answer);
        }
        if let Err(reason) = self.talk(teller, &mut heard).await {
            // Of one that ended long ago the node may have nothing left to tell.
            let told = self.runtime.find(self.id.as_str()).await.ok().flatten();
            let exited = told.as_ref().and_then(ended).ok_or(reason)?;
            return Ok(WorkloadAnswer::Exited(exited));
        }
        self.end(&mut *watching).await
    }

    /// Waits until it has begun; answers how it ended if it never will.
    async fn begin(
        &mut self,
        watching: &mut dyn Watching,
        teller: &Teller,
        heard: &mut Heard,
    ) -> Result<Option<WorkloadAnswer>, String> {
        let mut said: Option<Reason> = None;
        loop {
            tokio::select! {
                told = watching.next() => {
                    let Some(told) = told else { return Ok(Some(WorkloadAnswer::Exited(gone()))) };
                    let (begun, exited, reason) = (has_begun(&told), ended(&told), told.waiting.clone());
                    self.latest = Some(told);
                    match exited {
                        _ if begun => return Ok(None),
                        Some(exited) => return Ok(Some(WorkloadAnswer::Exited(exited))),
                        None => {}
                    }
                    if let Some(reason) = reason.filter(|reason| said.as_ref() != Some(reason)) {
                        said = Some(reason.clone());
                        teller.tell_workload(WorkloadAnswer::Waiting { reason }).await;
                    }
                }
                () = taken(&mut self.takes, &self.id), if self.latest.is_some() => {
                    self.takes = None;
                    // That it cannot be opened is told when it has begun.
                    self.early = self.runtime.open(&self.id, Session::Attach(self.output())).await.ok();
                }
                say = heard.next() => match say {
                    Say::Signal(_) => self.runtime.stop(&self.id, Some(0)).await?,
                    Say::Resize(size) => self.size = Some(size),
                    // Nobody said yet that it is taken.
                    Say::Data(_) | Say::End => return Err("input was said before it began".to_owned()),
                },
            }
        }
    }

    /// Passes everything on until there is no more output, by as many sessions as it takes.
    async fn talk(&mut self, teller: &Teller, heard: &mut Heard) -> Result<(), String> {
        let mut is_first = true;
        let mut deadline = Instant::now() + AWAY_MAX;
        loop {
            let early = self.early.take();
            let is_early = early.is_some();
            let opened = match early {
                Some(talking) => Ok(talking),
                None => self.runtime.open(&self.id, Session::Attach(self.output())).await,
            };
            let reason = match opened {
                Ok(talking) => {
                    deadline = Instant::now() + AWAY_MAX;
                    teller
                        .tell_workload(if is_first { WorkloadAnswer::Started } else { WorkloadAnswer::Resumed })
                        .await;
                    is_first = false;
                    if let Some(size) = self.size {
                        // A session that is over says so by itself.
                        let _ = talking.says.say(node::protocol::Input::Resize(size)).await;
                    }
                    let (runtime, id) = (self.runtime, self.id.clone());
                    let signal = move |signal: i32| -> BoxFuture<'_, ()> {
                        let id = id.clone();
                        Box::pin(async move {
                            // That it has ended meanwhile is told in another way.
                            let _ = runtime.signal(&id, signal).await;
                        })
                    };
                    match pass(talking, heard, teller, &mut self.position, &signal).await {
                        Ok(_) => return Ok(()),
                        Err(Broken::Away(reason)) => reason,
                        // What was asked for too early is asked for again.
                        Err(Broken::Refused(reason)) if is_early => reason,
                        Err(Broken::Refused(reason)) => return Err(reason),
                    }
                }
                Err(Broken::Away(reason)) => reason,
                Err(Broken::Refused(reason)) => return Err(reason),
            };
            if Instant::now() >= deadline {
                return Err(reason);
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// What its node is asked for.
    fn output(&self) -> OutputOf {
        let container = self.latest.as_ref().and_then(|told| told.containers.first()).map(|one| one.name.clone());
        OutputOf { id: self.id.clone(), container, from: self.position, tail_lines: None, follow: true }
    }

    /// Waits until it is known how it ended.
    async fn end(&mut self, watching: &mut dyn Watching) -> Answered {
        let mut latest = self.latest.take();
        loop {
            if let Some(exited) = latest.as_ref().and_then(ended) {
                return Ok(WorkloadAnswer::Exited(exited));
            }
            match watching.next().await {
                Some(told) => latest = Some(told),
                None => return Ok(WorkloadAnswer::Exited(gone())),
            }
        }
    }
}

/// Waits until its node has taken it, if that is still of use.
async fn taken(takes: &mut Option<Box<dyn Takes>>, id: &WorkloadId) {
    match takes {
        Some(takes) => takes.of(id).await,
        None => std::future::pending().await,
    }
}
