use clap::Parser;
use workload::{PortProtocol, RestartWhen};

use super::*;

/// The flags alone, as `pilvi run` reads them.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    run: RunArgs,
}

fn lowered(line: &str) -> Result<Spec> {
    let line = Line::try_parse_from(std::iter::once("run").chain(line.split_whitespace()))?;
    spec(&line.run)
}

fn container(line: &str) -> Container {
    lowered(line).unwrap().containers.remove(0)
}

#[test]
fn what_follows_the_image_is_the_command_whatever_it_looks_like() {
    let sh = container("-d busybox sh -c --rm -e --name");
    assert_eq!(sh.command.unwrap(), ["sh", "-c", "--rm", "-e", "--name"]);
    let dash = container("busybox -d --help");
    assert_eq!(dash.command.unwrap(), ["-d", "--help"]);
    assert_eq!(container("busybox").command, None);
}

#[test]
fn another_entry_point_takes_no_arguments_of_the_images() {
    let other = container("--entrypoint /bin/echo busybox");
    assert_eq!((other.entrypoint.unwrap(), other.command.unwrap()), (vec!["/bin/echo".to_owned()], Vec::new()));
    let with = container("--entrypoint /bin/echo busybox a");
    assert_eq!(with.command.unwrap(), ["a"]);
    assert_eq!(container("--entrypoint= busybox sh").entrypoint.unwrap(), Vec::<String>::new());
}

#[test]
fn flags_become_limits() {
    let limited = container(
        "-m 64m --memory-reservation 32m --cpus 0.5 -c 512 --cpuset-cpus 0 --pids-limit 20 --storage-opt size=1g --shm-size 1m \
         --ulimit nofile=64 --blkio-weight 100 --read-bps 1m --write-bps 2m busybox",
    );
    assert_eq!(limited.memory.bytes_max, Some(64 << 20));
    assert_eq!(limited.memory.bytes_reserved, Some(32 << 20));
    assert_eq!((limited.cpu_millis_max, limited.cpu_shares, limited.pids_max), (Some(500), Some(512), Some(20)));
    assert_eq!((limited.disk_bytes_max, limited.shm_bytes), (Some(1 << 30), Some(1 << 20)));
    assert_eq!((limited.read_bytes_per_s_max, limited.write_bytes_per_s_max), (Some(1 << 20), Some(2 << 20)));
    assert_eq!(container("--pids-limit -1 busybox").pids_max, None);
    assert_eq!(lowered("--memory-reservation 32m busybox").unwrap().resources.memory_bytes_reserved, 32 << 20);
}

#[test]
fn ports_volumes_and_networks_become_the_workloads() {
    let spec = lowered(
        "--name web --network team --network-alias www -p 8080:80 -p 53:53/udp -v data:/data -v /srv:/srv:ro -v /cache \
         --tmpfs /run:size=1m --add-host db:10.0.0.1 --hostname h busybox",
    )
    .unwrap();
    assert_eq!(spec.network.group.as_deref(), Some("local-team"));
    assert_eq!(spec.network.aliases, ["web", "www"]);
    assert_eq!(spec.network.ports.len(), 2);
    assert_eq!(spec.network.ports[1].protocol, PortProtocol::Udp);
    assert_eq!(spec.volumes[0].source, VolumeSource::Named { scope: "local".into(), name: "data".into() });
    assert_eq!(spec.volumes[1].source, VolumeSource::Host { path: "/srv".into(), create: true });
    assert_eq!(spec.volumes[2].source, VolumeSource::Scratch { bytes_max: None });
    assert!(spec.containers[0].mounts[0].copy_image_content && !spec.containers[0].mounts[1].copy_image_content);
    assert!(spec.containers[0].mounts[1].read_only);
    assert_eq!(spec.hosts[0].names, ["db"]);
    assert_eq!(lowered("--network none busybox").unwrap().network.mode, NetworkMode::None);
    for wrong in
        ["--network none -p 80 busybox", "--network-alias a busybox", "--network a/b busybox", "--add-host a busybox"]
    {
        assert!(lowered(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn rights_and_lives_become_the_containers() {
    let one = container(
        "--read-only --cap-add net_admin --cap-drop ALL --security-opt no-new-privileges --init -u 1:2 -w /tmp \
         --restart on-failure:2 --stop-signal INT --stop-timeout 3 --health-cmd true --health-interval 5s -it busybox",
    );
    assert!(one.read_only_root && one.no_new_privileges && one.init && one.tty && one.stdin);
    assert_eq!((one.capabilities.add, one.capabilities.drop), (vec!["NET_ADMIN".to_owned()], vec!["ALL".to_owned()]));
    assert_eq!((one.restart.when, one.restart.retries_max), (RestartWhen::OnFailure, Some(2)));
    assert_eq!((one.stop_signal.as_deref(), one.stop_timeout_s), (Some("2"), Some(3)));
    let health = one.health.unwrap();
    assert_eq!((health.interval_s, health.timeout_s, health.retries), (5, 30, 3));
    assert!(lowered("--userns auto busybox").unwrap().isolation.user_namespace);
    for wrong in
        ["--security-opt label=x busybox", "--pid container:x busybox", "--rm --restart always busybox", "--memory x b"]
    {
        assert!(lowered(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn of_a_variable_the_last_value_holds_and_a_name_alone_is_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    std::fs::write(&file, "# a comment\n\n  A=1\nB=\"quoted\" # kept\nHOME\nNOT_SET\n").unwrap();
    let what = WhatArgs {
        env: vec!["A=2".to_owned(), "C=".to_owned(), "TERM=dumb".to_owned()],
        env_file: vec![file.clone()],
        ..WhatArgs::default()
    };
    let own = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    let variables = env(&what, true, &own).unwrap();
    let variables: Vec<_> = variables.iter().map(|v| (v.name.as_str(), v.value.as_str())).collect();
    assert_eq!(variables, [("B", "\"quoted\" # kept"), ("HOME", "/root"), ("A", "2"), ("C", ""), ("TERM", "dumb")]);
    std::fs::write(&file, "secret value\n").unwrap();
    let error = env(&what, false, &own).unwrap_err().to_string();
    assert!(error.contains("line 1") && !error.contains("secret"), "{error}");
}

#[test]
fn more_output_is_kept_for_whoever_stays_with_it() {
    assert_eq!(container("busybox").output.bytes_max, 1 << 30);
    assert_eq!(container("-d busybox").output.bytes_max, workload::limits::OUTPUT_BYTES_DEFAULT);
    assert_eq!(lowered("busybox").unwrap().validate(), Ok(()));
}
