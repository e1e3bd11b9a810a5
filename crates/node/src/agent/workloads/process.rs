//! What a container executes, from its image and its specification: pure.

use std::collections::BTreeMap;

use images::Run;
use sandbox::plan::{ProcessPlan, RlimitPlan};
use workload::{Capabilities, Container, EnvVar, Reason, ReasonCode, Spec, Ulimit, WorkloadId};

/// What programs are looked up in where an image does not say (Docker's).
const PATH_DEFAULT: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The names of limits of `setrlimit(2)`, each at its number (asm-generic/resource.h).
const RLIMITS: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// The names of signals, each at its number less one (signal(7), of x86 and ARM).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];
/// What real-time signals begin and end with, for glibc.
const REAL_TIME: [i32; 2] = [34, 64];
/// What a container is told to stop by if neither it nor its image says otherwise.
const SIGTERM: i32 = 15;

/// What a container executes.
pub(super) fn container(
    id: &WorkloadId,
    spec: &Spec,
    container: &Container,
    image: &Run,
    local: &BTreeMap<String, String>,
) -> Result<ProcessPlan, Reason> {
    let mut args = container.entrypoint.clone().unwrap_or_else(|| image.entrypoint.clone());
    // Whose entry point is another has no use for the image's arguments (Docker's rule).
    match (&container.command, &container.entrypoint) {
        (Some(command), _) => args.extend(command.iter().cloned()),
        (None, None) => args.extend(image.cmd.iter().cloned()),
        (None, Some(_)) => {}
    }
    if args.is_empty() {
        let message = format!("neither the container {} nor its image names a program", container.name);
        return Err(Reason::new(ReasonCode::CannotStart, message));
    }
    let mut env = Env::default();
    env.line(PATH_DEFAULT);
    env.set("HOSTNAME", &hostname(id, spec));
    if container.tty {
        env.line("TERM=xterm");
    }
    image.env.iter().for_each(|line| env.line(line));
    local.iter().for_each(|(name, value)| env.set(name, value));
    container.env.iter().for_each(|EnvVar { name, value }| env.set(name, value));
    let from_image = |own: &Option<String>, image: &str| own.clone().unwrap_or_else(|| image.to_owned());
    Ok(ProcessPlan {
        args,
        env: env.0,
        working_dir: absolute(from_image(&container.working_dir, &image.working_dir)),
        user: from_image(&container.user, &image.user),
        groups: Vec::new(),
    })
}

/// What an exec in it executes.
pub(super) fn exec(
    of: &ProcessPlan,
    args: Vec<String>,
    env: &[EnvVar],
    working_dir: Option<String>,
    user: Option<String>,
    has_terminal: bool,
) -> ProcessPlan {
    let mut all = Env(of.env.clone());
    if has_terminal && !of.env.iter().any(|line| line.starts_with("TERM=")) {
        all.line("TERM=xterm");
    }
    env.iter().for_each(|EnvVar { name, value }| all.set(name, value));
    ProcessPlan {
        args,
        env: all.0,
        working_dir: working_dir.map_or_else(|| of.working_dir.clone(), absolute),
        user: user.unwrap_or_else(|| of.user.clone()),
        groups: of.groups.clone(),
    }
}

/// The host name of a workload.
pub(super) fn hostname(id: &WorkloadId, spec: &Spec) -> String {
    spec.hostname.clone().unwrap_or_else(|| id.as_str().chars().take(12).collect())
}

/// What a container is told to stop by.
pub(super) fn stop_signal(container: &Container, image: Option<&Run>) -> i32 {
    let named = container.stop_signal.as_deref().or_else(|| image?.stop_signal.as_deref());
    named.and_then(signal).unwrap_or(SIGTERM)
}

/// A signal by its number or name: `SIGTERM`, `TERM`, `15`, `RTMIN+3`.
pub(super) fn signal(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=REAL_TIME[1]).contains(&number).then_some(number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(number) = SIGNALS.iter().position(|known| *known == name) {
        return i32::try_from(number + 1).ok();
    }
    let offset = |rest: &str| if rest.is_empty() { Some(0) } else { rest.parse::<i32>().ok() };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => REAL_TIME[0] + offset(rest)?,
        (_, Some(rest)) => REAL_TIME[1] + offset(rest)?,
        _ => return None,
    };
    (REAL_TIME[0]..=REAL_TIME[1]).contains(&number).then_some(number)
}

/// The capabilities of a container, as bits. To what is privileged all are added.
pub(super) fn capabilities(changes: &Capabilities, privileged: bool) -> Result<u64, Reason> {
    let all = ["ALL".to_owned()];
    let added = if privileged { &all[..] } else { &changes.add };
    sandbox::capabilities::of(added, &changes.drop)
        .map_err(|name| Reason::new(ReasonCode::Refused, format!("there is no capability {name}")))
}

/// The limits of a container's processes.
pub(super) fn rlimits(ulimits: &[Ulimit]) -> Result<Vec<RlimitPlan>, Reason> {
    let value = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    ulimits
        .iter()
        .map(|ulimit| {
            let number = RLIMITS.iter().position(|known| *known == ulimit.name);
            let unknown = || Reason::new(ReasonCode::Refused, format!("there is no limit {}", ulimit.name));
            let resource = u32::try_from(number.ok_or_else(unknown)?).unwrap_or(u32::MAX);
            Ok(RlimitPlan { resource, soft: value(ulimit.soft), hard: value(ulimit.hard) })
        })
        .collect()
}

