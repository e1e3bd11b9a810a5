//! What an instance must be able to do to run a task: attributes that agents report and ECS compares.
//!
//! A `docker-remote-api` version is the first that knows what is asked for. They stand for features, not for Docker: an
//! instance that has the feature reports the attribute.

use crate::api::{
    self, Attribute, ContainerDefinition, FirelensConfiguration, FirelensConfigurationType, HealthCheck,
    LogConfiguration, LogDriver, NetworkMode, Volume,
};
use crate::task_definition::admission::is_ecr_image;

const PREFIX: &str = "com.amazonaws.ecs.capability.";
/// Options of awslogs that Docker has known since 17.05.
const AWSLOGS_LATER_OPTIONS: [&str; 3] =
    ["awslogs-create-group", "awslogs-datetime-format", "awslogs-multiline-pattern"];

/// The attributes that a definition requires, each once.
pub fn required_attributes(definition: &api::TaskDefinition) -> Vec<Attribute> {
    let mut needs = Needs::default();
    let has_execution_role = definition.execution_role_arn.is_some();
    for container in definition.container_definitions.iter().flatten() {
        of_container(&mut needs, container, has_execution_role);
    }
    for volume in definition.volumes.iter().flatten() {
        of_volume(&mut needs, volume);
    }
    of_task(&mut needs, definition);
    let attribute = |name| Attribute { name, ..Attribute::default() };
    needs.0.into_iter().map(attribute).collect()
}

/// Names of attributes in the order in which they were first needed.
#[derive(Default)]
struct Needs(Vec<String>);

impl Needs {
    fn add(&mut self, name: impl Into<String>) {
        let name = name.into();
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    fn add_if(&mut self, is_needed: bool, name: &str) {
        if is_needed {
            self.add(name);
        }
    }

    fn docker_if(&mut self, is_needed: bool, version: &str) {
        if is_needed {
            self.add(format!("{PREFIX}docker-remote-api.{version}"));
        }
    }
}

fn of_task(needs: &mut Needs, definition: &api::TaskDefinition) {
    let mode = definition.network_mode.unwrap_or(NetworkMode::Bridge);
    if definition.task_role_arn.is_some() {
        let suffix = if mode == NetworkMode::Host { "task-iam-role-network-host" } else { "task-iam-role" };
        needs.add(format!("{PREFIX}{suffix}"));
    }
    let shares = definition.pid_mode.is_some() || definition.ipc_mode.is_some();
    needs.add_if(shares, "ecs.capability.pid-ipc-namespace-sharing");
    needs.add_if(definition.proxy_configuration.is_some(), "ecs.capability.aws-appmesh");
    needs.add_if(definition.enable_fault_injection == Some(true), "ecs.capability.fault-injection");
    if mode == NetworkMode::Awsvpc {
        needs.docker_if(true, "1.18");
        needs.add("ecs.capability.task-eni");
    }
}

fn of_container(needs: &mut Needs, container: &ContainerDefinition, has_execution_role: bool) {
    container.log_configuration.iter().for_each(|it| of_logs(needs, it, has_execution_role));
    container.firelens_configuration.iter().for_each(|it| of_firelens(needs, it));
    if container.image.as_deref().is_some_and(is_ecr_image) {
        needs.add(format!("{PREFIX}ecr-auth"));
        needs.add_if(has_execution_role, "ecs.capability.execution-role-ecr-pull");
    }
    needs.docker_if(container.memory_reservation.is_some(), "1.21");
    needs.docker_if(container.readonly_root_filesystem == Some(true), "1.17");
    let has_labels = container.docker_labels.as_ref().is_some_and(|it| !it.is_empty());
    let has_ulimits = container.ulimits.as_ref().is_some_and(|it| !it.is_empty());
    needs.docker_if(has_labels || has_ulimits, "1.18");
    needs.docker_if(container.system_controls.as_ref().is_some_and(|it| !it.is_empty()), "1.24");
    needs.add_if(container.privileged == Some(true), "com.amazonaws.ecs.capability.privileged-container");
    of_security(needs, container);
    of_secrets(needs, container);
    container.health_check.iter().for_each(|it| of_health(needs, it));
    let linux = container.linux_parameters.as_ref();
    needs.docker_if(linux.is_some_and(|it| it.init_process_enabled == Some(true)), "1.25");
    let has_tmpfs = linux.is_some_and(|it| it.tmpfs.as_ref().is_some_and(|it| !it.is_empty()));
    needs.docker_if(has_tmpfs || linux.is_some_and(|it| it.shared_memory_size.is_some()), "1.22");
    let is_ordered = container.depends_on.as_ref().is_some_and(|it| !it.is_empty())
        || container.start_timeout.is_some()
        || container.stop_timeout.is_some();
    needs.add_if(is_ordered, "ecs.capability.container-ordering");
    let restarts = container.restart_policy.as_ref().is_some_and(|it| it.enabled);
    needs.add_if(restarts, "ecs.capability.container-restart-policy");
    let has_range = container.port_mappings.iter().flatten().any(|it| it.container_port_range.is_some());
    needs.add_if(has_range, "ecs.capability.container-port-range");
}

/// A driver, and the first version of Docker's API that ECS asks for it.
fn of_logs(needs: &mut Needs, logs: &LogConfiguration, has_execution_role: bool) {
    let driver = logs.log_driver;
    needs.add(format!("{PREFIX}logging-driver.{}", driver.as_str()));
    needs.add_if(has_execution_role && driver == LogDriver::Awslogs, "ecs.capability.execution-role-awslogs");
    let version = match driver {
        LogDriver::JsonFile | LogDriver::Syslog => Some("1.18"),
        LogDriver::Awslogs | LogDriver::Journald => Some("1.19"),
        LogDriver::Gelf | LogDriver::Fluentd => Some("1.20"),
        LogDriver::Splunk => Some("1.22"),
        LogDriver::Awsfirelens => None,
    };
    version.into_iter().for_each(|version| needs.docker_if(true, version));
    let is_later = |option: &str| logs.options.as_ref().is_some_and(|it| it.contains_key(option));
    needs.docker_if(AWSLOGS_LATER_OPTIONS.into_iter().any(is_later), "1.29");
    for secret in logs.secret_options.iter().flatten() {
        needs.add(format!("ecs.capability.secrets.{}.bootstrap.log-driver", store_of(&secret.value_from)));
    }
}

fn of_firelens(needs: &mut Needs, firelens: &FirelensConfiguration) {
    needs.add(match firelens.r#type {
        FirelensConfigurationType::Fluentd => "ecs.capability.firelens.fluentd",
        FirelensConfigurationType::Fluentbit => "ecs.capability.firelens.fluentbit",
    });
    let source = firelens.options.as_ref().and_then(|it| it.get("config-file-type"));
    source.into_iter().for_each(|source| needs.add(format!("ecs.capability.firelens.options.config.{source}")));
}

