//! What a workload needs before its containers: a network, volumes, a sandbox.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use network::Attached;
use sandbox::cgroup::Group;
use sandbox::client::Shim;
use sandbox::plan::{CgroupPlan, NetworkNamespace, SandboxPlan};
use tokio::task::{JoinHandle, JoinSet};
use workload::{NetworkMode, Reason, ReasonCode, StepName};

use super::{Connected, Worker, aside, now};
use crate::agent::workloads::area::Area;
use crate::agent::workloads::container::limits_of_all;
use crate::agent::workloads::local::{LocalAddresses, LocalListener};
use crate::agent::workloads::root::EtcFiles;
use crate::agent::workloads::{container, process, serve, users, volumes};

impl Worker {
    /// Makes something that all containers need. If it cannot be made, the workload ends.
    pub(super) async fn need(&mut self, step: StepName, code: ReasonCode) {
        let began = self.begin_step(step, None);
        let made = match step {
            StepName::Network => self.connect().await,
            StepName::Volumes => self.make_volumes().await,
            _ => self.make_sandbox().await,
        };
        self.end_step(began, made.as_ref().copied());
        if let Err(mut reason) = made {
            if reason.code == ReasonCode::Unknown {
                reason.code = code;
            }
            self.state.end(reason, None);
        }
        self.note();
    }

    async fn connect(&mut self) -> Result<(), Reason> {
        // A node before this one may have begun.
        let wanted = self.spec().network.clone();
        let attached = match self.shared.network.attach(&self.id, &wanted).await {
            Err(network::Error::Attached(_)) => {
                self.shared.network.detach(&self.id).await.map_err(|error| no_network(&error))?;
                self.shared.network.attach(&self.id, &wanted).await
            }
            attached => attached,
        };
        self.connected(attached.map_err(|error| no_network(&error))?).await;
        self.state.has.network = true;
        Ok(())
    }

    /// It has a network.
    pub(super) async fn connected(&mut self, attached: Attached) {
        let Attached { namespace, address, ports, listeners, resolv_conf, hosts, .. } = attached;
        (self.state.address, self.state.ports) = (address, ports);
        let path_prefix = match self.spec().network.mode {
            // There others of the host reach it, too.
            NetworkMode::Host => self.shared.secret_of(&self.id),
            _ => String::new(),
        };
        let local = LocalAddresses { services: listeners.services_at, endpoint: listeners.endpoint_at, path_prefix };
        let mut serving = JoinSet::new();
        for (listener, which) in
            [(listeners.services, LocalListener::Services), (listeners.endpoint, LocalListener::Endpoint)]
        {
            let service = self.spec().local_service.clone();
            let (endpoint, prefix) = (Arc::clone(&self.shared.options.local), local.path_prefix.clone());
            let call = serve::Called { workload: self.id.clone(), service, listener: which, path_prefix: prefix };
            serving.spawn(serve::serve(listener, call, endpoint));
        }
        let hostname = process::hostname(&self.id, self.spec());
        let etc = EtcFiles { hostname, address, resolv_conf, hosts };
        self.has.network = Some(Connected { namespace, etc, local, _serving: serving });
        self.name_processes();
    }

    /// What its containers execute: also for who executes something in them.
    pub(super) fn name_processes(&self) {
        let Some(network) = &self.has.network else { return };
        let spec = self.executed();
        let local = self.shared.options.local.env(&self.id, spec, &network.local);
        let named = spec.containers.iter().filter_map(|container| {
            let image = &self.assigned.images.get(&container.name)?.run;
            let plan = process::container(&self.id, spec, container, image, &local).ok()?;
            Some((container.name.clone(), plan))
        });
        let processes = named.collect();
        self.live.change(|live| live.processes = processes);
    }

    async fn make_volumes(&mut self) -> Result<(), Reason> {
        if self.spec().isolation.user_namespace && self.state.users.is_none() {
            self.state.users = Some(self.shared.take_users()?);
        }
        self.open_volumes(Vec::new()).await?;
        self.state.has.volumes = true;
        Ok(())
    }

    /// Makes its volumes, or finds those that are there.
    pub(super) async fn open_volumes(&mut self, kept: Vec<(String, OwnedFd)>) -> Result<(), Reason> {
        let (shared, assigned, id) = (Arc::clone(&self.shared), Arc::clone(&self.assigned), self.id.clone());
        let slot = self.state.users;
        let (area, volumes) = aside(move || {
            let spec = &assigned.assignment.spec;
            let area = Area::make(&shared.disks, &id, spec, slot)?;
            let volumes = volumes::make(
                spec.volumes.iter().enumerate(),
                &shared.directory,
                &shared.store,
                &area,
                kept.into_iter().collect(),
            )?;
            Ok((area, volumes))
        })
        .await?;
        (self.has.area, self.has.volumes) = (Some(area), volumes);
        Ok(())
    }

