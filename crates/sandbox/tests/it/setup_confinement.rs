//! What a container's processes are, see and may do: capabilities, system calls, descriptors, files of the kernel's, limits.

use std::os::fd::OwnedFd;

use sandbox::plan::{IdRange, NetworkNamespace, RlimitPlan, TerminalSize};
use sandbox::protocol::ShimFailureKind;

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(a_process_has_the_plans_capabilities_and_a_filter),
    test!(another_user_than_root_has_no_capability),
    test!(new_privileges_are_given_up_when_that_is_asked_for),
    test!(no_namespace_mount_or_trace_of_the_host_is_to_be_had),
    test!(no_descriptor_is_inherited),
    test!(what_tells_of_the_host_is_covered),
    test!(what_changes_the_host_is_read_only),
    test!(devices_are_the_usual_ones),
    test!(kernel_settings_are_those_of_namespaces_of_its_own),
    test!(limits_are_set_and_clamped),
    test!(an_init_reaps_forwards_and_ends_as_its_program_does),
    test!(a_terminal_is_the_console_and_controls),
    test!(users_of_the_sandboxs_own_are_nobody_on_the_host),
    test!(a_container_sees_its_own_cgroup_alone),
    test!(a_privileged_container_has_everything),
    test!(a_container_among_the_hosts_processes_ends_with_the_shim),
];

async fn printed(script: &str) -> String {
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run_to_end(&shim, container_plan("app"), script).await.1
}

async fn a_process_has_the_plans_capabilities_and_a_filter() {
    let status = printed("grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status").await;
    let lines = ["CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t0", "Seccomp:\t2"];
    assert!(lines.iter().all(|line| status.contains(line)), "{status}");
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(status.contains(&format!("{set}:\t00000000a80425fb")), "{status}");
    }
}

async fn another_user_than_root_has_no_capability() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    let script =
        "exec 2>&1; id; pwd; echo $HOME; grep -E 'CapPrm|CapEff|Groups' /proc/self/status; echo again > /dev/stdout";
    let mut process = process(&["sh", "-c", script]);
    process.user = "user".to_owned();
    process.groups = vec![77];
    process.working_dir = "/made/here".to_owned();
    shim.start("app", process, None, vec![]).await.unwrap();
    assert_eq!(ended(&mut events, "app").await.code, 0, "{}", workload.printed("app"));
    let said = workload.printed("app");
    assert!(said.contains("uid=1000(user) gid=1000(user)"), "{said}");
    assert!(said.contains("/made/here\n/tmp\n") && said.contains("again"), "{said}");
    assert!(said.contains("CapEff:\t0000000000000000") && said.contains("Groups:\t77"), "{said}");
}

async fn new_privileges_are_given_up_when_that_is_asked_for() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.no_new_privileges = true;
    let (_, said) = workload.run_to_end(&shim, plan, "grep -E 'NoNewPrivs|Seccomp:|CapEff' /proc/self/status").await;
    assert!(said.contains("NoNewPrivs:\t1") && said.contains("Seccomp:\t2"), "{said}");
    assert!(said.contains("CapEff:\t00000000a80425fb"), "{said}");
}

async fn no_namespace_mount_or_trace_of_the_host_is_to_be_had() {
    let script = "exec 2>&1; busybox unshare -m true; busybox unshare -U true; busybox unshare -n true; \
                  mount -t tmpfs none /tmp; mount -o remount,rw /proc/sys; umount /proc/kcore; \
                  busybox nsenter -t 1 -m true; busybox hostname other; busybox swapoff -a; busybox reboot -f; \
                  busybox mknod /tmp/mem c 1 1 && cat /tmp/mem; hostname; cat /proc/self/mountinfo";
    let (workload, shim) = Workload::with_sandbox().await;
    let (_, said) = workload.run_to_end(&shim, container_plan("app"), script).await;
    assert!(said.matches("Operation not permitted").count() + said.matches("ermission denied").count() >= 7, "{said}");
    assert!(said.contains("\nbox\n"), "{said}");
    // No mount of the host is there, not even below another.
    let host: Vec<&str> =
        said.lines().filter(|line| line.contains(" - ") && line.contains("/sys/fs/cgroup/")).collect();
    assert!(host.is_empty(), "{said}");
    let roots = said.lines().filter(|line| line.split(' ').nth(4) == Some("/")).count();
    assert_eq!(roots, 1, "{said}");
}

