//! One group: made, limited, looked at, removed.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::Pid;

use super::detect::{enable, fill_cpuset, path_of};
use super::devices::{DEVICE_RULES_MAX, DeviceRules};
use super::error::Error;
use super::hierarchy::{Controller, Directory, Hierarchy, Version};
use super::limits::{self, Limits, Write};
use super::stats::{self, Stats};
use super::{Inner, SANDBOX, bpf, check_name, devices};
use crate::plan::CgroupPlan;

/// A workload's group or one within it. Holds no descriptor: a node may have as many as it likes.
#[derive(Debug, Clone)]
pub struct Group {
    pub(super) inner: Arc<Inner>,
    /// Beneath the node's own directory, in every hierarchy.
    pub(super) path: String,
}

impl Group {
    pub(super) fn make(inner: Arc<Inner>, path: String, limits: &Limits) -> Result<Self, Error> {
        let group = Self { inner, path };
        group.check(limits)?;
        let mut made = Vec::new();
        let outcome = group.make_directories(limits, &mut made).and_then(|()| group.apply(limits));
        if let Err(error) = outcome {
            for hierarchy in made {
                // What cannot be removed is found, empty, by the next start of the node.
                let _ = hierarchy.top.remove(&group.path);
            }
            return Err(error);
        }
        Ok(group)
    }

    pub(super) fn open(inner: Arc<Inner>, path: String) -> Result<Self, Error> {
        let group = Self { inner, path };
        if group.directories()?.is_empty() { Err(Error::Absent { path: group.path }) } else { Ok(group) }
    }

    /// Makes a group within this one, or takes the one that is there and limits it: a container's.
    ///
    /// # Errors
    /// As [`super::Cgroups::workload`].
    pub fn child(&self, name: &str, limits: &Limits) -> Result<Self, Error> {
        check_name(name)?;
        Self::make(Arc::clone(&self.inner), format!("{}/{name}", self.path), limits)
    }

    /// A group within this one that was made before.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::Name`].
    pub fn open_child(&self, name: &str) -> Result<Self, Error> {
        check_name(name)?;
        Self::open(Arc::clone(&self.inner), format!("{}/{name}", self.path))
    }

    /// Makes the group within this one that the sandbox's own process is in: in version 2 no process can be in a group that
    /// has groups with limits, and no container's name is in its way.
    pub fn sandbox(&self, limits: &Limits) -> Result<Self, Error> {
        Self::make(Arc::clone(&self.inner), format!("{}/{SANDBOX}", self.path), limits)
    }

