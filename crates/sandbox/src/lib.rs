//! Containers: real processes in namespaces, cgroups and a root of their own, confined by capabilities and system call
//! filters. The only crate of ours with unsafe code.
//!
//! - A *shim* (`shim`) is a single-threaded process for each workload. It holds the sandbox's namespaces by a child (whose death,
//!   like its own, ends everything in it by the kernel alone), makes containers, keeps their output and how they ended. It
//!   outlives the node, which finds it again.
//! - The *launcher* ([`client::Launcher`]) is what shims are forked from: the program, executed as nobody can change it.
//! - [`client::Shim`] is the node's handle on a shim; [`protocol`] what they say to each other; [`plan`] what is asked for.
//! - [`setup`] is what happens between `clone3(2)` and `execve(2)`.
//! - [`cgroup`]: limits and counters, for version 1, version 2 and both at once. [`disk`]: directories that hold so many bytes.
//! - [`output`]: what containers print, in files of bounded size.
//!
//! What is not here: images, networks, volumes, restarts, and any word of AWS or Kubernetes.

pub mod capabilities;
pub mod cgroup;
pub mod client;
pub mod disk;
pub mod launcher;
pub mod mounts;
pub mod output;
pub mod plan;
pub mod protocol;
mod seccomp;
pub mod setup;
mod shim;
mod sys;
mod users;
