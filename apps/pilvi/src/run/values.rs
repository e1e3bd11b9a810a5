//! Values as docker writes them: sizes, spans, ports, volumes, limits.

use std::net::Ipv4Addr;
use std::str::FromStr;

use workload::{Device, PortProtocol, PublishedPort, Restart, RestartWhen, TmpfsMount, Ulimit};

/// How much fits into a `--tmpfs` that names no size, in bytes.
const TMPFS_BYTES_DEFAULT: u64 = 1024 * 1024 * 1024;
/// The most ports that one range publishes.
const RANGE_MAX: u16 = 128;

/// A number of bytes: `512`, `512k`, `1.5g`, `64MiB`. Units are powers of 1024.
///
/// # Errors
/// When it is none.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let invalid = || format!("`{text}` is no size such as 512m or 1g");
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..unit_at].parse().map_err(|_| invalid())?;
    let unit = text[unit_at..].trim_start().to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(invalid()),
    };
    let bytes = number * 1024_f64.powi(power);
    // Up to 2^53 every number of bytes is exact; nothing is larger.
    if bytes.is_finite() && (0.0..=9_007_199_254_740_992.0).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(invalid())
    }
}

/// A span in whole seconds: `30s`, `1m30s`, `2h`. Shorter ones are rounded up.
///
/// # Errors
/// When it is none.
pub(crate) fn span_s(text: &str) -> Result<u32, String> {
    let invalid = || format!("`{text}` is no span of time such as 30s or 1m30s");
    let (mut rest, mut total_ms) = (text, 0.0);
    if text == "0" {
        return Ok(0);
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
        let number: f64 = rest[..unit_at].parse().map_err(|_| invalid())?;
        let unit_end = rest[unit_at..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| unit_at + at);
        total_ms += number
            * match &rest[unit_at..unit_end] {
                "ms" => 1.0,
                "s" => 1000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                _ => return Err(invalid()),
            };
        rest = &rest[unit_end..];
    }
    let seconds = (total_ms / 1000.0_f64).ceil();
    if text.is_empty() || !(0.0..=f64::from(u32::MAX)).contains(&seconds) { Err(invalid()) } else { Ok(seconds as u32) }
}

/// Processors: `0.5`, `2`; in thousandths.
///
/// # Errors
/// When it is no such number.
pub(crate) fn cpus(text: &str) -> Result<u32, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number of processors such as 0.5"))?;
    let millis = (number * 1000.0).round();
    if (1.0..=1_000_000.0).contains(&millis) {
        Ok(millis as u32)
    } else {
        Err(format!("`{text}`: a container has from 0.001 to 1000 processors"))
    }
}

/// One or several ports: `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`, where both may be ranges of the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish(pub(crate) Vec<PublishedPort>);

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no port such as 8080:80, 127.0.0.1:8080:80/tcp or 80");
        let (ports, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => PortProtocol::Tcp,
            "udp" => PortProtocol::Udp,
            other => return Err(format!("`{text}`: ports carry tcp or udp, not {other}")),
        };
        if ports.contains('[') {
            return Err(format!("`{text}`: ports are published at IPv4 addresses"));
        }
        let parts: Vec<&str> = ports.split(':').collect();
        let (address, host, container) = match parts.as_slice() {
            [container] => (None, None, *container),
            [host, container] => (None, Some(*host), *container),
            [address, host, container] => (Some(*address), Some(*host), *container),
            _ => return Err(invalid()),
        };
        let host_address = address.filter(|address| !address.is_empty());
        let host_address = host_address.map(str::parse::<Ipv4Addr>).transpose().map_err(|_| invalid())?;
        let container = range(container).ok_or_else(invalid)?;
        let host = host.filter(|host| !host.is_empty()).map(|host| range(host).ok_or_else(invalid)).transpose()?;
        let length = container.1 - container.0;
        if length >= RANGE_MAX || host.is_some_and(|(from, to)| to - from != length) {
            return Err(format!("`{text}`: ranges are of the same length, of at most {RANGE_MAX} ports"));
        }
        let port = |offset: u16| PublishedPort {
            container_port: container.0 + offset,
            host_port: host.map_or(0, |(from, _)| from + offset),
            host_address,
            protocol,
        };
        Ok(Self((0..=length).map(port).collect()))
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (from, to) = (port(from)?, port(to)?);
    (from <= to).then_some((from, to))
}

/// A volume: `NAME:PATH[:OPTIONS]`, `HOST_PATH:PATH[:OPTIONS]` or `PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) source: MountSource,
    pub(crate) path: String,
    pub(crate) read_only: bool,
    /// What the image has at that path comes into an empty volume.
    pub(crate) copies: bool,
}

/// Where a volume comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MountSource {
    /// It is new, and ends with the container.
    New,
    /// It has a name by which it is found again.
    Named(String),
    /// It is a path of the host; relative ones begin with a dot.
    Host(String),
}

impl FromStr for Mount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no volume such as data:/var/lib/data or /srv/www:/www:ro");
        let parts: Vec<&str> = text.split(':').collect();
        let (source, path, options) = match parts.as_slice() {
            [path] => (None, *path, ""),
            [source, path] => (Some(*source), *path, ""),
            [source, path, options] => (Some(*source), *path, *options),
            _ => return Err(invalid()),
        };
        let source = match source {
            None => MountSource::New,
            Some(path) if path.starts_with('/') || path.starts_with('.') => MountSource::Host(path.to_owned()),
            Some(name) if is_name(name) => MountSource::Named(name.to_owned()),
            Some(_) => return Err(invalid()),
        };
        if !path.starts_with('/') || path == "/" {
            return Err(format!("`{text}`: a volume is mounted at an absolute path in the container, and not at /"));
        }
        let (mut read_only, mut copies) = (false, !matches!(source, MountSource::Host(_)));
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => read_only = true,
                "nocopy" => copies = false,
                // What these say is so in any case.
                "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" | "private" | "rprivate" => {}
                other => return Err(format!("`{text}`: volumes have no option {other}; they have ro, rw and nocopy")),
            }
        }
        Ok(Self { source, path: path.to_owned(), read_only, copies })
    }
}