fn of_security(needs: &mut Needs, container: &ContainerDefinition) {
    let options = container.docker_security_options.iter().flatten();
    for option in options.chain(container.credential_specs.iter().flatten()) {
        match option.split(':').next().unwrap_or_default() {
            "label" => needs.add(format!("{PREFIX}selinux")),
            "apparmor" => needs.add(format!("{PREFIX}apparmor")),
            "credentialspec" => needs.add("ecs.capability.gmsa"),
            "credentialspecdomainless" => needs.add("ecs.capability.gmsa-domainless"),
            _ => {}
        }
    }
}

fn of_secrets(needs: &mut Needs, container: &ContainerDefinition) {
    for secret in container.secrets.iter().flatten() {
        needs.add(format!("ecs.capability.secrets.{}.environment-variables", store_of(&secret.value_from)));
    }
    let has_files = container.environment_files.as_ref().is_some_and(|it| !it.is_empty());
    needs.add_if(has_files, "ecs.capability.env-files.s3");
    let is_private = container.repository_credentials.is_some();
    needs.add_if(is_private, "ecs.capability.private-registry-authentication.secretsmanager");
}

/// Secrets Manager's attributes say `asm`, Parameter Store's `ssm`.
fn store_of(source: &str) -> &'static str {
    if source.contains(":secretsmanager:") { "asm" } else { "ssm" }
}

fn of_health(needs: &mut Needs, health: &HealthCheck) {
    needs.add("ecs.capability.container-health-check");
    needs.docker_if(health.start_period.is_some(), "1.29");
}

fn of_volume(needs: &mut Needs, volume: &Volume) {
    if let Some(efs) = &volume.efs_volume_configuration {
        needs.add_if(efs.authorization_config.is_some(), "ecs.capability.efsAuth");
        needs.add("ecs.capability.efs");
        needs.docker_if(true, "1.25");
    }
    if let Some(docker) = &volume.docker_volume_configuration {
        needs.add(format!("ecs.capability.docker-plugin.{}", docker.driver.as_deref().unwrap_or("local")));
        needs.docker_if(true, "1.25");
    }
    let has_fsx = volume.fsx_windows_file_server_volume_configuration.is_some();
    needs.add_if(has_fsx, "ecs.capability.fsxWindowsFileServer");
    needs.add_if(volume.configured_at_launch == Some(true), "ecs.capability.storage.ebs-task-volume-attach");
}