async fn no_descriptor_is_inherited() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    workload.run(&shim, container_plan("app"), &["ls", "/proc/self/fd"]).await;
    ended(&mut events, "app").await;
    // The last is the directory that is listed.
    assert_eq!(workload.printed("app").split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

async fn what_tells_of_the_host_is_covered() {
    let script = "exec 2>&1; for f in kcore keys timer_list sched_debug interrupts; do [ ! -e /proc/$f ] || wc -c < /proc/$f; done; \
                  for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware /sys/devices/virtual/powercap; do ls -A $d 2>/dev/null; done; \
                  touch /sys/firmware/x && echo written";
    let said = printed(script).await;
    let odd: Vec<&str> = said.lines().filter(|line| *line != "0" && !line.contains("touch: ")).collect();
    assert!(odd.is_empty(), "{said}");
}

async fn what_changes_the_host_is_read_only() {
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let script = "exec 2>&1; for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/irq/default_smp_affinity \
                  /sys/kernel/uevent_helper /sys/kernel/mm/ksm/run; do echo x > $f && echo WRITTEN $f; done; \
                  mkdir /sys/fs/cgroup/x && echo WRITTEN; chmod 777 /proc/sys/kernel/core_pattern && echo WRITTEN";
    let said = printed(script).await;
    assert!(!said.contains("WRITTEN"), "{said}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
}

async fn devices_are_the_usual_ones() {
    let script = "exec 2>&1; ls /dev | tr '\\n' ' '; echo; echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; \
                  stat -c %t:%T:%a /dev/full; df -k /dev/shm | tail -1; readlink /dev/ptmx; touch /dev/shm/x /dev/mqueue/q; ls -ld /dev/shm";
    let said = printed(&script.replace("df ", "busybox df ")).await;
    let first = "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
    assert!(said.starts_with(first), "{said}");
    assert!(said.contains("3\n3\n1:7:666\n") && said.contains(" 1024 ") && said.contains("pts/ptmx"), "{said}");
    assert!(said.contains("drwxrwxrwt"), "{said}");
}

async fn kernel_settings_are_those_of_namespaces_of_its_own() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let mut shared = sandbox_plan();
    shared.sysctls.insert("net.core.somaxconn".to_owned(), "77".to_owned());
    shim.sandbox(shared, None).await.unwrap();
    let mut plan = container_plan("app");
    plan.sysctls.insert("kernel.shmmax".to_owned(), "4096".to_owned());
    let (_, said) = workload.run_to_end(&shim, plan, "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmax").await;
    assert_eq!(said, "77\n4096\n");
    for name in
        ["kernel.core_pattern", "vm.swappiness", "net.core.somaxconn", "kernel..shmmax", "fs.mqueue.../../kernel/x"]
    {
        let mut plan = container_plan("app");
        plan.sysctls.insert(name.to_owned(), "1".to_owned());
        let failure = shim.create(plan, workload.root(), vec![]).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{name}: {failure}");
    }
    let other = Workload::new();
    let shim = other.shim().await;
    let mut shared = sandbox_plan();
    shared.network = NetworkNamespace::Host;
    shared.sysctls.insert("net.core.somaxconn".to_owned(), "78".to_owned());
    let failure = shim.sandbox(shared, None).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{failure}");
}

async fn limits_are_set_and_clamped() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.rlimits = vec![
        RlimitPlan { resource: 7, soft: 123, hard: 456 },
        RlimitPlan { resource: 4, soft: u64::MAX, hard: u64::MAX },
    ];
    let (exit, said) = workload.run_to_end(&shim, plan, "ulimit -n; ulimit -H -n").await;
    assert_eq!((exit.code, said.as_str()), (0, "123\n456\n"));
    let mut plan = container_plan("app");
    plan.rlimits = vec![RlimitPlan { resource: 99, soft: 1, hard: 1 }];
    let failure = shim.create(plan, workload.root(), vec![]).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::Refused));
}

