//! One container.

use std::collections::BTreeSet;

use super::process;
use super::words::{check_absolute, check_relative, is_name, is_root, plain, wrong};
use crate::limits::{DEVICES_MAX, DISK_BYTES_MIN, MEMORY_BYTES_MIN, OUTPUT_BYTES_RANGE, VOLUMES_MAX};
use crate::{Container, HealthCheck, HealthProbe, InvalidSpec, NetworkMode, Spec, TmpfsMount, VolumeSource};

/// The longest name of an image, in bytes.
const IMAGE_BYTES_MAX: usize = 1024;
/// The smallest file system in memory, in bytes: a page.
pub(super) const MEMORY_VOLUME_BYTES_MIN: u64 = 4096;
/// The longest times, in seconds: a day, and the week that ECS has for restarts.
const TIMEOUT_S_MAX: u32 = 86_400;
const ATTEMPT_PERIOD_S_MAX: u32 = 604_800;
/// The most attempts before a container is unhealthy.
const RETRIES_MAX: u32 = 1000;
/// The most exit codes that are not restarted after.
const IGNORED_CODES_MAX: usize = 64;
/// The longest path of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 2048;

pub(super) fn check(at: &str, container: &Container, spec: &Spec) -> Result<(), InvalidSpec> {
    let member = |name: &str| format!("{at}.{name}");
    if !is_name(&container.name) {
        return Err(wrong(member("name"), "names have 1 to 255 letters, digits, `-` and `_`"));
    }
    let is_odd = |char: char| char.is_control() || char.is_whitespace();
    if container.image.is_empty() || container.image.len() > IMAGE_BYTES_MAX || container.image.contains(is_odd) {
        return Err(wrong(member("image"), "it names no image"));
    }
    process::check(at, container)?;
    limits(at, container)?;
    if spec.network.mode == NetworkMode::Host && container.sysctls.keys().any(|name| name.starts_with("net.")) {
        return Err(wrong(member("sysctls"), "the host's network settings are the host's"));
    }
    if spec.isolation.host_ipc
        && container.sysctls.keys().any(|name| name.starts_with("kernel.") || name.starts_with("fs."))
    {
        return Err(wrong(member("sysctls"), "the host's IPC settings are the host's"));
    }
    devices(at, container)?;
    mounts(at, container, spec)?;
    if let Some(health) = &container.health {
        health_check(&member("health"), health)?;
    }
    times(at, container)
}

fn limits(at: &str, container: &Container) -> Result<(), InvalidSpec> {
    let refused = |member: &str, problem: String| Err(wrong(format!("{at}.{member}"), problem));
    let memory = &container.memory;
    if memory.bytes_max.is_some_and(|max| max < MEMORY_BYTES_MIN) {
        return refused("memory.bytesMax", format!("a process needs {MEMORY_BYTES_MIN} bytes"));
    }
    if let (Some(reserved), Some(max)) = (memory.bytes_reserved, memory.bytes_max)
        && reserved > max
    {
        return refused("memory.bytesReserved", "it is more than the most".to_owned());
    }
    if container.cpu_shares.is_some_and(|shares| !(2..=262_144).contains(&shares)) {
        return refused("cpuShares", "it is not 2 to 262144".to_owned());
    }
    if container.cpu_millis_max.is_some_and(|max| max < process::CPU_MILLIS_MIN) {
        return refused("cpuMillisMax", format!("less than {} cannot be limited to", process::CPU_MILLIS_MIN));
    }
    if container.cpuset.as_ref().is_some_and(|set| !process::is_cpuset(set)) {
        return refused("cpuset", "it is no list of processors such as 0-1,3".to_owned());
    }
    if container.blkio_weight.is_some_and(|weight| !(10..=1000).contains(&weight)) {
        return refused("blkioWeight", "it is not 10 to 1000".to_owned());
    }
    if container.disk_bytes_max.is_some_and(|max| max < DISK_BYTES_MIN) {
        return refused("diskBytesMax", format!("less than {DISK_BYTES_MIN} bytes cannot be limited to"));
    }
    let nothing = [
        ("pidsMax", container.pids_max.map(u64::from)),
        ("readBytesPerSMax", container.read_bytes_per_s_max),
        ("writeBytesPerSMax", container.write_bytes_per_s_max),
        ("shmBytes", container.shm_bytes),
    ];
    if let Some((member, _)) = nothing.iter().find(|(_, value)| *value == Some(0)) {
        return refused(member, "it is 0".to_owned());
    }
    let [least, most] = OUTPUT_BYTES_RANGE;
    if !(least..=most).contains(&container.output.bytes_max) {
        return refused("output.bytesMax", format!("it is not {least} to {most}"));
    }
    Ok(())
}

fn devices(at: &str, container: &Container) -> Result<(), InvalidSpec> {
    if container.devices.len() > DEVICES_MAX {
        return Err(wrong(format!("{at}.devices"), format!("there are more than {DEVICES_MAX}")));
    }
    for (place, device) in container.devices.iter().enumerate() {
        let at = format!("{at}.devices[{place}]");
        check_absolute(&format!("{at}.hostPath"), &device.host_path)?;
        check_absolute(&format!("{at}.containerPath"), &device.container_path)?;
        if is_root(&device.host_path) || is_root(&device.container_path) {
            return Err(wrong(at, "the root is no device"));
        }
        if !(device.read || device.write || device.mknod) {
            return Err(wrong(at, "nothing may be done with it"));
        }
    }
    Ok(())
}

