//! Answers what a command asks about what runs: [`protocol`] says what that can be, [`runtime`] what it stands on.

#[cfg(test)]
mod absent;
mod attached;
mod ending;
mod fleet;
mod pass;
mod protocol;
mod runtime;

use std::sync::Arc;

use node::protocol::{OutputOf, Session};
use node::supply::BoxFuture;
use workload::{Phase, WorkloadId};

#[cfg(test)]
pub(crate) use absent::NoNode;
pub(crate) use fleet::{Fleet, Nodes};
pub(crate) use protocol::{
    Attach, Execute, Exited, INPUT_BYTES_MAX, NodeTold, Pulls, Run, SAY_BYTES_MAX, Say, Told, Why, WorkloadAnswer,
    WorkloadRequest,
};
#[cfg(test)]
pub(crate) use protocol::{ContainerTold, Refusal, Resources};
pub(crate) use runtime::Runtime;

use runtime::{Broken, Creation};

use super::{Answer, Heard, Teller};
use attached::Attached;

/// What is told to whom there is no node for.
const NO_NODE: &str = "there is no node that could run it: start Pilvi as root (`sudo pilvi up`)";
/// So many workloads' statistics are told in one line.
const STATS_AT_ONCE: usize = 100;

/// Answers what a command asks about what runs.
pub(crate) struct WorkloadCommands(Arc<dyn Runtime>);

/// What came of a request; an error is for the command to tell.
type Answered = Result<WorkloadAnswer, String>;

