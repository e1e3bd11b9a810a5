//! What this host has, and the node's own directories in it.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::error::Error;
use super::haste::Haste;
use super::hierarchy::{Controller, Directory, Hierarchy, Version};
use super::mounted::{Mounted, mounted};
use super::reserved::Reserved;
use super::{Inner, Missing, bpf, devices};

/// What something in a group other than the node's can be called; where processes go that stand in version 2's way.
const OTHERS: &str = "others";

pub(super) fn open(name: &str) -> Result<Inner, Error> {
    let read = |path: &str| {
        std::fs::read_to_string(path).map_err(|source| Error::Io { doing: "reading", path: path.to_owned(), source })
    };
    let found = mounted(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
    let mut inner = open_found(&found, name)?;
    let Inner { hierarchies, missing, .. } = &mut inner;
    let has_program = hierarchies.iter().any(|hierarchy| hierarchy.version == Version::Two);
    if !hierarchies.iter().any(|hierarchy| hierarchy.controllers.contains(&Controller::Devices)) {
        let probe = if has_program { probe_programs() } else { Err("no version 2 is mounted".to_owned()) };
        if let Err(reason) = probe {
            missing.push(Missing { what: "devices", reason });
        }
    }
    Ok(inner)
}

/// The node's own directories in hierarchies that were found. Apart from [`open`] so that it works on any tree.
pub(super) fn open_found(found: &[Mounted], name: &str) -> Result<Inner, Error> {
    let mut hierarchies = Vec::new();
    let mut missing = Vec::new();
    let has_version_2 = found.iter().any(|one| one.version == Version::Two);
    // Version 2 comes first: that a process is killed with its group must not depend on how far it has got into others.
    let (second, first): (Vec<_>, Vec<_>) = found.iter().partition(|one| one.version == Version::Two);
    for one in second.into_iter().chain(first) {
        if one.version == Version::One && !is_of_use(&one.controllers, has_version_2) {
            continue;
        }
        match make_top(one, name) {
            Ok(top) if one.version == Version::Two => {
                let controllers = enable_all(&one.at, &top, &mut missing)?;
                hierarchies.push(Hierarchy { version: Version::Two, controllers, top });
            }
            Ok(top) => {
                prepare_v1(&top, &one.controllers)?;
                hierarchies.push(Hierarchy { version: Version::One, controllers: one.controllers.clone(), top });
            }
            Err(error) => missing.extend(
                one.controllers.iter().map(|controller| Missing { what: controller.name(), reason: error.to_string() }),
            ),
        }
    }
    if hierarchies.is_empty() {
        let reasons: Vec<_> = missing.iter().map(|one: &Missing| one.reason.clone()).collect();
        let reason = if reasons.is_empty() { "none are mounted".to_owned() } else { reasons.join("; ") };
        return Err(Error::NoHierarchy { reason });
    }
    name_what_nobody_controls(&hierarchies, &mut missing);
    let reserved = Reserved::of(&hierarchies)?;
    let haste = Haste::new(name, found.first().map(|one| one.own.clone()));
    Ok(Inner { hierarchies, missing, haste, reserved })
}

/// A hierarchy of version 1 costs a directory for each group and time for each process. What version 2 does is left to it.
fn is_of_use(controllers: &[Controller], has_version_2: bool) -> bool {
    controllers.iter().any(|controller| match controller {
        Controller::Freezer | Controller::Named => !has_version_2,
        _ => true,
    })
}

/// At the top of the hierarchy; where that is not ours to write to, in the node's own group.
fn make_top(mounted: &Mounted, name: &str) -> Result<Directory, Error> {
    match Directory::open(&mounted.at)?.make(name) {
        Ok((top, _)) => Ok(top),
        Err(Error::Io { source, .. })
            if mounted.own != mounted.at
                && matches!(Errno::from_io_error(&source), Some(Errno::ACCESS | Errno::PERM | Errno::ROFS)) =>
        {
            Ok(Directory::open(&mounted.own)?.make(name)?.0)
        }
        Err(error) => Err(error),
    }
}

fn prepare_v1(top: &Directory, controllers: &[Controller]) -> Result<(), Error> {
    // What is made beneath has it as we have: no end of ours executes anybody's release_agent.
    if top.number("notify_on_release") == Some(1) {
        top.write("notify_on_release", "0")?;
    }
    // Before Linux 5.11 a limit held for groups beneath only if this was asked for; since then it does always.
    if controllers.contains(&Controller::Memory) && top.number("memory.use_hierarchy") == Some(0) {
        top.write("memory.use_hierarchy", "1")?;
    }
    if controllers.contains(&Controller::Cpuset) {
        fill_cpuset(top)?;
    }
    Ok(())
}

/// A cpuset of version 1 begins empty and takes no process before it has processors and memory: those of the group above.
pub(super) fn fill_cpuset(directory: &Directory) -> Result<(), Error> {
    let above = directory.path().parent().map(Directory::open).transpose()?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let is_empty = directory.read_if_there(file).is_some_and(|content| content.trim().is_empty());
        if let Some(above) = above.as_ref().filter(|_| is_empty) {
            directory.write(file, above.read(file)?.trim())?;
        }
    }
    Ok(())
}

