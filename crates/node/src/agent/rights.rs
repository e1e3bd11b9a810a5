//! What of root's rights a thread has that deals with what tenants made (capabilities(7)).

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

/// What unpacking needs: reading the blobs of another user, and making files as archives say, whose owners are any, with
/// set-user-ID bits, capabilities and, for overlays, whiteouts and `trusted.` attributes. Among what is given up are the network,
/// tracing and killing others, and the disk space that is reserved for root.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SYS_ADMIN);

/// Gives up the others, of this thread and of those that it starts. That nothing which they execute gets them back is
/// `no_new_privs`' doing.
///
/// # Errors
/// When the kernel refuses, which it has no reason for.
pub(super) fn keep_those_for_unpacking() -> Result<(), Errno> {
    set_no_new_privs(true)?;
    set_capabilities(None, reduced(capabilities(None)?))
}

/// In a container there may be fewer to begin with.
fn reduced(has: CapabilitySets) -> CapabilitySets {
    let kept = has.permitted.intersection(KEPT);
    CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_asked_for_and_what_is_not_needed_goes() {
        let few = CapabilitySet::CHOWN.union(CapabilitySet::NET_ADMIN);
        let kept = reduced(CapabilitySets { effective: few, permitted: few, inheritable: few });
        assert_eq!(kept.permitted, CapabilitySet::CHOWN);
        assert_eq!(kept.effective, kept.permitted);
        assert!(kept.inheritable.is_empty());
    }

    #[test]
    fn a_thread_that_gave_rights_up_still_reads_what_is_anothers_and_makes_no_network() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        std::thread::spawn(|| {
            keep_those_for_unpacking().unwrap();
            assert!(std::fs::read("/etc/shadow").is_ok());
            let left = capabilities(None).unwrap().effective;
            assert!(!left.intersects(CapabilitySet::SYS_MODULE | CapabilitySet::SYS_PTRACE | CapabilitySet::NET_ADMIN));
        })
        .join()
        .unwrap();
    }
}