async fn an_init_reaps_forwards_and_ends_as_its_program_does() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.init = true;
    // The orphan ends after its parent; nobody but process 1 can reap it.
    let script =
        "exec 2>&1; sh -c 'sleep 0.05 & exit 0'; sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status; echo $$; exit 7";
    let (exit, said) = workload.run_to_end(&shim, plan.clone(), script).await;
    assert_eq!((exit.code, exit.signal), (7, None), "{said}");
    assert_eq!(said, "2\n");
    let mut events = shim.events();
    workload
        .run(&shim, plan, &["sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.01; done"])
        .await;
    workload.wait_for(&shim, "app", "ready").await;
    shim.signal(sandbox::protocol::Target::Container("app".to_owned()), 15).await.unwrap();
    assert_eq!(ended(&mut events, "app").await.code, 9);
    assert!(workload.printed("app").contains("got"));
}

async fn a_terminal_is_the_console_and_controls() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.tty = Some(TerminalSize { columns: 91, rows: 33 });
    let script = "exec 2>&1; tty; stty size; ls -l /proc/self/fd/0; echo to-console > /dev/console; echo to-tty > /dev/tty; stat -c %t:%T /dev/console";
    let (exit, said) = workload.run_to_end(&shim, plan, script).await;
    assert_eq!(exit.code, 0, "{said}");
    for part in ["/dev/pts/0", "33 91", "to-console", "to-tty", "88:0"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

async fn users_of_the_sandboxs_own_are_nobody_on_the_host() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let mut shared = sandbox_plan();
    shared.users = Some(IdRange { first: 500_000, count: 65_536 });
    shared.share_ipc = true;
    shim.sandbox(shared, None).await.unwrap();
    let script = "exec 2>&1; id -u; cat /proc/self/uid_map; head -c 2 /dev/zero | wc -c; touch /dev/shm/x && stat -c %u /dev/shm/x; \
                  grep CapEff /proc/self/status; echo x > /proc/sys/kernel/core_pattern && echo WRITTEN; \
                  touch /x && echo WRITTEN; ls /sys/class/net; echo done; sleep 1000";
    let pid = shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    shim.start("app", process(&["sh", "-c", script]), None, vec![]).await.unwrap();
    let said = workload.wait_for(&shim, "app", "done\n").await;
    assert!(said.starts_with("0\n         0     500000      65536\n2\n0\n"), "{said}");
    assert!(said.contains("CapEff:\t00000000a80425fb") && !said.contains("WRITTEN") && said.contains("lo\n"), "{said}");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t500000\t500000\t500000\t500000"), "{status}");
    let (output, errors) = rustix::pipe::pipe().unwrap();
    let io = sandbox::client::ExecIo::Given {
        input: std::fs::File::open("/dev/null").unwrap().into(),
        output: errors.try_clone().unwrap(),
        errors,
    };
    let executing = shim.exec("app", process(&["id"]), io).await.unwrap();
    assert_eq!(executing.ended().await.unwrap().code, 0);
    let said = std::io::read_to_string(std::fs::File::from(output)).unwrap();
    assert!(said.contains("uid=0(root)"), "{said}");
}

