//! A container's plan: everything about it but what it executes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use sandbox::cgroup::{DeviceKind, DeviceRule, DeviceRules, Disk, Limits};
use sandbox::plan::{
    CgroupPlan, ContainerPlan, DevicePlan, MountFlags, MountPlan, MountSource, SeccompPlan, TerminalSize,
};
use workload::limits::SHM_BYTES_DEFAULT;
use workload::{Container, Device, Reason, ReasonCode, Resources, Seccomp, Spec, TmpfsMount};

use super::area::Area;
use super::process;
use super::volumes::Volume;

/// How large a terminal is until somebody says it.
const TERMINAL: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// What a container has mounted, its mounts in the order of the plan's.
pub(super) type Mounts = (Vec<MountPlan>, Vec<OwnedFd>);

/// A container's plan.
pub(super) fn plan(
    spec: &Spec,
    container: &Container,
    cgroup: CgroupPlan,
    mounts: Vec<MountPlan>,
) -> Result<ContainerPlan, Reason> {
    Ok(ContainerPlan {
        name: container.name.clone(),
        read_only_root: container.read_only_root,
        mounts,
        shm_bytes: container.shm_bytes.unwrap_or(SHM_BYTES_DEFAULT),
        cgroup,
        devices: devices(container)?.into_iter().map(|(plan, _)| plan).collect(),
        capabilities: process::capabilities(&container.capabilities, container.privileged)?,
        seccomp: match container.seccomp {
            Seccomp::Unconfined => SeccompPlan::Unconfined,
            Seccomp::Default if container.privileged => SeccompPlan::Unconfined,
            Seccomp::Default => SeccompPlan::Default,
        },
        no_new_privileges: container.no_new_privileges,
        privileged: container.privileged,
        rlimits: process::rlimits(&container.ulimits)?,
        sysctls: sysctls(container, |name| !is_shared(spec, name)),
        init: container.init,
        tty: container.tty.then_some(TERMINAL),
        stdin: container.stdin,
        output_bytes_max: container.output.bytes_max,
    })
}

/// Kernel settings of what all containers share. Of several that a name is given the last counts.
pub(super) fn sysctls_of_all(spec: &Spec) -> BTreeMap<String, String> {
    let each = spec.containers.iter().map(|container| sysctls(container, |name| is_shared(spec, name)));
    each.flatten().collect()
}

