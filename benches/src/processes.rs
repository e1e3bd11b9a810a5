//! What the kernel tells of running processes: who is below whom, their memory, the processor time they took (proc(5)).

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use crate::stats::figure;

/// Memory of a server with everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Memory {
    pub(crate) processes: usize,
    /// Resident pages; those that processes share are counted for each of them.
    pub(crate) rss_mib: f64,
    /// Proportional: shared pages are divided among those who share them. `None` where the kernel does not tell.
    pub(crate) pss_mib: Option<f64>,
}

impl Memory {
    /// The memory of the process and everything below it now.
    pub(crate) fn of_tree(pid: u32) -> Self {
        let tree = tree(pid);
        let status = |pid: &u32| field_kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:");
        Self {
            processes: tree.len(),
            rss_mib: tree.iter().filter_map(status).sum::<f64>() / 1024.0,
            pss_mib: tree.iter().map(|pid| pss_mib(*pid)).sum(),
        }
    }
}

/// The proportional share of one process, in MiB. `None` where the kernel does not tell.
pub(crate) fn pss_mib(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(field_kib(&rollup, "Pss:")? / 1024.0)
}

/// The most memory that each process of a tree ever held at once, in MiB, added up. They need not have had it at one time.
pub(crate) fn peak_mib_of_tree(pid: u32) -> f64 {
    peaks_mib(pid).sum()
}

/// The most memory that any one process of a tree ever held at once, in MiB.
pub(crate) fn peak_mib_of_largest(pid: u32) -> f64 {
    peaks_mib(pid).fold(0.0, f64::max)
}

fn peaks_mib(pid: u32) -> impl Iterator<Item = f64> {
    let peak = |pid: u32| field_kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:");
    tree(pid).into_iter().filter_map(peak).map(|kib| kib / 1024.0)
}

/// Processor time, in ticks of [`ticks_per_second`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTicks {
    /// Of a server with everything below it, also what has ended there.
    pub(crate) server: u64,
    /// Of this program.
    pub(crate) client: u64,
    /// Of everything on the machine, also what a hypervisor took.
    pub(crate) machine: u64,
}

impl CpuTicks {
    /// The sums since their processes, and the machine, were started.
    pub(crate) fn now(server: u32) -> Self {
        let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        let of = |pid: u32| cpu_in_stat(&stat(pid)?);
        let with_ended = |pid: u32| Some(of(pid)? + cpu_of_ended_in_stat(&stat(pid)?)?);
        Self {
            server: tree(server).into_iter().filter_map(with_ended).sum(),
            client: of(std::process::id()).unwrap_or(0),
            machine: fs::read_to_string("/proc/stat").ok().and_then(|stat| busy_in_stat(&stat)).unwrap_or(0),
        }
    }

    /// What was taken since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            server: self.server.saturating_sub(earlier.server),
            client: self.client.saturating_sub(earlier.client),
            machine: self.machine.saturating_sub(earlier.machine),
        }
    }

    /// The server's, in seconds.
    pub(crate) fn server_s(self) -> f64 {
        figure(self.server) / figure(ticks_per_second())
    }

    /// What neither the server nor this program took.
    pub(crate) fn others(self) -> u64 {
        self.machine.saturating_sub(self.server + self.client)
    }
}

/// How many ticks the kernel counts in a second.
pub(crate) fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// A process and those below it, parents before their children.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return vec![pid] };
    let parents = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, parent_in_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect();
    with_those_below(pid, &parents)
}

fn with_those_below(pid: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found
            .extend(parents.iter().filter(|(child, parent)| **parent == pid && **child != pid).map(|(child, _)| child));
        next += 1;
    }
    found
}

/// The fields of `/proc/<pid>/stat` from the third on: the second, the program's name, may hold brackets and spaces.
fn fields_after_name(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

/// The fourth field.
fn parent_in_stat(stat: &str) -> Option<u32> {
    fields_after_name(stat)?.nth(1)?.parse().ok()
}

/// User and system time: the fourteenth and fifteenth field.
fn cpu_in_stat(stat: &str) -> Option<u64> {
    let mut fields = fields_after_name(stat)?.skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// The same of children that have ended and were waited for, with theirs: the sixteenth and seventeenth field.
fn cpu_of_ended_in_stat(stat: &str) -> Option<u64> {
    let mut fields = fields_after_name(stat)?.skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Processor time of all programs that this one has started and waited for, with theirs, in seconds.
pub(crate) fn cpu_s_of_ended_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").ok();
    figure(stat.and_then(|stat| cpu_of_ended_in_stat(&stat)).unwrap_or(0)) / figure(ticks_per_second())
}

/// All time of `/proc/stat` that was neither idle nor waiting for a disk; guests' time is part of the first columns.
fn busy_in_stat(stat: &str) -> Option<u64> {
    let columns = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let columns: Vec<u64> = columns.map(|column| column.parse().ok()).collect::<Option<_>>()?;
    const IDLE: [usize; 2] = [3, 4];
    Some(columns.iter().enumerate().filter(|(index, _)| !IDLE.contains(index)).map(|(_, ticks)| ticks).sum())
}

fn field_kib(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "17 (a) b (c) S 4 17 17 0 -1 4194560 100 0 0 0 30 12 7 7 20 0 1 0 100 1000 10";

    #[test]
    fn a_process_is_read_behind_a_name_with_brackets_and_spaces() {
        assert_eq!((parent_in_stat(STAT), cpu_in_stat(STAT)), (Some(4), Some(42)));
        assert_eq!(cpu_of_ended_in_stat(STAT), Some(14));
        assert_eq!((parent_in_stat("x"), cpu_in_stat("17 (a) S 4")), (None, None));
    }

    #[test]
    fn the_tree_holds_children_of_children_and_nobody_else() {
        let parents = BTreeMap::from([(1, 0), (2, 1), (5, 2), (3, 5), (9, 1)]);
        assert_eq!(with_those_below(2, &parents), [2, 5, 3]);
        assert_eq!(with_those_below(9, &parents), [9]);
    }

    #[test]
    fn idle_time_and_waiting_for_the_disk_are_not_busy() {
        assert_eq!(busy_in_stat("cpu  1 2 3 1000 2000 4 5 6 7 8\ncpu0 1\n"), Some(21));
        assert_eq!(busy_in_stat("intr 1\n"), None);
    }

    #[test]
    fn a_field_in_kibibytes_is_found_by_its_name() {
        let text = "Rss:                 900 kB\nPss:                 128 kB\nPss_Dirty:            64 kB\n";
        assert_eq!((field_kib(text, "Pss:"), field_kib(text, "Swap:")), (Some(128.0), None));
    }

    #[test]
    fn this_program_has_memory_and_takes_time() {
        let memory = Memory::of_tree(std::process::id());
        assert!(memory.rss_mib > 0.1, "{memory:?}");
        assert!(CpuTicks::now(std::process::id()).machine > 0 && ticks_per_second() > 0);
    }
}