/// Has version 2 control what it can in all groups beneath ours.
fn enable_all(at: &Path, top: &Directory, missing: &mut Vec<Missing>) -> Result<Vec<Controller>, Error> {
    let base = Directory::open(top.path().parent().unwrap_or(at))?;
    let available = controllers_in(&base, "cgroup.controllers")?;
    let before = controllers_in(&base, "cgroup.subtree_control")?;
    if available.iter().any(|controller| !before.contains(controller)) {
        make_room(&base)?;
    }
    let mut enabled = Vec::new();
    for controller in available {
        match enable(&base, controller).and_then(|()| enable(top, controller)) {
            Ok(()) => enabled.push(controller),
            Err(errno) => missing.push(Missing {
                what: controller.name(),
                reason: format!("it could not be enabled in {}: {errno}", base.path().display()),
            }),
        }
    }
    Ok(enabled)
}

fn controllers_in(directory: &Directory, file: &str) -> Result<Vec<Controller>, Error> {
    Ok(directory.read(file)?.split_whitespace().filter_map(Controller::of_version_2).collect())
}

/// Has the groups in a group of version 2 controlled.
pub(super) fn enable(directory: &Directory, controller: Controller) -> Result<(), Errno> {
    directory.try_write("cgroup.subtree_control", &format!("+{}", controller.name()))
}

/// In a container, or in a delegated group, processes stand in the group that ours is in, and a group of version 2 but the
/// host's root has either processes or controllers beneath. They move aside, as every runtime within containers has it; and
/// before anything is enabled, for some controllers the kernel would take along with the processes, and then allow none beneath.
fn make_room(base: &Directory) -> Result<(), Error> {
    let is_root = !base.has("cgroup.type");
    let processes = base.read("cgroup.procs")?;
    if is_root || processes.is_empty() {
        return Ok(());
    }
    let (others, _) = base.make(OTHERS)?;
    for process in processes.lines() {
        match others.try_write("cgroup.procs", process) {
            // It has ended, or is one of the kernel's own, which count for nothing.
            Ok(()) | Err(Errno::SRCH | Errno::INVAL) => {}
            Err(error) => return Err(Error::io("moving processes to", others.path())(error)),
        }
    }
    Ok(())
}

fn name_what_nobody_controls(hierarchies: &[Hierarchy], missing: &mut Vec<Missing>) {
    for controller in Controller::OF_VERSION_2 {
        let is_there = hierarchies.iter().any(|hierarchy| hierarchy.controllers.contains(&controller));
        if !is_there && !missing.iter().any(|one| one.what == controller.name()) {
            let reason = "the kernel has no such controller, or it is not mounted".to_owned();
            missing.push(Missing { what: controller.name(), reason });
        }
    }
    let memory = hierarchies.iter().find(|hierarchy| hierarchy.controllers.contains(&Controller::Memory));
    let counts_swap = memory.is_some_and(|memory| match memory.version {
        Version::One => memory.top.has("memory.memsw.limit_in_bytes"),
        Version::Two => memory.top.has("memory.swap.max"),
    });
    if memory.is_some() && !counts_swap && has_swap() {
        let reason = "the kernel does not count it; what is beyond the limit is not swapped on purpose".to_owned();
        missing.push(Missing { what: "swap", reason });
    }
}

fn has_swap() -> bool {
    // The first line says what the columns are.
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() > 1)
}

fn probe_programs() -> Result<(), String> {
    let program = devices::program(&devices::DeviceRules::usual());
    bpf::load(&program).map(drop).map_err(|error| format!("programs for devices cannot be loaded: {error}"))
}

/// Where all groups of a node are in one hierarchy, as a path of a group beneath.
pub(super) fn path_of(hierarchy: &Hierarchy, group: &str) -> PathBuf {
    hierarchy.top.path().join(group)
}