fn sysctls(container: &Container, is_wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let wanted = container.sysctls.iter().filter(|(name, _)| is_wanted(name));
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a setting is of a namespace that is not the container's own.
fn is_shared(spec: &Spec, name: &str) -> bool {
    name.starts_with("net.") || spec.isolation.share_ipc || spec.isolation.host_ipc
}

/// What a container's processes may use.
pub(super) fn limits(container: &Container, disk: Option<Disk>) -> Result<Limits, Reason> {
    let mut rules = if container.privileged { DeviceRules::everything() } else { DeviceRules::usual() };
    rules.allowed.extend(devices(container)?.into_iter().map(|(_, rule)| rule));
    let is_about_disk = container.blkio_weight.is_some()
        || container.read_bytes_per_s_max.is_some()
        || container.write_bytes_per_s_max.is_some();
    Ok(Limits {
        cpu_shares: container.cpu_shares,
        cpu_millis_max: container.cpu_millis_max,
        cpuset: container.cpuset.clone(),
        memory_bytes_max: container.memory.bytes_max,
        memory_bytes_reserved: container.memory.bytes_reserved,
        pids_max: container.pids_max,
        blkio_weight: container.blkio_weight,
        read_bytes_per_s_max: container.read_bytes_per_s_max,
        write_bytes_per_s_max: container.write_bytes_per_s_max,
        disk: if is_about_disk { disk } else { None },
        devices: Some(rules),
    })
}

/// What of them can still be decided when it has been made.
pub(super) fn limits_of_use(container: &Container) -> Limits {
    Limits {
        cpu_millis_max: container.cpu_millis_max,
        memory_bytes_max: container.memory.bytes_max,
        memory_bytes_reserved: container.memory.bytes_reserved,
        pids_max: container.pids_max,
        ..Limits::default()
    }
}

/// What all containers of a workload may use together.
pub(super) fn limits_of_all(resources: &Resources) -> Limits {
    Limits {
        cpu_millis_max: resources.cpu_millis_max,
        memory_bytes_max: resources.memory_bytes_max,
        pids_max: resources.pids_max,
        ..Limits::default()
    }
}

/// A container's volumes and memory, each after what it is mounted in.
pub(super) fn mounts(
    container: &Container,
    volumes: &HashMap<String, Volume>,
    area: &Area,
    root: BorrowedFd<'_>,
    others: Mounts,
) -> Result<Mounts, Reason> {
    let refused = |message: String| Reason::new(ReasonCode::Refused, message);
    let (plans, descriptors) = others;
    let mut all: Vec<(MountPlan, Option<OwnedFd>)> = plans.into_iter().zip(descriptors.into_iter().map(Some)).collect();
    for mounted in &container.mounts {
        if !is_plain(&mounted.path) {
            return Err(refused(format!("nothing can be mounted at {}", mounted.path)));
        }
        let Some(volume) = volumes.get(&mounted.volume) else {
            return Err(refused(format!("there is no volume {}", mounted.volume)));
        };
        let mount = volume.mount(mounted, area, root).map_err(|error| {
            Reason::new(ReasonCode::Volume, format!("the volume {} cannot be mounted: {error}", mounted.volume))
        })?;
        let flags = MountFlags { read_only: mounted.read_only, no_dev: true, ..MountFlags::default() };
        all.push((MountPlan { source: MountSource::Given, target: mounted.path.clone(), flags }, Some(mount)));
    }
    for memory in &container.tmpfs {
        all.push((tmpfs(memory)?, None));
    }
    sort(&mut all);
    let (plans, descriptors): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    Ok((plans, descriptors.into_iter().flatten().collect()))
}

/// Each after what it is mounted in. Of two at one place the later covers the earlier, as it is said.
fn sort(all: &mut [(MountPlan, Option<OwnedFd>)]) {
    all.sort_by_key(|(plan, _)| plan.target.split('/').filter(|name| !name.is_empty()).count());
}

/// Whether a path is an absolute one without `..`.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.split('/').all(|name| name != "..")
}

fn tmpfs(memory: &TmpfsMount) -> Result<MountPlan, Reason> {
    let refused = |option: &str| {
        let message = format!("memory cannot be mounted at {} with `{option}`", memory.path);
        Reason::new(ReasonCode::Refused, message)
    };
    if !is_plain(&memory.path) {
        return Err(refused(""));
    }
    let mut flags = MountFlags { read_only: false, no_exec: true, no_suid: true, no_dev: true };
    let (mut mode, mut uid, mut gid) = (0o1777, 0, 0);
    for option in &memory.options {
        match option.split_once('=') {
            Some(("mode", text)) => mode = u32::from_str_radix(text, 8).map_err(|_| refused(option))?,
            Some(("uid", text)) => uid = text.parse().map_err(|_| refused(option))?,
            Some(("gid", text)) => gid = text.parse().map_err(|_| refused(option))?,
            Some(_) => return Err(refused(option)),
            None => match option.as_str() {
                "ro" => flags.read_only = true,
                "rw" => flags.read_only = false,
                "exec" => flags.no_exec = false,
                "noexec" => flags.no_exec = true,
                "suid" => flags.no_suid = false,
                "nosuid" => flags.no_suid = true,
                "nodev" => flags.no_dev = true,
                _ => return Err(refused(option)),
            },
        }
    }
    let source = MountSource::Tmpfs { bytes_max: memory.bytes_max, mode: mode & 0o7777, uid, gid };
    Ok(MountPlan { source, target: memory.path.clone(), flags })
}

