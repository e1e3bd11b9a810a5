//! From flags to what is to run.

use std::path::Path;

use anyhow::{Context, Result, bail};
use workload::{
    Capabilities, Container, EnvVar, HealthCheck, HealthProbe, HostEntry, Isolation, MemoryLimits, MountedVolume,
    Network, NetworkMode, OutputPolicy, Resources, Seccomp, Spec, Volume, VolumeSource,
};

use super::values::{self, MountSource};
use super::{LifeArgs, OutsideArgs, RightArgs, RunArgs, WhatArgs};

/// The only container.
const CONTAINER: &str = "main";
/// Whose volumes and networks these are: those of the command line.
const SCOPE: &str = "local";
/// The terminal that a container has, as docker has it.
const TERM: &str = "xterm";
/// The longest file of variables, in bytes.
const ENV_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How much of its output is kept for whoever stays with it, in bytes: a reader that falls behind by less misses nothing.
const FOREGROUND_OUTPUT_BYTES: u64 = 1024 * 1024 * 1024;

/// What the flags ask for.
///
/// # Errors
/// When they contradict each other, or a file cannot be read.
pub(super) fn spec(args: &RunArgs) -> Result<Spec> {
    let RunArgs { what, limits, outside, rights, life, .. } = args;
    let (volumes, mounts) = volumes(outside)?;
    let (entrypoint, command) = program(args);
    let container = Container {
        name: CONTAINER.to_owned(),
        image: args.image_and_command[0].clone(),
        entrypoint,
        command,
        env: env(what, args.tty, &|name| std::env::var(name).ok())?,
        working_dir: what.workdir.clone(),
        user: what.user.clone(),
        tty: args.tty,
        stdin: args.interactive,
        init: what.init,
        read_only_root: rights.read_only,
        essential: true,
        memory: MemoryLimits { bytes_max: limits.memory, bytes_reserved: limits.memory_reservation },
        cpu_shares: limits.cpu_shares,
        cpu_millis_max: limits.cpus,
        cpuset: limits.cpuset_cpus.clone(),
        pids_max: limits.pids_limit.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0),
        blkio_weight: limits.blkio_weight,
        read_bytes_per_s_max: limits.read_bps,
        write_bytes_per_s_max: limits.write_bps,
        disk_bytes_max: disk(&limits.storage_opt)?,
        shm_bytes: limits.shm_size,
        ulimits: limits.ulimit.clone(),
        sysctls: outside.sysctl.iter().cloned().collect(),
        devices: rights.device.clone(),
        capabilities: Capabilities { add: rights.cap_add.clone(), drop: rights.cap_drop.clone() },
        privileged: rights.privileged,
        mounts,
        tmpfs: outside.tmpfs.clone(),
        health: health(life),
        restart: life.restart.clone().unwrap_or_default(),
        stop_timeout_s: life.stop_timeout,
        stop_signal: life.stop_signal.as_deref().map(stop_signal).transpose()?,
        output: output(args),
        ..secured(rights)?
    };
    Ok(Spec {
        containers: vec![container],
        volumes,
        network: network(args)?,
        // What is limited is not set aside: docker lets limits add up to more than there is, too.
        resources: Resources {
            memory_bytes_reserved: limits.memory_reservation.unwrap_or_default(),
            ..Resources::default()
        },
        hostname: outside.hostname.clone(),
        hosts: outside.add_host.iter().map(|text| host(text)).collect::<Result<_>>()?,
        isolation: isolation(rights)?,
        local_service: None,
        labels: what.label.iter().cloned().collect(),
    })
}

/// Entry point and command. Another entry point takes no arguments of the image's, as docker has it.
fn program(args: &RunArgs) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let command = &args.image_and_command[1..];
    let entrypoint = args.what.entrypoint.as_ref().map(|program| match program.as_str() {
        "" => Vec::new(),
        program => vec![program.to_owned()],
    });
    let command = (!command.is_empty() || entrypoint.is_some()).then(|| command.to_vec());
    (entrypoint, command)
}

/// Files first, then flags; of a name the last value holds.
fn env(what: &WhatArgs, tty: bool, own: &dyn Fn(&str) -> Option<String>) -> Result<Vec<EnvVar>> {
    let mut variables: Vec<EnvVar> = Vec::new();
    let mut set = |name: &str, value: String| {
        variables.retain(|variable| variable.name != name);
        variables.push(EnvVar { name: name.to_owned(), value });
    };
    if tty {
        set("TERM", TERM.to_owned());
    }
    let mut lines: Vec<String> = Vec::new();
    for file in &what.env_file {
        lines.extend(env_file(file)?);
    }
    for line in lines.iter().chain(&what.env) {
        match line.split_once('=') {
            Some(("", _)) => bail!("a variable has no name"),
            Some((name, value)) => set(name, value.to_owned()),
            // A name alone takes the caller's value, if there is one.
            None => {
                if let Some(value) = own(line) {
                    set(line, value);
                }
            }
        }
    }
    Ok(variables)
}

/// The lines of a file of variables: nothing in them is quoted or replaced; `#` begins a comment at the beginning of a line only.
fn env_file(file: &Path) -> Result<Vec<String>> {
    use std::io::Read as _;
    let told = || format!("cannot read {}", file.display());
    let mut text = String::new();
    let read = std::fs::File::open(file).with_context(told)?;
    read.take(ENV_FILE_BYTES_MAX + 1).read_to_string(&mut text).with_context(told)?;
    if text.len() as u64 > ENV_FILE_BYTES_MAX {
        bail!("{} is longer than {ENV_FILE_BYTES_MAX} bytes", file.display());
    }
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        if name.is_empty() || name.contains(char::is_whitespace) {
            // The line itself may hold a secret.
            bail!("{}, line {}: that is no NAME=VALUE", file.display(), number + 1);
        }
        lines.push(line.to_owned());
    }
    Ok(lines)
}

