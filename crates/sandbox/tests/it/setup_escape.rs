//! Attacks of images and containers on whoever makes containers, by the classes of runc's and its like's history.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use sandbox::client::{ExecIo, Shim};
use sandbox::plan::{LateFile, LateParts, MountFlags, MountPlan, MountSource, TerminalSize};
use sandbox::protocol::ShimFailureKind;

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(an_image_whose_proc_sys_or_dev_is_a_link_is_refused),
    test!(devices_that_an_image_replaced_are_not_used),
    test!(links_on_the_way_to_a_mount_stay_within_the_root),
    test!(a_link_that_is_swapped_while_it_is_mounted_at_leads_nowhere_else),
    test!(nothing_is_mounted_over_files_of_the_kernel),
    test!(no_working_directory_leads_out_by_a_descriptor),
    test!(no_program_is_found_by_a_descriptor),
    test!(the_program_that_makes_containers_cannot_be_written_to),
    test!(who_traces_processes_gains_nothing_from_the_sandboxs_own),
    test!(the_hosts_null_device_is_in_no_container),
    test!(no_descriptor_of_the_hosts_is_seen_while_a_container_is_entered),
    test!(users_are_read_from_files_alone_and_without_anybodys_library),
    test!(late_files_are_written_to_files_alone),
    test!(keys_of_others_are_not_seen),
];

fn tmpfs_at(target: &str) -> MountPlan {
    let source = MountSource::Tmpfs { bytes_max: 1 << 20, mode: 0o755, uid: 0, gid: 0 };
    MountPlan { source, target: target.to_owned(), flags: MountFlags::default() }
}

async fn run_exec(
    shim: &Shim,
    container: &str,
    process: sandbox::plan::ProcessPlan,
) -> Result<String, ShimFailureKind> {
    let (output, errors) = rustix::pipe::pipe().unwrap();
    let input: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let io = ExecIo::Given { input, output: errors.try_clone().unwrap(), errors };
    let executing = shim.exec(container, process, io).await.map_err(|error| error.kind().unwrap())?;
    executing.ended().await.unwrap();
    Ok(std::io::read_to_string(std::fs::File::from(output)).unwrap())
}

/// CVE-2019-19921, CVE-2023-27561.
async fn an_image_whose_proc_sys_or_dev_is_a_link_is_refused() {
    for name in ["proc", "sys", "dev"] {
        let (workload, shim) = Workload::with_sandbox().await;
        let root = workload.root_path();
        std::fs::remove_dir(root.join(name)).unwrap();
        symlink("tmp", root.join(name)).unwrap();
        let failure = shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{name}: {failure}");
    }
}

