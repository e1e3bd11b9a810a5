//! What a group has used, as the kernel counts it.

use super::hierarchy::{Controller, Directory, Version};

/// What a group, and all groups in it, have used. What this host does not count is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Processor time, in microseconds.
    pub cpu_us: u64,
    /// Of it by programs themselves.
    pub cpu_user_us: u64,
    /// Of it by the kernel for them.
    pub cpu_system_us: u64,
    /// Periods of a tenth of a second in which it wanted to run while there was a most.
    pub cpu_periods: u64,
    /// In how many of them it was held up.
    pub cpu_periods_throttled: u64,
    /// For how long, of all processors together, in microseconds.
    pub cpu_throttled_us: u64,
    /// Memory without what can be dropped at once (the working set), in bytes.
    pub memory_bytes: u64,
    /// Memory with that, in bytes.
    pub memory_bytes_used: u64,
    /// The most that `memory_bytes_used` has been, in bytes.
    pub memory_bytes_peak: u64,
    /// The most memory that it may have, by its own limit or that of its workload, in bytes; 0 is no limit.
    pub memory_bytes_max: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Read from disks, in bytes.
    pub read_bytes: u64,
    /// Written to disks, in bytes.
    pub written_bytes: u64,
    /// Processes that the kernel has killed because memory was short.
    pub oom_kills: u64,
}

/// From here on a limit of version 1 is none: it says the largest number of whole pages.
const NO_LIMIT_FROM: u64 = 1 << 62;
/// Loop devices, by their driver's number: what goes through them goes to a disk, and is counted there.
const LOOP_MAJOR: &str = "7";
/// Ticks of user space a second, as every Linux says them.
const TICKS_PER_S: u64 = 100;

/// Adds what one hierarchy knows.
pub(super) fn add(stats: &mut Stats, directory: &Directory, controllers: &[Controller], version: Version) {
    match version {
        Version::Two => {
            cpu_v2(stats, directory);
            for controller in controllers {
                match controller {
                    Controller::Memory => memory_v2(stats, directory),
                    Controller::Pids => stats.pids = directory.number("pids.current").unwrap_or(0),
                    Controller::Io => io_v2(stats, &directory.read_if_there("io.stat").unwrap_or_default()),
                    _ => {}
                }
            }
        }
        Version::One => {
            for controller in controllers {
                match controller {
                    Controller::Cpu => throttled_v1(stats, &directory.read_if_there("cpu.stat").unwrap_or_default()),
                    Controller::Cpuacct => cpu_v1(stats, directory),
                    Controller::Memory => memory_v1(stats, directory),
                    Controller::Pids => stats.pids = directory.number("pids.current").unwrap_or(0),
                    Controller::Io => io_v1(stats, directory),
                    _ => {}
                }
            }
        }
    }
}