impl WorkloadCommands {
    pub(crate) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self(runtime)
    }

    /// Answers a request: each line but the last by `teller`, the last by what it returns.
    pub(super) fn answer(&self, request: WorkloadRequest, teller: Teller, heard: Heard) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match self.answered(request, &teller, heard).await {
                Ok(answer) => Answer::Workload(Box::new(answer)),
                Err(reason) => Answer::Failed { reason },
            }
        })
    }

    async fn answered(&self, request: WorkloadRequest, teller: &Teller, heard: Heard) -> Answered {
        match request {
            WorkloadRequest::Run(run) => self.run(*run, teller, heard).await,
            WorkloadRequest::Attach(attach) => {
                let told = self.find(&attach.workload).await?;
                Attached::new(&*self.0, told.id, attach.from).go_on(teller, heard).await
            }
            WorkloadRequest::Exec { workload, exec } => self.exec(&workload, *exec, teller, heard).await,
            WorkloadRequest::Output { workload, container, tail_lines, follow } => {
                let Some(told) = self.0.find(&workload).await? else { return Ok(WorkloadAnswer::NotThere) };
                let container = Some(container_of(&told, container)?);
                let output = OutputOf { id: told.id.clone(), container, from: 0, tail_lines, follow };
                self.session(&told.id, Session::Output(output), teller, heard).await
            }
            WorkloadRequest::List { all } => self.list(all, teller).await,
            WorkloadRequest::Stop { workload, timeout_s } => {
                let told = self.find(&workload).await?;
                self.0.stop(&told.id, timeout_s).await?;
                self.until_stopped(&told.id).await?;
                Ok(WorkloadAnswer::Done { id: Some(told.id) })
            }
            WorkloadRequest::Signal { workload, signal } => {
                let told = self.find(&workload).await?;
                self.0.signal(&told.id, signal).await?;
                Ok(WorkloadAnswer::Done { id: Some(told.id) })
            }
            WorkloadRequest::Remove { workload, force } => self.remove(&workload, force).await,
            WorkloadRequest::Stats { workloads } => self.stats(&workloads, teller).await,
            WorkloadRequest::Why { workload } => {
                let told = self.find(&workload).await?;
                Ok(WorkloadAnswer::Why(Box::new(self.0.why(&told.id).await?)))
            }
            WorkloadRequest::Nodes => {
                for node in self.0.nodes().await? {
                    teller.tell_workload(WorkloadAnswer::Node(Box::new(node))).await;
                }
                Ok(done())
            }
            WorkloadRequest::StopAll => self.stop_all().await,
            WorkloadRequest::Purge => Ok(WorkloadAnswer::Purged(self.0.purge().await?)),
        }
    }

    async fn run(&self, run: Run, teller: &Teller, heard: Heard) -> Answered {
        let Run { spec, image, pull, name, remove, attach, log } = run;
        if self.0.nodes().await?.is_empty() {
            return Err(NO_NODE.to_owned());
        }
        if pull == Pulls::IfMissing && !self.0.has_image(&image).await {
            return Ok(WorkloadAnswer::ImageMissing);
        }
        let never_pulls = pull == Pulls::Never;
        // Before it is there: its node may take it at once.
        let takes = self.0.takes();
        let id = self.0.create(Creation { spec, name, remove, never_pulls, log }).await?;
        teller.tell_workload(WorkloadAnswer::Created { id: id.clone() }).await;
        let mut attached = Attached::new(&*self.0, id.clone(), 0).hearing(takes);
        if !attach {
            return attached.until_begun(teller, heard).await;
        }
        let answer = attached.go_on(teller, heard).await?;
        if remove {
            // Its name is free when the command ends. If anything comes between, it is forgotten a little later.
            self.until_stopped(&id).await?;
            let _ = self.0.remove(&id).await;
        }
        Ok(answer)
    }

    async fn exec(&self, workload: &str, exec: Execute, teller: &Teller, heard: Heard) -> Answered {
        let told = self.find(workload).await?;
        let phase = told.observed.as_ref().map_or(Phase::Pending, |observed| observed.phase);
        if phase != Phase::Running {
            return Err(format!("{workload} does not run; `pilvi why {workload}` tells how it is"));
        }
        let container = Some(container_of(&told, exec.container.clone())?);
        let session = Session::Exec(Execute { container, ..exec }.on(told.id.clone()));
        self.session(&told.id, session, teller, heard).await
    }

    /// A session that ends with its connection.
    async fn session(&self, id: &WorkloadId, session: Session, teller: &Teller, mut heard: Heard) -> Answered {
        let talking = self.0.open(id, session).await.map_err(Broken::into_reason)?;
        let ended = pass::pass(talking, &mut heard, teller, &mut 0, &|_| Box::pin(async {})).await;
        match ended.map_err(Broken::into_reason)? {
            node::protocol::Answer::Exited { code, reason } => {
                Ok(WorkloadAnswer::Exited(Exited { code: ending::code(code), reason }))
            }
            _ => Ok(done()),
        }
    }

    async fn list(&self, all: bool, teller: &Teller) -> Answered {
        for mut told in self.0.list().await? {
            let has_stopped = told.observed.as_ref().is_some_and(|observed| observed.phase == Phase::Stopped);
            if all || !has_stopped {
                // What was done for it is told by `why`.
                if let Some(observed) = &mut told.observed {
                    observed.steps.clear();
                }
                teller.tell_workload(WorkloadAnswer::Told(Box::new(told))).await;
            }
        }
        Ok(done())
    }

    async fn remove(&self, workload: &str, force: bool) -> Answered {
        let told = self.find(workload).await?;
        let has_stopped = told.observed.as_ref().is_some_and(|observed| observed.phase == Phase::Stopped);
        if !has_stopped {
            if force {
                self.0.stop(&told.id, Some(0)).await?;
            } else if !ending::has_run_out(&told) {
                return Err(format!("{workload} has not stopped: `pilvi stop {workload}` first, or `pilvi rm -f`"));
            }
            self.until_stopped(&told.id).await?;
        }
        // One that is forgotten as soon as it has stopped is gone already.
        if let Some(still) = self.0.find(told.id.as_str()).await? {
            self.0.remove(&still.id).await?;
        }
        Ok(WorkloadAnswer::Done { id: Some(told.id) })
    }

    async fn stats(&self, workloads: &[String], teller: &Teller) -> Answered {
        let mut ids = Vec::new();
        for workload in workloads {
            ids.push(self.find(workload).await?.id);
        }
        let stats = self.0.stats(&ids).await?;
        for some in stats.chunks(STATS_AT_ONCE) {
            teller.tell_workload(WorkloadAnswer::Stats(some.to_vec())).await;
        }
        Ok(done())
    }

    async fn stop_all(&self) -> Answered {
        let mut stopping = Vec::new();
        for told in self.0.list().await? {
            if told.observed.as_ref().is_none_or(|observed| observed.phase != Phase::Stopped) {
                self.0.stop(&told.id, None).await?;
                stopping.push(told.id);
            }
        }
        for id in &stopping {
            self.until_stopped(id).await?;
        }
        Ok(done())
    }

    async fn find(&self, workload: &str) -> Result<Told, String> {
        let found = self.0.find(workload).await?;
        found.ok_or_else(|| format!("there is no container {workload}; `pilvi ps -a` lists them"))
    }

    /// Waits until nothing of a workload runs any more.
    async fn until_stopped(&self, id: &WorkloadId) -> Result<(), String> {
        let mut watching = self.0.watch(id).await?;
        while let Some(told) = watching.next().await {
            if told.observed.is_some_and(|observed| observed.phase == Phase::Stopped) {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Broken {
    fn into_reason(self) -> String {
        match self {
            Self::Away(reason) | Self::Refused(reason) => reason,
        }
    }
}

fn done() -> WorkloadAnswer {
    WorkloadAnswer::Done { id: None }
}

/// The container that is meant: the first, if none is named.
fn container_of(told: &Told, named: Option<String>) -> Result<String, String> {
    let names = || told.containers.iter().map(|container| container.name.as_str());
    match named {
        None => names().next().map(str::to_owned).ok_or_else(|| "it has no container".to_owned()),
        Some(name) if names().any(|one| one == name) => Ok(name),
        Some(name) => {
            let has = names().collect::<Vec<_>>().join(", ");
            Err(format!("there is no container {name} in it; it has {has}"))
        }
    }
}

#[cfg(test)]
mod tests;
