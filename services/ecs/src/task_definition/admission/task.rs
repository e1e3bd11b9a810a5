//! The rules of the task as a whole.

use base::Arn;

use super::Draft;
use crate::api::{Compatibility, IpcMode, NetworkMode, ProxyConfiguration};
use crate::task_definition::refusal::Refusal;

/// ECS's quota of placement constraints in a task definition.
const PLACEMENT_CONSTRAINTS_MAX: usize = 10;
/// The CPU units that a task can have on an instance: 1/8 to 192 vCPUs.
const INSTANCE_CPU: std::ops::RangeInclusive<i64> = 128..=196_608;
/// The bounds of ephemeral storage, in GiB.
const EPHEMERAL_STORAGE: (i32, i32) = (21, 200);
/// The properties without which App Mesh's proxy cannot be set up, and what ECS calls them.
const PROXY_PROPERTIES: [(&str, &str); 3] =
    [("ProxyIngressPort", "Ingress port"), ("ProxyEgressPort", "Egress port"), ("AppPorts", "App ports")];

/// Checks everything that is not a container's.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    let definition = &draft.definition;
    for role in [&definition.task_role_arn, &definition.execution_role_arn].into_iter().flatten() {
        check_role(draft, role)?;
    }
    if definition.inference_accelerators.as_ref().is_some_and(|it| !it.is_empty()) {
        return Err(Refusal::InferenceAccelerators);
    }
    if !draft.requires(Compatibility::Fargate) && draft.cpu.is_some_and(|cpu| !INSTANCE_CPU.contains(&cpu)) {
        return Err(Refusal::TaskCpu);
    }
    if draft.requires(Compatibility::External) && draft.mode == NetworkMode::Awsvpc {
        return Err(Refusal::AwsvpcOnExternal);
    }
    definition.proxy_configuration.as_ref().map_or(Ok(()), |it| check_proxy(draft, it))?;
    check_placement(draft)?;
    check_ephemeral_storage(draft)?;
    check_system_controls(draft)
}

/// A role's name, or the ARN of a role of this account.
fn check_role(draft: &Draft, role: &str) -> Result<(), Refusal> {
    let is_fit = if Arn::looks_like_one(role) {
        role.parse::<Arn>().is_ok_and(|arn| {
            let is_role = arn.resource.strip_prefix("role/").is_some_and(|path| !path.is_empty());
            arn.service == "iam" && arn.account == draft.account.as_str() && is_role
        })
    } else {
        is_role_name(role)
    };
    if is_fit { Ok(()) } else { Err(Refusal::Role) }
}

/// IAM's rule for the names of roles.
fn is_role_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_fit)
}

fn check_proxy(draft: &Draft, proxy: &ProxyConfiguration) -> Result<(), Refusal> {
    if draft.mode != NetworkMode::Awsvpc {
        return Err(Refusal::ProxyNetworkMode);
    }
    if !draft.has_container(&proxy.container_name) {
        return Err(Refusal::ProxyContainer(proxy.container_name.clone()));
    }
    let has = |name: &str| {
        let mut properties = proxy.properties.iter().flatten();
        properties.any(|it| it.name.as_deref() == Some(name) && it.value.as_ref().is_some_and(|it| !it.is_empty()))
    };
    match PROXY_PROPERTIES.into_iter().find(|(name, _)| !has(name)) {
        Some((_, called)) => Err(Refusal::ProxyProperty(called)),
        None if !has("IgnoredUID") && !has("IgnoredGID") => Err(Refusal::ProxyProperty("IgnoredUID or IgnoredGID")),
        None => Ok(()),
    }
}

fn check_placement(draft: &Draft) -> Result<(), Refusal> {
    let constraints = draft.definition.placement_constraints.as_deref().unwrap_or_default();
    if constraints.len() > PLACEMENT_CONSTRAINTS_MAX {
        return Err(Refusal::PlacementConstraintsMax(PLACEMENT_CONSTRAINTS_MAX));
    }
    let is_empty = |expression: Option<&str>| expression.is_none_or(|it| it.trim().is_empty());
    if constraints.iter().any(|it| is_empty(it.expression.as_deref())) {
        return Err(Refusal::PlacementExpressionEmpty);
    }
    Ok(())
}

fn check_ephemeral_storage(draft: &Draft) -> Result<(), Refusal> {
    let Some(size) = draft.definition.ephemeral_storage.as_ref().map(|it| it.size_in_gi_b) else { return Ok(()) };
    let (least, most) = EPHEMERAL_STORAGE;
    let names_a_launch_type = draft.definition.requires_compatibilities.as_ref().is_some_and(|it| !it.is_empty());
    if names_a_launch_type && !draft.requires(Compatibility::Fargate) {
        return Err(Refusal::EphemeralStorageOnEc2);
    }
    match size {
        size if size < least => Err(Refusal::EphemeralStorageSmall(least)),
        size if size > most => Err(Refusal::EphemeralStorageLarge(most)),
        _ => Ok(()),
    }
}

/// Kernel parameters of a namespace that the task shares with its host are the host's.
fn check_system_controls(draft: &Draft) -> Result<(), Refusal> {
    let shares_network = draft.mode == NetworkMode::Host;
    let shares_ipc = draft.definition.ipc_mode == Some(IpcMode::Host);
    for container in draft.containers() {
        for control in container.system_controls.iter().flatten().filter_map(|it| it.namespace.as_deref()) {
            let is_network = control.starts_with("net.");
            if (is_network && shares_network) || (!is_network && shares_ipc) {
                return Err(Refusal::Setting { container: super::name_of(container), setting: "systemControls" });
            }
        }
    }
    Ok(())
}