    /// The names of the groups within this one, sorted, but for the sandbox's.
    pub fn children(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for (_, directory) in self.directories()? {
            names.extend(directory.children()?.into_iter().filter(|name| !name.starts_with('.')));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// What a shim's child needs to enter it.
    pub fn plan(&self) -> Result<CgroupPlan, Error> {
        let directories = self.directories()?;
        let paths = directories.iter().map(|(_, directory)| directory.path().display().to_string());
        Ok(CgroupPlan { directories: paths.collect() })
    }

    /// Moves a process of the host's into it.
    pub fn add(&self, process: Pid) -> Result<(), Error> {
        for (_, directory) in self.directories()? {
            directory.write("cgroup.procs", &process.as_raw_nonzero().to_string())?;
        }
        Ok(())
    }

    /// Changes limits: those that are given. Devices stay as they are.
    ///
    /// # Errors
    /// As [`super::Cgroups::workload`]. Version 1 refuses a maximum of memory that is less than what is in use and cannot be
    /// dropped, with `EBUSY`.
    pub fn update(&self, limits: &Limits) -> Result<(), Error> {
        let limits = Limits { devices: None, ..limits.clone() };
        self.check(&limits)?;
        self.apply(&limits)
    }

    /// What it has used.
    ///
    /// # Errors
    /// [`Error::Absent`] once it is removed.
    pub fn stats(&self) -> Result<Stats, Error> {
        let directories = self.directories()?;
        if directories.is_empty() {
            return Err(Error::Absent { path: self.path.clone() });
        }
        let mut stats = Stats::default();
        for (hierarchy, directory) in &directories {
            stats::add(&mut stats, directory, &hierarchy.controllers, hierarchy.version);
        }
        if let Some(memory) = self.inner.holder(Controller::Memory) {
            stats.memory_bytes_max = self.memory_max(memory)?.unwrap_or(0);
            stats.oom_kills = self.oom_kills(memory)?;
        }
        Ok(stats)
    }

    /// The processes in it and in the groups within it, as the calling process sees them.
    pub fn processes(&self) -> Result<Vec<Pid>, Error> {
        match self.directories()?.first() {
            Some((_, directory)) => processes_in(directory),
            None => Ok(Vec::new()),
        }
    }

    /// Its directories, in the hierarchies that it is in.
    pub(super) fn directories(&self) -> Result<Vec<(&Hierarchy, Directory)>, Error> {
        let mut directories = Vec::with_capacity(self.inner.hierarchies.len());
        for hierarchy in &self.inner.hierarchies {
            if let Some(directory) = hierarchy.top.child(&self.path)? {
                directories.push((hierarchy, directory));
            }
        }
        Ok(directories)
    }

    fn check(&self, wanted: &Limits) -> Result<(), Error> {
        limits::check(wanted)?;
        for (controller, limit) in limits::needed(wanted) {
            if self.inner.holder(controller).is_none() {
                return Err(Error::Unsupported { limit, reason: self.inner.why_missing(controller.name()) });
            }
        }
        let Some(rules) = &wanted.devices else { return Ok(()) };
        if rules.allowed.len() > DEVICE_RULES_MAX {
            let value = format!("{} rules", rules.allowed.len());
            return Err(Error::Invalid { limit: "the use of devices", value, reason: "there are at most 400" });
        }
        let by_version_1 = self.inner.holder(Controller::Devices).is_some();
        if !by_version_1 && self.inner.missing.iter().any(|missing| missing.what == "devices") {
            let reason = self.inner.why_missing("devices");
            return Err(Error::Unsupported { limit: "the use of devices", reason });
        }
        Ok(())
    }

    /// In each hierarchy that is of use to it; those where a directory was made now are told to the caller.
    fn make_directories<'a>(&'a self, limits: &Limits, made: &mut Vec<&'a Hierarchy>) -> Result<(), Error> {
        for hierarchy in &self.inner.hierarchies {
            let is_cpuset_v1 = hierarchy.controllers == [Controller::Cpuset] && hierarchy.version == Version::One;
            let above = self.path.rsplit_once('/').map(|(above, _)| above);
            if is_cpuset_v1 && limits.cpuset.is_none() {
                // Most workloads leave the processors alone, and then have no group of this kind.
                let is_limited_above = above.is_some_and(|above| matches!(hierarchy.top.child(above), Ok(Some(_))));
                if !is_limited_above {
                    continue;
                }
            } else if is_cpuset_v1 && let Some(above) = above {
                fill_cpuset(&hierarchy.top.make(above)?.0)?;
            }
            let (directory, is_new) = hierarchy.top.make(&self.path)?;
            if is_new {
                made.push(hierarchy);
            }
            if hierarchy.version == Version::Two {
                self.enable_beneath(hierarchy, &directory)?;
            } else if hierarchy.controllers.contains(&Controller::Cpuset) {
                fill_cpuset(&directory)?;
            }
        }
        Ok(())
    }

    /// A workload's containers are to be controlled, too. Containers have nothing in them that is.
    fn enable_beneath(&self, hierarchy: &Hierarchy, directory: &Directory) -> Result<(), Error> {
        if self.path.contains('/') || self.path == super::SHIMS {
            return Ok(());
        }
        for &controller in &hierarchy.controllers {
            enable(directory, controller)
                .map_err(Error::io("enabling controllers in", directory.path().join("cgroup.subtree_control")))?;
        }
        Ok(())
    }

    fn apply(&self, wanted: &Limits) -> Result<(), Error> {
        for (hierarchy, directory) in self.directories()? {
            for &controller in &hierarchy.controllers {
                for write in limits::writes(wanted, controller, hierarchy.version) {
                    write_first(&directory, &write)?;
                }
                match controller {
                    Controller::Memory => limit_memory(&directory, hierarchy.version, wanted.memory_bytes_max)?,
                    Controller::Cpu if hierarchy.version == Version::One => {
                        self.limit_cpu_v1(hierarchy, &directory, wanted.cpu_millis_max)?;
                    }
                    Controller::Devices => allow_devices(&directory, wanted.devices.as_ref())?,
                    _ => {}
                }
            }
            let is_asked = hierarchy.version == Version::Two && self.inner.holder(Controller::Devices).is_none();
            if let Some(rules) = wanted.devices.as_ref().filter(|_| is_asked) {
                let attached = bpf::load(&devices::program(rules))
                    .and_then(|program| bpf::attach(program.as_fd(), directory.descriptor()));
                attached.map_err(|source| Error::Io {
                    doing: "attaching a program for devices to",
                    path: directory.path().display().to_string(),
                    source,
                })?;
            }
        }
        if wanted.memory_bytes_reserved.is_some() {
            self.inner.reserved.pass_up(&self.inner.hierarchies, &self.path)?;
        }
        Ok(())
    }

    /// Version 1 refuses a maximum that is more than that of the group above; what it means is the lesser of the two.
    fn limit_cpu_v1(&self, hierarchy: &Hierarchy, directory: &Directory, millis: Option<u32>) -> Result<(), Error> {
        let Some(millis) = millis else { return Ok(()) };
        let above = match self.path.rsplit_once('/') {
            Some((above, _)) => hierarchy.top.child(above)?.and_then(|above| above.number("cpu.cfs_quota_us")),
            // -1, which is no number here, is no limit.
            None => None,
        };
        let quota_us = limits::cpu_quota_us(millis).min(above.unwrap_or(u64::MAX));
        directory.write("cpu.cfs_period_us", &limits::CPU_PERIOD_US.to_string())?;
        directory.write("cpu.cfs_quota_us", &quota_us.to_string())
    }

    /// The least of its own limit and those above it.
    fn memory_max(&self, memory: &Hierarchy) -> Result<Option<u64>, Error> {
        let mut least = None;
        for path in self.path.match_indices('/').map(|(at, _)| &self.path[..at]).chain([self.path.as_str()]) {
            let Some(directory) = memory.top.child(path)? else { continue };
            if let Some(max) = stats::memory_max(&directory, memory.version) {
                least = Some(least.map_or(max, |least: u64| least.min(max)));
            }
        }
        Ok(least)
    }

    fn oom_kills(&self, memory: &Hierarchy) -> Result<u64, Error> {
        let Some(directory) = memory.top.child(&self.path)? else { return Ok(0) };
        let mut kills = stats::oom_kills(&directory, memory.version);
        if memory.version == Version::One {
            for name in directory.children()? {
                let child = directory.child(&name)?;
                kills += child.map_or(0, |child| stats::oom_kills(&child, Version::One));
            }
        }
        Ok(kills)
    }
}

/// How deep groups are followed that a container has made within its own.
pub(super) const DEPTH_MAX: usize = 16;

fn processes_in(directory: &Directory) -> Result<Vec<Pid>, Error> {
    let mut processes = Vec::new();
    visit(directory, DEPTH_MAX, &mut |directory| {
        let listed = directory.read_if_there("cgroup.procs").unwrap_or_default();
        // 0 is one that this process does not see.
        processes.extend(listed.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw));
    })?;
    Ok(processes)
}

