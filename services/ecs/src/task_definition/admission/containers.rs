//! The rules of one container.

use super::{Draft, name_of};
use crate::api::{ContainerDefinition, ContainerRestartPolicy, HealthCheck, NetworkMode};
use crate::names::is_name;
use crate::task_definition::refusal::Refusal;

/// ECS's quota of containers in a task definition.
const CONTAINERS_MAX: usize = 10;
/// Docker does not run a container in less, in MiB.
const MEMORY_LEAST: i32 = 6;
/// The least of both timeouts, in seconds.
const TIMEOUT_LEAST: i32 = 2;
/// The most exit codes that a restart policy can ignore.
const IGNORED_EXIT_CODES_MAX: usize = 50;
/// The bounds of a restart policy's period, in seconds.
const RESTART_PERIOD: std::ops::RangeInclusive<i32> = 60..=1800;
/// What an image's name can be made of besides letters and digits.
const IMAGE_PUNCTUATION: &[u8] = b"-_:./#@";

/// Names and images: before anything else, so that every other message can say which container it is about.
pub(super) fn check_names(draft: &Draft) -> Result<(), Refusal> {
    let containers = draft.containers();
    match containers.len() {
        0 => return Err(Refusal::ContainersEmpty),
        many if many > CONTAINERS_MAX => return Err(Refusal::ContainersMax),
        _ => {}
    }
    for (at, container) in containers.iter().enumerate() {
        let name = container.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(Refusal::ContainerNameEmpty);
        }
        if !is_name(name) {
            return Err(Refusal::ContainerNameCharacters);
        }
        if containers[..at].iter().any(|before| before.name == container.name) {
            return Err(Refusal::ContainerNameTwice);
        }
        check_image(container.image.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

fn check_image(image: &str) -> Result<(), Refusal> {
    if image.is_empty() {
        return Err(Refusal::ImageEmpty);
    }
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || IMAGE_PUNCTUATION.contains(&byte);
    if image.bytes().all(is_fit) { Ok(()) } else { Err(Refusal::ImageCharacters) }
}

/// A task ends with its essential containers, so there must be one.
pub(super) fn check_essential(draft: &Draft) -> Result<(), Refusal> {
    let is_essential = |container: &ContainerDefinition| container.essential.unwrap_or(true);
    if draft.containers().iter().any(is_essential) { Ok(()) } else { Err(Refusal::NoEssentialContainer) }
}

/// Everything else of each container that has no file of its own.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    for container in draft.containers() {
        check_memory(draft, container)?;
        check_numbers(container)?;
        check_network(draft, container)?;
        check_links(draft, container)?;
        container.health_check.as_ref().map_or(Ok(()), |it| check_health(container, it))?;
        container.restart_policy.as_ref().map_or(Ok(()), |it| check_restart(container, it))?;
        check_environment(container)?;
        for ulimit in container.ulimits.iter().flatten() {
            if ulimit.soft_limit > ulimit.hard_limit {
                return Err(Refusal::Ulimit(ulimit.name.as_str()));
            }
        }
    }
    check_sums(draft)
}

fn check_memory(draft: &Draft, container: &ContainerDefinition) -> Result<(), Refusal> {
    let name = || name_of(container);
    let (hard, soft) = (container.memory, container.memory_reservation);
    if hard.is_none() && soft.is_none() && draft.memory.is_none() {
        return Err(Refusal::MemoryMissing(name()));
    }
    if let (Some(hard), Some(soft)) = (hard, soft)
        && hard < soft
    {
        return Err(Refusal::MemoryBelowReservation(name()));
    }
    if [hard, soft].iter().flatten().any(|mib| *mib < MEMORY_LEAST) {
        return Err(Refusal::MemoryTooSmall { container: name(), least: MEMORY_LEAST });
    }
    match (hard, draft.memory) {
        (Some(hard), Some(task)) if i64::from(hard) > task => Err(Refusal::MemoryAboveTask(name())),
        _ => Ok(()),
    }
}

fn check_numbers(container: &ContainerDefinition) -> Result<(), Refusal> {
    let name = || name_of(container);
    if container.cpu.unwrap_or_default() < 0 {
        return Err(Refusal::Setting { container: name(), setting: "cpu" });
    }
    if container.start_timeout.is_some_and(|seconds| seconds < TIMEOUT_LEAST) {
        return Err(Refusal::StartTimeout(name()));
    }
    if container.stop_timeout.is_some_and(|seconds| seconds < TIMEOUT_LEAST) {
        return Err(Refusal::StopTimeout(name()));
    }
    let linux = container.linux_parameters.as_ref();
    let swappiness = linux.and_then(|it| it.swappiness).is_some_and(|it| !(0..=100).contains(&it));
    let swap = linux.and_then(|it| it.max_swap).is_some_and(|it| it < 0);
    let shared = linux.and_then(|it| it.shared_memory_size).is_some_and(|it| it < 0);
    let tmpfs = linux.and_then(|it| it.tmpfs.as_ref()).is_some_and(|it| it.iter().any(|mount| mount.size < 1));
    let wrong = [("swappiness", swappiness), ("maxSwap", swap), ("sharedMemorySize", shared), ("tmpfs", tmpfs)];
    match wrong.into_iter().find(|(_, is_wrong)| *is_wrong) {
        Some((setting, _)) => Err(Refusal::Setting { container: name(), setting }),
        None => Ok(()),
    }
}

