//! Sandboxes, containers and execs from beginning to end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;

use rustix::pipe::pipe;
use sandbox::cgroup::Limits;
use sandbox::client::{Event, ExecIo, ShimError, connect, last_words};
use sandbox::plan::{LateParts, TerminalSize};
use sandbox::protocol::{ContainerPhase, ShimFailureKind, Target};

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(a_container_ends_with_its_programs_code),
    test!(a_container_that_a_signal_ends_says_which),
    test!(what_is_executed_may_be_missing_or_no_program),
    test!(a_prepared_container_waits_and_is_forgotten_when_it_is_not_wanted),
    test!(a_name_is_used_again_once_its_container_is_forgotten),
    test!(what_is_asked_for_again_is_done_once_and_answered_as_before),
    test!(programs_are_executed_beside_a_containers_own),
    test!(who_executes_beside_a_container_makes_no_directory_and_is_told_why_nothing_runs),
    test!(an_exec_has_a_terminal_of_its_own),
    test!(a_signal_reaches_process_one_and_a_kill_everything),
    test!(containers_of_a_sandbox_share_its_network_and_not_its_processes),
    test!(containers_that_share_processes_leave_none_behind),
    test!(what_is_asked_for_at_the_wrong_time_is_refused),
    test!(a_sandbox_is_destroyed_with_everything_in_it),
    test!(containers_among_the_hosts_processes_are_destroyed_with_their_sandbox),
    test!(a_sandbox_whose_process_is_killed_ends_and_says_so),
    test!(a_fence_that_is_not_renewed_kills_everything),
    test!(a_fence_that_is_moved_or_taken_away_does_nothing),
    test!(many_containers_end_at_once),
];

async fn a_container_ends_with_its_programs_code() {
    let (workload, shim) = Workload::with_sandbox().await;
    let (exit, printed) = workload.run_to_end(&shim, container_plan("app"), "echo out; echo err >&2; exit 3").await;
    assert_eq!((exit.code, exit.signal, exit.out_of_memory), (3, None, false));
    assert!(exit.at_ns > 0);
    assert_eq!(printed, "out\nerr\n");
}

async fn a_container_that_a_signal_ends_says_which() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    shim.kill("app").await.unwrap();
    let exit = ended(&mut events, "app").await;
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
}

async fn what_is_executed_may_be_missing_or_no_program() {
    let (workload, shim) = Workload::with_sandbox().await;
    std::fs::write(workload.root_path().join("bin/text"), "no program").unwrap();
    for (program, kind, code) in [
        ("nothing", ShimFailureKind::ProgramNotFound, 127),
        ("/bin/nothing", ShimFailureKind::ProgramNotFound, 127),
        ("/bin/text", ShimFailureKind::ProgramNotExecutable, 126),
    ] {
        shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
        let failure = shim.start("app", process(&[program]), None, vec![]).await.unwrap_err();
        assert_eq!(failure.kind(), Some(kind), "{failure}");
        let state = shim.state().await.unwrap();
        assert_eq!(state.containers[0].exit.map(|exit| exit.code), Some(code));
        assert_eq!(state.containers[0].started_ns, None);
        shim.remove("app").await.unwrap();
    }
    shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    let mut nobody = process(&["true"]);
    nobody.user = "nobody-of-that-name".to_owned();
    let failure = shim.start("app", nobody, None, vec![]).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::NoSuchUser), "{failure}");
}

async fn a_prepared_container_waits_and_is_forgotten_when_it_is_not_wanted() {
    let (workload, shim) = Workload::with_sandbox().await;
    let pid = shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    let state = shim.state().await.unwrap();
    assert_eq!((state.containers[0].pid, state.containers[0].started_ns), (Some(pid), None));
    let process = pidfd(pid);
    shim.remove("app").await.unwrap();
    process_ended(process).await;
    assert_eq!(shim.state().await.unwrap().containers, []);
    // One that dies while it waits is told of like any other.
    let mut events = shim.events();
    let pid = shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    rustix::process::pidfd_send_signal(pidfd(pid), rustix::process::Signal::KILL).unwrap();
    assert_eq!(ended(&mut events, "app").await.signal, Some(9));
    let failure = shim.start("app", crate::support::process(&["true"]), None, vec![]).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::NotThere));
}

