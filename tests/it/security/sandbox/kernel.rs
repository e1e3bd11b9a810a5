//! Attacks on the kernel's own files, calls and devices.

use std::fs;

use serde_json::json;
use tests::image::Entry;

use super::{hostile, python, run};
use crate::containers::Stage;

const CALLS: &str = include_str!("attackers/calls.py");
const WRITES: &str = include_str!("attackers/writes.py");
const DEVICES: &str = include_str!("attackers/devices.py");

#[test]
fn cgroup_version_1s_release_agent_is_out_of_reach() {
    let Some(stage) = Stage::shared() else { return };
    let script = "exec 2>&1; find / -xdev -name release_agent; find /sys /proc -name release_agent 2>/dev/null; \
                  mkdir -p /tmp/g; for c in memory rdma pids cpu; do mount -t cgroup -o $c none /tmp/g && echo MOUNTED $c; done; \
                  mount -t cgroup2 none /tmp/g && echo MOUNTED; \
                  unshare -UrmC true && echo UNSHARED; unshare -mC true && echo UNSHARED; \
                  for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/x && echo MADE $d; echo 1 > $d/notify_on_release && echo SET $d; \
                  echo /evil > $d/release_agent && echo SET $d; echo 0 > $d/cgroup.procs && echo SET $d; done";
    let said = stage.run(&[], &["sh", "-c", script]).stdout;
    let reached = |line: &&str| {
        line.starts_with('/') || ["MOUNTED", "UNSHARED", "MADE", "SET"].iter().any(|word| line.starts_with(word))
    };
    assert_eq!(said.lines().find(reached), None, "{said}");
    for call in ["unshare-user", "unshare-cgroup", "clone-user", "mount", "fsopen", "open_tree", "move_mount", "setns"]
    {
        assert_eq!(python(&stage, &[], CALLS, &[call]), "", "{call}");
    }
}

#[test]
fn devices_of_the_host_are_neither_made_nor_opened() {
    let Some(stage) = Stage::shared() else { return };
    let told = fs::read_to_string("/proc/partitions").unwrap();
    let disks = told.lines().skip(2).filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("b:{}:{}", words.next()?, words.next()?))
    });
    // Memory, ports, the kernel's log, consoles, loop devices' control, fuse, tun, virtual machines; then every disk.
    let known = [
        "c:1:1", "c:1:2", "c:1:4", "c:1:11", "c:4:0", "c:4:1", "c:5:1", "c:10:237", "c:10:229", "c:10:200", "c:10:232",
    ];
    let devices: Vec<String> = known.iter().map(|&device| device.to_owned()).chain(disks).collect();
    let arguments: Vec<&str> = devices.iter().map(String::as_str).collect();
    let said = python(&stage, &[], DEVICES, &arguments);
    assert!(!said.contains("OPENED"), "{said}");
    // Some were made, so that it is not for want of a directory that none was opened.
    assert!(said.contains("made"), "{said}");
    let image = hostile(&stage, "with-a-disk", &[Entry::device("disk")], &json!({}));
    let read = run(&stage, &[], &image, &["sh", "-c", "head -c 512 /disk | wc -c"]);
    assert!(!read.stdout.contains("512"), "{read:?}");
}

#[test]
fn nothing_below_proc_and_sys_is_written_to() {
    let Some(stage) = Stage::shared() else { return };
    for flags in [[].as_slice(), &["-u", "1000:1000"]] {
        assert_eq!(python(&stage, flags, WRITES, &[]).trim(), "walked", "{flags:?}");
    }
}

#[test]
fn keyrings_of_the_kernel_are_neither_read_nor_filled() {
    let Some(stage) = Stage::shared() else { return };
    assert_eq!(python(&stage, &[], CALLS, &["add_key", "request_key", "keyctl"]), "");
    assert_eq!(stage.sh(&[], "wc -c < /proc/keys").trim(), "0");
}

#[test]
fn calls_that_other_containers_were_left_by_are_refused() {
    let Some(stage) = Stage::shared() else { return };
    let calls = [
        "open_by_handle_at",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "io_uring_setup",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
        "delete_module",
        "pivot_root",
        "umount2",
        "mount_setattr",
        "fsmount",
        "swapon",
        "reboot",
        "settimeofday",
        "clock_settime",
        "acct",
        "syslog",
        "quotactl",
        "clone3-user",
        "personality",
        "iopl",
    ];
    assert_eq!(python(&stage, &[], CALLS, &calls), "");
    // Nor by a user who has become root again.
    assert_eq!(python(&stage, &["-u", "1000:1000"], CALLS, &calls), "");
}
