//! What a sandbox is made of: namespaces, layered file systems, system call filters.

use std::path::Path;

use rustix::system::uname;

use super::{Check, read};

/// The namespaces that each sandbox has of its own.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

/// What a filter must be able to do (seccomp(2)): refuse with an error, kill, and ask a supervisor.
const SECCOMP_ACTIONS: [&str; 3] = ["errno", "kill_process", "user_notif"];

pub(super) fn checks() -> Vec<Check> {
    vec![namespaces(), user_namespaces(), overlay(), seccomp()]
}

fn namespaces() -> Check {
    let lacking: Vec<&str> =
        NAMESPACES.into_iter().filter(|name| !Path::new("/proc/self/ns").join(name).exists()).collect();
    if lacking.is_empty() {
        return Check::ok("namespaces", NAMESPACES.join(", "));
    }
    let advice = "the kernel was built without them; use a distribution's kernel";
    Check::missing("namespaces", format!("without {}", lacking.join(", ")), advice)
}

fn user_namespaces() -> Check {
    let exists = Path::new("/proc/self/ns/user").exists();
    judge_user_namespaces(
        exists.then(|| read("/proc/sys/user/max_user_namespaces")).as_deref(),
        &read("/proc/sys/kernel/unprivileged_userns_clone"),
        &read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
    )
}

/// `max`: how many there may be, `None` without the feature. The other two are Debian's and Ubuntu's switches for users
/// without privileges.
fn judge_user_namespaces(max: Option<&str>, debian: &str, apparmor: &str) -> Check {
    const NAME: &str = "user namespaces";
    match max {
        None => Check::warning(NAME, "not in this kernel", "root in a container is root's user outside, well confined"),
        Some("0") => Check::warning(NAME, "switched off", "allow them: sysctl user.max_user_namespaces=10000"),
        Some(_) if debian == "0" || apparmor == "1" => Check::ok(NAME, "for root only, which suffices"),
        Some(max) => Check::ok(NAME, format!("up to {max}")),
    }
}

fn overlay() -> Check {
    let known = |list: &str| list.split_ascii_whitespace().any(|word| word == "overlay");
    if known(&read("/proc/filesystems")) {
        return Check::ok("overlay", "in the kernel");
    }
    let modules = format!("/lib/modules/{}", uname().release().to_string_lossy());
    let on_disk = ["modules.dep", "modules.builtin"]
        .iter()
        .any(|list| read(&format!("{modules}/{list}")).contains("/overlay.ko"));
    if on_disk {
        return Check::ok("overlay", "a module, loaded when it is needed");
    }
    Check::missing(
        "overlay",
        "not in this kernel",
        "image layers are stacked with overlayfs: modprobe overlay, or use another kernel",
    )
}

fn seccomp() -> Check {
    judge_seccomp(&read("/proc/sys/kernel/seccomp/actions_avail"))
}

fn judge_seccomp(available: &str) -> Check {
    let lacking: Vec<&str> = SECCOMP_ACTIONS
        .into_iter()
        .filter(|action| !available.split_ascii_whitespace().any(|word| word == *action))
        .collect();
    match lacking.as_slice() {
        [] => Check::ok("seccomp", "filters with user notification"),
        _ if available.is_empty() => {
            Check::missing("seccomp", "not in this kernel", "containers are not run unfiltered; use another kernel")
        }
        ["user_notif"] => Check::ok("seccomp", "filters"),
        lacking => Check::missing("seccomp", format!("without {}", lacking.join(", ")), "use Linux 5.15 or later"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn user_namespaces_are_judged_by_what_root_can_do() {
        assert_eq!(judge_user_namespaces(None, "", "").verdict, Verdict::Warning);
        assert_eq!(judge_user_namespaces(Some("0"), "1", "").verdict, Verdict::Warning);
        assert_eq!(judge_user_namespaces(Some("63000"), "0", "").found, "for root only, which suffices");
        assert_eq!(judge_user_namespaces(Some("63000"), "1", "0").found, "up to 63000");
    }

    #[test]
    fn a_kernel_without_system_call_filters_is_not_enough() {
        assert_eq!(judge_seccomp("kill_process kill_thread trap errno user_notif log allow").verdict, Verdict::Ok);
        assert_eq!(judge_seccomp("kill_process trap errno allow").found, "filters");
        assert_eq!(judge_seccomp("trap allow").verdict, Verdict::Missing);
        assert_eq!(judge_seccomp("").verdict, Verdict::Missing);
    }
}