/// The value of a line `name value`.
pub(super) fn value(content: &str, name: &str) -> Option<u64> {
    content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The most memory that a group may have by its own limit; `None` is no limit.
pub(super) fn memory_max(directory: &Directory, version: Version) -> Option<u64> {
    match version {
        Version::One => directory.number("memory.limit_in_bytes").filter(|&bytes| bytes < NO_LIMIT_FROM),
        // It says `max` for none.
        Version::Two => directory.number("memory.max"),
    }
}

/// Processes killed for want of memory: in version 1 those of the group itself, in version 2 those of groups in it, too.
pub(super) fn oom_kills(directory: &Directory, version: Version) -> u64 {
    let file = match version {
        Version::One => "memory.oom_control",
        Version::Two => "memory.events",
    };
    directory.read_if_there(file).and_then(|content| value(&content, "oom_kill")).unwrap_or(0)
}

fn cpu_v2(stats: &mut Stats, directory: &Directory) {
    // Version 2 counts time in every group. In hybrid hosts the counters of version 1 come after and say the same.
    let content = directory.read_if_there("cpu.stat").unwrap_or_default();
    let get = |name| value(&content, name);
    let set = |to: &mut u64, name| {
        if let Some(value) = get(name) {
            *to = value;
        }
    };
    set(&mut stats.cpu_us, "usage_usec");
    set(&mut stats.cpu_user_us, "user_usec");
    set(&mut stats.cpu_system_us, "system_usec");
    set(&mut stats.cpu_periods, "nr_periods");
    set(&mut stats.cpu_periods_throttled, "nr_throttled");
    set(&mut stats.cpu_throttled_us, "throttled_usec");
}

fn cpu_v1(stats: &mut Stats, directory: &Directory) {
    if let Some(used_ns) = directory.number("cpuacct.usage") {
        stats.cpu_us = used_ns / 1_000;
    }
    let content = directory.read_if_there("cpuacct.stat").unwrap_or_default();
    let micros = |ticks: u64| ticks.saturating_mul(1_000_000 / TICKS_PER_S);
    stats.cpu_user_us = value(&content, "user").map_or(stats.cpu_user_us, micros);
    stats.cpu_system_us = value(&content, "system").map_or(stats.cpu_system_us, micros);
}

fn throttled_v1(stats: &mut Stats, content: &str) {
    stats.cpu_periods = value(content, "nr_periods").unwrap_or(0);
    stats.cpu_periods_throttled = value(content, "nr_throttled").unwrap_or(0);
    stats.cpu_throttled_us = value(content, "throttled_time").unwrap_or(0) / 1_000;
}

fn memory_v2(stats: &mut Stats, directory: &Directory) {
    let content = directory.read_if_there("memory.stat").unwrap_or_default();
    stats.memory_bytes_used = directory.number("memory.current").unwrap_or(0);
    stats.memory_bytes = stats.memory_bytes_used.saturating_sub(value(&content, "inactive_file").unwrap_or(0));
    stats.memory_bytes_peak = directory.number("memory.peak").unwrap_or(0);
}

fn memory_v1(stats: &mut Stats, directory: &Directory) {
    let content = directory.read_if_there("memory.stat").unwrap_or_default();
    stats.memory_bytes_used = directory.number("memory.usage_in_bytes").unwrap_or(0);
    stats.memory_bytes = stats.memory_bytes_used.saturating_sub(value(&content, "total_inactive_file").unwrap_or(0));
    stats.memory_bytes_peak = directory.number("memory.max_usage_in_bytes").unwrap_or(0);
}

/// Lines `254:0 rbytes=1 wbytes=2 …`.
fn io_v2(stats: &mut Stats, content: &str) {
    for (device, counters) in content.lines().filter_map(|line| line.split_once(' ')) {
        if is_loop(device) {
            continue;
        }
        for (name, count) in counters.split(' ').filter_map(|counter| counter.split_once('=')) {
            let count = count.parse().unwrap_or(0);
            match name {
                "rbytes" => stats.read_bytes = stats.read_bytes.saturating_add(count),
                "wbytes" => stats.written_bytes = stats.written_bytes.saturating_add(count),
                _ => {}
            }
        }
    }
}

/// Lines `254:0 Read 1`. What throttling counts is counted whatever the scheduler.
fn io_v1(stats: &mut Stats, directory: &Directory) {
    let files = ["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"];
    let content = files.iter().find_map(|file| directory.read_if_there(file)).unwrap_or_default();
    for line in content.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(kind), Some(count)) = (words.next(), words.next(), words.next()) else { continue };
        let count: u64 = count.parse().unwrap_or(0);
        match kind {
            _ if is_loop(device) => {}
            "Read" => stats.read_bytes = stats.read_bytes.saturating_add(count),
            "Write" => stats.written_bytes = stats.written_bytes.saturating_add(count),
            _ => {}
        }
    }
}

fn is_loop(device: &str) -> bool {
    device.split_once(':').is_some_and(|(major, _)| major == LOOP_MAJOR)
}

#[cfg(test)]
mod tests;
