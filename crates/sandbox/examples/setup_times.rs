//! Prints how long it takes to make sandboxes, containers and execs, without a shim or a node around it. As root, with Debian's
//! `busybox-static`: `cargo run -p sandbox --example setup_times [ROUNDS] [CGROUP_DIRECTORY…]`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use sandbox::mounts::{self, Depth};
use sandbox::plan::{CgroupPlan, ContainerPlan, NetworkNamespace, ProcessPlan, SandboxPlan, SeccompPlan};
use sandbox::setup::{self, Making, Report, SandboxHandle, Streams};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(100, |text| text.parse().unwrap());
    let cgroup = CgroupPlan { directories: arguments.collect() };
    let root = root();
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for _ in 0..rounds {
        round(&root, &cgroup, &mut |step, time| times.entry(step).or_default().push(time));
    }
    println!("{:28} {:>9} {:>9} {:>9}", "ms", "least", "median", "99 %");
    for (step, mut all) in times {
        all.sort();
        let ms = |at: usize| all[at].as_secs_f64() * 1000.0;
        println!("{step:28} {:9.3} {:9.3} {:9.3}", ms(0), ms(all.len() / 2), ms(all.len() * 99 / 100));
    }
}

fn round(root: &tempfile::TempDir, cgroup: &CgroupPlan, note: &mut dyn FnMut(&'static str, Duration)) {
    let shared = shared(cgroup);
    let (making, pid, parts) = {
        let began = Instant::now();
        let making = setup::sandbox(&shared, None).unwrap();
        let Report::Sandbox { pid, parts } = next(&making) else { panic!("no sandbox") };
        note("1 sandbox", began.elapsed());
        (making, pid, parts)
    };
    let sandbox = SandboxHandle { process: pidfd(pid), parts };
    let null = File::options().write(true).open("/dev/null").unwrap();
    let streams = Streams { input: None, output: null.as_fd(), errors: null.as_fd() };
    let plan = plan(cgroup);
    let detached = mounts::clone_of(File::open(root.path()).unwrap().as_fd(), Depth::Alone).unwrap();
    let began = Instant::now();
    let container = setup::container(&sandbox, &shared, &plan, detached.as_fd(), &[], Some(streams)).unwrap();
    note("2 create: fork", began.elapsed());
    let pid = match next(&container) {
        Report::Created { pid, .. } => pid,
        other => panic!("{other:?}"),
    };
    note("3 create", began.elapsed());
    let began = Instant::now();
    setup::start(&container, &process(&["busybox", "sleep", "1000"]), None, &[]).unwrap();
    expect_execution(&container);
    note("4 start", began.elapsed());
    let container_pidfd = pidfd(pid);
    let began = Instant::now();
    let exec = setup::exec(container_pidfd.as_fd(), &plan, &process(&["true"]), None, Some(streams)).unwrap();
    expect_execution(&exec);
    note("5 exec", began.elapsed());
    let began = Instant::now();
    drop(making);
    rustix::process::pidfd_send_signal(&sandbox.process, rustix::process::Signal::KILL).unwrap();
    while rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok() {}
    note("6 kill to all ended", began.elapsed());
}

fn expect_execution(making: &Making) {
    match (next(making), next(making)) {
        (Report::Executing { .. }, Report::Ended) => {}
        other => panic!("{other:?}"),
    }
}

fn next(making: &Making) -> Report {
    loop {
        let mut ready = [rustix::event::PollFd::new(&making.control, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut ready, None).unwrap();
        match setup::receive(making).unwrap() {
            Some(Report::Failed(failure)) => panic!("{failure}"),
            Some(report) => return report,
            None => {}
        }
    }
}

fn pidfd(pid: i32) -> OwnedFd {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
}

fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["bin", "dev", "etc", "proc", "sys"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.path().join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.path().join("bin/true")).unwrap();
    root
}

fn process(args: &[&str]) -> ProcessPlan {
    ProcessPlan {
        args: args.iter().map(|argument| (*argument).to_owned()).collect(),
        env: vec!["PATH=/bin".to_owned()],
        working_dir: "/".to_owned(),
        user: String::new(),
        groups: vec![],
    }
}

fn shared(cgroup: &CgroupPlan) -> SandboxPlan {
    SandboxPlan {
        hostname: "box".to_owned(),
        network: NetworkNamespace::Host,
        users: None,
        share_processes: false,
        share_ipc: false,
        host_processes: false,
        host_ipc: false,
        sysctls: BTreeMap::new(),
        cgroup: cgroup.clone(),
        ends_with_connection: false,
    }
}

fn plan(cgroup: &CgroupPlan) -> ContainerPlan {
    ContainerPlan {
        name: "app".to_owned(),
        read_only_root: false,
        mounts: vec![],
        shm_bytes: 1 << 20,
        cgroup: cgroup.clone(),
        devices: vec![],
        capabilities: sandbox::capabilities::of(&[], &[]).unwrap(),
        seccomp: SeccompPlan::Default,
        no_new_privileges: false,
        privileged: false,
        rlimits: vec![],
        sysctls: BTreeMap::new(),
        init: false,
        tty: None,
        stdin: false,
        output_bytes_max: 0,
    }
}
