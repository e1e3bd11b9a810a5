//! The waist of the house: one type for what runs, whoever wanted it. An ECS task, a pod, a Lambda execution environment and
//! what `pilvi run` starts are all a [`Spec`]: containers that share a network namespace and limits, on one node. What is to
//! become of it is [`Desired`]; what came of it is [`Observed`].
//!
//! Pure types: no input, no output, no word of AWS or Kubernetes. Services lower theirs to a [`Spec`] and read [`Observed`]
//! back; the scheduler reads [`Demand`]; the node makes it true.

mod container;
mod demand;
mod error;
mod id;
pub mod limits;
mod observed;
mod phase;
mod spec;
mod validate;

pub use container::{
    Capabilities, Condition, Container, Dependency, Device, EnvVar, HealthCheck, HealthProbe, MemoryLimits,
    MountedVolume, OutputPolicy, Restart, RestartWhen, Seccomp, TmpfsMount, Ulimit,
};
pub use demand::{Demand, PortDemand};
pub use error::InvalidSpec;
pub use id::{NodeId, WorkloadId};
pub use observed::{
    ContainerObserved, ContainerState, ExitStatus, Health, Observed, PortBinding, Reason, ReasonCode, Step, StepName,
    StepOutcome,
};
pub use phase::{Event, IllegalTransition, Phase};
pub use spec::{
    Desired, HostEntry, Isolation, Network, NetworkMode, PortProtocol, PublishedPort, Resources, Spec, Volume,
    VolumeSource,
};