fn mounts(at: &str, container: &Container, spec: &Spec) -> Result<(), InvalidSpec> {
    if container.mounts.len() + container.tmpfs.len() > VOLUMES_MAX {
        return Err(wrong(format!("{at}.mounts"), format!("there are more than {VOLUMES_MAX}")));
    }
    let mut taken = BTreeSet::new();
    for (place, mount) in container.mounts.iter().enumerate() {
        let at = format!("{at}.mounts[{place}]");
        mount_point(&format!("{at}.path"), &mount.path, &mut taken)?;
        let volume = spec.volumes.iter().find(|volume| volume.name == mount.volume);
        let Some(volume) = volume else {
            return Err(wrong(format!("{at}.volume"), format!("there is no volume {}", mount.volume)));
        };
        let is_archive = matches!(volume.source, VolumeSource::Archive { .. });
        if is_archive && (mount.sub_path.is_some() || !mount.read_only) {
            return Err(wrong(format!("{at}.readOnly"), "archives are mounted as a whole, and cannot be written to"));
        }
        if let Some(below) = &mount.sub_path {
            check_relative(&format!("{at}.subPath"), below)?;
        }
        let can_copy = matches!(volume.source, VolumeSource::Named { .. } | VolumeSource::Scratch { .. });
        if mount.copy_image_content && !can_copy {
            return Err(wrong(format!("{at}.copyImageContent"), "only into a named volume or a scratch one"));
        }
    }
    for (place, tmpfs) in container.tmpfs.iter().enumerate() {
        let at = format!("{at}.tmpfs[{place}]");
        mount_point(&format!("{at}.path"), &tmpfs.path, &mut taken)?;
        memory(&at, tmpfs)?;
    }
    Ok(())
}

fn mount_point<'a>(at: &str, path: &'a str, taken: &mut BTreeSet<Vec<&'a str>>) -> Result<(), InvalidSpec> {
    check_absolute(at, path)?;
    if is_root(path) {
        return Err(wrong(at, "the root comes from the image"));
    }
    if taken.insert(plain(path)) { Ok(()) } else { Err(wrong(at, format!("something else is mounted at {path}"))) }
}

fn memory(at: &str, tmpfs: &TmpfsMount) -> Result<(), InvalidSpec> {
    if tmpfs.bytes_max < MEMORY_VOLUME_BYTES_MIN {
        return Err(wrong(format!("{at}.bytesMax"), format!("it is less than {MEMORY_VOLUME_BYTES_MIN}")));
    }
    let is_known = |option: &String| match option.split_once('=') {
        None => matches!(
            option.as_str(),
            "ro" | "rw" | "noexec" | "exec" | "nosuid" | "suid" | "nodev" | "dev" | "noatime" | "relatime"
        ),
        Some(("mode", mode)) => u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777),
        Some(("uid" | "gid", id)) => id.parse::<u32>().is_ok(),
        Some(_) => false,
    };
    match tmpfs.options.iter().find(|option| !is_known(option)) {
        Some(unknown) => Err(wrong(format!("{at}.options"), format!("`{unknown}` is no option of it"))),
        None => Ok(()),
    }
}

fn health_check(at: &str, health: &HealthCheck) -> Result<(), InvalidSpec> {
    let member = |name: &str| format!("{at}.{name}");
    match &health.probe {
        HealthProbe::Command(args) => process::check_args(&member("probe"), args, true)?,
        HealthProbe::Tcp(0) | HealthProbe::Http { port: 0, .. } => {
            return Err(wrong(member("probe"), "0 is no port"));
        }
        HealthProbe::Tcp(_) => {}
        HealthProbe::Http { path, .. } => {
            let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
            if !path.starts_with('/') || path.len() > REQUEST_BYTES_MAX || !is_plain {
                return Err(wrong(member("probe"), "it is no path of a request"));
            }
        }
    }
    for (name, value) in [("intervalS", health.interval_s), ("timeoutS", health.timeout_s)] {
        if !(1..=TIMEOUT_S_MAX).contains(&value) {
            return Err(wrong(member(name), format!("it is not 1 to {TIMEOUT_S_MAX}")));
        }
    }
    if !(1..=RETRIES_MAX).contains(&health.retries) {
        return Err(wrong(member("retries"), format!("it is not 1 to {RETRIES_MAX}")));
    }
    if health.start_period_s > TIMEOUT_S_MAX {
        return Err(wrong(member("startPeriodS"), format!("it is more than {TIMEOUT_S_MAX}")));
    }
    Ok(())
}

fn times(at: &str, container: &Container) -> Result<(), InvalidSpec> {
    let times = [
        ("startTimeoutS", container.start_timeout_s.unwrap_or_default(), TIMEOUT_S_MAX),
        ("stopTimeoutS", container.stop_timeout_s.unwrap_or_default(), TIMEOUT_S_MAX),
        ("restart.attemptPeriodS", container.restart.attempt_period_s, ATTEMPT_PERIOD_S_MAX),
    ];
    if let Some((member, _, most)) = times.iter().find(|(_, value, most)| value > most) {
        return Err(wrong(format!("{at}.{member}"), format!("it is more than {most}")));
    }
    if container.restart.ignored_exit_codes.len() > IGNORED_CODES_MAX {
        return Err(wrong(
            format!("{at}.restart.ignoredExitCodes"),
            format!("there are more than {IGNORED_CODES_MAX}"),
        ));
    }
    Ok(())
}
