//! Why a task definition is not registered, in Amazon ECS's own words.

use wire::model::ErrorKind;

use crate::api::errors;

/// A task definition that breaks a rule. The texts are what clients print and what tools search for, so they are ECS's,
/// its odd punctuation included; where none is known, the text says what is wrong in the same manner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // The task.
    /// The family is empty.
    #[error("Family should not be null or empty.")]
    FamilyEmpty,
    /// The family has other characters than letters, digits, `-` and `_`, or more than 255.
    #[error("Family contains invalid characters.")]
    FamilyCharacters,
    /// `cpu` is no number of CPU units or vCPUs, or out of bounds.
    #[error("Invalid 'cpu' setting for task.")]
    TaskCpu,
    /// `memory` is no number of MiB or GB.
    #[error("Invalid 'memory' setting for task.")]
    TaskMemory,
    /// The definition, as JSON, is longer than ECS stores.
    #[error("Actual length: '{actual}'. Max allowed length is '{max}' bytes.")]
    TooLong {
        /// Its length in bytes.
        actual: usize,
        /// The most that is stored.
        max: usize,
    },
    /// A role is neither a role's name nor the ARN of a role of this account.
    #[error("Role is not valid")]
    Role,
    /// An ARN is none, or of the wrong kind.
    #[error("Invalid arn syntax.")]
    ArnSyntax,
    /// Elastic Inference, which AWS has retired.
    #[error("Unsupported field 'inferenceAccelerators'.")]
    InferenceAccelerators,
    /// Σ cpu of the containers exceeds the task's.
    #[error("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")]
    CpuSum,
    /// Σ memory that the containers reserve exceeds the task's.
    #[error(
        "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'."
    )]
    MemorySum,
    /// Ephemeral storage below the least size.
    #[error("EphemeralStorage size should be at least {0}")]
    EphemeralStorageSmall(i32),
    /// Ephemeral storage above the largest size.
    #[error("EphemeralStorage size should be at most {0}")]
    EphemeralStorageLarge(i32),
    /// Ephemeral storage for EC2.
    #[error("Tasks using the EC2 launch type do not support EphemeralStorage.")]
    EphemeralStorageOnEc2,
    /// ECS Anywhere has no task network interfaces.
    #[error("Tasks using the External launch type do not support network mode 'awsvpc'.")]
    AwsvpcOnExternal,
    /// More placement constraints than a definition may have.
    #[error("Too many placement constraints. Specify {0} or less and try again.")]
    PlacementConstraintsMax(usize),
    /// A placement constraint without an expression.
    #[error("The expression of a placement constraint of type 'memberOf' cannot be empty.")]
    PlacementExpressionEmpty,
    /// App Mesh needs a task's own network interface.
    #[error("APPMESH proxy configuration is only supported in networkMode=awsvpc")]
    ProxyNetworkMode,
    /// The proxy container is not in the definition.
    #[error("Proxy container [{0}] does not exist.")]
    ProxyContainer(String),
    /// A property that App Mesh needs.
    #[error("{0} not found")]
    ProxyProperty(&'static str),

    // Containers.
    /// No container at all.
    #[error("Container list cannot be empty.")]
    ContainersEmpty,
    /// More containers than a task may have.
    #[error("Too many containers.")]
    ContainersMax,
    /// A container without a name.
    #[error("Container.name should not be null or empty.")]
    ContainerNameEmpty,
    /// A container's name has other characters than letters, digits, `-` and `_`, or more than 255.
    #[error("Container.name contains invalid characters.")]
    ContainerNameCharacters,
    /// Two containers of one name.
    #[error("Container names must be unique within a task definition.")]
    ContainerNameTwice,
    /// A container without an image.
    #[error("Container.image should not be null or empty.")]
    ImageEmpty,
    /// An image that can be no image's name.
    #[error("Container.image contains invalid characters.")]
    ImageCharacters,
    /// No container whose end ends the task.
    #[error("Task definition doesn't have any essential container.")]
    NoEssentialContainer,
    /// Neither the container nor the task says how much memory.
    #[error("Invalid setting for container '{0}'. At least one of 'memory' or 'memoryReservation' must be specified.")]
    MemoryMissing(String),
    /// The hard limit is below the soft one.
    #[error("Invalid setting for container '{0}'. 'memory' must be greater than or equal to 'memoryReservation'.")]
    MemoryBelowReservation(String),
    /// A container may take more than its task has.
    #[error("The 'memory' setting for container '{0}' is greater than for the task.")]
    MemoryAboveTask(String),
    /// Less memory than a container can be run in.
    #[error("Invalid setting for container '{container}'. 'memory' must be at least {least}.")]
    MemoryTooSmall {
        /// The container.
        container: String,
        /// MiB.
        least: i32,
    },
    /// A setting of a container is out of bounds or of the wrong form.
    #[error("Invalid '{setting}' setting for container '{container}'.")]
    Setting {
        /// The container.
        container: String,
        /// The member.
        setting: &'static str,
    },
    /// A setting that names another container which does not exist.
    #[error("Invalid '{setting}' setting. Unknown container: '{container}'.")]
    UnknownContainer {
        /// `links` or `volumesFrom`.
        setting: &'static str,
        /// What was named.
        container: String,
    },
    /// A start timeout below the least.
    #[error("Granular start timeout on container '{0}' must be at least 2 seconds.")]
    StartTimeout(String),
    /// A stop timeout below the least.
    #[error("Granular stop timeout on container '{0}' must be at least 2 seconds.")]
    StopTimeout(String),
    /// The soft limit is above the hard one.
    #[error("Soft limit exceeds hard limit for ulimit {0}")]
    Ulimit(&'static str),
    /// A number of the health check is too large.
    #[error(
        "Health check {setting} must be less than or equal to the maximum allowed value {max} for container '{container}'"
    )]
    HealthCheckMax {
        /// The container.
        container: String,
        /// The member.
        setting: &'static str,
        /// Its bound.
        max: i32,
    },
    /// A number of the health check is too small.
    #[error(
        "Health check {setting} must be greater than or equal to the minimum allowed value {min} for container '{container}'"
    )]
    HealthCheckMin {
        /// The container.
        container: String,
        /// The member.
        setting: &'static str,
        /// Its bound.
        min: i32,
    },
    /// The health check's command has no word that says how it is run.
    #[error("Health check command must start with CMD, CMD-SHELL or NONE for container '{0}'")]
    HealthCheckCommand(String),
    /// The restart policy's period is out of bounds.
    #[error("The 'restartAttemptPeriod' setting for container '{0}' must be between 60 and 1800.")]
    RestartAttemptPeriod(String),
    /// The restart policy has more exit codes than it may.
    #[error("The 'ignoredExitCodes' setting for container '{container}' must have at most {max} entries.")]
    IgnoredExitCodes {
        /// The container.
        container: String,
        /// The bound.
        max: usize,
    },
    /// A container waits for one that does not exist.
    #[error("Cannot depend on container + '{0}' because it does not exist")]
    DependencyMissing(String),
    /// Containers wait for each other.
    #[error("Container dependsOn contains a cycle")]
    DependencyCycle,
    /// A container waits for the end of one whose end is the task's.
    #[error("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")]
    DependencyEssential,
    /// A container waits for a health that nobody checks.
    #[error("A dependency container with HEALTHY condition must have health check configured")]
    DependencyHealth,
    /// An environment variable without a name.
    #[error("Environment variable name cannot be null or empty for container '{0}'.")]
    EnvironmentName(String),
    /// More environment files than a container may have.
    #[error("The maximum number of environment files was exceeded. Specify ten or less and try again.")]
    EnvironmentFilesMax,
    /// An environment file that is not called `.env`.
    #[error("The environment file must have a .env file extension. Specify a valid file and try again.")]
    EnvironmentFileExtension,
    /// Secrets are read with the execution role.
    #[error("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")]
    SecretsWithoutRole,
    /// Two sources for one environment variable.
    #[error(
        "The secret name must be unique and not shared with any new or existing environment variables set on the \
         container, such as '{0}'."
    )]
    SecretName(String),
    /// A parameter of another account.
    #[error(
        "The Systems Manager parameter ARN has a different account ID than the current account. The current account ID \
         is {ours} and the ARN account ID is {theirs}. Cross-account access for ARNs is not currently supported."
    )]
    ParameterAccount {
        /// The caller's account.
        ours: String,
        /// The ARN's account.
        theirs: String,
    },

    // Network.
    /// A setting that has no meaning in the task's network mode.
    #[error("{subject} not supported when networkMode={mode}.")]
    NotInNetworkMode {
        /// `Links are`, `Port mappings are`.
        subject: &'static str,
        /// The mode.
        mode: &'static str,
    },
    /// A container's setting that has no meaning in the task's network mode.
    #[error("{subject} not supported on container when networkMode={mode}.")]
    NotOnContainerInNetworkMode {
        /// `hostname is`, `DNS servers are`.
        subject: &'static str,
        /// The mode.
        mode: &'static str,
    },
    /// In host and awsvpc mode a port is the same inside and outside.
    #[error("When networkMode={0}, the host ports and container ports in port mappings must match.")]
    PortsMatch(&'static str),
    /// A mapping of one port and of a range.
    #[error("Invalid port mapping for container '{0}', cannot specify both single port and port range.")]
    PortAndRange(String),
    /// A port that is taken twice.
    #[error("{protocol} {side} port '{port}' is used multiple times in task{}.", in_mode(.mode))]
    PortTwice {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// `container` or `host`.
        side: &'static str,
        /// The first one that is taken twice.
        port: i32,
        /// The mode, unless it is bridge.
        mode: Option<&'static str>,
    },
    /// Two port mappings of one name.
    #[error("When networkMode={0}, port mapping name is already used")]
    PortNameTwice(&'static str),

    // Volumes.
    /// A volume without a name.
    #[error("volume.name should not be null or empty.")]
    VolumeNameEmpty,
    /// A volume's name has other characters than letters, digits, `-` and `_`, or more than 255.
    #[error("volume.name contains invalid characters.")]
    VolumeNameCharacters,
    /// Two volumes of one name.
    #[error("Volume names must be unique within a task definition.")]
    VolumeNameTwice,
    /// A container mounts a volume that does not exist.
    #[error("Unknown volume '{0}'.")]
    UnknownVolume(String),
    /// A volume of two kinds.
    #[error("Volume '{0}' can have only one volume configuration.")]
    VolumeKinds(String),
    /// An empty host path.
    #[error("host.sourcePath should not be blank.")]
    HostPathBlank,
    /// Autoprovisioning is for shared volumes.
    #[error("Volume '{0}': autoprovision can only be specified when scope is 'shared'.")]
    AutoprovisionScope(String),
    /// More than one volume that is configured at launch.
    #[error("Only one volume can be configured at launch.")]
    LaunchVolumesMax,
    /// A volume that is configured at launch, and mounted by nobody.
    #[error("Volumes [{0}] are not referenced by any of the containers")]
    VolumesNotReferenced(String),
    /// IAM on EFS goes over TLS only.
    #[error("EFS IAM authorization requires TransitEncryption to be enabled.")]
    EfsIam,
    /// A TLS port without TLS.
    #[error("TransitEncryptionPort requires that TransitEncryption is enabled.")]
    EfsPort,
    /// An access point has its own root.
    #[error("When using an EFS access point, the root directory must either be set to \"/\" or be omitted.")]
    EfsRoot,

    // Logs.
    /// Options that a log driver cannot do without.
    #[error("Log driver {driver} requires options: {}", .options.join(", "))]
    LogOptionsMissing {
        /// The driver.
        driver: &'static str,
        /// What is missing.
        options: Vec<&'static str>,
    },
    /// Options that a log driver does not know.
    #[error("Log driver {driver} disallows options: {}", .options.join(", "))]
    LogOptionsUnknown {
        /// The driver.
        driver: &'static str,
        /// What is too much.
        options: Vec<String>,
    },
    /// Neither of the two modes of delivery.
    #[error("Invalid log driver mode '{0}'. Must be one of [blocking,non-blocking]")]
    LogMode(String),
    /// Logs for a router that is not there.
    #[error(
        "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be \
         configured in one of the containers."
    )]
    FirelensMissing,
    /// Two routers.
    #[error("Only one container can have a firelens configuration object.")]
    FirelensTwice,
    /// An option that FireLens does not know, or with a value that it does not take.
    #[error("Invalid firelens configuration option '{0}'.")]
    FirelensOption(String),

    // Fargate.
    /// Fargate tasks have a network interface of their own.
    #[error("Fargate only supports network mode ‘awsvpc’.")]
    FargateNetworkMode,
    /// Fargate sizes its sandbox by the task.
    #[error("Fargate requires that '{0}' be defined at the task level.")]
    FargateSizeMissing(&'static str),
    /// No sandbox of this size.
    #[error(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation \
         for the valid values."
    )]
    FargateSize {
        /// CPU units.
        cpu: i64,
        /// MiB.
        memory: i64,
    },
    /// A setting that Fargate has not.
    #[error("Fargate compatible task definitions do not support {0}")]
    NotOnFargate(&'static str),
    /// The host's processes are not a Fargate task's.
    #[error(
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'."
    )]
    FargatePidMode,
    /// A privileged container.
    #[error("Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.")]
    FargatePrivileged,
    /// A kernel capability that Fargate does not give.
    #[error("{0} is not allowed on Fargate.")]
    FargateCapability(String),
    /// Fargate has no GPUs.
    #[error("Tasks using the Fargate launch type do not support GPU resource requirements.")]
    FargateGpu,
    /// A family of operating systems that Fargate does not run.
    #[error("Tasks using the Fargate launch type are not supported on operating system family {0}")]
    FargateOperatingSystem(&'static str),
    /// A stop timeout above Fargate's most.
    #[error("Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.")]
    FargateStopTimeout,
    /// A log driver that Fargate has not.
    #[error("{0} is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]")]
    FargateLogDriver(&'static str),
    /// The log stream's name needs a prefix.
    #[error(
        "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs."
    )]
    FargateStreamPrefix,
    /// What Fargate itself does for the task, it does with the execution role.
    #[error("Fargate requires task definition to have execution role ARN to support {0}.")]
    FargateExecutionRole(&'static str),
}

impl Refusal {
    /// The error that the model has for it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TaskCpu | Self::TaskMemory => errors::INVALID_PARAMETER,
            _ => errors::CLIENT,
        }
    }
}

fn in_mode(mode: &Option<&'static str>) -> String {
    mode.map(|mode| format!(" when networkMode={mode}")).unwrap_or_default()
}