async fn what_is_asked_for_again_is_done_once_and_answered_as_before() {
    let (workload, shim) = Workload::with_sandbox().await;
    let phase = async || shim.state().await.unwrap().containers[0].phase;
    let create = || shim.create(container_plan("app"), workload.root(), vec![]);
    // While it is made, and when it has been.
    let (first, second) = tokio::join!(create(), create());
    let pid = first.unwrap();
    assert_eq!((second.unwrap(), create().await.unwrap()), (pid, pid));
    assert_eq!(phase().await, ContainerPhase::Created);
    let mut events = shim.events();
    let args = || process(&["sh", "-c", "echo once; sleep 1000"]);
    let start = || shim.start("app", args(), None, vec![]);
    let (first, second) = tokio::join!(start(), start());
    first.and(second).unwrap();
    start().await.unwrap();
    assert_eq!(phase().await, ContainerPhase::Running);
    let other = shim.start("app", process(&["true"]), None, vec![]).await.unwrap_err();
    assert_eq!(other.kind(), Some(ShimFailureKind::NotThere));
    assert_eq!(create().await.unwrap_err().kind(), Some(ShimFailureKind::Refused));
    workload.wait_for(&shim, "app", "once").await;
    shim.kill("app").await.unwrap();
    ended(&mut events, "app").await;
    start().await.unwrap();
    assert_eq!(phase().await, ContainerPhase::Ended);
    assert_eq!(workload.printed("app"), "once\n");
}

async fn a_name_is_used_again_once_its_container_is_forgotten() {
    let (workload, shim) = Workload::with_sandbox().await;
    for turn in ["one", "two", "three"] {
        let late = Some(LateParts::default());
        let mut events = shim.events();
        shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
        let mut other = container_plan("app");
        other.read_only_root = true;
        let again = shim.create(other, workload.root(), vec![]).await.unwrap_err();
        assert_eq!(again.kind(), Some(ShimFailureKind::Refused));
        shim.start("app", process(&["echo", turn]), late, vec![]).await.unwrap();
        ended(&mut events, "app").await;
        shim.remove("app").await.unwrap();
    }
    assert_eq!(workload.printed("app"), "one\ntwo\nthree\n");
}

async fn who_executes_beside_a_container_makes_no_directory_and_is_told_why_nothing_runs() {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    std::fs::write(workload.root_path().join("bin/script"), "#!/bin/no-such-shell\n").unwrap();
    std::fs::set_permissions(workload.root_path().join("bin/script"), PermissionsExt::from_mode(0o755)).unwrap();
    let refused = async |args: &[&str], directory: &str| {
        let mut process = process(args);
        process.working_dir = directory.to_owned();
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        let io = ExecIo::Given { input: null(), output: null(), errors: null() };
        let failure = shim.exec("app", process, io).await.unwrap_err();
        (failure.kind().unwrap(), failure.to_string())
    };
    let (kind, message) = refused(&["true"], "/not/there").await;
    assert!(kind == ShimFailureKind::ProgramNotFound && message.contains("/not/there is not there"), "{message}");
    assert!(!workload.root_path().join("not").exists());
    let (kind, message) = refused(&["true"], "/bin/busybox").await;
    assert!(kind == ShimFailureKind::Refused && message.contains("is no directory"), "{message}");
    let (kind, message) = refused(&["script"], "/").await;
    assert!(kind == ShimFailureKind::ProgramNotFound && message.contains("interpreter"), "{message}");
    let (kind, message) = refused(&["nothing"], "/").await;
    assert!(kind == ShimFailureKind::ProgramNotFound && message.contains("PATH"), "{message}");
}

async fn programs_are_executed_beside_a_containers_own() {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    let (input, to_input) = pipe().unwrap();
    let (from_output, output) = pipe().unwrap();
    let (from_errors, errors) = pipe().unwrap();
    let script = "cat; echo err >&2; hostname; exit 5";
    let io = ExecIo::Given { input, output, errors };
    let executing = shim.exec("app", process(&["sh", "-c", script]), io).await.unwrap();
    assert!(executing.terminal.is_none());
    std::fs::File::from(to_input).write_all(b"given\n").unwrap();
    assert_eq!(executing.ended().await.unwrap().code, 5);
    let text = |pipe| std::io::read_to_string(std::fs::File::from(pipe)).unwrap();
    assert_eq!((text(from_output), text(from_errors)), ("given\nbox\n".to_owned(), "err\n".to_owned()));

    let null = || std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap().into();
    let io = || ExecIo::Given { input: null(), output: null(), errors: null() };
    let failure = shim.exec("app", process(&["nothing"]), io()).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::ProgramNotFound));
    // Programs that end at once are told of as well.
    for _ in 0..50 {
        let executing = shim.exec("app", process(&["true"]), io()).await.unwrap();
        assert_eq!(executing.ended().await.unwrap().code, 0);
    }
    let executing = shim.exec("app", process(&["sleep", "1000"]), io()).await.unwrap();
    shim.signal(Target::Exec(executing.exec), 15).await.unwrap();
    assert_eq!(executing.ended().await.unwrap().signal, Some(15));
    // What is executed in a container ends with it.
    let executing = shim.exec("app", process(&["sleep", "1000"]), io()).await.unwrap();
    shim.kill("app").await.unwrap();
    assert_eq!(executing.ended().await.unwrap().signal, Some(9));
}

