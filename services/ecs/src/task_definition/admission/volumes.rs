//! Volumes, and what containers mount of them.

use base::Arn;

use super::Draft;
use crate::api::{
    DockerVolumeConfiguration, EFSAuthorizationConfigIAM, EFSTransitEncryption, EFSVolumeConfiguration, Scope, Volume,
};
use crate::names::is_name;
use crate::task_definition::refusal::Refusal;

/// Checks the volumes, and that mounts name one.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    let volumes = draft.volumes();
    for (at, volume) in volumes.iter().enumerate() {
        check_volume(volume)?;
        if volumes[..at].iter().any(|before| before.name == volume.name) {
            return Err(Refusal::VolumeNameTwice);
        }
    }
    check_mounts(draft)?;
    check_launch_volumes(draft)
}

fn check_volume(volume: &Volume) -> Result<(), Refusal> {
    let name = volume.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err(Refusal::VolumeNameEmpty);
    }
    if !is_name(name) {
        return Err(Refusal::VolumeNameCharacters);
    }
    let host_path = volume.host.as_ref().and_then(|it| it.source_path.as_deref());
    if host_path.is_some_and(|path| path.trim().is_empty()) {
        return Err(Refusal::HostPathBlank);
    }
    let kinds = [
        host_path.is_some(),
        volume.docker_volume_configuration.is_some(),
        volume.efs_volume_configuration.is_some(),
        volume.fsx_windows_file_server_volume_configuration.is_some(),
        volume.s3files_volume_configuration.is_some(),
        volume.configured_at_launch == Some(true),
    ];
    if kinds.into_iter().filter(|is_given| *is_given).count() > 1 {
        return Err(Refusal::VolumeKinds(name.to_owned()));
    }
    volume.docker_volume_configuration.as_ref().map_or(Ok(()), |it| check_docker(name, it))?;
    volume.efs_volume_configuration.as_ref().map_or(Ok(()), check_efs)?;
    match &volume.s3files_volume_configuration {
        Some(files) if files.file_system_arn.parse::<Arn>().is_err() => Err(Refusal::ArnSyntax),
        _ => Ok(()),
    }
}

fn check_docker(name: &str, docker: &DockerVolumeConfiguration) -> Result<(), Refusal> {
    let is_shared = docker.scope == Some(Scope::Shared);
    if docker.autoprovision == Some(true) && !is_shared {
        return Err(Refusal::AutoprovisionScope(name.to_owned()));
    }
    Ok(())
}

fn check_efs(efs: &EFSVolumeConfiguration) -> Result<(), Refusal> {
    let is_encrypted = efs.transit_encryption == Some(EFSTransitEncryption::Enabled);
    let access = efs.authorization_config.as_ref();
    if access.and_then(|it| it.iam) == Some(EFSAuthorizationConfigIAM::Enabled) && !is_encrypted {
        return Err(Refusal::EfsIam);
    }
    if efs.transit_encryption_port.is_some() && !is_encrypted {
        return Err(Refusal::EfsPort);
    }
    let has_access_point = access.is_some_and(|it| it.access_point_id.is_some());
    let has_root = efs.root_directory.as_deref().is_some_and(|root| !root.is_empty() && root != "/");
    if has_access_point && has_root { Err(Refusal::EfsRoot) } else { Ok(()) }
}

fn check_mounts(draft: &Draft) -> Result<(), Refusal> {
    for container in draft.containers() {
        for mount in container.mount_points.iter().flatten() {
            // ECS prints what is absent as Java does.
            let source = mount.source_volume.as_deref().unwrap_or("null");
            if !draft.volumes().iter().any(|it| it.name.as_deref() == Some(source)) {
                return Err(Refusal::UnknownVolume(source.to_owned()));
            }
            if mount.container_path.as_deref().is_none_or(str::is_empty) {
                let container = super::name_of(container);
                return Err(Refusal::Setting { container, setting: "mountPoints.containerPath" });
            }
        }
        for from in container.volumes_from.iter().flatten() {
            let source = from.source_container.as_deref().unwrap_or("null");
            if !draft.has_container(source) || container.name.as_deref() == Some(source) {
                return Err(Refusal::UnknownContainer { setting: "volumesFrom", container: source.to_owned() });
            }
        }
    }
    Ok(())
}

fn check_launch_volumes(draft: &Draft) -> Result<(), Refusal> {
    let at_launch: Vec<&str> = draft
        .volumes()
        .iter()
        .filter(|it| it.configured_at_launch == Some(true))
        .filter_map(|it| it.name.as_deref())
        .collect();
    if at_launch.len() > 1 {
        return Err(Refusal::LaunchVolumesMax);
    }
    let mut mounts = draft.containers().iter().flat_map(|it| it.mount_points.iter().flatten());
    match at_launch.first() {
        Some(name) if !mounts.any(|it| it.source_volume.as_deref() == Some(name)) => {
            Err(Refusal::VolumesNotReferenced((*name).to_owned()))
        }
        _ => Ok(()),
    }
}
