//! On this host's own cgroups, which only root may change.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::plan::CgroupPlan;

/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The groups of a node that only this test has, gone when it ends.
struct Node(Cgroups);

impl Node {
    fn open(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip(test, "only root has cgroups");
            return None;
        }
        match Cgroups::open(&format!("pilvi-test-{test}-{}", std::process::id())) {
            Ok(cgroups) => Some(Self(cgroups)),
            Err(error) => {
                skip(test, &error.to_string());
                None
            }
        }
    }

    /// As on a host on which version 2 is not mounted.
    fn open_version_1(test: &str) -> Option<Self> {
        let read = |path| std::fs::read_to_string(path).unwrap();
        let mut found = mounted::mounted(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
        found.retain(|one| one.version == Version::One);
        if !rustix::process::geteuid().is_root() || found.is_empty() {
            skip(test, "only root has cgroups, and version 1 only some hosts");
            return None;
        }
        let name = format!("pilvi-test-{test}-{}", std::process::id());
        Some(Self(Cgroups { inner: Arc::new(detect::open_found(&found, &name).unwrap()) }))
    }

    fn has(&self, controller: Controller) -> bool {
        self.0.inner.holder(controller).is_some()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.0.remove_all().unwrap();
    }
}

/// A directory that is on a disk, where a host has one.
fn on_disk() -> tempfile::TempDir {
    tempfile::tempdir_in("/var/tmp").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Aloud: what the harness captures of a test that passes, nobody sees.
fn skip(test: &str, why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// Moves the calling process into a group.
fn enter(plan: &CgroupPlan) -> std::io::Result<()> {
    plan.directories.iter().try_for_each(|directory| std::fs::write(format!("{directory}/cgroup.procs"), "0"))
}

fn sh(plan: &CgroupPlan, script: &str) -> Child {
    let plan = plan.clone();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: between fork and execve `enter` opens and writes files and allocates, which the C library allows in the child
    // of a process with threads.
    unsafe { command.pre_exec(move || enter(&plan)) };
    command.spawn().unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_enters_a_group_is_in_it_and_is_killed_with_all_that_it_has_forked() {
    let Some(node) = Node::open("kill") else { return };
    let workload = node.0.workload("w", &Limits::default()).unwrap();
    let container = workload.child("c", &Limits::default()).unwrap();
    let mut child = sh(&container.plan().unwrap(), "setsid sleep 1000 & sleep 1000 & wait");
    until("three processes", || container.processes().unwrap().len() == 3);
    assert_eq!(workload.processes().unwrap().len(), 3, "the workload's are its containers'");
    workload.kill().unwrap();
    child.wait().unwrap();
    workload.remove().unwrap();
    assert!(node.0.list().unwrap().is_empty());
    assert!(matches!(node.0.open_workload("w"), Err(Error::Absent { .. })));
    workload.kill().unwrap();
    workload.remove().unwrap();
}

#[test]
fn a_fork_bomb_meets_its_limit_and_dies_with_its_group() {
    let Some(node) = Node::open("bomb") else { return };
    if !node.has(Controller::Pids) {
        return skip("bomb", "no pids controller");
    }
    let workload = node.0.workload("w", &Limits { pids_max: Some(40), ..Limits::default() }).unwrap();
    let container = workload.child("c", &Limits::default()).unwrap();
    // The shell gives up when it cannot fork; what it has forked stays.
    let mut child = sh(&container.plan().unwrap(), "while :; do sleep 1000 & done");
    assert!(!child.wait().unwrap().success());
    assert_eq!(workload.stats().unwrap().pids, 39);
    workload.kill().unwrap();
    workload.remove().unwrap();
}

#[test]
fn without_cgroup_kill_everything_is_killed_one_by_one() {
    let Some(node) = Node::open("each") else { return };
    let workload = node.0.workload("w", &Limits { pids_max: Some(40), ..Limits::default() }).unwrap();
    let container = workload.child("c", &Limits::default()).unwrap();
    let forks = "i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done; while :; do : & wait $!; done";
    let mut child = sh(&container.plan().unwrap(), forks);
    until("some processes", || workload.processes().unwrap().len() > 20);
    workload.kill_each().unwrap();
    child.wait().unwrap();
    workload.remove().unwrap();
}

#[test]
fn a_shim_kills_a_group_by_its_plan() {
    let Some(node) = Node::open("plan") else { return };
    let container = node.0.workload("w", &Limits::default()).unwrap().child("c", &Limits::default()).unwrap();
    let plan = container.plan().unwrap();
    let mut child = sh(&plan, "sleep 1000 & wait");
    until("two processes", || container.processes().unwrap().len() == 2);
    while !kill(&plan).unwrap() {}
    child.wait().unwrap();
    container.remove().unwrap();
    assert!(kill(&plan).unwrap(), "gone is dead");
}

#[test]
fn too_much_memory_is_a_kill_that_is_counted() {
    let Some(node) = Node::open("oom") else { return };
    if !node.has(Controller::Memory) {
        return skip("oom", "no memory controller");
    }
    let limits = Limits { memory_bytes_max: Some(32 << 20), ..Limits::default() };
    let workload = node.0.workload("w", &Limits::default()).unwrap();
    let container = workload.child("c", &limits).unwrap();
    let other = workload.child("other", &Limits::default()).unwrap();
    let plan = container.plan().unwrap();
    assert_eq!(oom_kills(&plan), 0);
    // It keeps a line that never ends.
    let status = sh(&plan, "exec tail /dev/zero").wait().unwrap();
    assert!(!status.success());
    assert_eq!(oom_kills(&plan), 1);
    assert_eq!(container.stats().unwrap().oom_kills, 1);
    assert_eq!(workload.stats().unwrap().oom_kills, 1);
    assert_eq!(other.stats().unwrap().oom_kills, 0);
    let stats = container.stats().unwrap();
    assert_eq!(stats.memory_bytes_max, 32 << 20);
    assert!(stats.memory_bytes_peak > 16 << 20, "{stats:?}");
}

#[test]
fn a_workloads_memory_is_all_its_containers_together() {
    let Some(node) = Node::open("together") else { return };
    if !node.has(Controller::Memory) {
        return skip("together", "no memory controller");
    }
    let workload = node.0.workload("w", &Limits { memory_bytes_max: Some(32 << 20), ..Limits::default() }).unwrap();
    let container = workload.child("c", &Limits { memory_bytes_max: Some(1 << 30), ..Limits::default() }).unwrap();
    assert!(!sh(&container.plan().unwrap(), "exec tail /dev/zero").wait().unwrap().success());
    assert_eq!(workload.stats().unwrap().oom_kills, 1);
    assert_eq!(container.stats().unwrap().memory_bytes_max, 32 << 20);
}

#[test]
fn memory_limits_are_raised_and_lowered() {
    let Some(node) = Node::open("raise") else { return };
    if !node.has(Controller::Memory) {
        return skip("raise", "no memory controller");
    }
    let limits = |mib: u64| Limits { memory_bytes_max: Some(mib << 20), ..Limits::default() };
    let workload = node.0.workload("w", &limits(64)).unwrap();
    for mib in [128, 16, 512] {
        workload.update(&limits(mib)).unwrap();
        assert_eq!(workload.stats().unwrap().memory_bytes_max, mib << 20);
    }
}

#[test]
fn what_containers_reserve_is_passed_up_and_taken_back() {
    let Some(node) = Node::open("reserved") else { return };
    let memory = node.0.inner.holder(Controller::Memory).filter(|one| one.version == Version::Two);
    let Some(memory) = memory else { return skip("reserved", "version 2 does not hold memory") };
    let limits = |mib: u64| Limits { memory_bytes_reserved: Some(mib << 20), ..Limits::default() };
    let first = node.0.workload("w", &Limits::default()).unwrap();
    first.child("a", &limits(8)).unwrap();
    first.child("b", &limits(16)).unwrap();
    let second = node.0.workload("v", &limits(32)).unwrap();
    assert_eq!(memory.top.number("memory.low"), Some(56 << 20));
    first.remove().unwrap();
    assert_eq!(memory.top.number("memory.low"), Some(32 << 20));
    let name = memory.top.path().file_name().unwrap().to_str().unwrap();
    let again = Cgroups::open(name).unwrap();
    again.open_workload("v").unwrap().update(&limits(64)).unwrap();
    assert_eq!(memory.top.number("memory.low"), Some(64 << 20));
    again.open_workload("v").unwrap().remove().unwrap();
    assert_eq!(memory.top.number("memory.low"), Some(0));
    second.remove().unwrap();
}

#[test]
fn processor_time_beyond_the_quota_is_held_up() {
    let Some(node) = Node::open("quota") else { return };
    if !node.has(Controller::Cpu) {
        return skip("quota", "no cpu controller");
    }
    let limits = Limits { cpu_millis_max: Some(100), cpu_shares: Some(512), ..Limits::default() };
    let container = node.0.workload("w", &Limits::default()).unwrap().child("c", &limits).unwrap();
    let mut child = sh(&container.plan().unwrap(), "while :; do :; done");
    until("being held up", || container.stats().unwrap().cpu_periods_throttled >= 10);
    let stats = container.stats().unwrap();
    // A tenth of a processor: a hundredth of a second in each period, and a slice of the scheduler's more here and there.
    assert!(stats.cpu_us <= stats.cpu_periods * 20_000, "{stats:?}");
    assert!(stats.cpu_throttled_us > 0);
    container.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_frozen_does_nothing_until_it_is_thawed_and_can_be_killed() {
    let Some(node) = Node::open("freeze") else { return };
    let workload = node.0.workload("w", &Limits::default()).unwrap();
    let container = workload.child("c", &Limits::default()).unwrap();
    let mut child = sh(&container.plan().unwrap(), "while :; do :; done");
    until("some work", || container.stats().unwrap().cpu_us > 0);
    workload.freeze().unwrap();
    let before = container.stats().unwrap().cpu_us;
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(container.stats().unwrap().cpu_us, before);
    workload.thaw().unwrap();
    until("more work", || container.stats().unwrap().cpu_us > before);
    workload.freeze().unwrap();
    workload.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn version_1_alone_freezes_kills_and_removes() {
    let Some(node) = Node::open_version_1("v1") else { return };
    if !node.has(Controller::Freezer) {
        return skip("v1", "no freezer controller");
    }
    let workload = node.0.workload("w", &Limits::default()).unwrap();
    let container = workload.child("c", &Limits::default()).unwrap();
    let plan = container.plan().unwrap();
    let forks = "i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done; while :; do : & wait $!; done";
    let mut child = sh(&plan, forks);
    until("some processes", || container.processes().unwrap().len() > 20);
    workload.freeze().unwrap();
    let before = container.stats().unwrap().cpu_us;
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(container.stats().unwrap().cpu_us, before);
    workload.kill().unwrap();
    child.wait().unwrap();
    workload.remove().unwrap();
    // A shim, which cannot freeze, asks again until nothing is left.
    let container = node.0.workload("v", &Limits::default()).unwrap().child("c", &Limits::default()).unwrap();
    let plan = container.plan().unwrap();
    let mut child = sh(&plan, forks);
    until("some processes", || container.processes().unwrap().len() > 20);
    until("their end", || kill(&plan).unwrap());
    child.wait().unwrap();
}

#[test]
fn devices_that_are_not_allowed_cannot_be_opened() {
    let Some(node) = Node::open("devices") else { return };
    let limits = Limits { devices: Some(DeviceRules::usual()), ..Limits::default() };
    let workload = node.0.workload("w", &Limits::default()).unwrap();
    let plan = workload.child("c", &limits).unwrap().plan().unwrap();
    let status = |plan: &CgroupPlan, script: &str| sh(plan, script).wait().unwrap().code();
    assert_eq!(status(&plan, "echo x > /dev/null && head -c 1 /dev/urandom > /dev/null"), Some(0));
    assert_ne!(status(&plan, "exec 3< /dev/kmsg"), Some(0), "the kernel's messages");
    let make = "d=$(mktemp -d) && mknod $d/disk b 254 0 && ! head -c 1 $d/disk; e=$?; rm -r $d; exit $e";
    assert_eq!(status(&plan, make), Some(0), "a file for a disk can be made, not opened");
    let all = Limits { devices: Some(DeviceRules::everything()), ..Limits::default() };
    let privileged = workload.child("all", &all).unwrap().plan().unwrap();
    assert_eq!(status(&privileged, "exec 3< /dev/kmsg"), Some(0));
}

#[test]
fn the_kernel_takes_the_program_for_devices_and_asks_it() {
    let Some(node) = Node::open("program") else { return };
    let Some(hierarchy) = node.0.inner.hierarchies.iter().find(|one| one.version == Version::Two) else {
        return skip("program", "no hierarchy of version 2");
    };
    let container = node.0.workload("w", &Limits::default()).unwrap().child("c", &Limits::default()).unwrap();
    let directory = hierarchy.top.child(&container.path).unwrap().unwrap();
    let program = bpf::load(&devices::program(&DeviceRules::usual())).unwrap();
    bpf::attach(std::os::fd::AsFd::as_fd(&program), directory.descriptor()).unwrap();
    drop(program);
    let plan = container.plan().unwrap();
    assert_eq!(sh(&plan, "echo x > /dev/null && head -c 1 /dev/zero > /dev/null").wait().unwrap().code(), Some(0));
    assert_ne!(sh(&plan, "exec 3< /dev/kmsg").wait().unwrap().code(), Some(0));
    assert_ne!(sh(&plan, "exec 3< /dev/loop-control").wait().unwrap().code(), Some(0));
}

#[test]
fn the_largest_program_for_devices_is_taken() {
    let Some(_node) = Node::open("largest") else { return };
    let rule =
        DeviceRule { kind: DeviceKind::Block, major: Some(8), minor: Some(1), read: true, write: false, mknod: true };
    let rules = DeviceRules { allowed: vec![rule; DEVICE_RULES_MAX] };
    bpf::load(&devices::program(&rules)).unwrap();
}

#[test]
fn a_set_of_processors_holds_for_all_containers_of_a_workload() {
    let Some(node) = Node::open("cpuset") else { return };
    if !node.has(Controller::Cpuset) {
        return skip("cpuset", "no cpuset controller");
    }
    let workload = node.0.workload("w", &Limits { cpuset: Some("0".to_owned()), ..Limits::default() }).unwrap();
    let container = workload.child("c", &Limits::default()).unwrap();
    let child = sh(&container.plan().unwrap(), "grep Cpus_allowed_list /proc/self/status");
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).split_whitespace().last(), Some("0"));
    let alone = node.0.workload("v", &Limits::default()).unwrap();
    let limits = Limits { cpuset: Some("0".to_owned()), ..Limits::default() };
    let container = alone.child("c", &limits).unwrap();
    let output = sh(&container.plan().unwrap(), "grep Cpus_allowed_list /proc/self/status").wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).split_whitespace().last(), Some("0"));
}

#[test]
fn a_group_that_cannot_be_limited_leaves_nothing() {
    let Some(node) = Node::open("undo") else { return };
    if !node.has(Controller::Cpuset) {
        return skip("undo", "no cpuset controller");
    }
    let no_such_processor = Limits { cpuset: Some("4095".to_owned()), ..Limits::default() };
    assert!(node.0.workload("w", &no_such_processor).is_err());
    assert!(node.0.list().unwrap().is_empty());
}

#[test]
fn a_disk_is_throttled() {
    let Some(node) = Node::open("throttle") else { return };
    let directory = on_disk();
    let disk = Disk::that_holds(std::fs::File::open(directory.path()).unwrap()).unwrap();
    let (Some(disk), true) = (disk, node.has(Controller::Io)) else {
        return skip("throttle", "no disk of its own, or no io controller");
    };
    let limits = Limits { write_bytes_per_s_max: Some(4 << 20), disk: Some(disk), ..Limits::default() };
    let container = node.0.workload("w", &Limits::default()).unwrap().child("c", &limits).unwrap();
    let file = directory.path().join("file").display().to_string();
    let before = Instant::now();
    let script = format!("dd if=/dev/zero of={file} bs=1M count=8 oflag=direct");
    assert!(sh(&container.plan().unwrap(), &script).wait().unwrap().success());
    // 8 MiB at 4 MiB a second; the kernel lets the first slice of time through.
    assert!(before.elapsed() > Duration::from_secs(1));
    assert!(container.stats().unwrap().written_bytes >= 8 << 20);
}

#[test]
fn what_is_written_to_a_directory_of_limited_size_is_throttled_too() {
    let Some(node) = Node::open("through") else { return };
    let directory = on_disk();
    let disk = Disk::that_holds(std::fs::File::open(directory.path()).unwrap()).unwrap();
    let (Some(disk), true) = (disk, node.has(Controller::Io)) else {
        return skip("through", "no disk of its own, or no io controller");
    };
    let disks = crate::disk::Disks::open(&directory.path().join("disks")).unwrap();
    if let crate::disk::Kind::Nothing { reason } = disks.kind() {
        return skip("through", reason);
    }
    let limited = disks.limited("one", 64 << 20).unwrap();
    let limits = Limits { write_bytes_per_s_max: Some(4 << 20), disk: Some(disk), ..Limits::default() };
    let container = node.0.workload("w", &Limits::default()).unwrap().child("c", &limits).unwrap();
    let upper = std::os::fd::AsRawFd::as_raw_fd(&limited.upper());
    let file = format!("/proc/{}/fd/{upper}/file", std::process::id());
    let before = Instant::now();
    let script = format!("dd if=/dev/zero of={file} bs=1M count=8 oflag=direct");
    assert!(sh(&container.plan().unwrap(), &script).wait().unwrap().success());
    assert!(before.elapsed() > Duration::from_secs(1));
    let written = container.stats().unwrap().written_bytes;
    // Counted once, as what the disk was asked for, and not again as what the image was.
    assert!((8 << 20..12 << 20).contains(&written), "{written}");
}

#[test]
fn a_weight_is_kept_where_the_disks_scheduler_knows_weights_and_refused_elsewhere() {
    let Some(node) = Node::open("weight") else { return };
    let directory = on_disk();
    let disk = Disk::that_holds(std::fs::File::open(directory.path()).unwrap()).unwrap();
    let Some(disk) = disk else { return skip("weight", "no disk of its own") };
    let has_weights = disk.has_weights;
    let limits = Limits { blkio_weight: Some(500), disk: Some(disk), ..Limits::default() };
    match node.0.workload("w", &limits) {
        Ok(_) => assert!(has_weights),
        Err(Error::Unsupported { .. }) => assert!(!has_weights || !node.has(Controller::Io)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_sandboxs_and_the_shims_processes_have_groups_that_are_no_containers() {
    let Some(node) = Node::open("others") else { return };
    let workload = node.0.workload("w", &Limits { pids_max: Some(50), ..Limits::default() }).unwrap();
    workload.child("c", &Limits::default()).unwrap();
    let sandbox = workload.sandbox(&Limits::default()).unwrap();
    let mut child = sh(&sandbox.plan().unwrap(), "sleep 1000");
    let mut shim = Command::new("sleep").arg("1000").spawn().unwrap();
    let shims = node.0.shims().unwrap();
    shims.add(rustix::process::Pid::from_child(&shim)).unwrap();
    assert_eq!(shims.processes().unwrap(), [rustix::process::Pid::from_child(&shim)]);
    assert_eq!(workload.children().unwrap(), ["c"]);
    assert_eq!(node.0.list().unwrap(), ["w"]);
    node.0.remove_all().unwrap();
    child.wait().unwrap();
    shim.wait().unwrap();
}

#[test]
fn entering_groups_is_hastened_and_no_hierarchy_is_left() {
    let Some(node) = Node::open("hastened") else { return };
    let name = format!("name=pilvi-test-hastened-{}", std::process::id());
    for _ in 0..3 {
        node.0.hasten();
        // In version 2 nobody may be in a group that has others.
        let workload = node.0.workload("hastened", &Limits::default()).unwrap();
        let group = workload.child("app", &Limits::default()).unwrap();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        group.add(rustix::process::Pid::from_child(&child)).unwrap();
        node.0.rest();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read_to_string("/proc/self/cgroup").unwrap().contains(&name) {
        assert!(Instant::now() < deadline, "the hierarchy is still there");
        std::thread::yield_now();
    }
}
