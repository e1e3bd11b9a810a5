//! What ECS fills in: clients compare what they sent with what they get back, and know these values.

use base::Arn;

use super::Draft;
use crate::api::{
    ContainerDefinition, HostVolumeProperties, NetworkMode, PortMapping, ProxyConfigurationType, Scope,
    TransportProtocol, Volume,
};

/// Seconds between health checks.
const HEALTH_INTERVAL_S: i32 = 30;
/// Seconds that a health check may take.
const HEALTH_TIMEOUT_S: i32 = 5;
/// Failures in a row after which a container is unhealthy.
const HEALTH_RETRIES: i32 = 3;

/// Fills in what was left open.
pub(super) fn fill(draft: &mut Draft) {
    let (mode, account) = (draft.mode, draft.account);
    let definition = &mut draft.definition;
    for container in definition.container_definitions.iter_mut().flatten() {
        fill_container(container, mode);
    }
    for volume in definition.volumes.get_or_insert_default() {
        fill_volume(volume);
    }
    for role in [&mut definition.task_role_arn, &mut definition.execution_role_arn].into_iter().flatten() {
        if !Arn::looks_like_one(role) {
            *role = Arn::global("iam", account, format!("role/{role}")).to_string();
        }
    }
    definition.placement_constraints.get_or_insert_default();
    if let Some(proxy) = &mut definition.proxy_configuration {
        proxy.r#type.get_or_insert(ProxyConfigurationType::Appmesh);
    }
}

fn fill_container(container: &mut ContainerDefinition, mode: NetworkMode) {
    container.cpu.get_or_insert(0);
    container.essential.get_or_insert(true);
    container.environment.get_or_insert_default();
    container.mount_points.get_or_insert_default();
    container.volumes_from.get_or_insert_default();
    container.system_controls.get_or_insert_default();
    for mapping in container.port_mappings.get_or_insert_default() {
        fill_mapping(mapping, mode);
    }
    if let Some(health) = &mut container.health_check {
        health.interval.get_or_insert(HEALTH_INTERVAL_S);
        health.timeout.get_or_insert(HEALTH_TIMEOUT_S);
        health.retries.get_or_insert(HEALTH_RETRIES);
    }
}

/// A port is the same inside and outside where the network is the container's own or the host's; elsewhere the host's is
/// found when the task starts, which 0 says.
fn fill_mapping(mapping: &mut PortMapping, mode: NetworkMode) {
    mapping.protocol.get_or_insert(TransportProtocol::Tcp);
    let Some(port) = mapping.container_port else { return };
    let is_same = matches!(mode, NetworkMode::Awsvpc | NetworkMode::Host);
    let host = mapping.host_port.get_or_insert(0);
    if is_same && *host == 0 {
        *host = port;
    }
}

/// A volume of no kind is an empty directory of the host, which lives as long as the task.
fn fill_volume(volume: &mut Volume) {
    if let Some(docker) = &mut volume.docker_volume_configuration {
        docker.scope.get_or_insert(Scope::Task);
        docker.driver.get_or_insert_with(|| "local".to_owned());
    }
    if let Some(efs) = &mut volume.efs_volume_configuration {
        efs.root_directory.get_or_insert_with(|| "/".to_owned());
    }
    let has_kind = volume.docker_volume_configuration.is_some()
        || volume.efs_volume_configuration.is_some()
        || volume.fsx_windows_file_server_volume_configuration.is_some()
        || volume.s3files_volume_configuration.is_some()
        || volume.configured_at_launch == Some(true);
    if !has_kind {
        volume.host.get_or_insert_with(HostVolumeProperties::default);
    }
}
