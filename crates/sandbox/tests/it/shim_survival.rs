//! Whoever is killed: what must not end goes on, what must end does.

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process, pidfd_send_signal};
use sandbox::client::{Launcher, ShimError, connect, last_words};

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(a_shim_that_is_killed_takes_everything_with_it_by_the_kernel_alone),
    test!(a_shim_whose_directory_is_removed_ends_with_its_sandbox),
    test!(a_launcher_that_is_killed_takes_nothing_with_it_and_is_replaced),
    test!(a_node_that_is_killed_takes_nothing_with_it_and_ends_meanwhile_are_told),
    test!(a_sandbox_that_is_to_end_with_its_connection_does),
    test!(a_new_connection_replaces_the_one_before),
    test!(what_is_kept_is_there_for_the_next_node),
    test!(nothing_of_many_killed_shims_is_left),
    test!(whatever_is_killed_at_any_moment_nothing_is_left_and_every_end_is_told),
];

async fn a_shim_that_is_killed_takes_everything_with_it_by_the_kernel_alone() {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("app"), &["sh", "-c", "sleep 1000 & sleep 1000 & echo ready; wait"]).await;
    workload.wait_for(&shim, "app", "ready").await;
    shim.create(container_plan("waits"), workload.root(), vec![]).await.unwrap();
    let null = || std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap().into();
    let io = sandbox::client::ExecIo::Given { input: null(), output: null(), errors: null() };
    let executing = shim.exec("app", process(&["sleep", "1000"]), io).await.unwrap();
    let state = shim.state().await.unwrap();
    let pids = state.containers.iter().filter_map(|one| one.pid).chain(state.sandbox).chain([executing.pid]);
    let processes: Vec<_> = pids.map(pidfd).collect();
    assert_eq!(processes.len(), 4);
    pidfd_send_signal(shim.process(), Signal::KILL).unwrap();
    shim.ended().await;
    for process in processes {
        process_ended(process).await;
    }
    assert!(matches!(shim.state().await, Err(ShimError::Disconnected)));
    assert!(matches!(connect(workload.open().as_fd()).await, Err(ShimError::NotRunning)));
    assert!(last_words(workload.open().as_fd()).is_none());
    // The directory is good for another.
    let shim = workload.shim().await;
    shim.sandbox(sandbox_plan(), None).await.unwrap();
}

async fn a_shim_whose_directory_is_removed_ends_with_its_sandbox() {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    let container = pidfd(shim.state().await.unwrap().containers[0].pid.unwrap());
    std::fs::remove_dir_all(workload.path()).unwrap();
    // It looks from time to time, and whenever it has something to do.
    let _ = shim.state().await;
    shim.ended().await;
    process_ended(container).await;
}

async fn a_launcher_that_is_killed_takes_nothing_with_it_and_is_replaced() {
    let workload = Workload::new();
    let launcher = Launcher::start().unwrap();
    let shim = launcher.shim(workload.open()).await.unwrap();
    workload.kills(&shim);
    shim.sandbox(sandbox_plan(), None).await.unwrap();
    let pid = launcher.pid().unwrap();
    let process = pidfd(pid);
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    process_ended(process).await;
    let (exit, _) = workload.run_to_end(&shim, container_plan("app"), "exit 7").await;
    assert_eq!(exit.code, 7);
    let other = Workload::new();
    let second = launcher.shim(other.open()).await.unwrap();
    other.kills(&second);
    second.sandbox(sandbox_plan(), None).await.unwrap();
    assert_ne!(launcher.pid(), Some(pid));
    // Nor does one that ends because nobody needs it any more.
    drop(launcher);
    shim.state().await.unwrap();
    second.state().await.unwrap();
}

/// The argument that makes the test binary a node that only starts things.
const CLIENT: &str = "as-client";

/// The directory that this process is to be a node for.
pub(crate) fn is_client() -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip(1);
    let is_one = arguments.next()?.to_str() == Some(CLIENT);
    if is_one { arguments.next().map(PathBuf::from) } else { None }
}