fn volumes(outside: &OutsideArgs) -> Result<(Vec<Volume>, Vec<MountedVolume>)> {
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    for (number, mount) in outside.volume.iter().enumerate() {
        let source = match &mount.source {
            MountSource::New => VolumeSource::Scratch { bytes_max: None },
            MountSource::Named(name) => VolumeSource::Named { scope: SCOPE.to_owned(), name: name.clone() },
            MountSource::Host(path) => VolumeSource::Host { path: absolute(path)?, create: true },
        };
        let name = format!("v{number}");
        mounts.push(MountedVolume {
            volume: name.clone(),
            path: mount.path.clone(),
            sub_path: None,
            read_only: mount.read_only,
            copy_image_content: mount.copies,
        });
        volumes.push(Volume { name, source });
    }
    Ok((volumes, mounts))
}

fn absolute(path: &str) -> Result<String> {
    let absolute = match std::fs::canonicalize(path) {
        Ok(found) => found,
        // What is not there yet is made by the node.
        Err(_) => std::path::absolute(path).with_context(|| format!("{path} is no path"))?,
    };
    absolute.into_os_string().into_string().ok().with_context(|| format!("{path} is not written in UTF-8"))
}

fn network(args: &RunArgs) -> Result<Network> {
    let outside = &args.outside;
    let (mode, group) = match outside.network.as_str() {
        "bridge" | "default" => (NetworkMode::Bridge, None),
        "host" => (NetworkMode::Host, None),
        "none" => (NetworkMode::None, None),
        name if values::is_name(name) => (NetworkMode::Bridge, Some(format!("{SCOPE}-{name}"))),
        name => bail!("`{name}` is no network: it is bridge, none, host, or a name of yours"),
    };
    let ports: Vec<_> = outside.publish.iter().flat_map(|publish| publish.0.clone()).collect();
    if !ports.is_empty() && mode != NetworkMode::Bridge {
        bail!("ports are published with `--network bridge` or a network of yours, not with `{}`", outside.network);
    }
    if !outside.network_alias.is_empty() && group.is_none() {
        bail!("--network-alias is for a network of yours: `--network NAME`");
    }
    let aliases = match group {
        Some(_) => args.name.iter().chain(&outside.network_alias).cloned().collect(),
        None => Vec::new(),
    };
    Ok(Network { mode, ports, group, aliases })
}

fn host(text: &str) -> Result<HostEntry> {
    let parts = text.split_once(':').or_else(|| text.split_once('='));
    let address = parts.and_then(|(_, address)| address.trim_matches(['[', ']']).parse().ok());
    match (parts, address) {
        (Some((name, _)), Some(address)) if !name.is_empty() => Ok(HostEntry { address, names: vec![name.to_owned()] }),
        _ => bail!("`{text}` is no NAME:ADDRESS"),
    }
}

fn disk(options: &[(String, String)]) -> Result<Option<u64>> {
    let mut limit = None;
    for (name, value) in options {
        if name != "size" {
            bail!("--storage-opt knows size=SIZE alone, not `{name}`");
        }
        limit = Some(values::size(value).map_err(anyhow::Error::msg)?);
    }
    Ok(limit)
}

fn health(life: &LifeArgs) -> Option<HealthCheck> {
    let command = life.health_cmd.as_ref()?;
    let shell = ["/bin/sh", "-c", command];
    Some(HealthCheck {
        probe: HealthProbe::Command(shell.map(str::to_owned).to_vec()),
        interval_s: life.health_interval,
        timeout_s: life.health_timeout,
        retries: life.health_retries,
        start_period_s: life.health_start_period,
    })
}

/// What is kept of its output: more, if somebody reads it as it comes.
fn output(args: &RunArgs) -> OutputPolicy {
    if args.detach {
        return OutputPolicy::default();
    }
    OutputPolicy { bytes_max: FOREGROUND_OUTPUT_BYTES, ..OutputPolicy::default() }
}

fn stop_signal(text: &str) -> Result<String> {
    values::signal(text).map(|number| number.to_string()).map_err(anyhow::Error::msg)
}

/// A container with what `--security-opt` says.
fn secured(rights: &RightArgs) -> Result<Container> {
    let mut container = Container::default();
    for option in &rights.security_opt {
        match option.as_str() {
            "no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true" => {
                container.no_new_privileges = true
            }
            "no-new-privileges=false" | "no-new-privileges:false" => container.no_new_privileges = false,
            "seccomp=unconfined" => container.seccomp = Seccomp::Unconfined,
            other => bail!("--security-opt knows no-new-privileges and seccomp=unconfined, not `{other}`"),
        }
    }
    Ok(container)
}

fn isolation(rights: &RightArgs) -> Result<Isolation> {
    let is = |flag: &str, given: &Option<String>, word: &str, others: &[&str]| match given.as_deref() {
        None => Ok(false),
        Some(value) if value == word => Ok(true),
        Some(value) if others.contains(&value) => Ok(false),
        Some(value) => bail!("{flag} is {word}, or left out; not `{value}`"),
    };
    Ok(Isolation {
        user_namespace: is("--userns", &rights.userns, "auto", &["host"])?,
        host_processes: is("--pid", &rights.pid, "host", &["private"])?,
        host_ipc: is("--ipc", &rights.ipc, "host", &["private"])?,
        ..Isolation::default()
    })
}

#[cfg(test)]
mod tests;
