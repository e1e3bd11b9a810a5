//! Mounts that are attached nowhere, and what becomes of them in containers.

use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use sandbox::mounts::{self, Depth, MemoryFile};
use sandbox::plan::{IdRange, LateParts, MountFlags, MountPlan, MountSource};
use sandbox::protocol::ShimFailureKind;

use crate::setup_confinement::detached;
use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(given_mounts_are_in_the_plans_order_with_its_flags),
    test!(files_are_mounted_on_files),
    test!(files_in_memory_are_read_only),
    test!(a_read_only_root_takes_nothing_and_what_is_mounted_in_it_does),
    test!(a_prepared_container_gets_mounts_late),
    test!(mounts_and_descriptors_must_match),
    test!(files_belong_to_users_of_a_namespace),
    test!(no_mount_is_ever_seen_on_the_host),
];

fn given(target: &str, flags: MountFlags) -> MountPlan {
    MountPlan { source: MountSource::Given, target: target.to_owned(), flags }
}

async fn given_mounts_are_in_the_plans_order_with_its_flags() {
    let (workload, shim) = Workload::with_sandbox().await;
    let volumes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    std::fs::copy("/bin/busybox", volumes[1].path().join("busybox")).unwrap();
    std::fs::write(volumes[0].path().join("one"), "").unwrap();
    let no_exec = MountFlags { no_exec: true, ..MountFlags::default() };
    let read_only = MountFlags { read_only: true, no_suid: true, no_dev: true, ..MountFlags::default() };
    let memory = MountSource::Tmpfs { bytes_max: 1 << 16, mode: 0o700, uid: 5, gid: 6 };
    let mut plan = container_plan("app");
    plan.mounts = vec![
        given("/a", read_only),
        MountPlan { source: memory, target: "/memory".to_owned(), flags: MountFlags::default() },
        given("/memory/b", no_exec),
    ];
    let mounts = volumes.iter().map(|volume| detached(volume.path())).collect();
    shim.create(plan, workload.root(), mounts).await.unwrap();
    let mut events = shim.events();
    let script = "exec 2>&1; ls /a; touch /a/x; /memory/b/busybox true; touch /memory/b/y && echo ok; stat -c %a:%u:%g /memory; \
                  dd if=/dev/zero of=/memory/big bs=1k count=128 2>&1 | grep -c 'No space'";
    shim.start("app", process(&["sh", "-c", script]), None, vec![]).await.unwrap();
    ended(&mut events, "app").await;
    let said = workload.printed("app");
    assert!(said.contains("one\n") && said.contains("Read-only") && said.contains("ermission denied"), "{said}");
    assert!(said.ends_with("ok\n700:5:6\n1\n"), "{said}");
    assert!(volumes[1].path().join("y").exists());
}

async fn files_are_mounted_on_files() {
    let (workload, shim) = Workload::with_sandbox().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "127.0.0.1 box\n").unwrap();
    symlink("/etc/real-hosts", workload.root_path().join("etc/hosts")).unwrap();
    std::fs::write(workload.root_path().join("etc/real-hosts"), "image's\n").unwrap();
    let mut plan = container_plan("app");
    plan.mounts =
        vec![given("/etc/hosts", MountFlags::default()), given("/etc/new/resolv.conf", MountFlags::default())];
    let mounts = vec![detached(file.path()), detached(file.path())];
    shim.create(plan, workload.root(), mounts).await.unwrap();
    let mut events = shim.events();
    shim.start("app", process(&["cat", "/etc/real-hosts", "/etc/new/resolv.conf"]), None, vec![]).await.unwrap();
    ended(&mut events, "app").await;
    assert_eq!(workload.printed("app"), "127.0.0.1 box\n127.0.0.1 box\n");
    shim.remove("app").await.unwrap();
    let mut plan = container_plan("app");
    plan.mounts = vec![given("/etc", MountFlags::default())];
    let failure = shim.create(plan, workload.root(), vec![detached(file.path())]).await.unwrap_err();
    assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{failure}");
}

async fn files_in_memory_are_read_only() {
    let (workload, shim) = Workload::with_sandbox().await;
    let file = |path: &str, mode| MemoryFile { path: path.to_owned(), content: b"secret\n".to_vec(), mode };
    let memory = mounts::memory_files(&[file("token", 0o400), file("deep/er/key", 0o444)]).unwrap();
    assert!(mounts::memory_files(&[file("../out", 0o400)]).is_err());
    assert!(mounts::memory_files(&[file("twice", 0o400), file("twice", 0o400)]).is_err());
    let mut plan = container_plan("app");
    plan.mounts = vec![given("/secrets", MountFlags { read_only: true, ..MountFlags::default() })];
    shim.create(plan, workload.root(), vec![memory]).await.unwrap();
    let mut events = shim.events();
    let script = "cat /secrets/token /secrets/deep/er/key; stat -c %a /secrets/token; (echo x > /secrets/token) 2>/dev/null || echo refused";
    shim.start("app", process(&["sh", "-c", script]), None, vec![]).await.unwrap();
    ended(&mut events, "app").await;
    let said = workload.printed("app");
    assert!(said.starts_with("secret\nsecret\n400\n") && said.ends_with("refused\n"), "{said}");
}

