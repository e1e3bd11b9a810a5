//! How a container is, in a few words.

use base::Timestamp;
use workload::{ContainerObserved, ContainerState, ExitStatus, Health, Observed, Phase, PortProtocol, Reason};

use crate::control_socket::workloads::Told;
use crate::terminal::bytes;

/// How many digits of an id a person is shown, as docker does.
const ID_DIGITS: usize = 12;

/// The beginning of an id, by which a person names it.
pub(crate) fn short(id: &workload::WorkloadId) -> String {
    id.as_str().chars().take(ID_DIGITS).collect()
}

/// A span as a person reads it: `12 s`, `3 min`, `2 h`, `5 d`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long ago something was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.since(at).as_secs()))
}

/// How it is: `up 3 min (healthy)`, `exited (0) 5 s ago`.
pub(crate) fn status(told: &Told, now: Timestamp) -> String {
    let Some(observed) = &told.observed else {
        return match (&told.waiting, told.is_stopping) {
            (_, true) => "stopping".to_owned(),
            (Some(reason), false) => format!("waiting: {}", reason.message),
            (None, false) => "waiting".to_owned(),
        };
    };
    let first = observed.containers.first();
    match first.map(|first| (&first.state, first.health)) {
        Some((ContainerState::Exited(exit), _)) => ended(exit, observed.reason.as_ref(), now),
        Some((ContainerState::Running { since, .. }, health)) => {
            let up = format!("up {}", span(now.since(*since).as_secs()));
            match (health, observed.phase) {
                (_, Phase::Stopping) => format!("{up}, stopping"),
                (Health::Unknown, _) => up,
                (Health::Healthy, _) => format!("{up} (healthy)"),
                (Health::Unhealthy, _) => format!("{up} (unhealthy)"),
            }
        }
        Some((ContainerState::Paused { .. }, _)) => "frozen".to_owned(),
        Some((ContainerState::Waiting { reason }, _)) => unstarted(observed, &reason.message),
        None => unstarted(observed, ""),
    }
}

/// How it ended: `exited (0) 5 s ago`, `lost 5 s ago: its sandbox died`, `never ran: no such user`.
fn ended(exit: &ExitStatus, of_workload: Option<&Reason>, now: Timestamp) -> String {
    let reason = exit.reason.as_ref().or(of_workload);
    let why = reason.map(|reason| format!(": {}", reason.message)).unwrap_or_default();
    let is_lost = exit.reason.as_ref().is_some_and(|reason| reason.code.is_loss());
    match (exit.code, exit.started_at) {
        (None, None) => format!("never ran{why}"),
        (None, Some(_)) => format!("lost {}{why}", ago(exit.at, now)),
        (Some(_), Some(_)) if is_lost => format!("lost {}{why}", ago(exit.at, now)),
        (Some(code), _) => {
            let memory = if exit.out_of_memory { ", out of memory" } else { "" };
            format!("exited ({code}{memory}) {}", ago(exit.at, now))
        }
    }
}

/// How much of what it printed nobody got; nothing if that is none.
pub(crate) fn output_lost(container: &ContainerObserved) -> Option<String> {
    (container.output_bytes_lost > 0).then(|| format!("{} of output lost", bytes(container.output_bytes_lost)))
}

fn unstarted(observed: &Observed, message: &str) -> String {
    let why = observed.reason.as_ref().map_or(message, |reason| reason.message.as_str());
    let state = match observed.phase {
        Phase::Pending => "waiting",
        Phase::Preparing => "preparing",
        Phase::Running => "starting",
        Phase::Stopping => "stopping",
        Phase::Stopped => "never ran",
    };
    if why.is_empty() { state.to_owned() } else { format!("{state}: {why}") }
}

/// Its ports: `127.0.0.1:8080->80/tcp`.
pub(crate) fn ports(observed: Option<&Observed>) -> String {
    let ports = observed.map(|observed| observed.ports.as_slice()).unwrap_or_default();
    let port = |port: &workload::PortBinding| {
        let protocol = match port.protocol {
            PortProtocol::Tcp => "tcp",
            PortProtocol::Udp => "udp",
        };
        format!("{}:{}->{}/{protocol}", port.host_address, port.host_port, port.container_port)
    };
    ports.iter().map(port).collect::<Vec<_>>().join(", ")
}

/// At most so many characters of a text.
pub(crate) fn at_most(length: usize, text: &str) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}
