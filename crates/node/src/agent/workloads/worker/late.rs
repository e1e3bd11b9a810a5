//! What a workload is told after it was made: what it executes, what that mounts, how much it may use.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use images::Prepared;
use sandbox::cgroup::Group;
use sandbox::plan::{LateParts, MountFlags, MountPlan, MountSource};
use workload::{Container, Reason, ReasonCode, Spec};

use super::needs::no_group;
use super::{Worker, aside, group_name};
use crate::agent::workloads::container::{limits_of_all, limits_of_use};
use crate::agent::workloads::home::Assigned;
use crate::agent::workloads::volumes;

/// What a workload is from its release on.
#[derive(Debug)]
pub(super) struct Released {
    assigned: Arc<Assigned>,
    /// Whether its volumes are made and its limits hold.
    is_applied: bool,
}

/// What a container receives with what it executes, and the mounts of it.
pub(super) type Late = (Option<LateParts>, Vec<OwnedFd>);

impl Worker {
    /// It goes on as this.
    pub(super) fn release(&mut self, assigned: Arc<Assigned>, held: Vec<Prepared>) {
        self.kept.hold(held);
        self.released = Some(Released { assigned, is_applied: false });
        self.state.is_held = false;
        self.name_processes();
    }

    /// What it executes.
    pub(super) fn executed(&self) -> &Spec {
        &self.released.as_ref().map_or(&self.assigned, |released| &released.assigned).assignment.spec
    }

    /// What a container that has been made receives late.
    pub(super) async fn late(&mut self, index: usize, container: &Container) -> Result<Late, Reason> {
        let Some(released) = &self.released else { return Ok((None, Vec::new())) };
        let (to, is_applied) = (Arc::clone(&released.assigned), released.is_applied);
        let (made, shared, container) = (Arc::clone(&self.assigned), Arc::clone(&self.shared), container.clone());
        let lacks = || Reason::new(ReasonCode::Internal, "the workload lacks what its containers need");
        let group = self.has.group.clone().ok_or_else(lacks)?;
        let (area, mut volumes) = (self.has.area.take().ok_or_else(lacks)?, std::mem::take(&mut self.has.volumes));
        // Lent for so long: nobody else needs them meanwhile.
        let (area, volumes, late) = aside(move || {
            let [before, after] = [&made.assignment.spec, &to.assignment.spec];
            let late = (|| {
                if !is_applied {
                    if before.resources != after.resources {
                        let updated = group.update(&limits_of_all(&after.resources));
                        updated.map_err(|error| no_group(&error))?;
                    }
                    let added = after.volumes.iter().enumerate().skip(before.volumes.len());
                    volumes.extend(volumes::make(added, &shared.directory, &shared.store, &area, HashMap::new())?);
                }
                limit(&group, index, before.containers.get(index), &container)?;
                let known = before.containers.get(index).map_or(0, |made| made.mounts.len());
                let (mut mounts, mut descriptors) = (Vec::new(), Vec::new());
                for mounted in container.mounts.iter().skip(known) {
                    let mount = volumes.get(&mounted.volume).and_then(|volume| volume.mount_late(mounted, &area));
                    let failed = |error: &dyn std::fmt::Display| {
                        let message = format!("the volume {} cannot be mounted: {error}", mounted.volume);
                        Reason::new(ReasonCode::Volume, message)
                    };
                    let mount = mount.ok_or_else(|| failed(&"it is none that comes late"))?;
                    descriptors.push(mount.map_err(|error| failed(&error))?);
                    let flags = MountFlags { read_only: mounted.read_only, no_dev: true, ..MountFlags::default() };
                    mounts.push(MountPlan { source: MountSource::Given, target: mounted.path.clone(), flags });
                }
                Ok((Some(LateParts { mounts, files: Vec::new() }), descriptors))
            })();
            Ok((area, volumes, late))
        })
        .await?;
        (self.has.area, self.has.volumes) = (Some(area), volumes);
        if let (true, Some(released)) = (late.is_ok(), &mut self.released) {
            released.is_applied = true;
        }
        late
    }
}

/// Has a container use as much as it may from here on.
fn limit(group: &Group, index: usize, made: Option<&Container>, container: &Container) -> Result<(), Reason> {
    let limits = limits_of_use(container);
    if made.map(limits_of_use) == Some(limits.clone()) {
        return Ok(());
    }
    let own = group.open_child(&group_name(index)).and_then(|own| own.update(&limits));
    own.map_err(|error| no_group(&error))
}
