//! A container's configuration for runc and crun that is equal to what the crate `sandbox` is asked for: the same limits,
//! capabilities and system calls, namespaces of its own, a network without anything.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::own::{CPU_MILLIS_MAX, MEMORY_BYTES_MAX, PIDS_MAX, PROGRAM};

/// The default profile for system calls as podman's package brings it, which is docker's.
pub(super) const SECCOMP_PROFILE: &str = "/usr/share/containers/seccomp.json";
/// The period over which processor time is counted, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;
/// What a container may do unless it says otherwise (docker's).
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What `runc spec` prints, made equal.
pub(super) fn of(mut spec: Value, root: &Path, profile: &Value, architecture: &str) -> Result<Value> {
    let capabilities = json!({ "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES });
    spec["process"] = json!({
        "terminal": false,
        "user": { "uid": 0, "gid": 0 },
        "args": PROGRAM,
        "env": ["PATH=/bin"],
        "cwd": "/",
        "capabilities": capabilities,
        "noNewPrivileges": false,
    });
    spec["root"] = json!({ "path": root, "readonly": false });
    let linux = &mut spec["linux"];
    linux["resources"] = json!({
        "devices": [{ "allow": false, "access": "rwm" }],
        "memory": { "limit": MEMORY_BYTES_MAX, "swap": MEMORY_BYTES_MAX },
        "cpu": { "quota": u64::from(CPU_MILLIS_MAX) * CPU_PERIOD_US / 1000, "period": CPU_PERIOD_US },
        "pids": { "limit": PIDS_MAX },
    });
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    linux["namespaces"] = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
    linux["seccomp"] = seccomp(profile, architecture)?;
    Ok(spec)
}

/// The profile for a machine and the capabilities above: runtimes want to have it resolved.
fn seccomp(profile: &Value, architecture: &str) -> Result<Value> {
    let (own, name) = match architecture {
        "x86_64" => ("SCMP_ARCH_X86_64", "amd64"),
        "aarch64" => ("SCMP_ARCH_AARCH64", "arm64"),
        other => anyhow::bail!("the profile is not known for {other}"),
    };
    let maps = profile["archMap"].as_array().context("a profile without machines")?;
    let map = maps.iter().find(|map| map["architecture"] == own).with_context(|| format!("a profile without {own}"))?;
    let below = map["subArchitectures"].as_array().into_iter().flatten().cloned();
    let architectures: Vec<Value> = std::iter::once(json!(own)).chain(below).collect();
    let rules = profile["syscalls"].as_array().context("a profile without system calls")?;
    let rules: Vec<Value> = rules.iter().filter(|rule| holds(rule, name)).map(plain).collect();
    Ok(json!({
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": architectures,
        "syscalls": rules,
    }))
}

/// Whether a rule is for such a machine and such capabilities.
fn holds(rule: &Value, architecture: &str) -> bool {
    let names = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    let has = |name: &String| CAPABILITIES.contains(&name.as_str());
    let (includes, excludes) = (&rule["includes"], &rule["excludes"]);
    let machines = names(&includes["arches"]);
    let is_for_machine = machines.is_empty() || machines.iter().any(|name| name == architecture);
    let is_against_machine = names(&excludes["arches"]).iter().any(|name| name == architecture);
    is_for_machine
        && !is_against_machine
        && names(&includes["caps"]).iter().all(has)
        && !names(&excludes["caps"]).iter().any(has)
}

/// A rule without its conditions.
fn plain(rule: &Value) -> Value {
    let members = ["names", "action", "args", "errnoRet"];
    let member = |name: &&str| Some(((*name).to_owned(), rule.get(*name)?.clone()));
    Value::Object(members.iter().filter_map(member).filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_kept_where_its_conditions_hold() {
        let rule = |includes: Value, excludes: Value| json!({ "includes": includes, "excludes": excludes });
        let none = || json!({});
        for (rule, is_kept) in [
            (rule(none(), none()), true),
            (rule(json!({ "caps": ["CAP_SYS_CHROOT"] }), none()), true),
            (rule(json!({ "caps": ["CAP_SYS_ADMIN"] }), none()), false),
            (rule(none(), json!({ "caps": ["CAP_SYS_CHROOT"] })), false),
            (rule(none(), json!({ "caps": ["CAP_SYS_ADMIN"] })), true),
            (rule(json!({ "arches": ["amd64"] }), none()), true),
            (rule(json!({ "arches": ["arm64"] }), none()), false),
        ] {
            assert_eq!(holds(&rule, "amd64"), is_kept, "{rule}");
        }
    }

    #[test]
    fn a_profile_becomes_one_of_a_single_machine() {
        let profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] }],
            "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "" }],
        });
        let resolved = seccomp(&profile, "x86_64").unwrap();
        assert_eq!(resolved["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
        assert_eq!(resolved["syscalls"], json!([{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }]));
        assert!(seccomp(&profile, "aarch64").is_err());
    }
}
