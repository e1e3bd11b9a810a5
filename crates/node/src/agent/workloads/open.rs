//! The node begins: what it had before is found again, and what nobody owns is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use images::{Algorithm, Digest, Store};
use network::{Living, Network};
use sandbox::cgroup::Cgroups;
use sandbox::client::{self, Launcher, Shim};
use sandbox::disk::Disks;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use workload::WorkloadId;

use super::assign::{Kept, Parts};
use super::board::Board;
use super::home::{Assigned, Homes};
use super::settings::Settings;
use super::state::State;
use super::worker::{Found, Worker};
use super::{Handle, Shared, WorkloadOptions, now_ms};

/// Where limited directories are, in the node's directory.
const DISKS: &str = "disks";
/// Where the network keeps its records.
const NETWORK: &str = "network";
/// How much later the reports of a node are counted that comes after another: what that one said last is not known. Where how far
/// it was is not known either they are counted from the time on.
const SEQUENCE_STEP: u64 = 1 << 20;
/// How long a node that ends may take to leave the machine as it was.
const LEAVING_PATIENCE: Duration = Duration::from_secs(2);
/// The pause after something could not be removed.
const TIDY_PAUSE: Duration = Duration::from_secs(30);

/// What the names of everything on this machine are made of that belongs to the node of a directory.
pub(super) fn tag(directory: &Path) -> String {
    let path = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    Digest::of(Algorithm::Sha256, path.as_os_str().as_encoded_bytes()).hex()[..8].to_owned()
}

/// The start of the machine, as the kernel names it.
pub(super) fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

