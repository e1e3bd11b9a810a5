use std::path::Path;

use super::super::detect::open_found;
use super::super::mounted::Mounted;
use super::*;

const CONTROL_FILES_V2: [&str; 14] = [
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.freeze",
    "cgroup.kill",
    "cpu.weight",
    "cpu.max",
    "cpuset.cpus",
    "memory.max",
    "memory.swap.max",
    "memory.low",
    "pids.max",
    "io.max",
    "io.bfq.weight",
    "cgroup.type",
];

/// A directory as the kernel would make it, but that what is written to it stays as it is.
fn group(path: &Path, files: &[&str]) {
    std::fs::create_dir_all(path).unwrap();
    for file in files {
        std::fs::write(path.join(file), "").unwrap();
    }
}

fn read(path: &Path, file: &str) -> String {
    std::fs::read_to_string(path.join(file)).unwrap()
}

/// A host of version 2 in which the node's and one workload's directories are there already.
fn host_v2(controllers: &str) -> (tempfile::TempDir, Cgroups) {
    let host = tempfile::tempdir().unwrap();
    let root = host.path();
    group(root, &["cgroup.subtree_control", "cgroup.procs"]);
    std::fs::write(root.join("cgroup.controllers"), controllers).unwrap();
    for path in ["pilvi-t", "pilvi-t/w", "pilvi-t/w/c"] {
        group(&root.join(path), &CONTROL_FILES_V2);
        std::fs::write(root.join(path).join("cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
    }
    let found =
        [Mounted { version: Version::Two, controllers: Vec::new(), at: root.to_path_buf(), own: root.to_path_buf() }];

    let cgroups = Cgroups { inner: Arc::new(open_found(&found, "pilvi-t").unwrap()) };
    (host, cgroups)
}

#[test]
fn version_2_limits_a_container_and_controls_what_is_in_a_workload() {
    let (host, cgroups) = host_v2("cpuset cpu io memory hugetlb pids\n");
    assert_eq!(cgroups.version(), Version::Two);
    assert!(cgroups.what_is_missing().is_empty(), "{:?}", cgroups.what_is_missing());
    let limits = Limits {
        cpu_shares: Some(512),
        cpu_millis_max: Some(250),
        cpuset: Some("0".to_owned()),
        memory_bytes_max: Some(64 << 20),
        memory_bytes_reserved: Some(32 << 20),
        pids_max: Some(100),
        blkio_weight: Some(300),
        write_bytes_per_s_max: Some(1000),
        disk: Some(Disk { major: 8, minor: 0, has_weights: true }),
        ..Limits::default()
    };
    let workload = cgroups.workload("w", &Limits::default()).unwrap();
    let container = workload.child("c", &limits).unwrap();

    let top = host.path().join("pilvi-t");
    // The kernel adds what is written; plain files keep the last.
    assert_eq!(read(&top.join("w"), "cgroup.subtree_control"), "+pids");
    assert_eq!(read(&top.join("w/c"), "cgroup.subtree_control"), "", "a container's processes are in it itself");
    assert_eq!(read(&top.join("w"), "memory.low"), "33554432", "what a container reserves, its workload does");
    assert_eq!(read(&top, "memory.low"), "33554432", "and the node, and nothing else");
    let c = top.join("w/c");
    let written = [
        ("cpu.weight", "20"),
        ("cpu.max", "25000 100000"),
        ("cpuset.cpus", "0"),
        ("memory.max", "67108864"),
        ("memory.swap.max", "0"),
        ("memory.low", "33554432"),
        ("pids.max", "100"),
        ("io.bfq.weight", "default 300"),
        ("io.max", "8:0 wbps=1000"),
    ];
    for (file, value) in written {
        assert_eq!(read(&c, file), value, "{file}");
    }
    assert_eq!(container.plan().unwrap().directories, [c.display().to_string()]);
    assert_eq!(cgroups.list().unwrap(), ["w"]);
    assert_eq!(workload.children().unwrap(), ["c"]);
    container.kill().unwrap();
    assert_eq!(read(&c, "cgroup.kill"), "1");
}

#[test]
fn a_controller_that_a_host_of_version_2_has_not_is_named_and_its_limits_are_refused() {
    let (_host, cgroups) = host_v2("cpu memory pids\n");
    let names: Vec<_> = cgroups.what_is_missing().iter().map(|missing| missing.what).collect();
    assert_eq!(names, ["cpuset", "io"]);
    let refused = cgroups.workload("w", &Limits { cpuset: Some("0".to_owned()), ..Limits::default() });
    assert!(matches!(refused, Err(Error::Unsupported { limit: "the set of processors", .. })), "{refused:?}");
}

#[test]
fn the_memory_that_a_container_may_have_is_the_least_of_its_own_and_its_workloads() {
    let (host, cgroups) = host_v2("cpu memory pids\n");
    let top = host.path().join("pilvi-t");
    for (path, max) in [("w", "1000\n"), ("w/c", "5000\n")] {
        std::fs::write(top.join(path).join("memory.max"), max).unwrap();
    }
    let workload = cgroups.open_workload("w").unwrap();
    assert_eq!(workload.open_child("c").unwrap().stats().unwrap().memory_bytes_max, 1000);
    std::fs::write(top.join("w/memory.max"), "max\n").unwrap();
    assert_eq!(workload.open_child("c").unwrap().stats().unwrap().memory_bytes_max, 5000);
}

#[test]
fn version_1_holds_a_container_to_no_more_processor_time_than_its_workload_has() {
    let host = tempfile::tempdir().unwrap();
    let files = ["cgroup.procs", "cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", "tasks"];
    for path in ["", "pilvi-t", "pilvi-t/w", "pilvi-t/w/c"] {
        group(&host.path().join(path), &files);
    }
    let found = [Mounted {
        version: Version::One,
        controllers: vec![Controller::Cpu],
        at: host.path().to_path_buf(),
        own: host.path().to_path_buf(),
    }];

    let cgroups = Cgroups { inner: Arc::new(open_found(&found, "pilvi-t").unwrap()) };
    assert_eq!(cgroups.version(), Version::One);
    let limits = |millis| Limits { cpu_millis_max: Some(millis), ..Limits::default() };
    let workload = cgroups.workload("w", &limits(500)).unwrap();
    workload.child("c", &limits(2000)).unwrap();
    assert_eq!(read(&host.path().join("pilvi-t/w/c"), "cpu.cfs_quota_us"), "50000");
    workload.child("c", &limits(200)).unwrap();
    assert_eq!(read(&host.path().join("pilvi-t/w/c"), "cpu.cfs_quota_us"), "20000");
}

#[test]
fn swap_is_switched_off_by_the_count_of_both_in_version_1() {
    let host = tempfile::tempdir().unwrap();
    let files = ["cgroup.procs", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"];
    for path in ["", "pilvi-t", "pilvi-t/w"] {
        group(&host.path().join(path), &files);
    }
    let found = [Mounted {
        version: Version::One,
        controllers: vec![Controller::Memory],
        at: host.path().to_path_buf(),
        own: host.path().to_path_buf(),
    }];

    let cgroups = Cgroups { inner: Arc::new(open_found(&found, "pilvi-t").unwrap()) };
    let limits = Limits { memory_bytes_max: Some(1 << 20), memory_bytes_reserved: Some(1 << 19), ..Limits::default() };
    cgroups.workload("w", &limits).unwrap();
    let w = host.path().join("pilvi-t/w");
    assert_eq!(read(&w, "memory.limit_in_bytes"), "1048576");
    assert_eq!(read(&w, "memory.memsw.limit_in_bytes"), "1048576");
    assert_eq!(read(&w, "memory.soft_limit_in_bytes"), "524288");
}

#[test]
fn where_the_top_is_not_ours_groups_are_made_within_the_nodes_own() {
    let host = tempfile::tempdir().unwrap();
    let own = host.path().join("service");
    group(&own, &["cgroup.procs"]);
    let found = [Mounted {
        version: Version::One,
        controllers: vec![Controller::Pids],
        // The kernel lets nobody make a directory there.
        at: Path::new("/sys").to_path_buf(),
        own: own.clone(),
    }];
    open_found(&found, "pilvi-t").unwrap();
    assert!(own.join("pilvi-t").is_dir());
}

#[test]
fn where_nothing_is_mounted_it_is_said() {
    assert!(matches!(open_found(&[], "pilvi-t"), Err(Error::NoHierarchy { .. })));
}

#[test]
fn a_link_in_a_hierarchy_leads_nowhere() {
    let (host, cgroups) = host_v2("cpu memory pids\n");
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), host.path().join("pilvi-t/link")).unwrap();
    assert!(matches!(cgroups.open_workload("link"), Err(Error::Io { .. })));
}