/// Whether it is what containers and volumes are called.
pub(crate) fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.len() >= 2
        && text.len() <= 63
        && text.bytes().all(inside)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// The name of a container.
///
/// # Errors
/// When it can be none.
pub(crate) fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}`: a name has 2 to 63 letters, digits, `_`, `.` and `-`, and begins with one of the first two"
        ))
    }
}

/// `PATH[:OPTIONS]`, of which `size=…` is one.
///
/// # Errors
/// When it is none.
pub(crate) fn tmpfs(text: &str) -> Result<TmpfsMount, String> {
    let (path, given) = text.split_once(':').unwrap_or((text, ""));
    if !path.starts_with('/') || path == "/" {
        return Err(format!("`{text}`: memory is mounted at an absolute path in the container, and not at /"));
    }
    let (mut bytes_max, mut options) = (TMPFS_BYTES_DEFAULT, Vec::new());
    for option in given.split(',').filter(|option| !option.is_empty()) {
        match option.strip_prefix("size=") {
            Some(given) => bytes_max = size(given)?,
            None if option == "rw" => {}
            None => options.push(option.to_owned()),
        }
    }
    Ok(TmpfsMount { path: path.to_owned(), bytes_max, options })
}

/// `NAME=SOFT[:HARD]`, where -1 is no limit.
///
/// # Errors
/// When it is none.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let invalid = || format!("`{text}` is no limit such as nofile=1024:4096");
    let (name, values) = text.split_once('=').ok_or_else(invalid)?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let value = |text: &str| text.parse::<i64>().ok().filter(|value| *value >= -1).ok_or_else(invalid);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(invalid());
    }
    let limit = Ulimit { name: name.to_owned(), soft: value(soft)?, hard: value(hard)? };
    if limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard) {
        return Err(format!("`{text}`: the first number is not above the second"));
    }
    Ok(limit)
}

/// `no`, `always`, `unless-stopped`, `on-failure[:RETRIES]`.
///
/// # Errors
/// When it is none of these.
pub(crate) fn restart(text: &str) -> Result<Restart, String> {
    let of = |when| Restart { when, ..Restart::default() };
    match text.split_once(':') {
        None if text == "no" => Ok(of(RestartWhen::Never)),
        // What somebody stopped stays stopped in either case.
        None if text == "always" || text == "unless-stopped" => Ok(of(RestartWhen::Always)),
        None if text == "on-failure" => Ok(of(RestartWhen::OnFailure)),
        Some(("on-failure", retries)) if retries.parse::<u32>().is_ok() => {
            Ok(Restart { retries_max: retries.parse().ok(), ..of(RestartWhen::OnFailure) })
        }
        _ => Err(format!("`{text}` is none of no, always, unless-stopped and on-failure[:RETRIES]")),
    }
}

/// `HOST[:CONTAINER[:rwm]]`.
///
/// # Errors
/// When it is none.
pub(crate) fn device(text: &str) -> Result<Device, String> {
    let invalid = || format!("`{text}` is no device such as /dev/fuse or /dev/sdb:/dev/xvdb:r");
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, rights) = match parts.as_slice() {
        [host] => (*host, *host, "rwm"),
        [host, container] => (*host, *container, "rwm"),
        [host, container, rights] => (*host, *container, *rights),
        _ => return Err(invalid()),
    };
    let is_rights = !rights.is_empty() && rights.chars().all(|right| "rwm".contains(right));
    if !host.starts_with('/') || !container.starts_with('/') || !is_rights {
        return Err(invalid());
    }
    Ok(Device {
        host_path: host.to_owned(),
        container_path: container.to_owned(),
        read: rights.contains('r'),
        write: rights.contains('w'),
        mknod: rights.contains('m'),
    })
}

/// `NAME=VALUE`.
///
/// # Errors
/// When it is none.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no NAME=VALUE")),
    }
}

/// A capability without `CAP_`, in upper case.
///
/// # Errors
/// When it is no word.
pub(crate) fn capability(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        Ok(name.to_owned())
    } else {
        Err(format!("`{text}` is no capability such as NET_ADMIN"))
    }
}

/// A signal by name or number: `TERM`, `SIGTERM`, `15`.
///
/// # Errors
/// When there is no such signal.
pub(crate) fn signal(text: &str) -> Result<i32, String> {
    const NAMES: [(&str, i32); 31] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
        ("STKFLT", 16),
        ("CHLD", 17),
        ("CONT", 18),
        ("STOP", 19),
        ("TSTP", 20),
        ("TTIN", 21),
        ("TTOU", 22),
        ("URG", 23),
        ("XCPU", 24),
        ("XFSZ", 25),
        ("VTALRM", 26),
        ("PROF", 27),
        ("WINCH", 28),
        ("IO", 29),
        ("PWR", 30),
        ("SYS", 31),
    ];
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = NAMES.iter().find(|(one, _)| *one == name).map(|(_, number)| *number);
    let numbered = || text.parse().ok().filter(|number| (1..=64).contains(number));
    named.or_else(numbered).ok_or_else(|| format!("`{text}` is no signal such as TERM or 15"))
}

#[cfg(test)]
mod tests;