fn absolute(path: String) -> String {
    match path.as_str() {
        "" => "/".to_owned(),
        relative if !relative.starts_with('/') => format!("/{path}"),
        _ => path,
    }
}

/// `NAME=value`, each name once; of several values the last.
#[derive(Default)]
struct Env(Vec<String>);

impl Env {
    fn line(&mut self, line: &str) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        self.set(name, value);
    }

    fn set(&mut self, name: &str, value: &str) {
        let line = format!("{name}={value}");
        let has_name = |before: &&mut String| before.split_once('=').is_some_and(|(other, _)| other == name);
        match self.0.iter_mut().find(has_name) {
            Some(before) => *before = line,
            None => self.0.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> WorkloadId {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn run() -> Run {
        Run {
            env: vec!["PATH=/bin".to_owned(), "A=image".to_owned()],
            entrypoint: vec!["/entry".to_owned()],
            cmd: vec!["arg".to_owned()],
            user: "app".to_owned(),
            stop_signal: Some("SIGQUIT".to_owned()),
            ..Run::default()
        }
    }

    fn plan(container: &Container) -> Result<ProcessPlan, Reason> {
        let local = BTreeMap::from([("A".to_owned(), "local".to_owned()), ("L".to_owned(), "1".to_owned())]);
        super::container(&id(), &Spec::default(), container, &run(), &local)
    }

    #[test]
    fn what_is_executed_follows_dockers_rules() {
        let strings = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for (entrypoint, command, args) in [
            (None, None, strings(&["/entry", "arg"])),
            (None, strings(&["x"]), strings(&["/entry", "x"])),
            (strings(&["/own"]), None, strings(&["/own"])),
            (strings(&["/own"]), strings(&["x"]), strings(&["/own", "x"])),
            (strings(&[]), strings(&["x"]), strings(&["x"])),
            (strings(&[]), None, None),
        ] {
            let container = Container { entrypoint, command, ..Container::default() };
            assert_eq!(plan(&container).ok().map(|plan| plan.args), args, "{container:?}");
        }
    }

    #[test]
    fn an_environment_has_each_name_once_and_the_specification_has_the_last_word() {
        let var = |name: &str, value: &str| EnvVar { name: name.to_owned(), value: value.to_owned() };
        let container = Container { env: vec![var("L", "own"), var("E", "a=b")], tty: true, ..Container::default() };
        let plan = plan(&container).unwrap();
        let expected = ["PATH=/bin", "HOSTNAME=0123456789ab", "TERM=xterm", "A=local", "L=own", "E=a=b"];
        assert_eq!(plan.env, expected);
        assert_eq!((plan.user.as_str(), plan.working_dir.as_str()), ("app", "/"));
        let exec = exec(&plan, vec!["sh".to_owned()], &[var("A", "exec")], Some("x".to_owned()), None, true);
        assert!(exec.env.contains(&"A=exec".to_owned()) && exec.working_dir == "/x" && exec.user == "app");
    }

    #[test]
    fn signals_are_known_by_name_and_number() {
        for (text, number) in [
            ("SIGTERM", Some(15)),
            ("kill", Some(9)),
            ("SYS", Some(31)),
            ("15", Some(15)),
            ("RTMIN+3", Some(37)),
            ("SIGRTMAX-1", Some(63)),
            ("RTMAX+1", None),
            ("0", None),
            ("65", None),
            ("SIGNONE", None),
        ] {
            assert_eq!(signal(text), number, "{text}");
        }
        let container = Container::default();
        assert_eq!(stop_signal(&container, Some(&run())), 3);
        assert_eq!(stop_signal(&container, None), 15);
    }

    #[test]
    fn capabilities_are_added_and_dropped() {
        let names = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let bits =
            |add: &[&str], drop: &[&str]| capabilities(&Capabilities { add: names(add), drop: names(drop) }, false);
        assert_eq!(bits(&[], &[]).unwrap(), 0xa804_25fb, "what Docker gives");
        assert_eq!(bits(&[], &["ALL"]).unwrap(), 0);
        assert_eq!(bits(&["NET_BIND_SERVICE"], &["ALL"]).unwrap(), 1 << 10);
        assert_eq!(bits(&["CAP_SYS_PTRACE"], &["MKNOD"]).unwrap(), 0xa804_25fb & !(1 << 27) | 1 << 19);
        assert_eq!(bits(&["ALL"], &[]).unwrap(), (1 << 41) - 1);
        assert_eq!(bits(&["ALL"], &["SYS_ADMIN"]).unwrap(), ((1 << 41) - 1) & !(1 << 21));
        assert_eq!(bits(&["SYS_ADMIN"], &["SYS_ADMIN"]).unwrap(), 0xa804_25fb | 1 << 21, "as Docker has it");
        assert_eq!(capabilities(&Capabilities::default(), true).unwrap(), (1 << 41) - 1);
        assert!(bits(&["FLY"], &[]).is_err());
    }

    #[test]
    fn limits_have_numbers_and_none_is_the_most() {
        let ulimit = |name: &str| Ulimit { name: name.to_owned(), soft: 1, hard: -1 };
        let plan = rlimits(&[ulimit("nofile")]).unwrap();
        assert_eq!(plan, [RlimitPlan { resource: 7, soft: 1, hard: u64::MAX }]);
        assert!(rlimits(&[ulimit("files")]).is_err());
    }
}
