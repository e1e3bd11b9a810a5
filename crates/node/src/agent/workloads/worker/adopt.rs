//! A workload whose node was killed is found again: its processes have gone on meanwhile, or ended.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use network::Attached;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sandbox::client::{self, Shim, ShimError};
use sandbox::protocol::{ContainerInfo, ShimState};
use workload::{Reason, ReasonCode};

use super::{Worker, aside, now};
use crate::agent::workloads::Shared;
use crate::agent::workloads::home::Home;
use crate::agent::workloads::state::{Has, Stage};

/// How often a shim is asked again while it makes or starts a container for a node before this one, which takes it milliseconds,
/// and the pause between.
const SETTLING_TRIES: u32 = 400;
const SETTLING_PAUSE: Duration = Duration::from_millis(5);

/// How a workload was found.
pub(in crate::agent::workloads) enum Found {
    /// Its shim lives.
    Alive(Shim),
    /// It has no shim, and may never have had one.
    Gone,
}

impl Worker {
    /// Looks for its shim.
    pub(in crate::agent::workloads) async fn find(&self) -> Found {
        let Ok(directory) = self.home.shim() else { return Found::Gone };
        match client::connect(directory.as_fd()).await {
            Ok(shim) => Found::Alive(shim),
            Err(ShimError::NotRunning) => Found::Gone,
            Err(error) => {
                tracing::warn!(%error, workload = %self.id, "a shim does not answer");
                let (shared, home) = (Arc::clone(&self.shared), self.home.clone());
                // What it holds is killed by its group later; it itself is in another, with those of other workloads.
                let killed = aside(move || {
                    let failed = |error: io::Error| Reason::new(ReasonCode::Internal, error.to_string());
                    shared.kill_shim(&home).map_err(failed)
                });
                if let Err(reason) = killed.await {
                    tracing::warn!(workload = %self.id, reason = reason.message, "a shim that does not answer stays");
                }
                Found::Gone
            }
        }
    }

    /// Goes on with a workload whose shim lives. `attached` is its network, if that was found, too.
    pub(in crate::agent::workloads) async fn take_over(
        &mut self,
        shim: Shim,
        attached: Result<Attached, network::Error>,
    ) {
        let (shim, known) = match self.known_to(shim).await {
            (shim, Ok(known)) => (shim, known),
            (_, Err(error)) => {
                tracing::warn!(%error, workload = %self.id, "a shim does not answer");
                self.heard_last_words();
                return self.lose(ReasonCode::SandboxLost, "the sandbox's own process does not answer");
            }
        };
        if known.sandbox.is_none() || !self.state.has.sandbox {
            // It was on its way, and has executed nothing: it is made anew.
            return self.start_over().await;
        }
        self.apply(&known);
        match attached {
            Ok(attached) => self.connected(attached).await,
            Err(error) => return self.lose(ReasonCode::Network, &format!("the network was lost: {error}")),
        }
        let kept = match shim.kept().await {
            Ok(kept) => self.state.kept.iter().cloned().zip(kept).collect(),
            Err(_) => Vec::new(),
        };
        if let Err(reason) = self.open_volumes(kept).await {
            return self.lose(reason.code, &reason.message);
        }
        self.has.group = self.shared.cgroups.open_workload(self.id.as_str()).ok();
        for index in 0..self.state.containers.len() {
            if self.state.containers[index].is_alive()
                && let Some(container) = self.spec().containers.get(index).cloned()
            {
                self.watch_health(index, &container);
            }
        }
    }

    /// What a shim knows, and the shim: over a new connection, if the one that there was has ended meanwhile.
    async fn known_to(&mut self, shim: Shim) -> (Shim, Result<ShimState, ShimError>) {
        self.took_shim(shim.clone()).await;
        let error = match settled(&shim).await {
            Ok(known) => return (shim, Ok(known)),
            Err(error) => error,
        };
        tracing::info!(%error, workload = %self.id, "a shim is connected to once more");
        let Ok(directory) = self.home.shim() else { return (shim, Err(error)) };
        match client::connect(directory.as_fd()).await {
            Ok(again) => {
                self.took_shim(again.clone()).await;
                let known = settled(&again).await;
                (again, known)
            }
            Err(error) => (shim, Err(error)),
        }
    }

    /// Whether a container that does not wait for what it executes was started for a node before this one: the process, as the host
    /// numbers it.
    pub(super) async fn was_started(&self, shim: &Shim, name: &str) -> Option<u32> {
        for _ in 0..SETTLING_TRIES {
            let known = shim.state().await.ok()?.containers.into_iter().find(|container| container.name == name)?;
            match (known.started_ns, known.pid) {
                (Some(_), pid) => return Some(pid.unwrap_or_default()),
                (None, Some(_)) => tokio::time::sleep(SETTLING_PAUSE).await,
                (None, None) => return None,
            }
        }
        None
    }

    /// There is no shim. If there was one, what was in it has ended.
    pub(in crate::agent::workloads) fn without_shim(&mut self) {
        if !self.state.has.sandbox {
            // Nothing was executed: it begins anew.
            return;
        }
        self.heard_last_words();
        self.lose(ReasonCode::SandboxLost, "the sandbox's own process ended, and everything with it");
    }

    /// Goes on with a workload that has no shim.
    pub(in crate::agent::workloads) async fn begin_anew(&mut self) {
        if !self.state.phase.is_final() && self.state.ending.is_none() {
            self.start_over().await;
        }
    }

    /// The machine was started anew.
    pub(in crate::agent::workloads) fn lost_with_host(&mut self) {
        self.lose(ReasonCode::HostLost, "the machine was started anew");
    }

