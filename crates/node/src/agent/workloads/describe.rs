//! What the node is and has.

use std::collections::BTreeMap;

use sandbox::cgroup::{Missing, Version};
use sandbox::disk::Kind;

use super::Shared;
use crate::protocol::Description;

/// Where the kernel says how much memory there is.
const MEMORY: &str = "/proc/meminfo";

impl Shared {
    pub(super) fn describe(&self) -> Description {
        let (options, settings) = (&self.options, &self.settings);
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        let cpu_millis = u32::try_from(processors).unwrap_or(u32::MAX).saturating_mul(1000);
        let memory_bytes = std::fs::read_to_string(MEMORY).ok().and_then(|text| memory_total(&text)).unwrap_or(0);
        let disk_bytes = self.disks.space().map_or(0, |space| space.bytes_free.saturating_sub(space.bytes_promised));
        Description {
            cpu_millis: options.cpu_millis.or(settings.cpu_millis).unwrap_or(cpu_millis),
            memory_bytes: options.memory_bytes.or(settings.memory_bytes).unwrap_or(memory_bytes),
            disk_bytes: settings.disk_bytes.unwrap_or(disk_bytes),
            attributes: self.attributes(),
            boot_id: self.boot_id.clone(),
            missing: self.missing(),
            changed: self.changed(),
        }
    }

    fn missing(&self) -> Vec<String> {
        let cgroups = self.cgroups.what_is_missing().iter();
        let cgroups =
            cgroups.map(|Missing { what, reason }| format!("{what} is neither limited nor counted: {reason}"));
        let disks = match self.disks.kind() {
            Kind::Nothing { reason } => Some(format!("what is written to disks is not limited: {reason}")),
            Kind::Quota | Kind::Image => None,
        };
        cgroups.chain(disks).chain(self.network.what_is_missing()).collect()
    }

    fn changed(&self) -> Vec<String> {
        let cgroups = self.cgroups.what_is_changed().map(str::to_owned);
        cgroups.into_iter().chain(self.network.what_was_changed()).collect()
    }

    fn attributes(&self) -> BTreeMap<String, Option<String>> {
        let own = self.settings.attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        let allowed = self.settings.allow.iter().map(|name| (name.clone(), None));
        let cgroup = match self.cgroups.version() {
            Version::One => "1",
            Version::Two => "2",
        };
        let facts = [("pilvi.os", "linux"), ("pilvi.architecture", std::env::consts::ARCH), ("pilvi.cgroup", cgroup)];
        let facts = facts.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        own.chain(allowed).chain(facts).collect()
    }
}

fn memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_the_kernel_says() {
        let text = "MemTotal:       16315808 kB\nMemFree:         1 kB\n";
        assert_eq!(memory_total(text), Some(16_315_808 * 1024));
        assert_eq!(memory_total("MemFree: 1 kB"), None);
    }
}
