//! The kernel's version, and the rights that Pilvi is called with.

use rustix::process::geteuid;
use rustix::system::uname;

use super::{Check, read};

/// `openat2` came with 5.6, `pidfd_open` with 5.3: nothing runs without them.
const OLDEST: (u32, u32) = (5, 6);

/// The oldest kernel with long-term support that is tried; idmapped mounts need 5.12.
const SUPPORTED: (u32, u32) = (5, 15);

pub(super) fn version() -> Check {
    let uname = uname();
    let release = uname.release().to_string_lossy();
    of_release(&release, &uname.machine().to_string_lossy())
}

fn of_release(release: &str, machine: &str) -> Check {
    let found = format!("Linux {release}, {machine}");
    match parse(release) {
        Some(version) if version >= SUPPORTED => Check::ok("kernel", found),
        Some(version) if version >= OLDEST => {
            Check::warning("kernel", found, "images that belong to other users need idmapped mounts: use 5.15 or later")
        }
        Some(_) => Check::missing("kernel", found, "use Linux 5.15 or later"),
        None => Check::warning("kernel", found, "this version is not understood; Linux 5.15 or later is expected"),
    }
}

fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The API needs no rights at all, sandboxes need root's.
pub(super) fn privileges() -> Check {
    if !geteuid().is_root() {
        return Check::warning(
            "privileges",
            "not root: the API works, containers cannot be run",
            "start it as `sudo pilvi up`; the server still runs as you, only the node as root",
        );
    }
    // proc(5): one line that maps everything onto itself means no user namespace.
    let map = read("/proc/self/uid_map");
    if map.split_ascii_whitespace().eq(["0", "0", "4294967295"]) {
        return Check::ok("privileges", "root");
    }
    Check::warning(
        "privileges",
        "root of a user namespace",
        "what sandboxes may do depends on what the namespace was given; prefer root of the machine",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn kernels_are_judged_by_their_first_two_numbers() {
        for (release, verdict) in [
            ("6.18.44-fc", Verdict::Ok),
            ("5.15.0-91-generic", Verdict::Ok),
            ("5.10.0-28-amd64", Verdict::Warning),
            ("4.19.0", Verdict::Missing),
            ("unknown", Verdict::Warning),
        ] {
            assert_eq!(of_release(release, "x86_64").verdict, verdict, "{release}");
        }
    }
}
