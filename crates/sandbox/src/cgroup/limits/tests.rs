use super::*;

fn values(limits: &Limits, controller: Controller, version: Version) -> Vec<(&'static str, String)> {
    writes(limits, controller, version).into_iter().map(|write| (write.files[0], write.value)).collect()
}

fn disk(has_weights: bool) -> Option<Disk> {
    Some(Disk { major: 254, minor: 0, has_weights })
}

#[test]
fn processor_time_is_a_quota_of_a_tenth_of_a_second() {
    let limits = Limits { cpu_shares: Some(1024), cpu_millis_max: Some(1500), ..Limits::default() };
    assert_eq!(values(&limits, Controller::Cpu, Version::One), [("cpu.shares", "1024".to_owned())]);
    let second = values(&limits, Controller::Cpu, Version::Two);
    assert_eq!(second, [("cpu.weight", "39".to_owned()), ("cpu.max", "150000 100000".to_owned())]);
    assert_eq!(cpu_quota_us(1500), 150_000);
    assert_eq!(cpu_quota_us(1), 1_000, "the kernel takes no less");
}

#[test]
fn weights_of_version_2_stand_to_each_other_as_shares_do() {
    assert_eq!(weight_of_shares(0), 1);
    assert_eq!(weight_of_shares(2), 1);
    assert_eq!(weight_of_shares(262_144), 10_000);
    assert_eq!(weight_of_shares(u32::MAX), 10_000);
    for shares in [1024, 2048, 10_000, 50_000] {
        let ratio = weight_of_shares(shares * 4) as f64 / weight_of_shares(shares) as f64;
        assert!((3.9..4.1).contains(&ratio), "{shares}: {ratio}");
    }
}

#[test]
fn disks_are_throttled_by_their_numbers() {
    let limits = Limits {
        read_bytes_per_s_max: Some(1000),
        write_bytes_per_s_max: Some(2000),
        disk: disk(true),
        blkio_weight: Some(500),
        ..Limits::default()
    };
    check(&limits).unwrap();
    let first = values(&limits, Controller::Io, Version::One);
    assert_eq!(first[0], ("blkio.bfq.weight", "500".to_owned()));
    assert_eq!(first[1], ("blkio.throttle.read_bps_device", "254:0 1000".to_owned()));
    assert_eq!(first[2], ("blkio.throttle.write_bps_device", "254:0 2000".to_owned()));
    let second = values(&limits, Controller::Io, Version::Two);
    assert_eq!(second[0], ("io.bfq.weight", "default 500".to_owned()));
    assert_eq!(second[1], ("io.max", "254:0 rbps=1000 wbps=2000".to_owned()));
}

#[test]
fn a_weight_that_the_disks_scheduler_does_not_know_is_refused() {
    let limits = Limits { blkio_weight: Some(500), disk: disk(false), ..Limits::default() };
    assert!(matches!(check(&limits), Err(Error::Unsupported { .. })));
    let limits = Limits { blkio_weight: Some(5), disk: disk(true), ..Limits::default() };
    assert!(matches!(check(&limits), Err(Error::Invalid { .. })));
}

#[test]
fn a_throttle_of_no_known_disk_is_refused() {
    let limits = Limits { write_bytes_per_s_max: Some(1), ..Limits::default() };
    assert!(matches!(check(&limits), Err(Error::Unsupported { .. })));
}

#[test]
fn a_set_of_processors_is_numbers_and_ranges_alone() {
    for good in ["0", "0-1,3"] {
        check(&Limits { cpuset: Some(good.to_owned()), ..Limits::default() }).unwrap();
    }
    for bad in ["", "0\n1", "all", "0 1"] {
        assert!(check(&Limits { cpuset: Some(bad.to_owned()), ..Limits::default() }).is_err(), "{bad:?}");
    }
}

#[test]
fn no_limits_write_nothing_and_need_nothing() {
    let none = Limits::default();
    assert!(needed(&none).is_empty());
    for controller in Controller::OF_VERSION_2 {
        assert!(writes(&none, controller, Version::One).is_empty());
        assert!(writes(&none, controller, Version::Two).is_empty());
    }
}
