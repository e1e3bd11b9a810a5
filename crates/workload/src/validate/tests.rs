use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    Capabilities, Condition, Dependency, Device, EnvVar, HealthCheck, HealthProbe, HostEntry, MemoryLimits,
    MountedVolume, PortProtocol, PublishedPort, TmpfsMount, Ulimit, Volume,
};

fn container(name: &str) -> Container {
    Container { name: name.to_owned(), image: "app:1".to_owned(), essential: true, ..Container::default() }
}

fn spec() -> Spec {
    Spec { containers: vec![container("main")], ..Spec::default() }
}

/// A specification, changed; what is wrong with it.
fn problem(change: impl FnOnce(&mut Spec)) -> String {
    let mut spec = spec();
    change(&mut spec);
    spec.validate().map_or_else(|error| error.to_string(), |()| "nothing".to_owned())
}

fn of_container(change: impl FnOnce(&mut Container)) -> String {
    problem(|spec| change(&mut spec.containers[0]))
}

fn volume(source: VolumeSource) -> Volume {
    Volume { name: "v".to_owned(), source }
}

fn mount(path: &str) -> MountedVolume {
    let (volume, path) = ("v".to_owned(), path.to_owned());
    MountedVolume { volume, path, sub_path: None, read_only: false, copy_image_content: false }
}

fn port(container_port: u16, host_port: u16) -> PublishedPort {
    PublishedPort { container_port, host_port, host_address: None, protocol: PortProtocol::Tcp }
}

#[test]
fn the_least_that_is_something_is_valid() {
    assert_eq!(spec().validate(), Ok(()));
}

#[test]
fn containers_are_some_have_names_of_their_own_and_one_is_essential() {
    assert!(problem(|spec| spec.containers.clear()).contains("1 to 64"));
    assert!(problem(|spec| spec.containers = vec![container("a"); 65]).contains("1 to 64"));
    assert!(problem(|spec| spec.containers.push(container("main"))).contains("another container is called main"));
    assert!(of_container(|one| one.essential = false).contains("essential"));
    for name in ["", "a b", "a/b", "..", "ä", &"a".repeat(256)] {
        assert!(of_container(|one| one.name = name.to_owned()).starts_with("containers[0].name"), "{name}");
    }
    for image in ["", "a b", "a\n"] {
        assert!(of_container(|one| one.image = image.to_owned()).starts_with("containers[0].image"), "{image}");
    }
}

#[test]
fn a_process_is_something_that_the_kernel_takes() {
    assert!(of_container(|one| one.command = Some(vec!["a\0".to_owned()])).contains("NUL"));
    assert!(of_container(|one| one.command = Some(vec!["a".repeat(300_000)])).contains("262144 bytes"));
    let variable = |name: &str, value: &str| EnvVar { name: name.to_owned(), value: value.to_owned() };
    for (name, value) in [("", "a"), ("a=b", "c"), ("a\0", "b"), ("a", "b\0"), ("a", "b".repeat(300_000).as_str())] {
        assert!(of_container(|one| one.env.push(variable(name, value))).starts_with("containers[0].env"), "{name}");
    }
    assert_eq!(of_container(|one| one.env.push(variable("a", "b=c\n"))), "nothing");
    for dir in ["relative", "/a/../b", "/a\0", ""] {
        assert!(of_container(|one| one.working_dir = Some(dir.to_owned())).contains("workingDir"), "{dir:?}");
    }
    for (user, is_right) in [
        ("0", true),
        ("app", true),
        ("1000:1000", true),
        ("a:b", true),
        ("", false),
        (":1", false),
        ("a:", false),
        ("a:b:c", false),
    ] {
        assert_eq!(of_container(|one| one.user = Some(user.to_owned())) == "nothing", is_right, "{user}");
    }
    for (signal, is_right) in [
        ("SIGTERM", true),
        ("TERM", true),
        ("15", true),
        ("SIGRTMIN+3", true),
        ("RTMAX-30", true),
        ("64", true),
        ("0", false),
        ("65", false),
        ("SIGNO", false),
        ("term", false),
        ("RTMIN+31", false),
        ("", false),
    ] {
        assert_eq!(of_container(|one| one.stop_signal = Some(signal.to_owned())) == "nothing", is_right, "{signal}");
    }
}