/// CVE-2025-31133, CVE-2025-52565, CVE-2025-52881: what covers and is covered, and the console, are looked up where an image has
/// no say.
async fn devices_that_an_image_replaced_are_not_used() {
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let (workload, shim) = Workload::with_sandbox().await;
    let dev = workload.root_path().join("dev");
    for name in ["null", "console", "ptmx", "tty", "pts"] {
        symlink("/proc/sys/kernel/core_pattern", dev.join(name)).unwrap();
    }
    let mut plan = container_plan("app");
    plan.tty = Some(TerminalSize { columns: 80, rows: 24 });
    let script = "exec 2>&1; stat -c %F /dev/null /dev/console; wc -c < /proc/keys; echo x > /proc/sys/kernel/core_pattern && echo WRITTEN; \
                  echo y > /proc/sysrq-trigger && echo WRITTEN; grep -c core_pattern /proc/self/mountinfo";
    let (_, said) = workload.run_to_end(&shim, plan, script).await;
    let said = said.replace('\r', "");
    assert!(
        said.contains("character special file\ncharacter special file\n0\n") && !said.contains("WRITTEN"),
        "{said}"
    );
    assert!(said.ends_with("0\n"), "{said}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
    // The image's links are still what they were: nothing was made through them.
    assert!(std::fs::symlink_metadata(dev.join("console")).unwrap().is_symlink());
}

async fn links_on_the_way_to_a_mount_stay_within_the_root() {
    let (workload, shim) = Workload::with_sandbox().await;
    let root = workload.root_path();
    let outside = tempfile::tempdir().unwrap();
    let depth = "../".repeat(12);
    symlink(format!("{depth}{}", outside.path().display()), root.join("up")).unwrap();
    symlink(outside.path(), root.join("absolute")).unwrap();
    std::fs::create_dir_all(root.join(outside.path().strip_prefix("/").unwrap())).unwrap();
    let mut plan = container_plan("app");
    plan.mounts = vec![tmpfs_at("/up/one"), tmpfs_at("/absolute/two"), tmpfs_at("/made/deep/down")];
    let script = format!("touch /up/one/x /absolute/two/x /made/deep/down/x && ls {}", outside.path().display());
    let (exit, said) = workload.run_to_end(&shim, plan, &script).await;
    assert_eq!((exit.code, said.as_str()), (0, "one\ntwo\n"));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    for target in ["/", "/.", "relative", "/missing/../../x", "//"] {
        let mut plan = container_plan("app");
        plan.mounts = vec![tmpfs_at(target)];
        let failure = shim.create(plan, workload.root(), vec![]).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{target}: {failure}");
    }
}

/// CVE-2021-30465: another container of the volume swaps a directory for a link while this one is made.
async fn a_link_that_is_swapped_while_it_is_mounted_at_leads_nowhere_else() {
    const ROUNDS: usize = 100;
    let (workload, shim) = Workload::with_sandbox().await;
    let outside = tempfile::tempdir().unwrap();
    let volume = tempfile::tempdir().unwrap();
    std::fs::create_dir(volume.path().join("real")).unwrap();
    symlink(format!("{}{}", "../".repeat(12), outside.path().display()), volume.path().join("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, directory) = (stop.clone(), std::fs::File::open(volume.path()).unwrap());
        move || {
            while !stop.load(Ordering::Relaxed) {
                let _ = rustix::fs::renameat_with(
                    &directory,
                    "real",
                    &directory,
                    "link",
                    rustix::fs::RenameFlags::EXCHANGE,
                );
            }
        }
    });
    let mut made = 0;
    for _ in 0..ROUNDS {
        let mut plan = container_plan("app");
        let at = |target: &str| MountPlan { source: MountSource::Given, ..tmpfs_at(target) };
        plan.mounts = vec![at("/volume"), tmpfs_at("/volume/real/inner")];
        let given = vec![crate::setup_confinement::detached(volume.path())];
        match shim.create(plan, workload.root(), given).await {
            Ok(_) => made += 1,
            Err(failure) => assert!(failure.kind().is_some(), "{failure}"),
        }
        let _ = shim.remove("app").await;
        // It is mounted in the volume or refused. Where the link leads there was nothing, and nothing was made.
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "something was made outside");
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(made > 0);
}

/// CVE-2019-16884: a mount over `/proc` has security labels and the like written to a file of the image's.
async fn nothing_is_mounted_over_files_of_the_kernel() {
    let (workload, shim) = Workload::with_sandbox().await;
    symlink("/proc/self", workload.root_path().join("link")).unwrap();
    for target in ["/proc", "/proc/self/attr", "/proc/sys", "/link/attr", "/tmp/../proc/self/task"] {
        let mut plan = container_plan("app");
        plan.mounts = vec![tmpfs_at(target)];
        let failure = shim.create(plan, workload.root(), vec![]).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{target}: {failure}");
    }
}

/// CVE-2024-21626, at the start and in an exec.
async fn no_working_directory_leads_out_by_a_descriptor() {
    let (workload, shim) = Workload::with_sandbox().await;
    symlink("/proc/self/fd/7", workload.root_path().join("seven")).unwrap();
    let mut directories: Vec<String> = (3..40).map(|fd| format!("/proc/self/fd/{fd}")).collect();
    directories.extend((3..12).map(|fd| format!("/proc/self/fd/{fd}/../../..")));
    directories.extend(["/seven", "/proc/self/cwd", "/proc/1/root", "/proc/self/root"].map(str::to_owned));
    for directory in &directories {
        shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
        let mut process = process(&["ls", "-a"]);
        process.working_dir.clone_from(directory);
        assert!(shim.start("app", process, None, vec![]).await.is_err(), "{directory}");
        shim.remove("app").await.unwrap();
    }
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    for directory in &directories {
        let mut process = process(&["ls", "-a"]);
        process.working_dir.clone_from(directory);
        assert!(run_exec(&shim, "app", process).await.is_err(), "{directory}");
    }
}

/// CVE-2024-21626 again: the program itself is looked for by a descriptor that was forgotten.
async fn no_program_is_found_by_a_descriptor() {
    let groups = crate::setup_confinement::Groups::new();
    let up = "../".repeat(12);
    let programs: Vec<String> = (3..40)
        .flat_map(|fd| {
            ["bin/busybox".to_owned(), format!("{up}bin/busybox")].map(|rest| format!("/proc/self/fd/{fd}/{rest}"))
        })
        .collect();
    for share_processes in [false, true] {
        let workload = Workload::new();
        let shim = workload.shim().await;
        let mut shared = sandbox_plan();
        shared.share_processes = share_processes;
        shim.sandbox(shared, None).await.unwrap();
        let mut plan = container_plan("app");
        plan.cgroup.directories.clone_from(&groups.directories);
        for program in &programs {
            shim.create(plan.clone(), workload.root(), vec![]).await.unwrap();
            assert!(shim.start("app", process(&[program, "true"]), None, vec![]).await.is_err(), "{program}");
            shim.remove("app").await.unwrap();
        }
        workload.run(&shim, plan, &["sleep", "1000"]).await;
        for program in &programs {
            assert!(run_exec(&shim, "app", process(&[program, "true"])).await.is_err(), "{program}");
        }
        shim.kill("app").await.unwrap();
        shim.destroy().await.unwrap();
    }
}

/// CVE-2019-5736: an image has the program that makes containers executed in its place and writes to it.
async fn the_program_that_makes_containers_cannot_be_written_to() {
    let program = std::fs::metadata(std::env::current_exe().unwrap()).unwrap();
    let (workload, shim) = Workload::with_sandbox().await;
    let entry = workload.root_path().join("bin/entry");
    std::fs::write(&entry, "#!/proc/self/exe\n").unwrap();
    std::os::unix::fs::chown(&entry, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&entry, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    // It is executed or not; either way what executes cannot be changed.
    let _ = shim.start("app", process(&["/bin/entry"]), None, vec![]).await;
    let after = std::fs::metadata(std::env::current_exe().unwrap()).unwrap();
    assert_eq!((program.ino(), program.mtime(), program.len()), (after.ino(), after.mtime(), after.len()));
    workload.run(&shim, container_plan("watcher"), &["sleep", "1000"]).await;
    let script = "exec 2>&1; for p in /proc/[0-9]*; do echo x >> $p/exe && echo WRITTEN $p; done 2>/dev/null; true";
    let said = run_exec(&shim, "watcher", process(&["sh", "-c", script])).await.unwrap();
    assert!(!said.contains("WRITTEN"), "{said}");
}

/// A container that may trace processes (Fargate allows it), in a process namespace with others.
async fn who_traces_processes_gains_nothing_from_the_sandboxs_own() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let mut shared = sandbox_plan();
    shared.share_processes = true;
    shim.sandbox(shared, None).await.unwrap();
    let mut plan = container_plan("tracer");
    plan.capabilities |= sandbox::capabilities::bit("SYS_PTRACE").unwrap();
    shim.create(plan, workload.root(), vec![]).await.unwrap();
    shim.start("tracer", process(&["sleep", "1000"]), None, vec![]).await.unwrap();
    // One that waits to be started still has the host's rights: it is not to be seen.
    shim.create(container_plan("prepared"), workload.root(), vec![]).await.unwrap();
    let script = "exec 2>&1; cd /proc; ls -d [0-9]* | wc -l; ls -A /proc/1/root /proc/1/root/proc /proc/1/fd; grep -E 'CapEff|CapBnd|Seccomp:' /proc/1/status; \
                  touch /proc/1/root/x && echo WRITTEN; cat /proc/1/root/proc/1/status && echo WRITTEN";
    let said = run_exec(&shim, "tracer", process(&["sh", "-c", script])).await.unwrap();
    // The sandbox's own, the tracer, the shell, `ls` and `wc` at most.
    let seen: usize = said.lines().next().unwrap().trim().parse().unwrap();
    assert!((3..=5).contains(&seen), "{said}");
    assert!(!said.contains("WRITTEN") && said.contains("CapEff:\t0000000000000000"), "{said}");
    assert!(said.contains("CapBnd:\t0000000000000000") && said.contains("Seccomp:\t2"), "{said}");
    assert!(!said.contains("etc") && !said.contains("work"), "{said}");
}

/// A container's root may change mode and owner of whatever file it has a descriptor of.
async fn the_hosts_null_device_is_in_no_container() {
    let (workload, shim) = Workload::with_sandbox().await;
    let is_own = "for fd in 0 1 2; do [ /proc/self/fd/$fd -ef /dev/null ] && echo $fd; done";
    let (_, said) = workload.run_to_end(&shim, container_plan("app"), is_own).await;
    assert_eq!(said, "0\n");
    workload.run(&shim, container_plan("watcher"), &["sleep", "1000"]).await;
    let null = || OwnedFd::from(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap());
    let exec = async |script: &str| {
        let io = ExecIo::Given { input: null(), output: null(), errors: null() };
        shim.exec("watcher", process(&["sh", "-c", script]), io).await?.ended().await
    };
    exec("for fd in 0 1 2; do [ /proc/self/fd/$fd -ef /dev/null ] && echo $fd >> /tmp/said; done").await.unwrap();
    assert_eq!(std::fs::read_to_string(workload.root_path().join("tmp/said")).unwrap(), "0\n1\n2\n");
    // What a container has in its place is not opened.
    exec("rm /dev/null; mkfifo /dev/null").await.unwrap();
    assert_eq!(exec("true").await.unwrap_err().kind(), Some(ShimFailureKind::Refused));
}

/// What is executed in a container is seen by those in it before it is executed. One that may trace processes (Fargate allows it) may open
/// again what such a process has open.
async fn no_descriptor_of_the_hosts_is_seen_while_a_container_is_entered() {
    const EXECS: usize = 40;
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("tracer");
    plan.capabilities |= sandbox::capabilities::bit("SYS_PTRACE").unwrap();
    let script = "while :; do ls -l /proc/[0-9]*/fd; done 2>/dev/null | grep shim > /tmp/seen & \
                  while :; do sleep 1; done";
    workload.run(&shim, plan, &["sh", "-c", script]).await;
    for _ in 0..EXECS {
        run_exec(&shim, "tracer", process(&["true"])).await.unwrap();
    }
    shim.kill("tracer").await.unwrap();
    let seen = std::fs::read_to_string(workload.root_path().join("tmp/seen")).unwrap();
    assert!(!seen.contains("shim.log"), "{seen}");
}

/// `getpwnam` and the like load what `nsswitch.conf` names. Neither a pipe nor a link of `/proc` is waited for or read.
async fn users_are_read_from_files_alone_and_without_anybodys_library() {
    let (workload, shim) = Workload::with_sandbox().await;
    let etc = workload.root_path().join("etc");
    std::fs::write(etc.join("nsswitch.conf"), "passwd: evil\ngroup: evil\n").unwrap();
    std::fs::create_dir_all(workload.root_path().join("lib")).unwrap();
    std::fs::write(workload.root_path().join("lib/libnss_evil.so.2"), "not a library").unwrap();
    let user = |name: &str| sandbox::plan::ProcessPlan {
        user: name.to_owned(),
        ..process(&["stat", "-c", "%u", "/proc/self/"])
    };
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    assert_eq!(run_exec(&shim, "app", user("user")).await.unwrap(), "1000\n");
    let replace = |make: &dyn Fn(&Path)| {
        let path = etc.join("passwd");
        let _ = std::fs::remove_file(&path);
        make(&path);
    };
    let fifo = |path: &Path| {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o666.into(), 0).unwrap();
    };
    let odd: [&dyn Fn(&Path); 5] = [
        &fifo,
        &|path| symlink("/proc/self/environ", path).unwrap(),
        &|path| symlink("/proc/self/fd/5", path).unwrap(),
        &|path| symlink("passwd", path).unwrap(),
        &|path| std::fs::write(path, vec![b'x'; 4 << 20]).unwrap(),
    ];
    for make in odd {
        replace(make);
        assert_eq!(run_exec(&shim, "app", user("user")).await, Err(ShimFailureKind::NoSuchUser));
        assert_eq!(run_exec(&shim, "app", user("12")).await.unwrap(), "12\n");
    }
    // A link within the root is followed there.
    replace(&|path| symlink("/../../etc/group-like", path).unwrap());
    std::fs::write(etc.join("group-like"), "user:x:77:77::/:/bin/sh\n").unwrap();
    assert_eq!(run_exec(&shim, "app", user("user")).await.unwrap(), "77\n");
}

