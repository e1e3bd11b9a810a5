//! Clusters: what is kept of one, its states, and what others see of it.

use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{Record, Scope, SecondaryKey, Store, StoreError, Versioned};

use crate::api;
use crate::names::cluster_arn;
use crate::{Error, Tags};

/// ECS's quota of capacity providers in a cluster.
pub const CAPACITY_PROVIDERS_MAX: usize = 20;
/// The index by which ACTIVE clusters are listed.
pub const BY_STATUS: &str = "status";

/// A cluster's states. A cluster that was deleted stays describable, and its name can be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterStatus {
    /// Ready for use.
    Active,
    /// Deleted.
    Inactive,
}

impl ClusterStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// What a client may choose of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterChoices {
    /// Container Insights, always with a value.
    #[serde(with = "wire::stored")]
    pub settings: Vec<api::ClusterSetting>,
    /// ECS Exec and storage.
    #[serde(with = "wire::stored")]
    pub configuration: Option<api::ClusterConfiguration>,
    /// Names of capacity providers.
    pub capacity_providers: Vec<String>,
    /// Which of them tasks get that do not say.
    #[serde(with = "wire::stored")]
    pub default_strategy: Vec<api::CapacityProviderStrategyItem>,
    /// The tags.
    pub tags: Tags,
}

/// A cluster. Its record's id is its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// ACTIVE or INACTIVE.
    pub status: ClusterStatus,
    /// What holds now.
    pub choices: ClusterChoices,
    /// What it was created from: a second CreateCluster must agree with it.
    pub created_with: ClusterChoices,
}

impl Record for Cluster {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "cluster";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        vec![SecondaryKey::new(BY_STATUS, self.status.as_str())]
    }
}

/// What a cluster's description holds besides what every description does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Includes {
    /// The settings.
    pub settings: bool,
    /// The tags.
    pub tags: bool,
    /// Counts by launch type.
    pub statistics: bool,
    /// The configuration.
    pub configurations: bool,
    /// What capacity providers attach to it.
    pub attachments: bool,
}

impl Includes {
    /// What CreateCluster answers.
    pub const CREATED: Self =
        Self { settings: true, tags: true, statistics: false, configurations: true, attachments: false };
    /// What the operations that change a cluster answer.
    pub const UPDATED: Self =
        Self { settings: true, tags: false, statistics: false, configurations: true, attachments: true };
    /// What DeleteCluster answers.
    pub const DELETED: Self =
        Self { settings: true, tags: false, statistics: false, configurations: true, attachments: false };
}

impl Cluster {
    /// A new cluster.
    pub fn new(choices: ClusterChoices) -> Self {
        Self { status: ClusterStatus::Active, created_with: choices.clone(), choices }
    }

    /// Whether it can be used.
    pub fn is_active(&self) -> bool {
        self.status == ClusterStatus::Active
    }

    /// The cluster as an operation answers it.
    pub fn describe(&self, ctx: &Ctx, name: &str, load: &Load, includes: Includes) -> api::Cluster {
        let ClusterChoices { settings, configuration, capacity_providers, default_strategy, tags } =
            self.choices.clone();
        api::Cluster {
            cluster_arn: Some(cluster_arn(ctx, name)),
            cluster_name: Some(name.to_owned()),
            status: Some(self.status.as_str().to_owned()),
            active_services_count: Some(load.active_services()),
            pending_tasks_count: Some(load.pending_tasks()),
            running_tasks_count: Some(load.running_tasks()),
            registered_container_instances_count: Some(load.container_instances),
            capacity_providers: Some(capacity_providers),
            default_capacity_provider_strategy: Some(default_strategy),
            settings: Some(if includes.settings { settings } else { Vec::new() }),
            tags: Some(if includes.tags { tags.into_api() } else { Vec::new() }),
            statistics: Some(if includes.statistics { load.statistics() } else { Vec::new() }),
            configuration: configuration.filter(|_| includes.configurations),
            attachments: includes.attachments.then(Vec::new),
            attachments_status: None,
            service_connect_defaults: None,
        }
    }
}

/// Changes a cluster, whatever its state.
///
/// # Errors
/// [`Error::ClusterNotFound`], and what `change` answers.
pub(crate) async fn update(
    store: &Store,
    scope: &Scope,
    name: &str,
    change: impl FnMut(&mut Cluster) -> Result<(), Error>,
) -> Result<Versioned<Cluster>, Error> {
    store.update(scope, &[name], change).await.map_err(|error| match error {
        Error::Store(StoreError::NotFound { .. }) => Error::ClusterNotFound,
        other => other,
    })
}

/// Changes the choices of a cluster that is ACTIVE.
///
/// # Errors
/// [`Error::ClusterNotFound`], [`Error::ClusterNotActive`], and what `change` answers.
pub(crate) async fn update_active(
    store: &Store,
    scope: &Scope,
    name: &str,
    mut change: impl FnMut(&mut ClusterChoices) -> Result<(), Error>,
) -> Result<Versioned<Cluster>, Error> {
    update(store, scope, name, |cluster| {
        if cluster.is_active() { change(&mut cluster.choices) } else { Err(Error::ClusterNotActive) }
    })
    .await
}

