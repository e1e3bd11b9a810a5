//! Room, limits and time: the disk below the data directory, open files, the clock.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base::{Clock, SystemClock};
use rustix::process::{Resource, getrlimit};

use super::Check;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Below this the store itself soon fails.
const DISK_MIN: u64 = 256 * MIB;
/// Images and logs want this much.
const DISK_COMFORTABLE: u64 = 5 * GIB;

/// Each connection, container and log has descriptors.
const FILES_COMFORTABLE: u64 = 8_192;

/// File systems that forget or that lock unreliably (statfs(2)).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const NFS: u64 = 0x6969;
const CIFS: u64 = 0xff53_4d42;

pub(super) fn checks(data_dir: &Path, node_dir: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![disk("disk", data_dir)];
    checks.extend(node_dir.map(|node_dir| disk("node disk", node_dir)));
    checks.extend([open_files(), clock()]);
    checks
}

/// Looks at the file system that a directory is on, or will be.
fn disk(name: &'static str, directory: &Path) -> Check {
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let (Ok(space), Ok(kind)) = (rustix::fs::statvfs(there), rustix::fs::statfs(there)) else {
        return Check::warning(name, format!("{} cannot be examined", there.display()), "run this with sudo to know");
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    // Some file systems (btrfs) count none.
    let out_of_files = space.f_files > 0 && space.f_favail == 0;
    #[allow(clippy::cast_sign_loss)] // A magic number of 32 bits, whatever type the architecture has for it.
    let magic = u64::from(kind.f_type as u32);
    judge_disk(name, directory, free, out_of_files, magic)
}

fn judge_disk(name: &'static str, directory: &Path, free: u64, out_of_files: bool, magic: u64) -> Check {
    let found = format!("{} free for {}", size(free), directory.display());
    match magic {
        _ if free < DISK_MIN => Check::missing(name, found, format!("make room: {} at least", size(DISK_MIN))),
        _ if out_of_files => Check::missing(name, format!("{found}, but no inodes"), "remove files"),
        TMPFS | RAMFS => Check::warning(name, format!("{found}, in memory"), "a reboot loses everything there"),
        NFS | CIFS => {
            Check::warning(name, format!("{found}, on the network"), "prefer a local disk: each write waits for it")
        }
        _ if free < DISK_COMFORTABLE => {
            Check::warning(name, found, format!("images and logs want {} or more", size(DISK_COMFORTABLE)))
        }
        _ => Check::ok(name, found),
    }
}

fn size(bytes: u64) -> String {
    if bytes >= GIB { format!("{:.1} GiB", bytes as f64 / GIB as f64) } else { format!("{} MiB", bytes / MIB) }
}

fn open_files() -> Check {
    judge_open_files(getrlimit(Resource::Nofile).maximum)
}

fn judge_open_files(maximum: Option<u64>) -> Check {
    match maximum {
        None => Check::ok("open files", "no limit"),
        Some(maximum) if maximum >= FILES_COMFORTABLE => Check::ok("open files", format!("up to {maximum}")),
        Some(maximum) => Check::warning(
            "open files",
            format!("up to {maximum}"),
            format!("raise the hard limit (ulimit -Hn, LimitNOFILE=) to {FILES_COMFORTABLE} or more"),
        ),
    }
}

/// A clock that is before this program was written is wrong; requests are refused when client and server are 15 minutes
/// apart.
fn clock() -> Check {
    let binary = std::fs::metadata("/proc/self/exe").and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    let synchronised = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/ntpd.pid"];
    judge_clock(SystemTime::now() >= binary, synchronised.iter().any(|path| Path::new(path).exists()))
}

fn judge_clock(plausible: bool, synchronised: bool) -> Check {
    let now = SystemClock.now().iso8601();
    match (plausible, synchronised) {
        (false, _) => Check::missing(
            "clock",
            format!("{now}, which is before this program was installed"),
            "set the clock: signed requests more than 15 minutes off are refused",
        ),
        (true, true) => Check::ok("clock", format!("{now}, synchronised")),
        (true, false) => Check::ok("clock", now),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    const EXT4: u64 = 0xef53;

    fn judged(free: u64, out_of_files: bool, magic: u64) -> Verdict {
        judge_disk("disk", Path::new("/var/lib/pilvi"), free, out_of_files, magic).verdict
    }

    #[test]
    fn the_disk_is_judged_by_room_and_kind() {
        assert_eq!(judged(100 * GIB, false, EXT4), Verdict::Ok);
        assert_eq!(judged(GIB, false, EXT4), Verdict::Warning);
        assert_eq!(judged(100 * MIB, false, TMPFS), Verdict::Missing);
        assert_eq!(judged(100 * GIB, true, EXT4), Verdict::Missing);
        assert_eq!(judged(100 * GIB, false, TMPFS), Verdict::Warning);
        assert_eq!(judged(100 * GIB, false, NFS), Verdict::Warning);
    }

    #[test]
    fn limits_and_clocks_are_judged() {
        assert_eq!(judge_open_files(None).verdict, Verdict::Ok);
        assert_eq!(judge_open_files(Some(1024)).verdict, Verdict::Warning);
        assert_eq!(judge_clock(false, true).verdict, Verdict::Missing);
        assert_eq!(judge_clock(true, false).verdict, Verdict::Ok);
    }
}