fn visit(directory: &Directory, depth: usize, look: &mut impl FnMut(&Directory)) -> Result<(), Error> {
    look(directory);
    if depth == 0 {
        return Ok(());
    }
    for name in directory.children()? {
        if let Some(child) = directory.child(&name)? {
            visit(&child, depth - 1, look)?;
        }
    }
    Ok(())
}

/// Into the first of the files that this kernel has.
fn write_first(directory: &Directory, write: &Write) -> Result<(), Error> {
    match write.files.iter().find(|file| directory.has(file)) {
        Some(file) => directory.write(file, &write.value),
        None => {
            let reason = format!("the kernel has no {}", write.files.join(" and no "));
            Err(Error::Unsupported { limit: write.limit, reason })
        }
    }
}

/// The most memory, with swap off.
fn limit_memory(directory: &Directory, version: Version, bytes: Option<u64>) -> Result<(), Error> {
    let Some(bytes) = bytes else { return Ok(()) };
    let value = bytes.to_string();
    match version {
        Version::Two => {
            if directory.has("memory.swap.max") {
                directory.write("memory.swap.max", "0")?;
            }
            directory.write("memory.max", &value)
        }
        Version::One => {
            let (memory, both) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
            if !directory.has(both) {
                // Without the count of both, the nearest there is: nothing is swapped for want of room in the group.
                directory.write("memory.swappiness", "0")?;
                return directory.write(memory, &value);
            }
            // The kernel refuses a limit of memory above that of both, and one of both below that of memory.
            match directory.try_write(memory, &value) {
                Ok(()) => directory.write(both, &value),
                Err(Errno::INVAL) => {
                    directory.write(both, &value)?;
                    directory.write(memory, &value)
                }
                Err(error) => Err(Error::io("writing", directory.path().join(memory))(error)),
            }
        }
    }
}

/// Version 1: nothing is allowed, then what the rules say. A new group has what the one above it has, which is all.
fn allow_devices(directory: &Directory, rules: Option<&DeviceRules>) -> Result<(), Error> {
    let Some(rules) = rules else { return Ok(()) };
    directory.write("devices.deny", "a")?;
    for rule in rules.allowed.iter().filter(|rule| !rule.is_empty()) {
        directory.write("devices.allow", &rule.line())?;
    }
    Ok(())
}

impl Group {
    /// Where it is in the node's own directory, for messages.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its path in one hierarchy.
    pub(super) fn path_in(&self, hierarchy: &Hierarchy) -> std::path::PathBuf {
        path_of(hierarchy, &self.path)
    }
}
