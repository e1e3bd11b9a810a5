//! What a workload may use.

use workload::{
    ContainerState, MemoryLimits, MountedVolume, Phase, ReasonCode, Spec, TmpfsMount, Volume, VolumeSource,
};

use crate::child::{Living, container, script};
use crate::tests;

tests![
    what_uses_too_much_memory_is_killed_and_that_is_told,
    what_is_written_has_its_limit,
    each_container_and_each_volume_has_its_own_limit,
    volumes_are_mounted_as_they_are_said,
    what_runs_is_counted_and_can_be_frozen,
    users_of_a_workloads_own_are_nobody_to_the_host,
    kernel_settings_are_the_workloads_own,
];

async fn what_uses_too_much_memory_is_killed_and_that_is_told() {
    let living = Living::new().await;
    let mut spec = script(
        "dd if=/dev/zero of=/dev/null bs=256M count=1; echo $?; exec dd if=/dev/zero of=/dev/null bs=256M count=1",
    );
    spec.containers[0].memory = MemoryLimits { bytes_max: Some(32 * 1024 * 1024), bytes_reserved: None };
    let id = living.run(spec).await;
    let observed = living.stopped(&id).await;
    let ContainerState::Exited(exit) = &observed.containers[0].state else { panic!("{observed:#?}") };
    assert!(exit.out_of_memory && exit.code == Some(137), "{observed:#?}");
    assert_eq!(observed.reason.unwrap().code, ReasonCode::OutOfMemory);
    living.end().await;
}

async fn what_is_written_has_its_limit() {
    let living = Living::new().await;
    let mut spec = script("dd if=/dev/zero of=/tmp/file bs=1M count=64 2>/dev/null || echo full; wc -c < /tmp/file");
    spec.containers[0].disk_bytes_max = Some(16 * 1024 * 1024);
    let id = living.run(spec).await;
    let observed = living.stopped(&id).await;
    if observed.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Refused) {
        println!("skipped: {observed:?}");
        return living.end().await;
    }
    let printed = living.printed(&id).await;
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("full"), "{printed} {observed:#?}");
    assert!(lines.next().unwrap().trim().parse::<u64>().unwrap() <= 17 * 1024 * 1024, "{printed}");
    living.end().await;
}

async fn each_container_and_each_volume_has_its_own_limit() {
    const MIB: u64 = 1024 * 1024;
    let mut living = Living::new().await;
    // Each says how much it could write, and stays.
    let text = |path: &str| {
        format!("dd if=/dev/zero of={path} bs=64k count=1000 2>/dev/null; wc -c < {path}; echo full; sleep 600")
    };
    let mut spec = Spec {
        containers: vec![container("small", &text("/tmp/file")), container("large", &text("/tmp/file"))],
        ..Spec::default()
    };
    spec.containers.push(container("volume", &text("/scratch/file")));
    for (one, disk_bytes_max) in spec.containers.iter_mut().zip([Some(4 * MIB), Some(16 * MIB), None]) {
        (one.disk_bytes_max, one.stop_timeout_s) = (disk_bytes_max, Some(0));
    }
    let source = VolumeSource::Scratch { bytes_max: Some(8 * MIB) };
    spec.volumes.push(Volume { name: "data".to_owned(), source });
    let (volume, path) = ("data".to_owned(), "/scratch".to_owned());
    let mounted = MountedVolume { volume, path, sub_path: None, read_only: false, copy_image_content: false };
    spec.containers[2].mounts.push(mounted);
    spec.resources.disk_bytes_max = Some(40 * MIB);
    let id = living.run(spec.clone()).await;
    let observed = living.until(&id, |observed| observed.phase >= Phase::Running).await;
    if observed.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Refused) {
        println!("skipped: {observed:?}");
        return living.end().await;
    }
    for (name, max) in [("small", 4), ("large", 16), ("volume", 8)] {
        let printed = living.printed_until(&id, Some(name), "full").await;
        let bytes: u64 = printed.lines().next().unwrap().trim().parse().unwrap();
        assert!((max * MIB / 2..=max * MIB + MIB / 4).contains(&bytes), "{name}: {bytes}");
    }
    // A node that comes after finds each place again.
    living.kill();
    living.start();
    living.running(&id).await;
    living.stop(&id, spec.clone(), Some(0)).await;
    living.stopped(&id).await;
    living.node.retire(&id).await.unwrap();
    spec.resources.disk_bytes_max = Some(28 * MIB);
    let refused = living.run(spec).await;
    assert_eq!(living.stopped(&refused).await.reason.unwrap().code, ReasonCode::Refused);
    living.end().await;
}