/// Is a node that starts two containers, says so, and waits to be killed.
pub(crate) fn client(directory: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let open = |path| std::os::fd::OwnedFd::from(std::fs::File::open(path).unwrap());
        let root = || {
            let root = open(directory.join("root"));
            sandbox::mounts::clone_of(root.as_fd(), sandbox::mounts::Depth::Alone).unwrap()
        };
        let shim = Launcher::start().unwrap().shim(open(directory.join("workload"))).await.unwrap();
        shim.sandbox(sandbox_plan(), None).await.unwrap();
        for (name, script) in [("short", "read line < /tmp/go; echo $line; exit 7"), ("long", "sleep 1000")] {
            let pid = shim.create(container_plan(name), root(), vec![]).await.unwrap();
            shim.start(name, process(&["sh", "-c", script]), None, vec![]).await.unwrap();
            println!("{pid}");
        }
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

async fn a_sandbox_that_is_to_end_with_its_connection_does() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let plan = sandbox::plan::SandboxPlan { ends_with_connection: true, ..sandbox_plan() };
    shim.sandbox(plan, None).await.unwrap();
    workload.run(&shim, container_plan("app"), &["sh", "-c", "trap '' TERM; echo ready; sleep 1000"]).await;
    workload.wait_for(&shim, "app", "ready").await;
    let container = pidfd(shim.state().await.unwrap().containers[0].pid.unwrap());
    let process = shim.process().try_clone_to_owned().unwrap();
    drop(shim);
    process_ended(container).await;
    process_ended(process).await;
    assert!(matches!(connect(workload.open().as_fd()).await, Err(ShimError::NotRunning)));
}

