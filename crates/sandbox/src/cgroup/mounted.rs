//! Where cgroup file systems are mounted and where in them this process is, as `/proc` tells it. Pure.

use std::path::{Path, PathBuf};

use super::hierarchy::{Controller, Version};

/// A hierarchy that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Which form it has.
    pub(super) version: Version,
    /// What it controls, of version 1; what version 2 controls stands in its files.
    pub(super) controllers: Vec<Controller>,
    /// Where, in this process's mount namespace.
    pub(super) at: PathBuf,
    /// This process's own group, beneath `at`.
    pub(super) own: PathBuf,
}

/// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`. Hierarchies that control nothing of interest are left out.
pub(super) fn mounted(mountinfo: &str, cgroup: &str) -> Vec<Mounted> {
    let mut found: Vec<Mounted> = Vec::new();
    for mount in mountinfo.lines().filter_map(parse_mount) {
        let own = own_group(cgroup, &mount);
        let one = Mounted {
            version: mount.version,
            controllers: mount.controllers.iter().filter_map(|name| Controller::of_version_1(name)).collect(),
            own: own.map_or_else(
                || mount.at.clone(),
                |own| mount.at.join(beneath(&mount.root, own)).components().collect(),
            ),
            at: mount.at,
        };
        let is_of_interest = one.version == Version::Two || !one.controllers.is_empty();
        let is_same = |known: &&mut Mounted| known.version == one.version && known.controllers == one.controllers;
        match found.iter_mut().find(is_same) {
            // What is mounted later at the same place is what is seen there.
            Some(known) if known.at == one.at => *known = one,
            None if is_of_interest => found.push(one),
            Some(_) | None => {}
        }
    }
    found
}

struct Mount {
    version: Version,
    controllers: Vec<String>,
    root: PathBuf,
    at: PathBuf,
}

/// proc_pid_mountinfo(5): `32 31 0:29 /root /at options [optional…] - type source super-options`.
fn parse_mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, at) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let version = match after.next()? {
        "cgroup" => Version::One,
        "cgroup2" => Version::Two,
        _ => return None,
    };
    let controllers = match version {
        Version::One => after.nth(1)?.split(',').map(str::to_owned).collect(),
        Version::Two => Vec::new(),
    };
    Some(Mount { version, controllers, root: unescape(root), at: unescape(at) })
}

/// This process's group in a mount's hierarchy, of lines `number:controllers:/group`.
fn own_group<'a>(cgroup: &'a str, mount: &Mount) -> Option<&'a Path> {
    cgroup.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        let is_it = match mount.version {
            Version::Two => controllers.is_empty(),
            Version::One => controllers.split(',').any(|name| mount.controllers.iter().any(|one| one == name)),
        };
        is_it.then(|| Path::new(group))
    })
}

/// A group's path beneath the one that a mount shows as its root. A group that the mount does not show is nowhere; then
/// the mount's root is all there is.
fn beneath(root: &Path, group: &Path) -> PathBuf {
    let relative = group.strip_prefix(root).or_else(|_| group.strip_prefix("/")).unwrap_or(Path::new(""));
    let leaves = relative.components().any(|part| !matches!(part, std::path::Component::Normal(_)));
    if leaves { PathBuf::new() } else { relative.to_path_buf() }
}

/// Spaces, tabs, line ends and backslashes stand as `\` and three octal digits.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = bytes.get(at + 1..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(value) if byte == b'\\' => {
                plain.push(value);
                at += 4;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(plain))
}

#[cfg(test)]
mod tests;