    /// What it had is undone, and made again.
    async fn start_over(&mut self) {
        if let Some(shim) = self.has.shim.take() {
            let _ = shim.destroy().await;
            shim.ended().await;
        }
        self.has.events = None;
        self.live.change(|live| live.shim = None);
        if let Err(reason) = super::clean_up::remove(&self.shared, &self.id, &self.assigned).await {
            tracing::warn!(workload = %self.id, reason = reason.message, "what is left of a workload stays");
        }
        let (shared, id, assigned) = (Arc::clone(&self.shared), self.id.clone(), Arc::clone(&self.assigned));
        let leased = aside(move || {
            let leased = shared.lease(&id, &assigned);
            leased.map_err(|error| Reason::new(ReasonCode::CannotPull, error))
        });
        if let Err(reason) = leased.await {
            return self.lose(reason.code, &reason.message);
        }
        self.state.has = Has::default();
    }

    /// Nothing of it is left to go on with.
    fn lose(&mut self, code: ReasonCode, message: &str) {
        let reason = Reason::new(code, message);
        self.state.lost(&reason, now().at);
        self.state.end(reason, Some(0));
    }

    /// The shim's process has ended.
    pub(super) async fn lost_shim(&mut self) {
        self.heard_last_words();
        (self.has.shim, self.has.events) = (None, None);
        self.live.change(|live| live.shim = None);
        let (code, message) = match self.shared.is_fenced() {
            true => (ReasonCode::Fenced, super::FENCED),
            false => (ReasonCode::SandboxLost, "the sandbox's own process ended, and everything with it"),
        };
        self.lose(code, message);
        self.note_on_disk();
    }

    /// How containers ended, as their shim has written down.
    pub(super) fn heard_last_words(&mut self) {
        let Ok(directory) = self.home.shim() else { return };
        if let Some(state) = client::last_words(directory.as_fd()) {
            self.apply(&state);
        }
    }

    /// Asks for everything, because some of it may have been missed.
    pub(super) async fn look(&mut self) {
        let Some(shim) = self.has.shim.clone() else { return };
        if let Ok(state) = shim.state().await {
            self.apply(&state);
            self.note_on_disk();
        }
    }

    /// The connection to the shim has ended: its process has, or it is asked for another.
    pub(super) async fn reconnect(&mut self) {
        self.has.events = None;
        let Some(before) = self.has.shim.clone() else { return };
        let Ok(directory) = self.home.shim() else { return };
        tokio::select! {
            () = before.ended() => {}
            connected = client::connect(directory.as_fd()) => match connected {
                Ok(shim) => {
                    self.took_shim(shim).await;
                    self.look().await;
                }
                // It is about to have ended, which is heard.
                Err(error) => {
                    tracing::warn!(%error, workload = %self.id, "a shim does not answer any more");
                }
            }
        }
    }

    /// What the shim knows becomes what is known here.
    fn apply(&mut self, known: &ShimState) {
        for container in &known.containers {
            let Some(index) = self.state.containers.iter().position(|one| one.name == container.name) else { continue };
            let started = container.started_ns.map(|ns| i64::try_from(ns / 1_000_000).unwrap_or(i64::MAX));
            let one = &mut self.state.containers[index];
            match (&one.stage, started, &container.exit) {
                // It was started, and nobody had noted it.
                (Stage::Waiting | Stage::Created, Some(at), _) => {
                    let now = super::Now { at: base::Timestamp::from_millis(at), ms: now().ms };
                    self.state.started(index, container.pid.unwrap_or_default(), now);
                }
                // It was made, and nobody had noted it: it is not made twice.
                (Stage::Waiting, None, None) if container.pid.is_some() => one.stage = Stage::Created,
                _ => {}
            }
            if let Some(exit) = &container.exit {
                let spec = &self.assigned.assignment.spec;
                self.state.exited(spec, index, self.shared.exit_status(exit), now());
            }
        }
        // What was made and is not there any more is made again.
        for one in &mut self.state.containers {
            let is_known = known.containers.iter().any(|container| container.name == one.name);
            if one.stage == Stage::Created && !is_known {
                one.stage = Stage::Waiting;
            }
        }
    }
}

/// What a shim knows, once it makes no container any more for a node before this one.
async fn settled(shim: &Shim) -> Result<ShimState, ShimError> {
    let is_being_made = |container: &ContainerInfo| {
        container.pid.is_none() && container.started_ns.is_none() && container.exit.is_none()
    };
    for _ in 0..SETTLING_TRIES {
        let known = shim.state().await?;
        if !known.containers.iter().any(is_being_made) {
            return Ok(known);
        }
        tokio::time::sleep(SETTLING_PAUSE).await;
    }
    shim.state().await
}

impl Shared {
    /// Kills the shim whose directory is a workload's, if there is one: nothing else is named by a descriptor in there, and among
    /// the shims' processes are no others. Blocks.
    fn kill_shim(&self, home: &Home) -> io::Result<()> {
        let directory = home.shim_path()?;
        let processes = self.cgroups.shims().and_then(|group| group.processes()).map_err(io::Error::other)?;
        for pid in processes {
            // First the name that stays: what is looked at is what is killed.
            let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            let is_launcher = Some(pid.as_raw_nonzero().get().unsigned_abs()) == self.launcher.pid();
            if !is_launcher && holds(pid, &directory) {
                pidfd_send_signal(&process, Signal::KILL)?;
            }
        }
        Ok(())
    }
}

/// Whether a process has a file of a directory open.
fn holds(pid: Pid, directory: &Path) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut open = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    open.any(|path| path.starts_with(directory))
}