/// The host's devices that a container has, and what it may do with them.
fn devices(container: &Container) -> Result<Vec<(DevicePlan, DeviceRule)>, Reason> {
    container.devices.iter().map(device).collect()
}

fn device(wanted: &Device) -> Result<(DevicePlan, DeviceRule), Reason> {
    let refused = |what: &str| Reason::new(ReasonCode::Refused, format!("{} {what}", wanted.host_path));
    let about = fs::metadata(&wanted.host_path).map_err(|error| refused(&format!("cannot be looked at: {error}")))?;
    let block = about.file_type().is_block_device();
    if !block && !about.file_type().is_char_device() {
        return Err(refused("is no device"));
    }
    let (major, minor) = (rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev()));
    let plan = DevicePlan { path: wanted.container_path.clone(), block, major, minor, mode: about.mode() & 0o777 };
    let rule = DeviceRule {
        kind: if block { DeviceKind::Block } else { DeviceKind::Character },
        major: Some(major),
        minor: Some(minor),
        read: wanted.read,
        write: wanted.write,
        mknod: wanted.mknod,
    };
    Ok((plan, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(options: &[&str]) -> TmpfsMount {
        let options = options.iter().map(|text| (*text).to_owned()).collect();
        TmpfsMount { path: "/run".to_owned(), bytes_max: 4096, options }
    }

    #[test]
    fn memory_is_mounted_as_it_is_said() {
        let plan = tmpfs(&memory(&["exec", "mode=700", "uid=5"])).unwrap();
        let flags = MountFlags { read_only: false, no_exec: false, no_suid: true, no_dev: true };
        assert_eq!(plan.flags, flags);
        assert_eq!(plan.source, MountSource::Tmpfs { bytes_max: 4096, mode: 0o700, uid: 5, gid: 0 });
        for wrong in ["dev", "size=1", "mode=9", "uid=root"] {
            assert!(tmpfs(&memory(&[wrong])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_mounted_comes_after_what_it_is_mounted_in() {
        let of = |path: &str| TmpfsMount { path: path.to_owned(), ..memory(&[]) };
        let mut all: Vec<_> = ["/a/b/c", "/a", "/a/b"].map(|path| (tmpfs(&of(path)).unwrap(), None)).into();
        sort(&mut all);
        let targets: Vec<_> = all.iter().map(|(plan, _)| plan.target.as_str()).collect();
        assert_eq!(targets, ["/a", "/a/b", "/a/b/c"]);
        assert!(tmpfs(&of("/a/../../b")).is_err() && tmpfs(&of("a")).is_err());
    }

    #[test]
    fn a_kernel_setting_is_made_where_its_namespace_is() {
        let names = ["net.core.somaxconn", "kernel.shmmax"];
        let sysctls = names.map(|name| (name.to_owned(), "1".to_owned())).into();
        let mut spec = Spec { containers: vec![Container { sysctls, ..Container::default() }], ..Spec::default() };
        let of_all = |spec: &Spec| sysctls_of_all(spec).into_keys().collect::<Vec<_>>();
        assert_eq!(of_all(&spec), ["net.core.somaxconn"]);
        let own = plan(&spec, &spec.containers[0], CgroupPlan { directories: Vec::new() }, Vec::new()).unwrap();
        assert_eq!(own.sysctls.into_keys().collect::<Vec<_>>(), ["kernel.shmmax"]);
        spec.isolation.share_ipc = true;
        assert_eq!(of_all(&spec).len(), 2);
    }

    #[test]
    fn a_device_is_what_it_is_on_the_host() {
        let wanted = |path: &str| Device {
            host_path: path.to_owned(),
            container_path: "/dev/x".to_owned(),
            read: true,
            write: false,
            mknod: false,
        };
        let (plan, rule) = device(&wanted("/dev/null")).unwrap();
        assert_eq!((plan.block, plan.major, plan.minor), (false, 1, 3));
        assert!(rule.read && !rule.write);
        assert!(device(&wanted("/etc/passwd")).is_err());
        assert!(device(&wanted("/dev/nothing-there")).is_err());
    }
}
