//! What Fargate refuses. Also decides whether a definition that was not asked to be is compatible with it.

use super::Draft;
use crate::api::{
    ContainerDefinition, LinuxParameters, LogConfiguration, LogDriver, NetworkMode, OSFamily, PidMode, ResourceType,
};
use crate::task_definition::fargate_size;
use crate::task_definition::refusal::Refusal;

/// The kernel capability that Fargate gives.
const CAPABILITY: &str = "SYS_PTRACE";
/// The longest stop timeout, in seconds.
const STOP_TIMEOUT_MAX: i32 = 120;

/// A Fargate task has a network interface of its own.
pub(super) fn check_network_mode(draft: &Draft) -> Result<(), Refusal> {
    if draft.mode == NetworkMode::Awsvpc { Ok(()) } else { Err(Refusal::FargateNetworkMode) }
}

/// Checks everything else.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    check_task(draft)?;
    for container in draft.containers() {
        check_container(draft, container)?;
        container.linux_parameters.as_ref().map_or(Ok(()), check_linux)?;
        container.log_configuration.as_ref().map_or(Ok(()), |it| check_logs(draft, it))?;
    }
    check_size(draft)
}

fn check_task(draft: &Draft) -> Result<(), Refusal> {
    let definition = &draft.definition;
    if definition.ipc_mode.is_some() {
        return Err(Refusal::NotOnFargate("ipcMode"));
    }
    if definition.pid_mode == Some(PidMode::Host) {
        return Err(Refusal::FargatePidMode);
    }
    if definition.placement_constraints.as_ref().is_some_and(|it| !it.is_empty()) {
        return Err(Refusal::NotOnFargate("constraints"));
    }
    let family = definition.runtime_platform.as_ref().and_then(|it| it.operating_system_family);
    if let Some(
        family @ (OSFamily::WindowsServer2016Full | OSFamily::WindowsServer2004Core | OSFamily::WindowsServer20h2Core),
    ) = family
    {
        return Err(Refusal::FargateOperatingSystem(family.as_str()));
    }
    for volume in draft.volumes() {
        if volume.host.as_ref().is_some_and(|it| it.source_path.is_some()) {
            return Err(Refusal::NotOnFargate("sourcePath"));
        }
        if volume.docker_volume_configuration.is_some() {
            return Err(Refusal::NotOnFargate("dockerVolumeConfiguration"));
        }
        if volume.fsx_windows_file_server_volume_configuration.is_some() {
            return Err(Refusal::NotOnFargate("fsxWindowsFileServerVolumeConfiguration"));
        }
    }
    Ok(())
}

fn check_container(draft: &Draft, container: &ContainerDefinition) -> Result<(), Refusal> {
    if container.privileged == Some(true) {
        return Err(Refusal::FargatePrivileged);
    }
    if container.docker_security_options.as_ref().is_some_and(|it| !it.is_empty()) {
        return Err(Refusal::NotOnFargate("dockerSecurityOptions"));
    }
    if container.resource_requirements.iter().flatten().any(|it| it.r#type == ResourceType::Gpu) {
        return Err(Refusal::FargateGpu);
    }
    if container.stop_timeout.is_some_and(|seconds| seconds > STOP_TIMEOUT_MAX) {
        return Err(Refusal::FargateStopTimeout);
    }
    let is_ecr = container.image.as_deref().is_some_and(is_ecr_image);
    if is_ecr && draft.definition.execution_role_arn.is_none() {
        return Err(Refusal::FargateExecutionRole("ECR images"));
    }
    Ok(())
}

fn check_linux(linux: &LinuxParameters) -> Result<(), Refusal> {
    let added = linux.capabilities.as_ref().and_then(|it| it.add.as_deref()).unwrap_or_default();
    if let Some(capability) = added.iter().find(|it| *it != CAPABILITY) {
        return Err(Refusal::FargateCapability(capability.clone()));
    }
    let given = [
        ("devices", linux.devices.as_ref().is_some_and(|it| !it.is_empty())),
        ("sharedMemorySize", linux.shared_memory_size.is_some()),
        ("maxSwap", linux.max_swap.is_some()),
        ("swappiness", linux.swappiness.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Refusal::NotOnFargate(name)),
        None => Ok(()),
    }
}

fn check_logs(draft: &Draft, logs: &LogConfiguration) -> Result<(), Refusal> {
    match logs.log_driver {
        LogDriver::Awslogs => {
            if !logs.options.as_ref().is_some_and(|it| it.contains_key("awslogs-stream-prefix")) {
                return Err(Refusal::FargateStreamPrefix);
            }
            if draft.definition.execution_role_arn.is_none() {
                return Err(Refusal::FargateExecutionRole("log driver awslogs"));
            }
            Ok(())
        }
        LogDriver::Splunk | LogDriver::Awsfirelens => Ok(()),
        other => Err(Refusal::FargateLogDriver(other.as_str())),
    }
}

fn check_size(draft: &Draft) -> Result<(), Refusal> {
    let cpu = draft.cpu.ok_or(Refusal::FargateSizeMissing("cpu"))?;
    let memory = draft.memory.ok_or(Refusal::FargateSizeMissing("memory"))?;
    if fargate_size::exists(cpu, memory, draft.is_windows()) {
        Ok(())
    } else {
        Err(Refusal::FargateSize { cpu, memory })
    }
}

/// `<account>.dkr.ecr.<region>.amazonaws.com/…`
pub(in crate::task_definition) fn is_ecr_image(image: &str) -> bool {
    let host = image.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.")
}
