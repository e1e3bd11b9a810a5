//! What a group may use, and what is written where to have it kept.

use super::devices::DeviceRules;
use super::error::Error;
use super::hierarchy::{Controller, Version};

/// The period over which processor time is counted, in microseconds; the kernel's own default.
pub(super) const CPU_PERIOD_US: u64 = 100_000;
/// The least processor time a period that the kernel takes, in microseconds: a hundredth of a processor.
const CPU_QUOTA_US_MIN: u64 = 1_000;
/// The weights that version 1 knows for processors, which are the ones that limits are given in.
const CPU_SHARES: std::ops::RangeInclusive<u32> = 2..=262_144;
/// The largest weight of version 2.
const CPU_WEIGHT_MAX: u64 = 10_000;
/// Weights of block devices, as limits give them.
const BLKIO_WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1_000;
/// The longest list of processors, in bytes.
const CPUSET_BYTES_MAX: usize = 1_024;

/// What a group may use. What is not given is not limited (but by the groups above), and left as it is by an update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Processor time beside others', as a weight: 2 to 262,144, where 1,024 is one; what is beyond is clamped, as the kernel
    /// does.
    pub cpu_shares: Option<u32>,
    /// The most processor time, in thousandths of a processor; the kernel counts in hundredths and 10 is the least.
    pub cpu_millis_max: Option<u32>,
    /// The processors that it may use: `0-1,3`.
    pub cpuset: Option<String>,
    /// The most memory, in bytes. Swap is off.
    pub memory_bytes_max: Option<u64>,
    /// What it is pressed back to (version 1), what is left to it (version 2) when the host has little, in bytes.
    pub memory_bytes_reserved: Option<u64>,
    /// The most processes and threads.
    pub pids_max: Option<u32>,
    /// Block devices' weight, 10 to 1,000. Refused where the disk's scheduler has none. Needs `disk`.
    pub blkio_weight: Option<u16>,
    /// The most bytes per second that are read from `disk`.
    pub read_bytes_per_s_max: Option<u64>,
    /// The most bytes per second that are written to `disk`.
    pub write_bytes_per_s_max: Option<u64>,
    /// The disk that the limits above are about.
    pub disk: Option<Disk>,
    /// The devices that can be used; all, if none are given. Only ever given when a group is made.
    pub devices: Option<DeviceRules>,
}

/// A whole disk, by its numbers. [`Disk::that_holds`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The driver's number.
    pub major: u32,
    /// The disk's.
    pub minor: u32,
    /// Whether its scheduler knows weights of groups.
    pub has_weights: bool,
}

/// A value for a control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// Files that take it, by preference: kernels differ.
    pub(super) files: &'static [&'static str],
    /// What is written.
    pub(super) value: String,
    /// For a person who reads that it cannot be.
    pub(super) limit: &'static str,
}

/// Says no to what no host can keep.
pub(super) fn check(limits: &Limits) -> Result<(), Error> {
    if let Some(weight) = limits.blkio_weight
        && !BLKIO_WEIGHTS.contains(&weight)
    {
        return Err(invalid("the weight of block devices", &weight, "10 to 1,000 is possible"));
    }
    if let Some(cpus) = &limits.cpuset {
        let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b'-');
        if cpus.is_empty() || cpus.len() > CPUSET_BYTES_MAX || !cpus.bytes().all(plain) {
            return Err(invalid("the set of processors", cpus, "it is written 0-1,3"));
        }
    }
    let is_about_disk = limits.blkio_weight.is_some()
        || limits.read_bytes_per_s_max.is_some()
        || limits.write_bytes_per_s_max.is_some();
    match &limits.disk {
        None if is_about_disk => {
            let reason = "it is not known which block device holds the node's directory".to_owned();
            Err(Error::Unsupported { limit: "the use of disks", reason })
        }
        Some(disk) if limits.blkio_weight.is_some() && !disk.has_weights => {
            let reason = format!("the scheduler of the disk {}:{} knows no weights (bfq does)", disk.major, disk.minor);
            Err(Error::Unsupported { limit: "the weight of block devices", reason })
        }
        _ => Ok(()),
    }
}

fn invalid(limit: &'static str, value: &dyn std::fmt::Display, reason: &'static str) -> Error {
    Error::Invalid { limit, value: value.to_string(), reason }
}

/// The controllers that some limit needs, each with the limit's name.
pub(super) fn needed(limits: &Limits) -> Vec<(Controller, &'static str)> {
    let disk = limits.blkio_weight.is_some()
        || limits.read_bytes_per_s_max.is_some()
        || limits.write_bytes_per_s_max.is_some();
    let all = [
        (limits.cpu_shares.is_some() || limits.cpu_millis_max.is_some(), Controller::Cpu, "processor time"),
        (limits.cpuset.is_some(), Controller::Cpuset, "the set of processors"),
        (limits.memory_bytes_max.is_some() || limits.memory_bytes_reserved.is_some(), Controller::Memory, "memory"),
        (limits.pids_max.is_some(), Controller::Pids, "the number of processes"),
        (disk, Controller::Io, "the use of disks"),
    ];
    all.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, controller, limit)| (controller, limit)).collect()
}

