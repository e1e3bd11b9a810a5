//! What of root's rights a node gives up, for itself and everything that it starts (capabilities(7)).

use anyhow::{Context, Result};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, remove_capability_from_bounding_set,
    set_capabilities,
};

/// What nothing here ever needs, not even a container to which everything is allowed: other code in the kernel, raw access
/// to the machine, its clock, its end, and the rules of other security modules. The rest makes sandboxes and networks, and
/// is what containers begin with; the threads that unpack images keep less.
const GIVEN_UP: [CapabilitySet; 8] = [
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::SYS_BOOT,
    CapabilitySet::SYS_TIME,
    CapabilitySet::SYS_PACCT,
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::MAC_OVERRIDE,
    CapabilitySet::WAKE_ALARM,
];

/// Gives them up, of this thread and of those that it starts, and of every program that they execute.
pub(crate) fn reduce() -> Result<()> {
    for capability in GIVEN_UP {
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability).context("cannot give up capabilities")?;
        }
    }
    let has = capabilities(None).context("cannot read this process's capabilities")?;
    let given_up = GIVEN_UP.into_iter().fold(CapabilitySet::empty(), CapabilitySet::union);
    let kept = has.permitted.difference(given_up);
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).context("cannot give up capabilities")
}
