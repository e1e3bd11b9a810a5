//! Who a process is and what it may do: the last that happens before it executes a program.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::failure::{Doing, refused};
use super::process;
use crate::plan::{ContainerPlan, RlimitPlan, SeccompPlan};
use crate::protocol::ShimFailure;
use crate::seccomp::{self, Program};
use crate::users::Identity;

/// The most limits: there are so many.
const RESOURCES: u32 = 16;

/// What confines a container's processes. Made before anything is executed, as its filter takes a moment to compile.
pub(crate) struct Confinement {
    capabilities: u64,
    filter: Option<Program>,
    no_new_privileges: bool,
    limits: Vec<RlimitPlan>,
}

impl Confinement {
    pub(crate) fn of(plan: &ContainerPlan) -> Result<Self, ShimFailure> {
        if let Some(odd) = plan.rlimits.iter().find(|limit| limit.resource >= RESOURCES) {
            return Err(refused(format!("there is no resource {}", odd.resource)));
        }
        let filter = match plan.seccomp {
            SeccompPlan::Default => Some(seccomp::default_profile(plan.capabilities)),
            SeccompPlan::Unconfined => None,
        };
        Ok(Self {
            capabilities: plan.capabilities,
            filter,
            no_new_privileges: plan.no_new_privileges,
            limits: plan.rlimits.clone(),
        })
    }

    /// Has this process be `identity` and no more than a container's process may be.
    pub(crate) fn assume(&self, identity: &Identity) -> Result<(), ShimFailure> {
        self.limits.iter().try_for_each(limit)?;
        new_session_keyring()?;
        drop_bounding(self.capabilities)?;
        become_user(identity)?;
        let have = rustix::thread::capabilities(None).doing("reading capabilities")?.permitted;
        if let (Some(filter), false) = (&self.filter, self.no_new_privileges) {
            // A process that may still gain rights needs the right to administer for this: it is let go of right after.
            set_capabilities(have).doing("keeping capabilities")?;
            seccomp::install(filter).doing("installing the filter of system calls")?;
        }
        // What another user than root would have it loses with execve(2); until then it has no more than that either.
        let wanted =
            if identity.uid == 0 { CapabilitySet::from_bits_retain(self.capabilities) } else { CapabilitySet::empty() };
        set_capabilities(have & wanted).doing("dropping capabilities")?;
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true).doing("giving up new privileges")?;
            if let Some(filter) = &self.filter {
                seccomp::install(filter).doing("installing the filter of system calls")?;
            }
        }
        // Changing users made the process visible.
        process::hide();
        Ok(())
    }
}

/// Has nothing of anybody else's keys: a session of its own, which the kernel would otherwise share (CVE-2016-0728 shows for what).
fn new_session_keyring() -> Result<(), ShimFailure> {
    // SAFETY: no name is given, which makes a keyring without one.
    let answer = unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, 0) };
    let error = io::Error::last_os_error();
    // A kernel without keys has none to share.
    if answer < 0 && error.raw_os_error() != Some(libc::ENOSYS) {
        return Err(error).doing("making a session keyring");
    }
    Ok(())
}

/// Takes from this process, and from all that it will execute, what is not in `keep`; also what the kernel knows and we do not.
pub(crate) fn drop_bounding(keep: u64) -> Result<(), ShimFailure> {
    for number in 0..u64::BITS {
        if keep & (1 << number) != 0 {
            continue;
        }
        // SAFETY: it takes numbers.
        let answer = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
        let error = io::Error::last_os_error();
        match (answer, error.raw_os_error()) {
            (0, _) => {}
            // There is none of this number.
            (_, Some(libc::EINVAL)) => break,
            _ => return Err(error).doing("dropping capabilities for good"),
        }
    }
    rustix::thread::clear_ambient_capability_set().doing("clearing ambient capabilities")
}

fn become_user(identity: &Identity) -> Result<(), ShimFailure> {
    use rustix::process::{Gid, Uid};
    let groups: Vec<Gid> = identity.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    rustix::thread::set_thread_groups(&groups).doing("setting groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).doing_so(|| format!("becoming group {}", identity.gid))?;
    // What is permitted stays until the filter is installed; execve(2) resets this.
    rustix::thread::set_keep_capabilities(true).doing("keeping capabilities")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).doing_so(|| format!("becoming user {}", identity.uid))?;
    rustix::thread::set_keep_capabilities(false).doing("keeping capabilities")
}

/// Sets what this process may do now; nothing is inheritable (CVE-2022-24769).
pub(crate) fn set_capabilities(set: CapabilitySet) -> rustix::io::Result<()> {
    let sets = CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

/// Sets a limit, not beyond what this process itself has: raising it takes a capability that hosts may not have.
fn limit(plan: &RlimitPlan) -> Result<(), ShimFailure> {
    let doing = || format!("limiting resource {}", plan.resource);
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure lives as long as the call, which writes to it.
    if unsafe { libc::getrlimit(plan.resource, &raw mut now) } != 0 {
        return Err(io::Error::last_os_error()).doing_so(doing);
    }
    let hard = plan.hard.min(now.rlim_max);
    let wanted = libc::rlimit { rlim_cur: plan.soft.min(hard), rlim_max: hard };
    // SAFETY: the structure lives as long as the call, which reads it.
    if unsafe { libc::setrlimit(plan.resource, &raw const wanted) } != 0 {
        return Err(io::Error::last_os_error()).doing_so(doing);
    }
    Ok(())
}
