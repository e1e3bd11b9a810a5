//! Which control groups there are: version 1, version 2, or both beside each other.

use std::collections::BTreeSet;

use super::{Check, read};

/// A task's or pod's limits need these.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];

/// What the mounts tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cgroups {
    v1: BTreeSet<String>,
    /// Where version 2 is mounted.
    v2: Option<String>,
    read_only: bool,
}

pub(super) fn check() -> Check {
    let cgroups = of_mounts(&read("/proc/self/mountinfo"));
    let v2 = cgroups.v2.as_ref().map(|root| read(&format!("{root}/cgroup.controllers"))).unwrap_or_default();
    judge(&cgroups, &v2)
}

/// Reads `mountinfo`: fields up to ` - `, then type, source and super options (proc(5)).
fn of_mounts(mountinfo: &str) -> Cgroups {
    let mut cgroups = Cgroups::default();
    for line in mountinfo.lines() {
        let Some((mount, file_system)) = line.split_once(" - ") else { continue };
        let mount: Vec<&str> = mount.split(' ').collect();
        let file_system: Vec<&str> = file_system.split(' ').collect();
        let ([_, _, _, _, point, options, ..], [kind, _, controllers]) = (&mount[..], &file_system[..]) else {
            continue;
        };
        match *kind {
            "cgroup" => {
                // Beside controllers these are mount flags, and `name=systemd`, which limits nothing.
                let real =
                    |option: &&str| !matches!(*option, "rw" | "ro" | "xattr" | "noprefix") && !option.contains('=');
                cgroups.v1.extend(controllers.split(',').filter(real).map(str::to_owned));
            }
            "cgroup2" => cgroups.v2 = Some((*point).to_owned()),
            _ => continue,
        }
        cgroups.read_only |= options.split(',').any(|option| option == "ro");
    }
    cgroups
}

fn judge(cgroups: &Cgroups, v2_controllers: &str) -> Check {
    let v2: BTreeSet<String> = v2_controllers.split_ascii_whitespace().map(str::to_owned).collect();
    let layout = match (cgroups.v1.is_empty(), &cgroups.v2) {
        (true, None) => {
            return Check::missing("cgroups", "none are mounted", "mount cgroup2 on /sys/fs/cgroup, as systemd does");
        }
        (true, Some(_)) => "version 2",
        (false, None) => "version 1",
        (false, Some(_)) => "hybrid (versions 1 and 2)",
    };
    let all: BTreeSet<&str> = cgroups.v1.union(&v2).map(String::as_str).collect();
    let found = format!("{layout}: {}", all.iter().copied().collect::<Vec<_>>().join(", "));
    let lacking: Vec<&str> = NEEDED.into_iter().filter(|controller| !all.contains(controller)).collect();
    if !lacking.is_empty() {
        let advice = format!(
            "enable {} (on the kernel's command line: cgroup_enable=memory; in a container: hand its cgroup over with \
             all controllers)",
            lacking.join(", ")
        );
        return Check::missing("cgroups", found, advice);
    }
    if cgroups.read_only {
        let advice = "containers cannot be limited; in a container, mount /sys/fs/cgroup writable";
        return Check::warning("cgroups", format!("{found}; read-only"), advice);
    }
    Check::ok("cgroups", found)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    const V1: &str = "\
32 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 31 0:32 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
35 31 0:33 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
";

    fn judged(mounts: &str, v2: &str) -> Check {
        judge(&of_mounts(mounts), v2)
    }

    #[test]
    fn version_1_2_and_both_are_told_apart() {
        let v2_mount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let v1 = judged(V1, "");
        assert_eq!((v1.verdict, v1.found.as_str()), (Verdict::Ok, "version 1: cpu, cpuacct, memory, pids"));
        let v2 = judged(v2_mount, "cpuset cpu io memory pids");
        assert_eq!((v2.verdict, v2.found.as_str()), (Verdict::Ok, "version 2: cpu, cpuset, io, memory, pids"));
        let both = judged(&format!("{V1}{v2_mount}"), "hugetlb");
        assert!(both.verdict == Verdict::Ok && both.found.starts_with("hybrid"), "{both:?}");
    }

    #[test]
    fn lacking_controllers_and_read_only_trees_are_told() {
        let v2_mount = "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n";
        assert_eq!(judged("", "").verdict, Verdict::Missing);
        let lacking = judged(v2_mount, "cpu pids");
        assert!(lacking.verdict == Verdict::Missing && lacking.advice.unwrap().contains("enable memory"));
        assert_eq!(judged(v2_mount, "cpu memory pids").verdict, Verdict::Warning);
    }
}