/// In awsvpc mode the name and its resolution are the network interface's.
fn check_network(draft: &Draft, container: &ContainerDefinition) -> Result<(), Refusal> {
    if draft.mode != NetworkMode::Awsvpc {
        return Ok(());
    }
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|it| !it.is_empty());
    let given = [
        ("hostname is", container.hostname.as_ref().is_some_and(|it| !it.is_empty())),
        ("Disable Networking is", container.disable_networking == Some(true)),
        ("DNS servers are", some(&container.dns_servers)),
        ("DNS search domains are", some(&container.dns_search_domains)),
        ("Extra hosts are", container.extra_hosts.as_ref().is_some_and(|it| !it.is_empty())),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((subject, _)) => Err(Refusal::NotOnContainerInNetworkMode { subject, mode: draft.mode.as_str() }),
        None => Ok(()),
    }
}

/// Links are Docker's bridge's. `name` or `name:alias`.
fn check_links(draft: &Draft, container: &ContainerDefinition) -> Result<(), Refusal> {
    for link in container.links.iter().flatten() {
        if draft.mode != NetworkMode::Bridge {
            return Err(Refusal::NotInNetworkMode { subject: "Links are", mode: draft.mode.as_str() });
        }
        let target = link.split(':').next().unwrap_or_default();
        if !draft.has_container(target) {
            return Err(Refusal::UnknownContainer { setting: "links", container: target.to_owned() });
        }
    }
    Ok(())
}

fn check_health(container: &ContainerDefinition, health: &HealthCheck) -> Result<(), Refusal> {
    let first = health.command.first().map(String::as_str);
    let is_fit = match first {
        Some("NONE") => true,
        Some("CMD" | "CMD-SHELL") => health.command.len() > 1,
        _ => false,
    };
    if !is_fit {
        return Err(Refusal::HealthCheckCommand(name_of(container)));
    }
    for (setting, value, min, max) in [
        ("interval", health.interval, 5, 300),
        ("timeout", health.timeout, 2, 60),
        ("retries", health.retries, 1, 10),
        ("startPeriod", health.start_period, 0, 300),
    ] {
        let Some(value) = value else { continue };
        let container = || name_of(container);
        if value > max {
            return Err(Refusal::HealthCheckMax { container: container(), setting, max });
        }
        if value < min {
            return Err(Refusal::HealthCheckMin { container: container(), setting, min });
        }
    }
    Ok(())
}

fn check_restart(container: &ContainerDefinition, policy: &ContainerRestartPolicy) -> Result<(), Refusal> {
    if policy.restart_attempt_period.is_some_and(|it| !RESTART_PERIOD.contains(&it)) {
        return Err(Refusal::RestartAttemptPeriod(name_of(container)));
    }
    if policy.ignored_exit_codes.as_ref().is_some_and(|it| it.len() > IGNORED_EXIT_CODES_MAX) {
        return Err(Refusal::IgnoredExitCodes { container: name_of(container), max: IGNORED_EXIT_CODES_MAX });
    }
    Ok(())
}

fn check_environment(container: &ContainerDefinition) -> Result<(), Refusal> {
    let is_nameless = |name: Option<&String>| name.is_none_or(String::is_empty);
    if container.environment.iter().flatten().any(|it| is_nameless(it.name.as_ref())) {
        return Err(Refusal::EnvironmentName(name_of(container)));
    }
    if container.system_controls.iter().flatten().any(|it| is_nameless(it.namespace.as_ref())) {
        return Err(Refusal::Setting { container: name_of(container), setting: "systemControls" });
    }
    Ok(())
}

/// What the containers reserve together must fit into the task.
fn check_sums(draft: &Draft) -> Result<(), Refusal> {
    let containers = draft.containers();
    let cpu: i64 = containers.iter().map(|it| i64::from(it.cpu.unwrap_or_default())).sum();
    if draft.cpu.is_some_and(|task| cpu > task) {
        return Err(Refusal::CpuSum);
    }
    let reserved = |it: &ContainerDefinition| i64::from(it.memory_reservation.or(it.memory).unwrap_or_default());
    let memory: i64 = containers.iter().map(reserved).sum();
    if draft.memory.is_some_and(|task| memory > task) { Err(Refusal::MemorySum) } else { Ok(()) }
}