async fn a_read_only_root_takes_nothing_and_what_is_mounted_in_it_does() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.read_only_root = true;
    let memory = MountSource::Tmpfs { bytes_max: 1 << 16, mode: 0o1777, uid: 0, gid: 0 };
    plan.mounts = vec![MountPlan { source: memory, target: "/tmp".to_owned(), flags: MountFlags::default() }];
    let script = "exec 2>&1; touch /x || echo refused; touch /tmp/x /dev/shm/x && echo ok";
    let (_, said) = workload.run_to_end(&shim, plan, script).await;
    assert!(said.ends_with("refused\nok\n"), "{said}");
}

async fn a_prepared_container_gets_mounts_late() {
    let (workload, shim) = Workload::with_sandbox().await;
    let volume = tempfile::tempdir().unwrap();
    std::fs::write(volume.path().join("code"), "late\n").unwrap();
    shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    let late = LateParts {
        mounts: vec![given("/var/task", MountFlags { read_only: true, ..MountFlags::default() })],
        files: vec![],
    };
    let mut events = shim.events();
    let args = process(&["sh", "-c", "exec 2>&1; cat /var/task/code; touch /var/task/x || echo refused"]);
    shim.start("app", args, Some(late), vec![detached(volume.path())]).await.unwrap();
    ended(&mut events, "app").await;
    let said = workload.printed("app");
    assert!(said.starts_with("late\n") && said.ends_with("refused\n"), "{said}");
}

async fn mounts_and_descriptors_must_match() {
    let (workload, shim) = Workload::with_sandbox().await;
    let volume = tempfile::tempdir().unwrap();
    let mut plan = container_plan("app");
    plan.mounts = vec![given("/a", MountFlags::default())];
    for mounts in [vec![], vec![detached(volume.path()), detached(volume.path())]] {
        let failure = shim.create(plan.clone(), workload.root(), mounts).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ShimFailureKind::Refused), "{failure}");
    }
}

async fn files_belong_to_users_of_a_namespace() {
    let volume = tempfile::tempdir().unwrap();
    std::fs::write(volume.path().join("file"), "").unwrap();
    let range = IdRange { first: 700_000, count: 65_536 };
    let users = mounts::user_namespace(range).unwrap();
    let mount = detached(volume.path());
    match mounts::idmapped(mount.as_fd(), users.as_fd(), Depth::Alone) {
        Err(rustix::io::Errno::INVAL) => {
            return println!("skipped: the file system of temporary files maps no users here");
        }
        other => other.unwrap(),
    }
    let file = mounts::open_beneath(mount.as_fd(), "file", rustix::fs::OFlags::PATH).unwrap();
    assert_eq!(rustix::fs::fstat(&file).unwrap().st_uid, 700_000);
    assert_eq!(std::fs::metadata(volume.path().join("file")).unwrap().uid(), 0);
    // A container of these users has it as its own.
    let workload = Workload::new();
    std::fs::set_permissions(workload.root_path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let shim = workload.shim().await;
    let mut shared = sandbox_plan();
    shared.users = Some(range);
    shim.sandbox(shared, None).await.unwrap();
    let root = workload.root();
    mounts::idmapped(root.as_fd(), users.as_fd(), Depth::Alone).unwrap();
    let mut plan = container_plan("app");
    plan.mounts = vec![given("/volume", MountFlags::default())];
    shim.create(plan, root, vec![mount]).await.unwrap();
    let mut events = shim.events();
    let script = "exec 2>&1; stat -c %u /volume/file /bin/busybox; touch /volume/new /new && echo ok";
    shim.start("app", process(&["sh", "-c", script]), None, vec![]).await.unwrap();
    ended(&mut events, "app").await;
    assert_eq!(workload.printed("app"), "0\n0\nok\n");
    assert_eq!(std::fs::metadata(volume.path().join("new")).unwrap().uid(), 0);
}

async fn no_mount_is_ever_seen_on_the_host() {
    let count = || std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let before = count();
    let (workload, shim) = Workload::with_sandbox().await;
    let volume = tempfile::tempdir().unwrap();
    let mut plan = container_plan("app");
    plan.mounts = vec![given("/a", MountFlags::default())];
    shim.create(plan, workload.root(), vec![detached(volume.path())]).await.unwrap();
    shim.start("app", process(&["sleep", "1000"]), None, vec![]).await.unwrap();
    assert_eq!(count(), before);
    let mounted = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounted.contains(&volume.path().display().to_string()));
}