impl Shared {
    /// Opens everything that workloads need, and goes on with those that there are.
    pub(in crate::agent) async fn open(
        directory: &Path,
        store: Store,
        options: WorkloadOptions,
    ) -> Result<Arc<Self>, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let settings = Settings::read(directory).map_err(|error| said(&error))?;
        let tag = tag(directory);
        let (path, name) = (directory.to_owned(), format!("pilvi-{tag}"));
        let opened = tokio::task::spawn_blocking(move || {
            let homes = Homes::open(&path).map_err(|error| error.to_string())?;
            let disks = Disks::open(&path.join(DISKS)).map_err(|error| error.to_string())?;
            let cgroups = Cgroups::open(&name).map_err(|error| error.to_string())?;
            let launcher = Launcher::start().map_err(|error| error.to_string())?;
            Ok::<_, String>((homes, disks, cgroups, launcher))
        });
        let (homes, disks, cgroups, launcher) = opened.await.map_err(|error| said(&error))??;
        let network =
            Network::open(network_settings(&settings, &tag, directory)).await.map_err(|error| said(&error))?;
        let secret = homes.secret().map_err(|error| said(&error))?;
        let shared = Arc::new(Self {
            options,
            settings,
            directory: directory.to_owned(),
            boot_id: boot_id().map_err(|error| said(&error))?,
            store,
            homes,
            launcher,
            cgroups,
            haste: Default::default(),
            disks,
            network,
            board: Board::new(),
            all: Mutex::new(BTreeMap::new()),
            fence_at_ns: Mutex::new(None),
            launcher_moved: Mutex::new(None),
            users_taken: Mutex::default(),
            is_purged: AtomicBool::new(false),
            untidy: Notify::new(),
            secret,
        });
        shared.move_launcher();
        shared.adopt().await?;
        shared.untidy.notify_one();
        Ok(shared)
    }

    /// Finds the workloads of a node before this one.
    async fn adopt(self: &Arc<Self>) -> Result<(), String> {
        let (ids, others) = self.homes.list().map_err(|error| error.to_string())?;
        for path in others {
            self.homes.trash(&path).map_err(|error| error.to_string())?;
        }
        // All at one time: one whose shim is silent keeps no other one waiting.
        let mut finding = JoinSet::new();
        for id in ids {
            match self.homes.of(&id).assigned() {
                Some(assigned) => {
                    let shared = Arc::clone(self);
                    finding.spawn(async move { shared.found(id, Arc::new(assigned)).await });
                }
                None => self.discard(&id).await?,
            }
        }
        let mut found = finding.join_all().await;
        self.remove_strangers(&found).await?;
        let mut attached = self.reattach(&mut found).await?;
        let mut all = BTreeMap::new();
        for one in found {
            let attached = attached.remove(&one.id);
            let id = one.id.clone();
            all.insert(id, one.go_on(attached).await);
        }
        *self.all() = all;
        Ok(())
    }

    async fn found(self: &Arc<Self>, id: WorkloadId, assigned: Arc<Assigned>) -> FoundOne {
        let spec = &assigned.assignment.spec;
        let digest_of = |name: &str| assigned.images.get(name).map(|image| image.manifest.to_string());
        let state = self.homes.of(&id).state().filter(|state| state.is_known(spec));
        let boot_id = assigned.boot_id.as_deref().unwrap_or(&self.boot_id);
        let mut state = state.unwrap_or_else(|| State::new(spec, boot_id, digest_of));
        state.skip(SEQUENCE_STEP, now_ms());
        state.users.iter().for_each(|slot| self.note_users(*slot));
        let is_other_boot = state.boot_id != self.boot_id;
        let is_stopped = state.phase.is_final();
        let (mut worker, parts) = self.worker(&id, &assigned, state, Kept::before());
        let mut shim = None;
        if !is_stopped {
            if is_other_boot {
                worker.lost_with_host();
            } else {
                match worker.find().await {
                    Found::Alive(alive) => shim = Some(alive),
                    Found::Gone => worker.without_shim(),
                }
            }
        }
        FoundOne { id, assigned, worker, parts, shim }
    }

    /// Has the network know who lives. Nobody else has anything of it after that.
    async fn reattach(
        &self,
        found: &mut [FoundOne],
    ) -> Result<BTreeMap<WorkloadId, Result<network::Attached, network::Error>>, String> {
        let mut living = Vec::new();
        for one in found.iter() {
            let Some(shim) = &one.shim else { continue };
            let wanted = one.assigned.assignment.spec.network.clone();
            let is_host = wanted.mode == workload::NetworkMode::Host;
            let namespace = if is_host { None } else { shim.network_namespace().await.ok() };
            if namespace.is_some() || is_host {
                living.push(Living { id: one.id.clone(), wanted, namespace });
            }
        }
        let adopted = self.network.adopt(living).await.map_err(|error| error.to_string())?;
        Ok(adopted.into_iter().collect())
    }

    /// What is of a workload that is not known is removed, its processes too.
    async fn discard(self: &Arc<Self>, id: &WorkloadId) -> Result<(), String> {
        let home = self.homes.of(id);
        if let Ok(directory) = home.shim()
            && let Ok(shim) = client::connect(directory.as_fd()).await
        {
            let _ = shim.destroy().await;
            shim.ended().await;
        }
        home.remove().map_err(|error| error.to_string())
    }

    /// Removes groups, disks and leases of workloads that there are not.
    async fn remove_strangers(self: &Arc<Self>, found: &[FoundOne]) -> Result<(), String> {
        let known: BTreeSet<String> = found.iter().map(|one| one.id.to_string()).collect();
        let shared = Arc::clone(self);
        let removed = tokio::task::spawn_blocking(move || {
            for name in shared.cgroups.list().map_err(|error| error.to_string())? {
                if !known.contains(&name) {
                    let group = shared.cgroups.open_workload(&name).map_err(|error| error.to_string())?;
                    group.kill().and_then(|()| group.remove()).map_err(|error| error.to_string())?;
                }
            }
            for name in shared.disks.list().map_err(|error| error.to_string())? {
                if !known.contains(super::area::owner(&name)) {
                    shared.disks.remove(&name).map_err(|error| error.to_string())?;
                }
            }
            for lease in shared.store.leases() {
                if lease.name.split_once('/').is_none_or(|(id, _)| !known.contains(id)) {
                    shared.store.release(&lease.name).map_err(|error| error.to_string())?;
                }
            }
            Ok(())
        });
        removed.await.map_err(|error| error.to_string())?
    }

    /// Empties the trash whenever there is something in it.
    pub(in crate::agent) async fn tidy(self: Arc<Self>) {
        loop {
            self.untidy.notified().await;
            let shared = Arc::clone(&self);
            let tidied = super::super::background::aside((), crate::protocol::Urgency::Background, move || {
                shared.homes.empty_trash().map_err(|error| error.to_string())?;
                shared.disks.empty_trash().map_err(|error| error.to_string())
            });
            if let Some(Err(error)) = tidied.await {
                tracing::warn!(error, "what workloads left could not be removed");
                self.untidy.notify_one();
                tokio::time::sleep(TIDY_PAUSE).await;
            }
        }
    }

    /// Ends the workers. What they made goes on; where there is nothing that could, nothing of this node's stays on the machine but
    /// its directory: the next one makes anew what it needs.
    pub(in crate::agent) async fn close(self: &Arc<Self>) {
        let ended = self.end_the_ephemeral("the node ends");
        if tokio::time::timeout(LEAVING_PATIENCE, ended).await.is_err() {
            // What holds them ends with this process's connection, and the next node removes what is left.
            tracing::warn!("what ends with its session takes too long to remove");
        }
        let all = std::mem::take(&mut *self.all());
        let goes_on = |id| self.board.get(id).is_none_or(|told| !told.observed.phase.is_final());
        if all.keys().any(goes_on) {
            return;
        }
        drop(all);
        let shared = Arc::clone(self);
        let leave = async {
            let network = self.network.purge().await.map_err(|error| error.to_string());
            let cgroups = tokio::task::spawn_blocking(move || shared.cgroups.remove_all()).await;
            network.and(cgroups.map_err(|error| error.to_string())?.map_err(|error| error.to_string()))
        };
        match tokio::time::timeout(LEAVING_PATIENCE, leave).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error, "what is the node's own on this machine could not be removed"),
            Err(_) => tracing::warn!("what is the node's own on this machine takes too long to remove"),
        }
    }
}

/// A workload of a node before this one.
struct FoundOne {
    id: WorkloadId,
    assigned: Arc<Assigned>,
    worker: Worker,
    parts: Parts,
    shim: Option<Shim>,
}

impl FoundOne {
    async fn go_on(mut self, attached: Option<Result<network::Attached, network::Error>>) -> Arc<Handle> {
        match self.shim.take() {
            Some(shim) => {
                let attached = attached.unwrap_or_else(|| Err(network::Error::Unknown(self.id.clone())));
                self.worker.take_over(shim, attached).await;
            }
            None => self.worker.begin_anew().await,
        }
        self.parts.run(self.worker)
    }
}

fn network_settings(settings: &Settings, tag: &str, directory: &Path) -> network::Settings {
    let own = &settings.network;
    let mut all = network::Settings::new(tag, directory.join(NETWORK));
    all.subnet = own.subnet;
    all.denied.clone_from(&own.denied);
    all.publish_address = own.publish_address.unwrap_or(all.publish_address);
    all.port_range = own.port_range.unwrap_or(all.port_range);
    all
}