async fn a_node_that_is_killed_takes_nothing_with_it_and_ends_meanwhile_are_told() {
    let workload = Workload::new();
    let go = workload.root_path().join("tmp/go");
    mknodat(CWD, &go, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let mut node = Command::new("/proc/self/exe")
        .arg(CLIENT)
        .arg(workload.root_path().parent().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(node.stdout.take().unwrap()).lines();
    let pids: Vec<u32> = (0..2).map(|_| said.next().unwrap().unwrap().parse().unwrap()).collect();
    let short = pidfd(pids[0]);
    node.kill().unwrap();
    node.wait().unwrap();
    // Nobody is connected while it ends.
    std::fs::write(&go, "went\n").unwrap();
    process_ended(short).await;
    let shim = connect(workload.open().as_fd()).await.unwrap();
    workload.kills(&shim);
    let state = shim.state().await.unwrap();
    let [long, short] = &state.containers[..] else { panic!("{state:?}") };
    assert_eq!((long.pid, long.exit), (Some(pids[1]), None));
    assert_eq!((short.pid, short.exit.map(|exit| exit.code)), (None, Some(7)));
    assert!(short.started_ns.is_some() && short.started_ns < short.exit.map(|exit| exit.at_ns));
    assert_eq!(workload.printed("short"), "went\n");
    let mut events = shim.events();
    shim.kill("long").await.unwrap();
    assert_eq!(ended(&mut events, "long").await.signal, Some(9));
}

async fn a_new_connection_replaces_the_one_before() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    let second = connect(workload.open().as_fd()).await.unwrap();
    assert_eq!(second.pid(), shim.pid());
    assert_eq!(events.next().await, None);
    assert!(matches!(shim.state().await, Err(ShimError::Disconnected)));
    let (exit, _) = workload.run_to_end(&second, container_plan("app"), "exit 2").await;
    assert_eq!(exit.code, 2);
}

async fn what_is_kept_is_there_for_the_next_node() {
    let (workload, shim) = Workload::with_sandbox().await;
    assert!(shim.kept().await.unwrap().is_empty());
    let file = |name: &str| std::fs::File::create_new(workload.path().join(name)).unwrap();
    shim.keep(vec![file("replaced").into()]).await.unwrap();
    let files = [file("one"), file("two")];
    let inodes = files.each_ref().map(|file| rustix::fs::fstat(file).unwrap().st_ino);
    shim.keep(files.map(Into::into).into()).await.unwrap();
    drop(shim);
    let shim = connect(workload.open().as_fd()).await.unwrap();
    let kept = shim.kept().await.unwrap();
    let kept: Vec<u64> = kept.iter().map(|kept| rustix::fs::fstat(kept).unwrap().st_ino).collect();
    assert_eq!(kept, inodes);
}

async fn nothing_of_many_killed_shims_is_left() {
    for turn in 0..10_u32 {
        let (workload, shim) = Workload::with_sandbox().await;
        let sandbox = pidfd(shim.state().await.unwrap().sandbox.unwrap());
        let (one, other) = (shim.clone(), shim.clone());
        let root = [workload.root(), workload.root()];
        let [root_one, root_other] = root;
        // It is killed while it makes things, each time a little later.
        let making = tokio::spawn(async move { one.create(container_plan("one"), root_one, vec![]).await.is_ok() });
        let asking = tokio::spawn(async move { other.create(container_plan("two"), root_other, vec![]).await.is_ok() });
        for _ in 0..turn {
            let _ = shim.state().await;
        }
        pidfd_send_signal(shim.process(), Signal::KILL).unwrap();
        process_ended(sandbox).await;
        let _ = (making.await.unwrap(), asking.await.unwrap());
        // Whatever still shows the root keeps it busy: all of it can be removed.
        wait_for_no_process_in(&workload.root_path()).await;
    }
}

async fn whatever_is_killed_at_any_moment_nothing_is_left_and_every_end_is_told() {
    const ROUNDS: u64 = 40;
    // Not random: each round waits for another number of turns before it kills, and kills something else.
    for round in 0..ROUNDS {
        let (workload, shim) = Workload::with_sandbox().await;
        let mut events = shim.events();
        let app = shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
        let sandbox = shim.state().await.unwrap().sandbox.unwrap();
        let victim = pidfd([app, sandbox, shim.pid()][(round % 3) as usize]);
        let starting = shim.clone();
        let going = tokio::spawn(async move {
            let started = starting.start("app", process(&["sleep", "1000"]), None, vec![]).await;
            let null = || std::fs::File::open("/dev/null").unwrap().into();
            let io = sandbox::client::ExecIo::Given { input: null(), output: null(), errors: null() };
            let executing = starting.exec("app", process(&["sleep", "1000"]), io).await;
            (started.is_ok(), executing)
        });
        for _ in 0..round * 20 {
            tokio::task::yield_now().await;
        }
        pidfd_send_signal(&victim, Signal::KILL).unwrap();
        let (was_started, executing) = going.await.unwrap();
        if round % 3 == 0 {
            // Either the start failed, or the end of what had been started is told.
            let exit = if was_started { ended(&mut events, "app").await } else { exit_of(&shim, "app").await };
            assert!(exit.code != 0, "{exit:?}");
            if let Ok(executing) = executing {
                assert_eq!(executing.ended().await.unwrap().signal, Some(9));
            }
            shim.destroy().await.unwrap();
        }
        shim.ended().await;
        wait_for_no_process_in(&workload.root_path()).await;
    }
}

/// How a container ended, which it may be about to.
async fn exit_of(shim: &sandbox::client::Shim, container: &str) -> sandbox::protocol::Exit {
    loop {
        let state = shim.state().await.unwrap();
        if let Some(exit) = state.containers.iter().find(|one| one.name == container).and_then(|one| one.exit) {
            return exit;
        }
    }
}

/// Waits until no process has its root in a directory.
async fn wait_for_no_process_in(root: &Path) {
    let inode = rustix::fs::stat(root).unwrap().st_ino;
    let there = || {
        let names = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbers = names.filter_map(|name| name.parse::<u32>().ok());
        numbers.find(|pid| rustix::fs::stat(format!("/proc/{pid}/root")).is_ok_and(|stat| stat.st_ino == inode))
    };
    while let Some(pid) = there() {
        if let Some(handle) = Pid::from_raw(pid.cast_signed())
            .and_then(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok())
        {
            process_ended(handle).await;
        }
    }
}