async fn a_container_sees_its_own_cgroup_alone() {
    let groups = Groups::new();
    let workload = Workload::new();
    let shim = workload.shim().await;
    shim.sandbox(sandbox_plan(), None).await.unwrap();
    let mut plan = container_plan("app");
    plan.cgroup.directories.clone_from(&groups.directories);
    let script = "exec 2>&1; cat /proc/self/cgroup; for d in DIRECTORIES; do ls $d; cat $d/cgroup.procs; mkdir $d/x && echo WRITTEN; \
                  echo 0 > $d/cgroup.procs && echo WRITTEN; done; busybox find /sys/fs/cgroup -name release_agent | grep . && echo WRITTEN";
    let (_, said) = workload.run_to_end(&shim, plan, &script.replace("DIRECTORIES", groups.seen)).await;
    assert!(groups.says.iter().all(|part| said.contains(part)) && said.contains("\n1\n"), "{said}");
    assert!(!said.contains("WRITTEN"), "{said}");
}

/// Cgroups of two hierarchies of version 1, or one of version 2.
pub(crate) struct Groups {
    pub(crate) directories: Vec<String>,
    /// Where a container sees them, and what is there.
    seen: &'static str,
    says: &'static [&'static str],
}

impl Groups {
    pub(crate) fn new() -> Self {
        let name = format!("sandbox-test-{}", std::process::id());
        let version_1 = Self {
            directories: ["memory", "pids"].map(|hierarchy| format!("/sys/fs/cgroup/{hierarchy}/{name}")).to_vec(),
            seen: "/sys/fs/cgroup/memory /sys/fs/cgroup/pids",
            says: &[":memory:/\n", ":pids:/\n", "memory.usage_in_bytes", "pids.current"],
        };
        let version_2 = Self {
            directories: vec![format!("/sys/fs/cgroup/{name}")],
            seen: "/sys/fs/cgroup",
            says: &["0::/\n", "cgroup.events"],
        };
        let is_version_2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let groups = if is_version_2 { version_2 } else { version_1 };
        groups.directories.iter().for_each(|path| std::fs::create_dir(path).unwrap());
        groups
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.directories.iter().for_each(|path| drop(std::fs::remove_dir(path)));
    }
}

async fn a_privileged_container_has_everything() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.privileged = true;
    plan.capabilities = sandbox::capabilities::ALL;
    plan.seccomp = sandbox::plan::SeccompPlan::Unconfined;
    let script = "exec 2>&1; mount -t tmpfs none /tmp && echo mounted; busybox unshare -m true && echo unshared; \
                  busybox mknod /tmp/x c 1 3 && echo made; ls /dev/kmsg; grep Seccomp: /proc/self/status; [ -w /proc/sys/vm ] && echo w";
    let (_, said) = workload.run_to_end(&shim, plan, script).await;
    assert!(said.contains("mounted\nunshared\nmade\n") && said.contains("Seccomp:\t0"), "{said}");
}

async fn a_container_among_the_hosts_processes_ends_with_the_shim() {
    let workload = Workload::new();
    let shim = workload.shim().await;
    let mut shared = sandbox_plan();
    (shared.host_processes, shared.host_ipc) = (true, true);
    let holder = pidfd(shim.sandbox(shared, None).await.unwrap());
    let script = "ls -d /proc/[0-9]* | wc -l; readlink /proc/1/exe; hostname";
    let (_, said) = workload.run_to_end(&shim, container_plan("app"), script).await;
    assert!(
        said.split_whitespace().next().is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count > 4)),
        "{said}"
    );
    shim.create(container_plan("other"), workload.root(), vec![]).await.unwrap();
    shim.start("other", process(&["sleep", "1000"]), None, vec![]).await.unwrap();
    let container = pidfd(shim.state().await.unwrap().containers.iter().find_map(|one| one.pid).unwrap());
    rustix::process::pidfd_send_signal(shim.process(), rustix::process::Signal::KILL).unwrap();
    process_ended(holder).await;
    process_ended(container).await;
}

/// A mount of a directory of the host's, attached nowhere.
pub(crate) fn detached(path: &std::path::Path) -> OwnedFd {
    use std::os::fd::AsFd;
    sandbox::mounts::clone_of(std::fs::File::open(path).unwrap().as_fd(), sandbox::mounts::Depth::Alone).unwrap()
}
