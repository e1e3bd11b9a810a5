//! Starting server and node, one after the other has ended, each for itself.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use tokio::sync::Notify;

use super::Supervisor;
use super::backoff::Backoff;
use super::child::{End, Process};
use super::node_place::NodePlace;
use crate::cli::{NODE_ROLE, SERVER_ROLE};
use crate::control::{NodeAssignment, ServerAssignment};
use crate::owner::own_command;

/// A start that takes longer is spoken of: a large store that was not closed takes its time.
const STARTING_NOTICE: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Keeps a server running. `slot` holds it while it does, so that it outlives this future. Ends only with a failure.
    pub(super) async fn keep_server(&self, slot: &mut Option<Process>, first_ready: &Notify) -> Error {
        match self.try_keep_server(slot, first_ready).await {
            Ok(never) => match never {},
            Err(failure) => failure,
        }
    }

    async fn try_keep_server(&self, slot: &mut Option<Process>, first_ready: &Notify) -> Result<Infallible> {
        let mut backoff = Backoff::default();
        loop {
            let server = slot.insert(self.start_server()?);
            let end = self.watch_server(server, first_ready).await?;
            if !server.was_ready && self.record.borrow().restarts == 0 {
                bail!("the server {end}");
            }
            let pause = backoff.after(server.started.elapsed());
            *slot = None;
            self.announcer.restarting("server", &end, pause);
            tokio::time::sleep(pause).await;
            self.record.borrow_mut().restarts += 1;
            // A disk that is full is no reason to end: once there is room a server starts.
            if let Err(error) = self.write_record() {
                tracing::warn!("how often the server was started cannot be written down: {error:#}");
            }
        }
    }

    fn start_server(&self) -> Result<Process> {
        let command = self.owner.command(SERVER_ROLE, self.dir.path());
        let socket = OwnedFd::from(self.listener()?.try_clone()?);
        let assignment = ServerAssignment {
            data_dir: self.dir.path().to_owned(),
            node: self.node.as_ref().map(NodePlace::socket),
            settings: self.settings.clone(),
        };
        Process::start("server", command, socket, &self.settings.log, assignment)
    }

    /// Waits for the server to become ready, then for its end.
    async fn watch_server(&self, server: &mut Process, first_ready: &Notify) -> Result<End> {
        let mut ready = false;
        while !ready && !server.is_silent() {
            match tokio::time::timeout(STARTING_NOTICE, server.ready()).await {
                Ok(outcome) => ready = outcome,
                Err(_) => self.announcer.still_starting(server.started.elapsed()),
            }
        }
        if ready {
            let endpoint = crate::server::endpoint(&self.settings.tls, self.listener()?.local_addr()?);
            let restarts = self.record.borrow().restarts;
            let since = if restarts == 0 { self.began } else { server.started };
            let node = self.node.as_ref().map(NodePlace::directory);
            self.announcer.ready(&endpoint, server.pid, since.elapsed(), restarts, node);
            first_ready.notify_one();
        }
        server.ended().await
    }

    /// Keeps a node running from when the server answers, which is what people wait for; does nothing where there is none.
    /// A node that fails stops nobody else: it is tried again.
    pub(super) async fn keep_node(&self, slot: &mut Option<Process>, first_ready: &Notify) -> Error {
        let Some(place) = &self.node else { return std::future::pending().await };
        first_ready.notified().await;
        let mut backoff = Backoff::default();
        loop {
            let started = tokio::time::Instant::now();
            let end = match self.start_node(place) {
                Ok(node) => self.watch_node(slot.insert(node)).await,
                Err(error) => Err(error),
            };
            let pause = backoff.after(started.elapsed());
            *slot = None;
            match end {
                Ok(end) => self.announcer.restarting("node", &end, pause),
                Err(error) => self.announcer.restarting("node", &format!("is not to be had: {error:#}"), pause),
            }
            self.note_node(None, 1);
            tokio::time::sleep(pause).await;
        }
    }

    fn start_node(&self, place: &NodePlace) -> Result<Process> {
        let mut command = own_command(NODE_ROLE, place.directory());
        // With the user the standard library drops root's supplementary groups.
        command.gid(0).uid(0);
        let assignment = NodeAssignment {
            directory: place.directory().to_owned(),
            blobs: self.dir.blobs(),
            owner_uid: self.owner.uid,
            door: self.dir.door_socket(),
            region: self.settings.region.to_string(),
        };
        Process::start("node", command, place.listener()?, &self.settings.log, assignment)
    }

    async fn watch_node(&self, node: &mut Process) -> Result<End> {
        self.note_node(Some(node.pid), 0);
        if node.ready().await {
            let restarts = self.record.borrow().node.as_ref().map_or(0, |node| node.restarts);
            self.announcer.node_ready(node.pid, node.started.elapsed(), restarts);
        }
        node.ended().await
    }

    /// Writes down which process the node is now, and whether it had to be started anew. That it cannot be written is
    /// nothing to stop for.
    fn note_node(&self, pid: Option<u32>, further_restarts: u64) {
        if let Some(node) = &mut self.record.borrow_mut().node {
            node.pid = pid;
            node.restarts += further_restarts;
        }
        if let Err(error) = self.write_record() {
            tracing::warn!("which process the node is cannot be written down: {error:#}");
        }
    }
}