#[test]
fn limits_are_in_their_ranges() {
    assert!(of_container(|one| one.memory.bytes_max = Some(1024)).contains("memory.bytesMax"));
    let memory = MemoryLimits { bytes_max: Some(1 << 23), bytes_reserved: Some(1 << 24) };
    assert!(of_container(|one| one.memory = memory).contains("memory.bytesReserved"));
    assert!(of_container(|one| one.cpu_shares = Some(1)).contains("cpuShares"));
    assert!(of_container(|one| one.cpu_millis_max = Some(5)).contains("cpuMillisMax"));
    assert!(of_container(|one| one.blkio_weight = Some(5)).contains("blkioWeight"));
    assert!(of_container(|one| one.pids_max = Some(0)).contains("pidsMax"));
    assert!(of_container(|one| one.disk_bytes_max = Some((1 << 20) - 1)).contains("diskBytesMax"));
    assert_eq!(of_container(|one| one.disk_bytes_max = Some(1 << 20)), "nothing");
    let disk = |all, one| {
        problem(|spec| {
            spec.resources.disk_bytes_max = Some(all);
            spec.containers[0].disk_bytes_max = Some(one);
        })
    };
    assert!(disk(2 << 20, 3 << 20).contains("a single container may write more"));
    assert!(disk(1, 1 << 20).contains("resources.diskBytesMax"));
    assert_eq!(disk(2 << 20, 2 << 20), "nothing");
    assert!(of_container(|one| one.output.bytes_max = 1).contains("output.bytesMax"));
    for (set, is_right) in [
        ("0", true),
        ("0-1,3", true),
        ("", false),
        ("1-0", false),
        ("a", false),
        ("0,", false),
        ("+1", false),
        ("0-", false),
    ] {
        assert_eq!(of_container(|one| one.cpuset = Some(set.to_owned())) == "nothing", is_right, "{set}");
    }
    let limit = |name: &str, soft, hard| Ulimit { name: name.to_owned(), soft, hard };
    for (ulimit, is_right) in [
        (limit("nofile", 10, 20), true),
        (limit("core", 0, -1), true),
        (limit("nofile", -1, 20), false),
        (limit("nofile", 30, 20), false),
        (limit("NOFILE", 1, 1), false),
        (limit("core", -2, 1), false),
    ] {
        assert_eq!(of_container(|one| one.ulimits.push(ulimit.clone())) == "nothing", is_right, "{ulimit:?}");
    }
    assert!(of_container(|one| one.ulimits = vec![limit("core", 1, 1); 2]).contains("twice"));
    let most = |resources: &mut Resources| resources.memory_bytes_max = Some(1 << 23);
    assert_eq!(problem(|spec| most(&mut spec.resources)), "nothing");
    assert!(
        problem(|spec| {
            most(&mut spec.resources);
            spec.containers[0].memory.bytes_max = Some(1 << 24);
        })
        .contains("a single container")
    );
    assert!(
        problem(|spec| {
            most(&mut spec.resources);
            spec.resources.memory_bytes_reserved = 1 << 24;
        })
        .contains("set aside")
    );
}

#[test]
fn only_settings_of_the_containers_own_namespaces_can_be_changed() {
    for (name, is_right) in [
        ("net.core.somaxconn", true),
        ("net.ipv4.conf.eth0.rp_filter", true),
        ("kernel.shmmax", true),
        ("fs.mqueue.msg_max", true),
        ("kernel.core_pattern", false),
        ("vm.swappiness", false),
        ("net/core/somaxconn", false),
        ("net.../../kernel", false),
        ("net.", false),
        ("fs.file-max", false),
    ] {
        let problem = of_container(|one| drop(one.sysctls.insert(name.to_owned(), "1".to_owned())));
        assert_eq!(problem == "nothing", is_right, "{name}: {problem}");
    }
    assert!(
        problem(|spec| {
            spec.network.mode = NetworkMode::Host;
            spec.containers[0].sysctls.insert("net.core.somaxconn".to_owned(), "1".to_owned());
        })
        .contains("the host's")
    );
}

#[test]
fn capabilities_are_known_by_their_names() {
    let add = |name: &str| Capabilities { add: vec![name.to_owned()], drop: vec!["ALL".to_owned()] };
    assert_eq!(of_container(|one| one.capabilities = add("NET_ADMIN")), "nothing");
    assert!(of_container(|one| one.capabilities = add("CAP_NET_ADMIN")).contains("no capability CAP_NET_ADMIN"));
    let mut spec = spec();
    spec.containers[0].capabilities = add("NET_ADMIN");
    assert_eq!(spec.permissions(), ["pilvi.capabilities"]);
    spec.containers[0].capabilities = add("CHOWN");
    assert!(spec.permissions().is_empty());
}