async fn late_files_are_written_to_files_alone() {
    let (workload, shim) = Workload::with_sandbox().await;
    let root = workload.root_path();
    symlink("/proc/sys/kernel/core_pattern", root.join("etc/kernel")).unwrap();
    symlink("../../../../../../tmp/inside", root.join("etc/up")).unwrap();
    let late = |path: &str| LateParts {
        mounts: vec![tmpfs_at("/late")],
        files: vec![LateFile {
            path: path.to_owned(),
            content: base64::engine::general_purpose::STANDARD.encode("late\n"),
            mode: 0o640,
        }],
    };
    for path in ["/etc/kernel", "/dev/null", "/proc/self/comm", "/etc"] {
        shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
        let failed = shim.start("app", process(&["true"]), Some(late(path)), vec![]).await;
        assert!(failed.is_err(), "{path}");
        shim.remove("app").await.unwrap();
    }
    let mut events = shim.events();
    std::fs::write(root.join("tmp/inside"), "longer than before\n").unwrap();
    shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    let args = ["sh", "-c", "cat /tmp/inside; stat -c %a /tmp/inside; touch /late/x && ls /late"];
    shim.start("app", process(&args), Some(late("/etc/up")), vec![]).await.unwrap();
    ended(&mut events, "app").await;
    assert_eq!(workload.printed("app"), "late\n640\nx\n");
}

async fn keys_of_others_are_not_seen() {
    let (workload, shim) = Workload::with_sandbox().await;
    let (_, said) = workload
        .run_to_end(&shim, container_plan("app"), "cat /proc/keys /proc/key-users | wc -c; wc -c < /proc/keys")
        .await;
    assert!(said.ends_with("0\n"), "{said}");
}