async fn an_exec_has_a_terminal_of_its_own() {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    let size = TerminalSize { columns: 91, rows: 17 };
    let args = process(&["sh", "-c", "tty; stty size"]);
    let executing = shim.exec("app", args, ExecIo::Terminal(size)).await.unwrap();
    let mut terminal = std::fs::File::from(executing.terminal.as_ref().unwrap().try_clone().unwrap());
    assert_eq!(executing.ended().await.unwrap().code, 0);
    let mut printed = Vec::new();
    // Its other side is closed by now, which reads as an error after everything that was printed.
    let _ = terminal.read_to_end(&mut printed);
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.starts_with("/dev/pts/") && printed.ends_with("17 91\r\n"), "{printed}");
}

async fn a_signal_reaches_process_one_and_a_kill_everything() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    let script = "trap 'echo got; exit 9' TERM; echo ready; sleep 1000 & wait";
    workload.run(&shim, container_plan("app"), &["sh", "-c", script]).await;
    workload.wait_for(&shim, "app", "ready").await;
    shim.signal(Target::Container("app".to_owned()), 15).await.unwrap();
    assert_eq!(ended(&mut events, "app").await.code, 9);
    assert_eq!(workload.printed("app"), "ready\ngot\n");
    let failure = shim.signal(Target::Container("app".to_owned()), 15).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::NotThere));
}

async fn containers_of_a_sandbox_share_its_network_and_not_its_processes() {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("one"), &["sleep", "1000"]).await;
    let script = "readlink /proc/self/ns/net; echo $$; ls -d /proc/[0-9]* | wc -l";
    let (_, printed) = workload.run_to_end(&shim, container_plan("two"), script).await;
    let lines: Vec<&str> = printed.lines().collect();
    let network = shim.network_namespace().await.unwrap();
    let inode = rustix::fs::fstat(&network).unwrap().st_ino;
    assert_eq!(lines[0], format!("net:[{inode}]"));
    assert_eq!(lines[1], "1");
    assert!(lines[2].parse::<u32>().unwrap() <= 3, "{printed}");
}

async fn containers_that_share_processes_leave_none_behind() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let group = Counted::new();
    let mut plan = sandbox_plan();
    plan.share_processes = true;
    shim.sandbox(plan, None).await.unwrap();
    let mut plan = container_plan("app");
    plan.cgroup = group.plan(&Limits::default());
    let (exit, printed) = workload.run_to_end(&shim, plan, "sleep 1000 & echo $!; exit 4").await;
    assert_eq!(exit.code, 4);
    assert!(printed.trim().parse::<u32>().unwrap() > 1);
    // Its process was not process 1, and yet nothing of it is left.
    let (_, processes) = workload.run_to_end(&shim, container_plan("look"), "ps").await;
    assert!(!processes.contains("sleep 1000"), "{processes}");
}

async fn what_is_asked_for_at_the_wrong_time_is_refused() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let kind = |result: Result<u32, ShimError>| result.unwrap_err().kind();
    let plan = || container_plan("app");
    assert_eq!(kind(shim.create(plan(), workload.root(), vec![]).await), Some(ShimFailureKind::NotThere));
    assert!(shim.network_namespace().await.is_err());
    shim.sandbox(sandbox_plan(), None).await.unwrap();
    assert_eq!(kind(shim.sandbox(sandbox_plan(), None).await), Some(ShimFailureKind::Refused));
    for name in ["", ".", "..", "a/b"] {
        assert_eq!(
            kind(shim.create(container_plan(name), workload.root(), vec![]).await),
            Some(ShimFailureKind::Refused)
        );
    }
    for result in [
        shim.start("app", process(&["true"]), None, vec![]).await,
        shim.kill("app").await,
        shim.remove("app").await,
        shim.close_input("app").await,
        shim.watch_output("app", 0).await,
        shim.signal(Target::Exec(7), 9).await,
    ] {
        assert_eq!(result.unwrap_err().kind(), Some(ShimFailureKind::NotThere));
    }
    workload.run(&shim, plan(), &["sleep", "1000"]).await;
    assert_eq!(shim.remove("app").await.unwrap_err().kind(), Some(ShimFailureKind::NotThere));
    assert_eq!(shim.input("app").await.unwrap_err().kind(), Some(ShimFailureKind::NotThere));
    // A second shim for the same directory is not wanted.
    let failure = launcher().shim(workload.open()).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{failure}");
    shim.state().await.unwrap();
    // Nor is one for what is no directory.
    let file = std::fs::File::open("/dev/null").unwrap();
    let failure = launcher().shim(file.into()).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::Failed), "{failure}");
}

