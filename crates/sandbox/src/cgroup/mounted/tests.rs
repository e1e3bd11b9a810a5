use super::*;

const HYBRID: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/net_cls rw,relatime - cgroup cgroup rw,net_cls
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn a_hybrid_host_has_hierarchies_of_both_versions() {
    let cgroup = "9:name=systemd:/\n4:memory:/service/a\n1:cpu,cpuacct:/x\n0::/y\n";
    let found = mounted(HYBRID, cgroup);
    let seen: Vec<_> =
        found.iter().map(|one| (one.version, one.controllers.as_slice(), one.own.to_str().unwrap())).collect();
    assert_eq!(
        seen,
        [
            (Version::One, &[Controller::Cpu, Controller::Cpuacct][..], "/sys/fs/cgroup/cpu,cpuacct/x"),
            (Version::One, &[Controller::Memory][..], "/sys/fs/cgroup/memory/service/a"),
            (Version::One, &[Controller::Named][..], "/sys/fs/cgroup/systemd"),
            (Version::Two, &[][..], "/sys/fs/cgroup/unified/y"),
        ]
    );
}

#[test]
fn a_host_of_version_2_has_one_hierarchy() {
    let mountinfo = "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    let found = mounted(mountinfo, "0::/system.slice/pilvi.service\n");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].at, Path::new("/sys/fs/cgroup"));
    assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/system.slice/pilvi.service"));
}

#[test]
fn in_a_container_that_sees_its_own_part_alone_that_part_is_the_top() {
    let mountinfo = "5 4 0:32 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:11 - cgroup cgroup rw,memory\n";
    let found = mounted(mountinfo, "4:memory:/docker/abc/below\n");
    assert_eq!(found[0].at, Path::new("/sys/fs/cgroup/memory"));
    assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/memory/below"));
}

#[test]
fn a_group_outside_of_what_is_mounted_leads_nowhere_else() {
    let mountinfo = "5 4 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let found = mounted(mountinfo, "0::/../../elsewhere\n");
    assert_eq!(found[0].own, Path::new("/sys/fs/cgroup"));
}

#[test]
fn a_hierarchy_that_is_mounted_twice_is_taken_once() {
    let twice = format!("{HYBRID}50 1 0:32 / /mnt/other rw - cgroup cgroup rw,memory\n");
    assert_eq!(mounted(&twice, "").len(), mounted(HYBRID, "").len());
}

#[test]
fn what_is_mounted_over_a_hierarchy_hides_it() {
    let over = format!("{HYBRID}50 1 0:32 /box /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    let found = mounted(&over, "4:memory:/box/within\n");
    let memory = found.iter().find(|one| one.controllers == [Controller::Memory]).unwrap();
    assert_eq!(memory.own, Path::new("/sys/fs/cgroup/memory/within"));
}

#[test]
fn paths_are_read_with_their_spaces() {
    assert_eq!(unescape("/a\\040b\\134c\\0"), Path::new("/a b\\c\\0"));
    assert!(parse_mount("").is_none());
    assert!(parse_mount("1 2 3").is_none());
    assert!(parse_mount("1 2 3 / /x - ").is_none());
}