/// What is written into a group's directory for a controller, in order. Memory's maximum is not among it: its two files of
/// version 1 depend on each other and on what is there.
pub(super) fn writes(limits: &Limits, controller: Controller, version: Version) -> Vec<Write> {
    match (controller, version) {
        (Controller::Cpu, Version::One) => cpu_v1(limits),
        (Controller::Cpu, Version::Two) => cpu_v2(limits),
        (Controller::Cpuset, _) => {
            let write =
                |cpus: &String| Write { files: &["cpuset.cpus"], value: cpus.clone(), limit: "the set of processors" };
            limits.cpuset.as_ref().map(write).into_iter().collect()
        }
        (Controller::Memory, version) => memory(limits, version),
        (Controller::Pids, _) => {
            let write =
                |max: u32| Write { files: &["pids.max"], value: max.to_string(), limit: "the number of processes" };
            limits.pids_max.map(write).into_iter().collect()
        }
        (Controller::Io, Version::One) => io_v1(limits),
        (Controller::Io, Version::Two) => io_v2(limits),
        (Controller::Cpuacct | Controller::Devices | Controller::Freezer | Controller::Named, _) => Vec::new(),
    }
}

/// Microseconds of processor time a period.
pub(super) fn cpu_quota_us(millis: u32) -> u64 {
    (u64::from(millis) * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_US_MIN)
}

fn cpu_v1(limits: &Limits) -> Vec<Write> {
    // The quota is written apart: version 1 refuses one that is larger than that of the group above.
    let shares = |shares: u32| Write {
        files: &["cpu.shares"],
        value: shares.clamp(*CPU_SHARES.start(), *CPU_SHARES.end()).to_string(),
        limit: "processor shares",
    };
    limits.cpu_shares.map(shares).into_iter().collect()
}

fn cpu_v2(limits: &Limits) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(shares) = limits.cpu_shares {
        writes.push(Write {
            files: &["cpu.weight"],
            value: weight_of_shares(shares).to_string(),
            limit: "processor shares",
        });
    }
    if let Some(millis) = limits.cpu_millis_max {
        let value = format!("{} {CPU_PERIOD_US}", cpu_quota_us(millis));
        writes.push(Write { files: &["cpu.max"], value, limit: "processor time" });
    }
    writes
}

/// The weight of version 2 that stands to others' as the shares do, as near as 10,000 steps allow.
fn weight_of_shares(shares: u32) -> u64 {
    let shares = u64::from(shares.clamp(*CPU_SHARES.start(), *CPU_SHARES.end()));
    let shares_max = u64::from(*CPU_SHARES.end());
    ((shares * CPU_WEIGHT_MAX + shares_max / 2) / shares_max).clamp(1, CPU_WEIGHT_MAX)
}

fn memory(limits: &Limits, version: Version) -> Vec<Write> {
    let files: &'static [&'static str] = match version {
        Version::One => &["memory.soft_limit_in_bytes"],
        Version::Two => &["memory.low"],
    };
    let write = |bytes: u64| Write { files, value: bytes.to_string(), limit: "reserved memory" };
    limits.memory_bytes_reserved.map(write).into_iter().collect()
}

fn io_v1(limits: &Limits) -> Vec<Write> {
    let Some(disk) = &limits.disk else { return Vec::new() };
    let mut writes = Vec::new();
    if let Some(weight) = limits.blkio_weight {
        writes.push(Write {
            files: &["blkio.bfq.weight", "blkio.weight"],
            value: weight.to_string(),
            limit: "the weight of block devices",
        });
    }
    let mut throttle = |files, bytes: Option<u64>, limit| {
        if let Some(bytes) = bytes {
            writes.push(Write { files, value: format!("{}:{} {bytes}", disk.major, disk.minor), limit });
        }
    };
    throttle(&["blkio.throttle.read_bps_device"], limits.read_bytes_per_s_max, "bytes read per second");
    throttle(&["blkio.throttle.write_bps_device"], limits.write_bytes_per_s_max, "bytes written per second");
    writes
}

fn io_v2(limits: &Limits) -> Vec<Write> {
    let Some(disk) = &limits.disk else { return Vec::new() };
    let mut writes = Vec::new();
    if let Some(weight) = limits.blkio_weight {
        // Both have 100 as what a group has that says nothing, and take what version 1 took.
        writes.push(Write {
            files: &["io.bfq.weight", "io.weight"],
            value: format!("default {weight}"),
            limit: "the weight of block devices",
        });
    }
    let mut value = format!("{}:{}", disk.major, disk.minor);
    let mut is_throttled = false;
    for (key, bytes) in [("rbps", limits.read_bytes_per_s_max), ("wbps", limits.write_bytes_per_s_max)] {
        if let Some(bytes) = bytes {
            value.push_str(&format!(" {key}={bytes}"));
            is_throttled = true;
        }
    }
    if is_throttled {
        writes.push(Write { files: &["io.max"], value, limit: "bytes per second" });
    }
    writes
}

#[cfg(test)]
mod tests;
