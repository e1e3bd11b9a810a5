//! Limits hold: memory, processes, processors, disk.

use super::Stage;

#[test]
fn a_container_that_wants_more_memory_than_it_may_have_is_killed_and_that_is_said() {
    let Some(stage) = Stage::shared() else { return };
    let killed = stage.run(&["--memory", "32m"], &["sh", "-c", "tail /dev/zero"]);
    assert_eq!(killed.status.code(), Some(137), "{killed:?}");
    assert!(killed.stderr.contains("memory"), "{killed:?}");
    let fits = stage.run(&["--memory", "64m"], &["sh", "-c", "head -c 8000000 /dev/zero | tail -c 1 | wc -c"]);
    assert_eq!(fits.success().trim(), "1");
    let one = stage.start("hungry", &["--memory", "32m"], &["tail", "/dev/zero"]);
    let told = stage.server.until_container("hungry", super::has_stopped);
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["outOfMemory"], true, "{told}");
    assert!(stage.pilvi(&["ps", "-a"]).success().contains("out of memory"));
    drop(one);
}

#[test]
fn a_fork_bomb_meets_its_limit_and_nobody_else_notices() {
    let Some(stage) = Stage::shared() else { return };
    let script = "i=0; while [ $i -lt 60 ]; do sleep 30 & i=$((i+1)); done; echo all";
    let bomb = stage.run(&["--pids-limit", "20"], &["sh", "-c", script]);
    assert!(!bomb.stdout.contains("all"), "{bomb:?}");
    assert!(bomb.stderr.contains("fork"), "{bomb:?}");
    assert_eq!(stage.run(&[], &["echo", "well"]).success(), "well\n");
}

#[test]
fn processor_time_is_what_was_asked_for() {
    let Some(stage) = Stage::shared() else { return };
    // It tells of its own processor time, so that a busy machine can only make it less.
    let script = "end=$(($(date +%s)+3)); while [ $(date +%s) -lt $end ]; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done; \
                  cat /proc/self/stat >/dev/null; times";
    let told = stage.sh(&["--cpus", "0.3"], script);
    let seconds: f64 = told.lines().take(2).flat_map(str::split_whitespace).map(minutes_and_seconds).sum();
    assert!((0.05..=1.6).contains(&seconds), "{seconds} s of processor time in 3 to 4 s: {told}");
    let quota = stage
        .sh(&["--cpus", "0.3"], "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; true");
    assert!(quota.contains("30000"), "{quota}");
}

/// What `times` prints: `0m1.25s`.
fn minutes_and_seconds(text: &str) -> f64 {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}

#[test]
fn a_full_root_is_the_containers_own_trouble() {
    let Some(stage) = Stage::shared() else { return };
    let filled =
        stage.run(&["--storage-opt", "size=64m"], &["sh", "-c", "dd if=/dev/zero of=/big bs=1M count=100; ls -l /big"]);
    assert!(filled.stderr.contains("No space left") || filled.stderr.contains("quota"), "{filled:?}");
    let size: u64 = filled.stdout.split_whitespace().nth(4).unwrap().parse().unwrap();
    assert!(size < 70 << 20, "{size}");
    let fits = stage
        .run(&["--storage-opt", "size=64m"], &["sh", "-c", "dd if=/dev/zero of=/small bs=1M count=20 && rm /small"]);
    assert!(fits.status.success(), "{fits:?}");
}

#[test]
fn further_limits_are_the_kernels() {
    let Some(stage) = Stage::shared() else { return };
    assert_eq!(stage.sh(&["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn"), "100\n200\n");
    assert!(stage.sh(&["--shm-size", "2m"], "df -k /dev/shm | tail -1").contains("2048"));
    assert_eq!(stage.sh(&["--sysctl", "net.core.somaxconn=77"], "cat /proc/sys/net/core/somaxconn"), "77\n");
    let read_only = stage
        .run(&["--read-only", "--tmpfs", "/tmp:size=1m"], &["sh", "-c", "echo a > /tmp/a && cat /tmp/a; echo b > /b"]);
    assert_eq!(read_only.stdout, "a\n");
    assert!(read_only.stderr.contains("Read-only"), "{read_only:?}");
    let orphans = "sh -c 'sleep 0.1 &'; sleep 0.5; cat /proc/[0-9]*/stat | grep -c ') Z '; true";
    let reaped = stage.sh(&["--init"], orphans);
    assert_eq!(reaped.trim(), "0");
}
