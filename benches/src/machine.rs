//! The machine that was measured: figures without it say nothing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Facts that decide what the figures can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) architecture: String,
    pub(crate) cpu: String,
    /// Processors that this program may use.
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    /// Of the folder that holds the data directory.
    pub(crate) filesystem: String,
    /// Runnable processes over the last minute, before the benchmark began.
    pub(crate) load_average: f64,
}

impl Machine {
    /// This machine, with the file system of `folder`.
    pub(crate) fn here(folder: &Path) -> Result<Self> {
        let uname = rustix::system::uname();
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("reading {path}"));
        let load = read("/proc/loadavg")?;
        Ok(Self {
            kernel: uname.release().to_string_lossy().into_owned(),
            architecture: uname.machine().to_string_lossy().into_owned(),
            cpu: cpu_model(&read("/proc/cpuinfo")?).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: memory_mib(&read("/proc/meminfo")?).context("/proc/meminfo names no MemTotal")?,
            filesystem: filesystem(&read("/proc/self/mountinfo")?, &folder.canonicalize()?)
                .context("the data directory is on no mount")?,
            load_average: load.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0),
        })
    }

    /// Whether others kept half of its processors busy before the benchmark began: then its figures say little.
    pub(crate) fn is_busy(&self) -> bool {
        u32::try_from(self.cores).is_ok_and(|cores| self.load_average > f64::from(cores) / 2.0)
    }

    /// Whether the data directory's file system keeps its files in memory only.
    pub(crate) fn forgets_its_files(&self) -> bool {
        matches!(self.filesystem.as_str(), "tmpfs" | "ramfs" | "rootfs")
    }
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name.trim())
}

fn memory_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

/// The type of the last mount that is nearest above `folder` (proc_pid_mountinfo(5)): the fifth field is where, the first
/// after the lone `-` is what.
fn filesystem(mountinfo: &str, folder: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let place = mount.split_whitespace().nth(4)?.replace(r"\040", " ");
        folder.starts_with(&place).then_some((place.len(), source.split_whitespace().next()?))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                          30 21 0:5 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw\n\
                          31 21 8:1 / /srv/a\\040b rw - xfs /dev/sda1 rw\n";

    #[test]
    fn a_folder_has_the_file_system_of_the_nearest_mount() {
        let of = |folder: &str| filesystem(MOUNTS, Path::new(folder)).unwrap();
        assert_eq!(of("/var/lib"), "ext4");
        assert_eq!(of("/tmp/x"), "tmpfs");
        assert_eq!(of("/tmpfile"), "ext4");
        assert_eq!(of("/srv/a b/c"), "xfs");
    }

    #[test]
    fn a_machine_is_busy_when_half_of_its_processors_are() {
        let with = |load_average| {
            let (kernel, architecture, cpu, filesystem) = Default::default();
            Machine { kernel, architecture, cpu, cores: 2, memory_mib: 1, filesystem, load_average }
        };
        assert_eq!([0.2, 1.0, 1.1].map(|load| with(load).is_busy()), [false, false, true]);
    }

    #[test]
    fn the_processor_and_its_memory_are_read_where_the_kernel_writes_them() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n"), Some("Fast CPU @ 3 GHz"));
        assert_eq!(cpu_model("processor\t: 0\n"), None);
        assert_eq!(memory_mib("MemTotal:       2097152 kB\n"), Some(2048));
    }
}