/// Counts of what runs on one launch type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Running {
    /// Tasks that are RUNNING.
    pub running_tasks: i32,
    /// Tasks that are PENDING.
    pub pending_tasks: i32,
    /// Services that are ACTIVE.
    pub active_services: i32,
    /// Services that are DRAINING.
    pub draining_services: i32,
}

/// What a cluster holds: counted from the tasks, services and container instances that are in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// On container instances of EC2.
    pub ec2: Running,
    /// On Fargate.
    pub fargate: Running,
    /// On container instances elsewhere.
    pub external: Running,
    /// On managed instances.
    pub managed_instances: Running,
    /// Container instances that are ACTIVE or DRAINING.
    pub container_instances: i32,
}

impl Load {
    /// What is in a cluster. No operation that is served puts anything into one, so there is nothing to count: whoever
    /// brings tasks, services or container instances counts their records here, and [`Load::blocks_deletion`] follows.
    pub fn nothing() -> Self {
        Self::default()
    }

    fn all(&self) -> [Running; 4] {
        [self.ec2, self.fargate, self.external, self.managed_instances]
    }

    fn active_services(&self) -> i32 {
        self.all().iter().map(|it| it.active_services).sum()
    }

    fn running_tasks(&self) -> i32 {
        self.all().iter().map(|it| it.running_tasks).sum()
    }

    fn pending_tasks(&self) -> i32 {
        self.all().iter().map(|it| it.pending_tasks).sum()
    }

    /// Why a cluster with this in it cannot be deleted.
    pub fn blocks_deletion(&self) -> Option<Error> {
        if self.container_instances > 0 {
            return Some(Error::ClusterContainsContainerInstances);
        }
        if self.all().iter().any(|it| it.active_services + it.draining_services > 0) {
            return Some(Error::ClusterContainsServices);
        }
        (self.running_tasks() + self.pending_tasks() > 0).then_some(Error::ClusterContainsTasks)
    }

    /// The counts by launch type, in ECS's order.
    fn statistics(&self) -> Vec<api::KeyValuePair> {
        let Self { ec2, fargate, external, managed_instances: managed, .. } = self;
        [
            ("runningEC2TasksCount", ec2.running_tasks),
            ("runningFargateTasksCount", fargate.running_tasks),
            ("pendingEC2TasksCount", ec2.pending_tasks),
            ("pendingFargateTasksCount", fargate.pending_tasks),
            ("runningExternalTasksCount", external.running_tasks),
            ("pendingExternalTasksCount", external.pending_tasks),
            ("runningManagedInstancesTasksCount", managed.running_tasks),
            ("pendingManagedInstancesTasksCount", managed.pending_tasks),
            ("activeEC2ServiceCount", ec2.active_services),
            ("activeFargateServiceCount", fargate.active_services),
            ("drainingEC2ServiceCount", ec2.draining_services),
            ("drainingFargateServiceCount", fargate.draining_services),
            ("activeExternalServiceCount", external.active_services),
            ("drainingExternalServiceCount", external.draining_services),
            ("activeManagedInstancesServiceCount", managed.active_services),
            ("drainingManagedInstancesServiceCount", managed.draining_services),
        ]
        .map(|(name, count)| api::KeyValuePair { name: Some(name.to_owned()), value: Some(count.to_string()) })
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_a_cluster_keeps_it_from_being_deleted() {
        let some = Running { running_tasks: 1, ..Running::default() };
        let service = Running { draining_services: 1, ..Running::default() };
        for (load, message) in [
            (Load { fargate: some, ..Load::default() }, "The Cluster cannot be deleted while Tasks are active."),
            (
                Load { ec2: service, fargate: some, ..Load::default() },
                "The Cluster cannot be deleted while Services are active.",
            ),
            (
                Load { container_instances: 1, ..Load::default() },
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            ),
        ] {
            assert_eq!(load.blocks_deletion().unwrap().to_string(), message);
        }
        assert!(Load::nothing().blocks_deletion().is_none());
    }

    #[test]
    fn statistics_are_counted_by_launch_type() {
        let load = Load {
            fargate: Running { running_tasks: 2, pending_tasks: 1, active_services: 1, draining_services: 0 },
            external: Running { running_tasks: 3, ..Running::default() },
            ..Load::default()
        };
        let of = |name: &str| {
            load.statistics().into_iter().find(|it| it.name.as_deref() == Some(name)).unwrap().value.unwrap()
        };
        assert_eq!(of("runningFargateTasksCount"), "2");
        assert_eq!(of("runningExternalTasksCount"), "3");
        assert_eq!(of("drainingFargateServiceCount"), "0");
        assert_eq!((load.running_tasks(), load.pending_tasks(), load.active_services()), (5, 1, 1));
    }
}
