use super::*;

#[test]
fn sizes_are_powers_of_1024_as_dockers_are() {
    for (text, expected) in [
        ("0", 0),
        ("512", 512),
        ("512b", 512),
        ("4k", 4096),
        ("64m", 67_108_864),
        ("64MB", 67_108_864),
        ("64MiB", 67_108_864),
        ("1.5g", 1_610_612_736),
        ("1 g", 1_073_741_824),
    ] {
        assert_eq!(size(text), Ok(expected), "{text}");
    }
    for wrong in ["", "m", "1x", "-1", "1.2.3m", "999999999999t", "1e3", "ä"] {
        assert!(size(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn spans_are_whole_seconds() {
    for (text, expected) in [("30s", 30), ("1m30s", 90), ("2h", 7200), ("500ms", 1), ("1.5s", 2), ("0", 0), ("0s", 0)] {
        assert_eq!(span_s(text), Ok(expected), "{text}");
    }
    for wrong in ["", "30", "s", "-1s", "1d", "1s2", "999999999999h"] {
        assert!(span_s(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn ports_are_written_in_every_way_that_docker_knows() {
    let port = |container_port, host_port, host_address: Option<[u8; 4]>, protocol| PublishedPort {
        container_port,
        host_port,
        host_address: host_address.map(Ipv4Addr::from),
        protocol,
    };
    use PortProtocol::{Tcp, Udp};
    for (text, expected) in [
        ("80", vec![port(80, 0, None, Tcp)]),
        ("8080:80", vec![port(80, 8080, None, Tcp)]),
        ("53:53/udp", vec![port(53, 53, None, Udp)]),
        ("127.0.0.1:8080:80/TCP", vec![port(80, 8080, Some([127, 0, 0, 1]), Tcp)]),
        ("0.0.0.0::80", vec![port(80, 0, Some([0, 0, 0, 0]), Tcp)]),
        (":80", vec![port(80, 0, None, Tcp)]),
        ("8000-8001:80-81", vec![port(80, 8000, None, Tcp), port(81, 8001, None, Tcp)]),
    ] {
        assert_eq!(text.parse(), Ok(Publish(expected)), "{text}");
    }
    for wrong in
        ["", "0", "80:", "a:80", "65536", "8000-8002:80-81", "81-80", "[::1]:80:80", "80/sctp", "1:2:3:4", "1-1000"]
    {
        assert!(wrong.parse::<Publish>().is_err(), "{wrong}");
    }
}

#[test]
fn a_volume_is_named_or_a_path_or_new() {
    let mount = |text: &str| text.parse::<Mount>().unwrap();
    assert_eq!(
        mount("data:/var/lib/data"),
        Mount {
            source: MountSource::Named("data".into()),
            path: "/var/lib/data".into(),
            read_only: false,
            copies: true
        }
    );
    assert_eq!(
        mount("/srv:/www:ro,z"),
        Mount { source: MountSource::Host("/srv".into()), path: "/www".into(), read_only: true, copies: false }
    );
    assert_eq!(mount("./here:/www").source, MountSource::Host("./here".into()));
    assert_eq!(mount("/cache").source, MountSource::New);
    assert!(!mount("data:/d:nocopy").copies);
    for wrong in ["", "data", "data:relative", "a b:/d", "data:/", "/srv:/www:shared", "a:/b:ro:c", "-x:/d"] {
        assert!(wrong.parse::<Mount>().is_err(), "{wrong}");
    }
}

#[test]
fn memory_limits_restarts_and_devices_are_read() {
    let memory = tmpfs("/run:rw,noexec,size=64k,mode=1777").unwrap();
    assert_eq!((memory.bytes_max, memory.options), (65_536, vec!["noexec".to_owned(), "mode=1777".to_owned()]));
    assert!(tmpfs("run").is_err());

    assert_eq!(ulimit("nofile=1024:4096"), Ok(Ulimit { name: "nofile".into(), soft: 1024, hard: 4096 }));
    assert_eq!(ulimit("core=-1"), Ok(Ulimit { name: "core".into(), soft: -1, hard: -1 }));
    for wrong in ["nofile", "=1", "nofile=a", "nofile=2:1", "nofile=-1:5", "nofile=-2"] {
        assert!(ulimit(wrong).is_err(), "{wrong}");
    }

    assert_eq!(restart("on-failure:3").unwrap().retries_max, Some(3));
    assert_eq!(restart("unless-stopped").unwrap().when, RestartWhen::Always);
    assert!(restart("on-failure:x").is_err() && restart("sometimes").is_err());

    let fuse = device("/dev/fuse").unwrap();
    assert!(fuse.read && fuse.write && fuse.mknod && fuse.container_path == "/dev/fuse");
    let disk = device("/dev/sdb:/dev/xvdb:r").unwrap();
    assert!(disk.read && !disk.write && !disk.mknod);
    assert!(device("fuse").is_err() && device("/dev/a:/dev/b:x").is_err());
}

#[test]
fn signals_and_capabilities_have_their_names_with_and_without_prefix() {
    for text in ["TERM", "SIGTERM", "term", "15"] {
        assert_eq!(signal(text), Ok(15), "{text}");
    }
    assert!(signal("0").is_err() && signal("NOTHING").is_err() && signal("65").is_err());
    assert_eq!(capability("cap_net_admin"), Ok("NET_ADMIN".to_owned()));
    assert!(capability("net-admin").is_err());
    assert_eq!(cpus("0.5"), Ok(500));
    assert!(cpus("0").is_err() && cpus("x").is_err());
}
