//! What a container executes, as whom, and with which rights.

use std::collections::BTreeSet;

use super::words::{check_absolute, wrong};
use crate::limits::{NAME_BYTES_MAX, PROCESS_BYTES_MAX};
use crate::{Container, InvalidSpec, Ulimit};

/// The least processor time that can be limited to, in thousandths of a processor: a millisecond of each tenth of a second.
pub(super) const CPU_MILLIS_MIN: u32 = 10;
/// The most processors that a machine has.
const CPUS_MAX: u32 = 8192;
/// The longest value of a kernel setting, in bytes.
const SYSCTL_BYTES_MAX: usize = 1024;
/// The most kernel settings of a container.
const SYSCTLS_MAX: usize = 128;
/// The highest number of a signal.
const SIGNAL_MAX: u8 = 64;

/// What `setrlimit(2)` limits.
const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Every capability of `capabilities(7)`, as of Linux 5.9 and later.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Signals by name (`signal(7)`), without `SIG`.
const SIGNALS: [&str; 35] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN",
];

pub(super) fn check(at: &str, container: &Container) -> Result<(), InvalidSpec> {
    let member = |name: &str| format!("{at}.{name}");
    if let Some(entrypoint) = &container.entrypoint {
        check_args(&member("entrypoint"), entrypoint, false)?;
    }
    if let Some(command) = &container.command {
        check_args(&member("command"), command, false)?;
    }
    environment(&member("env"), container)?;
    if let Some(path) = &container.working_dir {
        check_absolute(&member("workingDir"), path)?;
    }
    if container.user.as_ref().is_some_and(|user| !is_user(user)) {
        return Err(wrong(member("user"), "it is no user, uid, or either with a group"));
    }
    if container.stop_signal.as_ref().is_some_and(|signal| !is_signal(signal)) {
        return Err(wrong(member("stopSignal"), "there is no such signal"));
    }
    ulimits(&member("ulimits"), &container.ulimits)?;
    sysctls(&member("sysctls"), container)?;
    for (list, names) in [("add", &container.capabilities.add), ("drop", &container.capabilities.drop)] {
        let is_known = |name: &str| name == "ALL" || CAPABILITIES.contains(&name);
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            return Err(wrong(member(&format!("capabilities.{list}")), format!("there is no capability {unknown}")));
        }
    }
    Ok(())
}

/// Checks arguments; of a program that is executed as it stands there is at least its name.
pub(super) fn check_args(at: &str, args: &[String], is_whole: bool) -> Result<(), InvalidSpec> {
    if is_whole && args.first().is_none_or(String::is_empty) {
        return Err(wrong(at, "there is nothing to execute"));
    }
    if args.iter().any(|arg| arg.contains('\0')) {
        return Err(wrong(at, "it contains NUL"));
    }
    // Each has a zero behind it.
    if args.iter().map(|arg| arg.len() + 1).sum::<usize>() > PROCESS_BYTES_MAX {
        return Err(wrong(at, format!("it has more than {PROCESS_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn environment(at: &str, container: &Container) -> Result<(), InvalidSpec> {
    for variable in &container.env {
        if variable.name.is_empty() || variable.name.contains(['=', '\0']) {
            return Err(wrong(at, "a name is empty, or contains = or NUL"));
        }
        if variable.value.contains('\0') {
            return Err(wrong(at, format!("the value of {} contains NUL", variable.name)));
        }
    }
    // Each has an equals sign and a zero.
    if container.env.iter().map(|one| one.name.len() + one.value.len() + 2).sum::<usize>() > PROCESS_BYTES_MAX {
        return Err(wrong(at, format!("it has more than {PROCESS_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn is_user(text: &str) -> bool {
    let part = |part: &str| {
        (1..=NAME_BYTES_MAX).contains(&part.len())
            && !part.contains(|char: char| char.is_control() || matches!(char, ':' | '/' | ' '))
    };
    match text.split_once(':') {
        Some((user, group)) => part(user) && part(group),
        None => part(text),
    }
}

/// By name, with or without `SIG`, or by number; of real-time signals `RTMIN+3`, `RTMAX-3`.
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=SIGNAL_MAX).contains(&number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if SIGNALS.contains(&name) || name == "RTMAX" {
        return true;
    }
    let distance = name.strip_prefix("RTMIN+").or_else(|| name.strip_prefix("RTMAX-"));
    distance.and_then(|distance| distance.parse::<u8>().ok()).is_some_and(|distance| distance <= 30)
}

fn ulimits(at: &str, ulimits: &[Ulimit]) -> Result<(), InvalidSpec> {
    let mut seen = BTreeSet::new();
    for ulimit in ulimits {
        let name = ulimit.name.as_str();
        if !ULIMITS.contains(&name) {
            return Err(wrong(at, format!("there is no limit {name}")));
        }
        if !seen.insert(name) {
            return Err(wrong(at, format!("{name} is given twice")));
        }
        // -1 is none, which is more than all.
        let size = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
        if ulimit.soft < -1 || ulimit.hard < -1 || size(ulimit.soft) > size(ulimit.hard) {
            return Err(wrong(at, format!("the soft limit of {name} is more than the hard one, or one is negative")));
        }
    }
    Ok(())
}

/// Only settings that a container has for itself can be changed.
fn sysctls(at: &str, container: &Container) -> Result<(), InvalidSpec> {
    if container.sysctls.len() > SYSCTLS_MAX {
        return Err(wrong(at, format!("there are more than {SYSCTLS_MAX}")));
    }
    for (name, value) in &container.sysctls {
        let is_plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let is_own = name.starts_with("net.")
            || name.starts_with("fs.mqueue.")
            || matches!(
                name.as_str(),
                "kernel.msgmax"
                    | "kernel.msgmnb"
                    | "kernel.msgmni"
                    | "kernel.sem"
                    | "kernel.shmall"
                    | "kernel.shmmax"
                    | "kernel.shmmni"
                    | "kernel.shm_rmid_forced"
            );
        if !is_own || name.len() > NAME_BYTES_MAX || !name.split('.').all(is_plain) {
            return Err(wrong(at, format!("{name} is none that a container has for itself")));
        }
        if value.len() > SYSCTL_BYTES_MAX || value.contains(['\0', '\n']) {
            return Err(wrong(at, format!("the value of {name} is too long, or more than a line")));
        }
    }
    Ok(())
}

/// Processors and ranges of them: `0-1,3`.
pub(super) fn is_cpuset(text: &str) -> bool {
    let cpu = |text: &str| text.parse::<u32>().ok().filter(|cpu| *cpu < CPUS_MAX && !text.starts_with('+'));
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => matches!((cpu(first), cpu(last)), (Some(first), Some(last)) if first <= last),
        None => cpu(part).is_some(),
    };
    text.len() <= NAME_BYTES_MAX && text.split(',').all(part)
}
