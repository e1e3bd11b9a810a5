//! Capabilities by name, and what a container has of them. `capabilities(7)`; the usual ones are those of the OCI's and
//! Docker's defaults.

/// Names without `CAP_`; a name's place is its number.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What containers have unless something else is said.
const USUAL: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// Every capability that there is, as bits.
pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// The bit of a capability by its name, with `CAP_` or without, in any case. None if there is no such.
pub fn bit(name: &str) -> Option<u64> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == bare).map(|number| 1 << number)
}

/// What a container has that adds and drops these, `ALL` being every one: as Docker has it, what is added by name stays though it
/// or all are dropped, and what is dropped by name goes though all are added.
///
/// # Errors
/// The name that is none.
pub fn of<'a>(add: &'a [String], drop: &'a [String]) -> Result<u64, &'a str> {
    let usual = USUAL.iter().filter_map(|name| bit(name)).fold(0, |all, one| all | one);
    let (added, adds_all) = bits(add)?;
    let (dropped, drops_all) = bits(drop)?;
    Ok(match (adds_all, drops_all) {
        (true, _) => ALL & !dropped,
        (false, true) => added,
        (false, false) => usual & !dropped | added,
    })
}

fn bits(names: &[String]) -> Result<(u64, bool), &str> {
    let mut all = 0;
    let mut is_all = false;
    for name in names {
        match bit(name) {
            Some(one) => all |= one,
            None if name.eq_ignore_ascii_case("ALL") => is_all = true,
            None => return Err(name),
        }
    }
    Ok((all, is_all))
}

/// What the filter of system calls depends on.
pub(crate) mod number {
    pub(crate) const DAC_READ_SEARCH: u32 = 2;
    pub(crate) const SYS_MODULE: u32 = 16;
    pub(crate) const SYS_RAWIO: u32 = 17;
    pub(crate) const SYS_CHROOT: u32 = 18;
    pub(crate) const SYS_PTRACE: u32 = 19;
    pub(crate) const SYS_PACCT: u32 = 20;
    pub(crate) const SYS_ADMIN: u32 = 21;
    pub(crate) const SYS_BOOT: u32 = 22;
    pub(crate) const SYS_NICE: u32 = 23;
    pub(crate) const SYS_TIME: u32 = 25;
    pub(crate) const SYS_TTY_CONFIG: u32 = 26;
    pub(crate) const SYSLOG: u32 = 34;
    pub(crate) const PERFMON: u32 = 38;
    pub(crate) const BPF: u32 = 39;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_usual_capabilities_are_those_of_docker() {
        assert_eq!(of(&[], &[]), Ok(0xa804_25fb));
    }

    #[test]
    fn capabilities_are_added_and_dropped_by_name() {
        let added = of(&named(&["cap_sys_ptrace"]), &named(&["NET_RAW"])).unwrap();
        assert_eq!(added, (0xa804_25fb | 1 << 19) & !(1 << 13));
        assert_eq!(of(&named(&["SYS_PTRACE"]), &named(&["ALL"])), Ok(1 << 19));
        assert_eq!(of(&named(&["ALL"]), &named(&["SYS_ADMIN"])), Ok(ALL & !(1 << 21)));
        assert_eq!(of(&named(&["SYS_ADMIN"]), &named(&["SYS_ADMIN"])), Ok(0xa804_25fb | 1 << 21), "as Docker has it");
        assert_eq!(of(&named(&["FLY"]), &[]), Err("FLY"));
    }

    #[test]
    fn numbers_are_the_places_of_names() {
        assert_eq!(bit("SYS_ADMIN"), Some(1 << number::SYS_ADMIN));
        assert_eq!(bit("SYSLOG"), Some(1 << number::SYSLOG));
        assert_eq!(bit("CAP_BPF"), Some(1 << number::BPF));
        assert_eq!(bit("SYS_TTY_CONFIG"), Some(1 << number::SYS_TTY_CONFIG));
    }
}