#[test]
fn mounts_are_of_volumes_that_there_are_and_of_paths_that_lead_nowhere_else() {
    let with = |source: VolumeSource, mount: MountedVolume| {
        problem(|spec| {
            spec.volumes.push(volume(source));
            spec.containers[0].mounts.push(mount);
        })
    };
    let scratch = || VolumeSource::Scratch { bytes_max: None };
    assert_eq!(with(scratch(), mount("/data")), "nothing");
    for path in ["data", "/", "//", "/.", "/a/../b", "/a\0"] {
        assert!(with(scratch(), mount(path)).contains("mounts[0].path"), "{path:?}");
    }
    for below in ["..", "/a", "a/../b", ""] {
        let mount = MountedVolume { sub_path: Some(below.to_owned()), ..mount("/data") };
        assert!(with(scratch(), mount).contains("subPath"), "{below}");
    }
    let unknown = MountedVolume { volume: "other".to_owned(), ..mount("/data") };
    assert!(with(scratch(), unknown).contains("there is no volume other"));
    let copying = MountedVolume { copy_image_content: true, ..mount("/data") };
    assert!(with(VolumeSource::Memory { bytes_max: 1 << 20 }, copying).contains("copyImageContent"));
    let tmpfs = |path: &str, option: &str| TmpfsMount {
        path: path.to_owned(),
        bytes_max: 1 << 20,
        options: vec![option.to_owned()],
    };
    assert!(
        problem(|spec| {
            spec.volumes.push(volume(scratch()));
            spec.containers[0].mounts.push(mount("/data/"));
            spec.containers[0].tmpfs.push(tmpfs("//data", "ro"));
        })
        .contains("something else is mounted at //data")
    );
    for (option, is_right) in
        [("mode=1777", true), ("uid=5", true), ("noexec", true), ("mode=9", false), ("size=1g", false), ("bind", false)]
    {
        assert_eq!(of_container(|one| one.tmpfs.push(tmpfs("/t", option))) == "nothing", is_right, "{option}");
    }
}

#[test]
fn archives_are_named_by_digests_and_mounted_as_a_whole_to_be_read() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let archive = |archives: &[&str]| {
        let archives = archives.iter().map(|text| (*text).to_owned()).collect();
        VolumeSource::Archive { archives }
    };
    let with = |archives: &[&str]| problem(|spec| spec.volumes.push(volume(archive(archives))));
    for wrong in ["", "sha256:", &digest[7..], &digest.to_uppercase(), &format!("{digest}0"), &digest.replace("a", "g")]
    {
        assert!(with(&[wrong]).contains("no digest"), "{wrong}");
    }
    assert!(with(&[]).contains("1 to 16") && with(&[digest.as_str(); 17]).contains("1 to 16"));
    let mounted = |read_only, sub_path: Option<&str>| {
        let mut spec = spec();
        spec.volumes.push(volume(archive(&[&digest, &digest])));
        let (volume, path) = (spec.volumes[0].name.clone(), "/var/task".to_owned());
        let sub_path = sub_path.map(str::to_owned);
        spec.containers[0].mounts =
            vec![MountedVolume { volume, path, sub_path, read_only, copy_image_content: false }];
        spec.validate()
    };
    assert!(mounted(true, None).is_ok());
    assert!(mounted(false, None).is_err() && mounted(true, Some("a")).is_err());
}

