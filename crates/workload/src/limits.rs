//! How much a workload may be.

/// Containers of a workload; ECS allows 10 in a task, Kubernetes says none.
pub const CONTAINERS_MAX: usize = 64;
/// Volumes of a workload, and mounts of a container.
pub const VOLUMES_MAX: usize = 128;
/// Published ports of a workload; ECS allows 100.
pub const PORTS_MAX: usize = 128;
/// A specification as JSON, in bytes: it is a value of the store.
pub const SPEC_BYTES_MAX: usize = 512 * 1024;
/// The arguments and the environment of a process, in bytes each.
pub const PROCESS_BYTES_MAX: usize = 256 * 1024;
/// A name of a container or volume, in bytes; ECS's limit.
pub const NAME_BYTES_MAX: usize = 255;
/// A path in a container, in bytes; the kernel's limit less the terminating zero.
pub const PATH_BYTES_MAX: usize = 4095;
/// How much of a container's output a node keeps unless told otherwise, in bytes.
pub const OUTPUT_BYTES_DEFAULT: u64 = 16 * 1024 * 1024;
/// The least and the most of it that can be asked for, in bytes.
pub const OUTPUT_BYTES_RANGE: [u64; 2] = [64 * 1024, 4 * 1024 * 1024 * 1024];
/// How long after its stop signal a container is killed unless told otherwise, in seconds.
pub const STOP_TIMEOUT_S_DEFAULT: u32 = 10;
/// The size of `/dev/shm` unless told otherwise, in bytes; Docker's.
pub const SHM_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
/// The least memory that a container can be limited to, in bytes; ECS's.
pub const MEMORY_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// The least disk that what is written can be limited to, in bytes: less holds no file system.
pub const DISK_BYTES_MIN: u64 = 1024 * 1024;
/// Devices of a container.
pub const DEVICES_MAX: usize = 64;
/// Files that are given with a volume.
pub const FILES_MAX: usize = 512;
/// Further lines of `/etc/hosts`.
pub const HOSTS_MAX: usize = 256;
/// Names of a workload within its group, and of a line of `/etc/hosts`.
pub const ALIASES_MAX: usize = 32;
/// Labels of a workload.
pub const LABELS_MAX: usize = 256;
/// The most archives that one volume is made of.
pub const ARCHIVES_MAX: usize = 16;
