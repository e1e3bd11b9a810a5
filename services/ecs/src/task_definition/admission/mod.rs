//! Whether ECS would register a request, and what it makes of it. Pure.
//!
//! The request becomes a [`Draft`], whose rules are checked in ECS's order, as far as that is known: sizes, names, an
//! essential container, the network mode, then container by container, then what only Fargate refuses. What is asked for
//! is kept or refused, never dropped.

mod containers;
mod defaults;
mod dependencies;
mod fargate;
mod logs;
mod ports;
mod secrets;
mod task;
mod volumes;

#[cfg(test)]
mod tests;

use base::AccountId;
use wire::value::{Modeled, Shaped};

use super::refusal::Refusal;
use super::{capabilities, size};
use crate::api::{self, Compatibility, ContainerDefinition, NetworkMode, OSFamily, RegisterTaskDefinitionRequest};
use crate::names::is_name;

pub(super) use fargate::is_ecr_image;

/// ECS's quota for a definition, in bytes of JSON.
pub const DEFINITION_BYTES_MAX: usize = 64 * 1024;

/// A definition between request and record.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Who registers it.
    pub(crate) account: AccountId,
    /// What was asked for, sizes normalised, and later what ECS fills in.
    pub(crate) definition: api::TaskDefinition,
    /// The task's CPU units.
    pub(crate) cpu: Option<i64>,
    /// The task's memory, MiB.
    pub(crate) memory: Option<i64>,
    /// The network mode that holds: bridge where none is given.
    pub(crate) mode: NetworkMode,
}

/// The definition that ECS would register, without what the registration itself brings (ARN, revision, status).
pub fn admit(account: AccountId, request: RegisterTaskDefinitionRequest) -> Result<api::TaskDefinition, Refusal> {
    let mut draft = Draft::of(account, request)?;
    containers::check_names(&draft)?;
    containers::check_essential(&draft)?;
    if draft.requires(Compatibility::Fargate) {
        fargate::check_network_mode(&draft)?;
    }
    containers::check(&draft)?;
    ports::check(&draft)?;
    volumes::check(&draft)?;
    logs::check(&draft)?;
    secrets::check(&draft)?;
    dependencies::check(&draft)?;
    task::check(&draft)?;
    if draft.requires(Compatibility::Fargate) {
        fargate::check(&draft)?;
    }
    defaults::fill(&mut draft);
    draft.definition.compatibilities = Some(compatibilities(&draft));
    let attributes = capabilities::required_attributes(&draft.definition);
    draft.definition.requires_attributes = Some(attributes).filter(|it| !it.is_empty());
    check_length(&draft.definition)?;
    Ok(draft.definition)
}

impl Draft {
    fn of(account: AccountId, request: RegisterTaskDefinitionRequest) -> Result<Self, Refusal> {
        let cpu = request.cpu.as_deref().map(|it| size::cpu_units(it).ok_or(Refusal::TaskCpu)).transpose()?;
        let memory = request.memory.as_deref().map(|it| size::memory_mib(it).ok_or(Refusal::TaskMemory)).transpose()?;
        check_family(&request.family)?;
        let definition = api::TaskDefinition {
            container_definitions: Some(request.container_definitions),
            cpu: cpu.map(|it| it.to_string()),
            memory: memory.map(|it| it.to_string()),
            enable_fault_injection: request.enable_fault_injection,
            ephemeral_storage: request.ephemeral_storage,
            execution_role_arn: request.execution_role_arn,
            task_role_arn: request.task_role_arn,
            inference_accelerators: request.inference_accelerators,
            ipc_mode: request.ipc_mode,
            pid_mode: request.pid_mode,
            network_mode: request.network_mode,
            placement_constraints: request.placement_constraints,
            proxy_configuration: request.proxy_configuration,
            requires_compatibilities: request.requires_compatibilities,
            runtime_platform: request.runtime_platform,
            trusted_execution_configuration: request.trusted_execution_configuration,
            volumes: request.volumes,
            ..api::TaskDefinition::default()
        };
        let mode = request.network_mode.unwrap_or(NetworkMode::Bridge);
        Ok(Self { account, definition, cpu, memory, mode })
    }

    /// The containers.
    pub(crate) fn containers(&self) -> &[ContainerDefinition] {
        self.definition.container_definitions.as_deref().unwrap_or_default()
    }

    /// The volumes.
    pub(crate) fn volumes(&self) -> &[api::Volume] {
        self.definition.volumes.as_deref().unwrap_or_default()
    }

    /// Whether the client wants it to be checked for this launch type.
    pub(crate) fn requires(&self, compatibility: Compatibility) -> bool {
        self.definition.requires_compatibilities.iter().flatten().any(|it| *it == compatibility)
    }

    /// Whether the container is in the definition.
    pub(crate) fn has_container(&self, name: &str) -> bool {
        self.containers().iter().any(|it| it.name.as_deref() == Some(name))
    }

    /// Whether it is for Windows.
    pub(crate) fn is_windows(&self) -> bool {
        let platform = self.definition.runtime_platform.as_ref();
        platform.and_then(|it| it.operating_system_family).is_some_and(|family| family != OSFamily::Linux)
    }
}

/// The name of a container, once it is known to have one.
fn name_of(container: &ContainerDefinition) -> String {
    container.name.clone().unwrap_or_default()
}

fn check_family(family: &str) -> Result<(), Refusal> {
    match family {
        "" => Err(Refusal::FamilyEmpty),
        family if !is_name(family) => Err(Refusal::FamilyCharacters),
        _ => Ok(()),
    }
}

fn check_length(definition: &api::TaskDefinition) -> Result<(), Refusal> {
    let actual = wire::json::encode(api::TaskDefinition::shape(), &definition.clone().into_value()).len();
    let max = DEFINITION_BYTES_MAX;
    if actual > max { Err(Refusal::TooLong { actual, max }) } else { Ok(()) }
}

/// Where it can run. ECS answers them in no particular order; here it is always the same.
fn compatibilities(draft: &Draft) -> Vec<Compatibility> {
    let is_awsvpc = draft.mode == NetworkMode::Awsvpc;
    let volumes = draft.volumes();
    let is_plain = draft.definition.proxy_configuration.is_none()
        && !volumes.iter().any(|it| {
            it.efs_volume_configuration.is_some()
                || it.fsx_windows_file_server_volume_configuration.is_some()
                || it.s3files_volume_configuration.is_some()
                || it.configured_at_launch == Some(true)
        });
    let mut all = Vec::new();
    if !is_awsvpc && is_plain {
        all.push(Compatibility::External);
    }
    if draft.definition.ephemeral_storage.is_none() {
        all.push(Compatibility::Ec2);
    }
    let is_on_host = matches!(draft.mode, NetworkMode::Awsvpc | NetworkMode::Host);
    let has_docker_volume = volumes.iter().any(|it| it.docker_volume_configuration.is_some());
    if is_on_host && !draft.is_windows() && !has_docker_volume && draft.definition.ephemeral_storage.is_none() {
        all.push(Compatibility::ManagedInstances);
    }
    if fargate::check_network_mode(draft).and_then(|()| fargate::check(draft)).is_ok() {
        all.push(Compatibility::Fargate);
    }
    all
}
