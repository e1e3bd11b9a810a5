use super::*;

fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Directory) {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let opened = Directory::open(directory.path()).unwrap();
    (directory, opened)
}

#[test]
fn version_2_is_read() {
    let (_kept, directory) = tree(&[
        (
            "cpu.stat",
            "usage_usec 1000\nuser_usec 600\nsystem_usec 400\nnr_periods 5\nnr_throttled 2\nthrottled_usec 77\n",
        ),
        ("memory.current", "5000\n"),
        ("memory.peak", "9000\n"),
        ("memory.stat", "anon 1\ninactive_file 1500\n"),
        ("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n"),
        ("memory.max", "max\n"),
        ("pids.current", "3\n"),
        ("io.stat", "254:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n7:0 rbytes=10 wbytes=20\n8:16 \n"),
    ]);
    let mut stats = Stats::default();
    add(&mut stats, &directory, &Controller::OF_VERSION_2, Version::Two);
    let wanted = Stats {
        cpu_us: 1000,
        cpu_user_us: 600,
        cpu_system_us: 400,
        cpu_periods: 5,
        cpu_periods_throttled: 2,
        cpu_throttled_us: 77,
        memory_bytes: 3500,
        memory_bytes_used: 5000,
        memory_bytes_peak: 9000,
        memory_bytes_max: 0,
        pids: 3,
        read_bytes: 10,
        written_bytes: 20,
        oom_kills: 0,
    };
    assert_eq!(stats, wanted);
    assert_eq!(oom_kills(&directory, Version::Two), 1);
    assert_eq!(memory_max(&directory, Version::Two), None);
}

#[test]
fn version_1_is_read() {
    let (_kept, directory) = tree(&[
        ("cpuacct.usage", "5000000\n"),
        ("cpuacct.stat", "user 2\nsystem 1\n"),
        ("cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 77000\n"),
        ("memory.usage_in_bytes", "5000\n"),
        ("memory.max_usage_in_bytes", "9000\n"),
        ("memory.stat", "inactive_file 9\ntotal_inactive_file 1500\n"),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"),
        ("memory.limit_in_bytes", "9223372036854771712\n"),
        ("pids.current", "3\n"),
        ("blkio.throttle.io_service_bytes_recursive", "254:0 Read 10\n254:0 Write 20\n254:0 Total 30\nTotal 30\n"),
    ]);
    let mut stats = Stats::default();
    let all = [Controller::Cpu, Controller::Cpuacct, Controller::Memory, Controller::Pids, Controller::Io];
    add(&mut stats, &directory, &all, Version::One);
    assert_eq!((stats.cpu_us, stats.cpu_user_us, stats.cpu_system_us), (5000, 20_000, 10_000));
    assert_eq!((stats.cpu_periods, stats.cpu_periods_throttled, stats.cpu_throttled_us), (5, 2, 77));
    assert_eq!((stats.memory_bytes, stats.memory_bytes_used, stats.memory_bytes_peak), (3500, 5000, 9000));
    assert_eq!((stats.pids, stats.read_bytes, stats.written_bytes), (3, 10, 20));
    assert_eq!(oom_kills(&directory, Version::One), 4);
    assert_eq!(memory_max(&directory, Version::One), None);
}

#[test]
fn a_line_is_found_by_its_whole_name() {
    assert_eq!(value("oom 3\noom_kill 1\n", "oom"), Some(3));
    assert_eq!(value("oom_kill 1\n", "oom"), None);
    assert_eq!(value("oom x\n", "oom"), None);
}