async fn a_sandbox_is_destroyed_with_everything_in_it() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    workload.run(&shim, container_plan("app"), &["sh", "-c", "sleep 1000 & sleep 1000"]).await;
    shim.create(container_plan("waits"), workload.root(), vec![]).await.unwrap();
    let state = shim.state().await.unwrap();
    let processes: Vec<_> = state.containers.iter().filter_map(|one| one.pid).chain(state.sandbox).map(pidfd).collect();
    assert_eq!(processes.len(), 3);
    shim.destroy().await.unwrap();
    for process in processes {
        process_ended(process).await;
    }
    shim.ended().await;
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event);
    }
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Exited { .. })).count(), 2);
    assert_eq!(told.last(), Some(&Event::SandboxEnded));
    assert!(matches!(connect(std::os::fd::AsFd::as_fd(&workload.open())).await, Err(ShimError::NotRunning)));
    let words = last_words(std::os::fd::AsFd::as_fd(&workload.open())).unwrap();
    assert_eq!(words.containers[0].exit.unwrap().signal, Some(9));
    assert!(!words.fenced);
}

async fn containers_among_the_hosts_processes_are_destroyed_with_their_sandbox() {
    let group = Counted::new();
    let workload = Workload::new();
    let shim = workload.shim().await;
    let mut plan = sandbox_plan();
    plan.host_processes = true;
    shim.sandbox(plan, None).await.unwrap();
    let mut plan = container_plan("app");
    plan.cgroup = group.plan(&Limits::default());
    workload.run(&shim, plan, &["sh", "-c", "sleep 1000 & echo $!; wait"]).await;
    let other = workload.wait_for(&shim, "app", "\n").await.trim().parse().unwrap();
    let state = shim.state().await.unwrap();
    let pids = [state.containers[0].pid.unwrap(), state.sandbox.unwrap(), other];
    let processes = pids.map(pidfd);
    shim.destroy().await.unwrap();
    for process in processes {
        process_ended(process).await;
    }
}

async fn a_sandbox_whose_process_is_killed_ends_and_says_so() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    let sandbox = pidfd(shim.state().await.unwrap().sandbox.unwrap());
    rustix::process::pidfd_send_signal(&sandbox, rustix::process::Signal::KILL).unwrap();
    assert_eq!(ended(&mut events, "app").await.signal, Some(9));
    assert_eq!(events.next().await, Some(Event::SandboxEnded));
    shim.ended().await;
}

async fn a_fence_that_is_not_renewed_kills_everything() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    shim.fence(Some(sandbox::client::boot_time_ns() + 20_000_000)).await.unwrap();
    assert_eq!(ended(&mut events, "app").await.signal, Some(9));
    shim.ended().await;
    assert!(last_words(std::os::fd::AsFd::as_fd(&workload.open())).unwrap().fenced);
}

async fn a_fence_that_is_moved_or_taken_away_does_nothing() {
    let (workload, shim) = Workload::with_sandbox().await;
    let soon = || Some(sandbox::client::boot_time_ns() + 50_000_000);
    for _ in 0..20 {
        shim.fence(soon()).await.unwrap();
    }
    shim.fence(None).await.unwrap();
    // What would have come has come by then.
    let (exit, _) = workload.run_to_end(&shim, container_plan("app"), "sleep 0.2").await;
    assert_eq!(exit.code, 0);
}

async fn many_containers_end_at_once() {
    const COUNT: usize = 40;
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    for number in 0..COUNT {
        workload.run(&shim, container_plan(&format!("app{number}")), &["sleep", "1000"]).await;
    }
    for number in 0..COUNT {
        shim.kill(&format!("app{number}")).await.unwrap();
    }
    for number in 0..COUNT {
        let Some(Event::Exited { exit, .. }) = events.next().await else { panic!("{number} ended") };
        assert_eq!(exit.signal, Some(9));
    }
    assert!(shim.state().await.unwrap().containers.iter().all(|container| container.exit.is_some()));
}