async fn volumes_are_mounted_as_they_are_said() {
    let living = Living::with("allow = [\"pilvi.host-volumes\"]").await;
    let host = living.bed.folder.path().join("of-the-host");
    std::fs::create_dir(&host).unwrap();
    std::fs::write(host.join("file"), "host\n").unwrap();
    let files = [("a/b".to_owned(), "c2VjcmV0Cg==".to_owned())].into();
    let sources = [
        ("named", VolumeSource::Named { scope: "tenant".to_owned(), name: "data".to_owned() }),
        ("host", VolumeSource::Host { path: host.display().to_string(), create: false }),
        ("memory", VolumeSource::Memory { bytes_max: 1024 * 1024 }),
        ("files", VolumeSource::Files { files }),
    ];
    let text = "cat /data/from-image /host/file /files/a/b; echo x > /host/new || echo read-only; \
                echo m > /memory/file && cat /memory/file; echo t > /run/t && cat /run/t; echo kept >> /data/from-image";
    let mut spec = script(text);
    for (name, source) in sources {
        let path = if name == "named" { "/data".to_owned() } else { format!("/{name}") };
        let (volume, sub_path) = (name.to_owned(), None);
        let (read_only, copy_image_content) = (name == "host", name == "named");
        spec.containers[0].mounts.push(MountedVolume { volume, path, sub_path, read_only, copy_image_content });
        spec.volumes.push(Volume { name: name.to_owned(), source });
    }
    spec.containers[0].tmpfs.push(TmpfsMount { path: "/run".to_owned(), bytes_max: 65536, options: Vec::new() });
    let expected = "content\nhost\nsecret\nread-only\nm\nt\n";
    for expected in [expected.to_owned(), expected.replace("content\n", "content\nkept\n")] {
        let id = living.run(spec.clone()).await;
        let observed = living.stopped(&id).await;
        let printed: String = living
            .printed(&id)
            .await
            .lines()
            .filter(|line| !line.contains("can't"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(printed, expected, "{observed:#?}");
    }
    living.end().await;
}

async fn what_runs_is_counted_and_can_be_frozen() {
    let living = Living::new().await;
    let mut spec = script("echo ready; sleep 60");
    spec.containers[0].stop_timeout_s = Some(0);
    let id = living.run(spec).await;
    living.until_printed(&id, "ready").await;
    let stats = living.node.stats(&[]).await.unwrap();
    assert!(stats[0].id == id && stats[0].containers["app"].pids >= 1, "{stats:?}");
    living.node.freeze(&id, true).await.unwrap();
    living.until(&id, |observed| matches!(observed.containers[0].state, ContainerState::Paused { .. })).await;
    living.node.freeze(&id, false).await.unwrap();
    living.until(&id, |observed| matches!(observed.containers[0].state, ContainerState::Running { .. })).await;
    living.node.freeze(&id, true).await.unwrap();
    living.end().await;
}

async fn users_of_a_workloads_own_are_nobody_to_the_host() {
    let living = Living::new().await;
    let text = "id -u; stat -c %u /bin/busybox /etc/hosts /data; touch /tmp/new /data/new && stat -c %u /tmp/new /data/new; \
                echo ready; sleep 600";
    let mut spec = script(text);
    spec.containers[0].stop_timeout_s = Some(0);
    spec.isolation.user_namespace = true;
    let source = VolumeSource::Named { scope: "tenant".to_owned(), name: "data".to_owned() };
    spec.volumes.push(Volume { name: "data".to_owned(), source });
    spec.containers[0].mounts.push(MountedVolume {
        volume: "data".to_owned(),
        path: "/data".to_owned(),
        sub_path: None,
        read_only: false,
        copy_image_content: true,
    });
    let id = living.run(spec.clone()).await;
    living.until_printed(&id, "ready").await;
    let observed = living.running(&id).await;
    let ContainerState::Running { pid, .. } = observed.containers[0].state else { panic!("{observed:#?}") };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert!(uid.split_whitespace().all(|uid| uid.parse::<u32>().unwrap() >= 0x4000_0000), "{uid}");
    living.stop(&id, spec, None).await;
    living.stopped(&id).await;
    assert_eq!(living.printed(&id).await, "0\n0\n0\n0\n0\n0\nready\n");
    living.end().await;
}

async fn kernel_settings_are_the_workloads_own() {
    let living = Living::new().await;
    let mut spec = script("cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni");
    spec.containers[0].sysctls = [("net.core.somaxconn", "77"), ("kernel.shmmni", "99")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let id = living.run(spec).await;
    let observed = living.stopped(&id).await;
    assert_eq!(living.printed(&id).await, "77\n99\n", "{observed:#?}");
    living.end().await;
}
