//! What workloads use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use workload::{Phase, WorkloadId};

use super::worker::group_name;
use super::{Handle, Shared, now_ms};
use crate::protocol::{ContainerStats, WorkloadStats};

/// The most containers that one page tells of: with names of the greatest length they fit into a line.
const PAGE_CONTAINERS_MAX: usize = 1000;

impl Shared {
    /// Some of those that are named, or of all, after one of them, in the order of their names.
    pub(super) async fn stats(self: &Arc<Self>, ids: &[WorkloadId], after: Option<&WorkloadId>) -> Vec<WorkloadStats> {
        let named: BTreeSet<&WorkloadId> = ids.iter().collect();
        let wanted = |id: &WorkloadId, handle: &Handle| {
            let is_meant = if named.is_empty() { !handle.is_ephemeral } else { named.contains(id) };
            is_meant && after.is_none_or(|after| id > after)
        };
        let handles: Vec<(WorkloadId, Arc<Handle>)> = self
            .all()
            .iter()
            .filter(|(id, handle)| wanted(id, handle))
            .map(|(id, handle)| (id.clone(), Arc::clone(handle)))
            .collect();
        let (mut page, mut count) = (Vec::new(), 0);
        for (id, handle) in handles {
            let runs =
                self.board.get(&id).is_some_and(|told| matches!(told.observed.phase, Phase::Running | Phase::Stopping));
            if !runs {
                continue;
            }
            count += handle.assigned.assignment.spec.containers.len();
            if count > PAGE_CONTAINERS_MAX && !page.is_empty() {
                break;
            }
            page.push(self.stats_of(id, &handle).await);
        }
        page
    }

    async fn stats_of(self: &Arc<Self>, id: WorkloadId, handle: &Arc<Handle>) -> WorkloadStats {
        let traffic = self.network.stats(&id).await.unwrap_or_default();
        let (shared, handle, of) = (Arc::clone(self), Arc::clone(handle), id.clone());
        let read = tokio::task::spawn_blocking(move || {
            let group = shared.cgroups.open_workload(of.as_str()).ok()?;
            let containers = handle.assigned.assignment.spec.containers.iter().enumerate();
            let each = containers.filter_map(|(index, container)| {
                let stats = group.open_child(&group_name(index)).ok()?.stats().ok()?;
                let stats = ContainerStats {
                    cpu_us: stats.cpu_us,
                    memory_bytes: stats.memory_bytes,
                    memory_bytes_max: stats.memory_bytes_max,
                    memory_peak_bytes: stats.memory_bytes_peak,
                    pids: stats.pids,
                    received_bytes: traffic.received_bytes,
                    sent_bytes: traffic.sent_bytes,
                    read_bytes: stats.read_bytes,
                    written_bytes: stats.written_bytes,
                };
                Some((container.name.clone(), stats))
            });
            Some(each.collect::<BTreeMap<_, _>>())
        });
        let containers = read.await.ok().flatten().unwrap_or_default();
        WorkloadStats { id, at_ms: now_ms(), containers }
    }
}