    /// Begins with what does not wait for the network: its group and its shim.
    pub(super) fn begin_sandbox(&self) -> Beginnings {
        let (shared, id, home) = (Arc::clone(&self.shared), self.id.clone(), self.home.clone());
        let limits = limits_of_all(&self.spec().resources);
        tokio::spawn(async move {
            let own = Arc::clone(&shared);
            let group = aside(move || {
                let group = own.cgroups.workload(id.as_str(), &limits).map_err(|error| no_group(&error))?;
                let sandbox = group.sandbox(&Default::default()).map_err(|error| no_group(&error))?;
                let plan = sandbox.plan().map_err(|error| no_group(&error))?;
                Ok((group, plan))
            });
            let shim = async {
                let directory = home.shim().map_err(|error| failed("the shim's directory cannot be made", &error))?;
                shared.shim(directory).await.map_err(|error| failed("no shim could be started", &error))
            };
            tokio::join!(group, shim)
        })
    }

    async fn make_sandbox(&mut self) -> Result<(), Reason> {
        let begun = self.has.begun.take().unwrap_or_else(|| self.begin_sandbox());
        let (group, shim) = begun.await.map_err(|error| failed("the node could not do it", &error))?;
        if let Ok(shim) = &shim {
            self.took_shim(shim.clone()).await;
        }
        let ((group, sandbox_plan), shim) = (group?, shim?);
        self.has.group = Some(group);
        let namespace = self.has.network.as_ref().and_then(|network| network.namespace.as_ref());
        let namespace = namespace.map(OwnedFd::try_clone).transpose();
        let namespace = namespace.map_err(|error| failed("no network namespace", &error))?;
        let spec = self.spec();
        let plan = SandboxPlan {
            hostname: process::hostname(&self.id, spec),
            network: if namespace.is_some() { NetworkNamespace::Given } else { NetworkNamespace::Host },
            users: self.state.users.map(users::range),
            share_processes: spec.isolation.share_processes,
            share_ipc: spec.isolation.share_ipc,
            host_processes: spec.isolation.host_processes,
            host_ipc: spec.isolation.host_ipc,
            sysctls: container::sysctls_of_all(spec),
            cgroup: sandbox_plan,
            ends_with_connection: self.kept.is_nowhere(),
        };
        let (making, prepared) = tokio::join!(shim.sandbox(plan, namespace), self.prepare_first());
        making.map_err(|error| failed("the sandbox cannot be made", &error))?;
        (self.has.prepared, self.has.area, self.has.volumes) = prepared?;
        self.hand_on(&shim).await?;
        self.state.has.sandbox = true;
        self.state.waits_since_ms = now().ms;
        Ok(())
    }

    /// It has a shim.
    pub(super) async fn took_shim(&mut self, shim: Shim) {
        self.has.events = Some(shim.events());
        self.has.shim = Some(shim.clone());
        self.live.change(|live| live.shim = Some(shim.clone()));
        if let Some(at_ns) = self.shared.fence()
            && let Err(error) = shim.fence(Some(at_ns)).await
        {
            tracing::warn!(%error, workload = %self.id, "a shim did not hear by when it ends");
        }
    }

    /// Has the shim keep what only descriptors name, for a node that comes after this one.
    async fn hand_on(&mut self, shim: &Shim) -> Result<(), Reason> {
        let (mut names, mut descriptors) = (Vec::new(), Vec::new());
        for (name, volume) in &self.has.volumes {
            if let volumes::Volume::Memory(place) = volume {
                let place = place.as_fd().try_clone_to_owned();
                descriptors.push(place.map_err(|error| Reason::new(ReasonCode::Volume, error.to_string()))?);
                names.push(name.clone());
            }
        }
        if !descriptors.is_empty() {
            let kept = shim.keep(descriptors).await;
            kept.map_err(|error| Reason::new(ReasonCode::Volume, format!("volumes cannot be kept: {error}")))?;
        }
        self.state.kept = names;
        Ok(())
    }
}

/// A workload's group with the plan of its sandbox's, and its shim, both on their way.
pub(super) type Beginnings = JoinHandle<(Result<(Group, CgroupPlan), Reason>, Result<Shim, Reason>)>;

fn failed(what: &str, error: &dyn std::fmt::Display) -> Reason {
    Reason::new(ReasonCode::CannotCreate, format!("{what}: {error}"))
}

fn no_network(error: &network::Error) -> Reason {
    let code = match error {
        network::Error::Refused { .. } => ReasonCode::Refused,
        _ => ReasonCode::Network,
    };
    Reason::new(code, error.to_string())
}

/// Limits that this host cannot keep are refused.
pub(super) fn no_group(error: &sandbox::cgroup::Error) -> Reason {
    use sandbox::cgroup::Error;
    let code = match error {
        Error::Unsupported { .. } | Error::Invalid { .. } => ReasonCode::Refused,
        _ => ReasonCode::CannotCreate,
    };
    Reason::new(code, error.to_string())
}