#[test]
fn volumes_name_directories_and_files_that_can_be() {
    let with = |source: VolumeSource| problem(|spec| spec.volumes.push(volume(source)));
    let named = |scope: &str, name: &str| VolumeSource::Named { scope: scope.to_owned(), name: name.to_owned() };
    assert_eq!(with(named("000000000000", "data.1")), "nothing");
    for source in [named("..", "a"), named("a", ".."), named("a/b", "c"), named("", "a"), named("a", ".hidden")] {
        assert!(with(source.clone()).starts_with("volumes[0].source"), "{source:?}");
    }
    for path in ["relative", "/a/../b"] {
        assert!(with(VolumeSource::Host { path: path.to_owned(), create: false }).starts_with("volumes[0]"));
    }
    let files = |files: &[(&str, &str)]| VolumeSource::Files {
        files: files
            .iter()
            .map(|(path, content)| ((*path).to_owned(), (*content).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    };
    assert_eq!(with(files(&[("a/b", "AAAA"), ("a/c", "")])), "nothing");
    for wrong in [
        files(&[("../a", "")]),
        files(&[("/a", "")]),
        files(&[("", "")]),
        files(&[("a", "?")]),
        files(&[("a/", "")]),
        files(&[("a", ""), ("a/b", "")]),
        files(&[("a", ""), ("./a", "")]),
        files(&[("a-b", ""), ("a", ""), ("a/b", "")]),
    ] {
        assert!(with(wrong.clone()).starts_with("volumes[0].source"), "{wrong:?}");
    }
    assert!(
        problem(|spec| spec.volumes = vec![volume(VolumeSource::Scratch { bytes_max: None }); 2]).contains("another")
    );
}

#[test]
fn ports_lead_somewhere_and_are_wanted_once() {
    let with = |mode: NetworkMode, ports: &[PublishedPort]| {
        problem(|spec| {
            spec.network.mode = mode;
            spec.network.ports = ports.to_vec();
        })
    };
    assert_eq!(with(NetworkMode::Bridge, &[port(80, 8080), port(80, 0), port(81, 0)]), "nothing");
    assert!(with(NetworkMode::Bridge, &[port(0, 80)]).contains("no port"));
    assert!(with(NetworkMode::Bridge, &[port(80, 80), port(81, 80)]).contains("twice"));
    let here = PublishedPort { host_address: Some([127, 0, 0, 1].into()), ..port(80, 80) };
    let there = PublishedPort { host_address: Some([127, 0, 0, 2].into()), ..port(80, 80) };
    assert_eq!(with(NetworkMode::Bridge, &[here.clone(), there]), "nothing");
    assert!(with(NetworkMode::Bridge, &[here, port(81, 80)]).contains("twice"));
    assert!(with(NetworkMode::None, &[port(80, 80)]).contains("without a network"));
    assert!(with(NetworkMode::Host, &[port(80, 8080)]).contains("cannot be another"));
    assert_eq!(with(NetworkMode::Host, &[port(80, 80)]), "nothing");
    assert!(
        problem(|spec| {
            spec.network.mode = NetworkMode::Host;
            spec.network.group = Some("g".to_owned());
        })
        .contains("network.group")
    );
}

#[test]
fn names_of_hosts_are_such() {
    for (name, is_right) in
        [("web", true), ("a.b-c", true), ("", false), ("-a", false), ("a..b", false), ("a b", false)]
    {
        assert_eq!(problem(|spec| spec.hostname = Some(name.to_owned())) == "nothing", is_right, "{name}");
        assert_eq!(problem(|spec| spec.network.aliases = vec![name.to_owned()]) == "nothing", is_right, "{name}");
    }
    let entry = |names: &[&str]| HostEntry {
        address: [10, 0, 0, 1].into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(problem(|spec| spec.hosts.push(entry(&["db"]))), "nothing");
    assert!(problem(|spec| spec.hosts.push(entry(&[]))).contains("hosts[0]"));
    assert!(problem(|spec| spec.hosts.push(entry(&["a\n127.0.0.1 b"]))).contains("hosts[0]"));
}

#[test]
fn containers_wait_for_others_that_there_are_and_not_in_circles() {
    let on = |name: &str, condition| Dependency { container: name.to_owned(), condition };
    let two = |dependency: Dependency, other: fn(&mut Container)| {
        problem(|spec| {
            spec.containers.push(container("other"));
            other(&mut spec.containers[1]);
            spec.containers[0].depends_on.push(dependency);
        })
    };
    assert_eq!(two(on("other", Condition::Started), |_| {}), "nothing");
    assert!(two(on("nobody", Condition::Started), |_| {}).contains("no container nobody"));
    assert!(two(on("main", Condition::Started), |_| {}).contains("the containers main wait"));
    assert!(two(on("other", Condition::Healthy), |_| {}).contains("no health check"));
    assert!(two(on("other", Condition::Succeeded), |_| {}).contains("essential"));
    assert_eq!(two(on("other", Condition::Succeeded), |other| other.essential = false), "nothing");
    let circle = problem(|spec| {
        spec.containers = ["a", "b", "c", "d"].map(container).to_vec();
        for (place, other) in ["b", "c", "a"].into_iter().enumerate() {
            spec.containers[place].depends_on.push(on(other, Condition::Started));
        }
    });
    assert_eq!(circle, "the containers a, b, c wait for each other");
}

#[test]
fn a_health_check_can_be_made() {
    let check = |probe| HealthCheck { probe, interval_s: 5, timeout_s: 2, retries: 3, start_period_s: 0 };
    let command = |args: &[&str]| HealthProbe::Command(args.iter().map(|arg| (*arg).to_owned()).collect());
    let http = |port, path: &str| HealthProbe::Http { port, path: path.to_owned() };
    for (probe, is_right) in [
        (command(&["true"]), true),
        (command(&[]), false),
        (command(&[""]), false),
        (HealthProbe::Tcp(80), true),
        (HealthProbe::Tcp(0), false),
        (http(80, "/a?b"), true),
        (http(80, "a"), false),
        (http(80, "/a b"), false),
        (http(80, "/a\r\nHost: b"), false),
        (http(0, "/"), false),
    ] {
        assert_eq!(of_container(|one| one.health = Some(check(probe.clone()))) == "nothing", is_right, "{probe:?}");
    }
    let never = HealthCheck { interval_s: 0, ..check(HealthProbe::Tcp(1)) };
    assert!(of_container(|one| one.health = Some(never)).contains("intervalS"));
}

#[test]
fn what_excludes_each_other_is_refused() {
    assert!(
        problem(|spec| {
            spec.isolation.user_namespace = true;
            spec.containers[0].privileged = true;
        })
        .contains("isolation.userNamespace")
    );
    let device = |host_path: &str| Device {
        host_path: host_path.to_owned(),
        container_path: "/dev/x".to_owned(),
        read: true,
        write: false,
        mknod: false,
    };
    assert_eq!(of_container(|one| one.devices.push(device("/dev/fuse"))), "nothing");
    assert!(of_container(|one| one.devices.push(device("dev/fuse"))).contains("devices[0].hostPath"));
    assert!(
        of_container(|one| one.devices.push(Device { read: false, ..device("/dev/fuse") })).contains("nothing may")
    );
}

#[test]
fn a_specification_fits_into_a_record() {
    let big = "x".repeat(250_000);
    let problem = problem(|spec| {
        for name in ["a", "b", "c"] {
            let mut container = container(name);
            container.env.push(EnvVar { name: "BIG".to_owned(), value: big.clone() });
            spec.containers.push(container);
        }
    });
    assert!(problem.starts_with("the whole"), "{problem}");
}

proptest! {
    #[test]
    fn whatever_is_given_is_answered(name in ".{0,20}", path in ".{0,20}", signal in ".{0,8}", set in "[0-9,+-]{0,8}") {
        let mut spec = spec();
        let one = &mut spec.containers[0];
        one.working_dir = Some(path.clone());
        one.stop_signal = Some(signal);
        one.cpuset = Some(set);
        one.user = Some(name.clone());
        spec.hostname = Some(name.clone());
        spec.volumes.push(volume(VolumeSource::Named { scope: name, name: path.clone() }));
        if spec.validate().is_ok() {
            prop_assert!(!path.contains("..") || !path.contains('/'));
        }
    }
}

#[test]
fn what_has_been_made_becomes_no_other_workload() {
    let held = spec();
    let check = |change: &dyn Fn(&mut Spec)| {
        let mut other = held.clone();
        change(&mut other);
        held.check_release(&other)
    };
    let archives = vec![format!("sha256:{}", "0a".repeat(32))];
    let archive = || volume(VolumeSource::Archive { archives: archives.clone() });
    let allowed: [&dyn Fn(&mut Spec); 6] = [
        &|_| {},
        &|other| other.containers[0].memory.bytes_max = Some(1 << 30),
        &|other| other.containers[0].command = Some(vec!["/other".to_owned()]),
        &|other| other.resources.memory_bytes_max = Some(1 << 30),
        &|other| other.labels = [("a".to_owned(), "b".to_owned())].into(),
        &|other| {
            other.volumes.push(archive());
            other.containers[0].mounts.push(mount("/var/task"));
        },
    ];
    for (number, change) in allowed.into_iter().enumerate() {
        assert_eq!(check(change), Ok(()), "{number}");
    }
    let refused: [&dyn Fn(&mut Spec); 9] = [
        &|other| other.containers.push(container("more")),
        &|other| other.containers[0].image = "other".to_owned(),
        &|other| other.containers[0].privileged = true,
        &|other| other.containers[0].read_only_root = true,
        &|other| other.volumes.push(volume(VolumeSource::Scratch { bytes_max: None })),
        &|other| other.containers[0].mounts.push(mount("/var/task")),
        &|other| other.network.group = Some("others".to_owned()),
        &|other| other.local_service = Some("other".to_owned()),
        &|other| other.resources.disk_bytes_max = Some(1 << 30),
    ];
    for (number, change) in refused.into_iter().enumerate() {
        assert!(check(change).is_err(), "{number}");
    }
    let mut limited = held.clone();
    (limited.resources.pids_max, limited.containers[0].memory.bytes_max) = (Some(9), Some(1 << 30));
    let with = |pids_max, bytes_max| {
        let mut other = limited.clone();
        (other.resources.pids_max, other.containers[0].memory.bytes_max) = (pids_max, bytes_max);
        limited.check_release(&other).is_ok()
    };
    assert!(with(Some(8), Some(1 << 29)) && !with(None, Some(1 << 30)) && !with(Some(9), None));
}
