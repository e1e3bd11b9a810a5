//! The root file system of a container: its image's layers, and what it writes itself.

use std::fs::File;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};

use images::Store;
use images::overlay::Upper;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use sandbox::mounts::{self, Depth, Moment};
use sandbox::plan::{MountFlags, MountPlan, MountSource};
use workload::{Reason, ReasonCode, Spec};

use super::super::failure;
use super::area::{self, Area, Whose};
use super::home::ImageUse;

/// Makes a container's root, attached nowhere. What it wrote before it was started again is there.
pub(super) fn make(store: &Store, image: &ImageUse, area: &Area, index: usize) -> Result<OwnedFd, Reason> {
    let lower = store.hold(&image.layers).and_then(|held| held.lower());
    let mut lower =
        lower.map_err(|error| Reason::new(ReasonCode::CannotPull, format!("the image is not there: {error}")))?;
    let made = area.within(Whose::Container(index), |places| {
        let name = format!("root-{index}");
        let is_new = rustix::fs::statat(places.upper, &name, AtFlags::SYMLINK_NOFOLLOW).is_err();
        let upper = area::directory(places.upper, &[&name])?;
        if let (true, Some(top)) = (is_new, lower.layers.first()) {
            // The root itself is whose the image says, and as open.
            let about = rustix::fs::fstat(top)?;
            rustix::fs::fchown(&upper, Some(Uid::from_raw(about.st_uid)), Some(Gid::from_raw(about.st_gid)))?;
            rustix::fs::fchmod(&upper, Mode::from_raw_mode(about.st_mode))?;
        }
        if let Some(users) = &area.users {
            // The layers are seen as its users'; what it writes itself is theirs on disk, too.
            lower.layers = lower.layers.iter().map(|layer| users.mapped(layer.as_fd())).collect::<io::Result<_>>()?;
            users.give(upper.as_fd())?;
        }
        // An overlay that waits for no disk is refused where one was before; what the kernel had there is nothing by now.
        let work = area::empty_directory(places.work, &[&index.to_string()])?;
        let upper = Upper { upper: upper.as_fd(), work: work.as_fd(), volatile: true };
        // Older kernels make overlays of what is attached alone, and mount them for a moment before they are attached nowhere.
        let mapped = if area.users.is_some() { &lower.layers[..] } else { &[] };
        let _attached = Moment::of(mapped, places.work, &format!("layers-{index}"))?;
        let name = format!("moment-{index}");
        area::directory(places.work, &[&name])?;
        let mount = lower.mount_by_way_of(Some(upper), places.work, &name);
        mount.map_err(|error| io::Error::other(failure::told(&error)))
    });
    made.map_err(|error| Reason::new(ReasonCode::CannotCreate, format!("the root cannot be made: {error}")))
}

/// What every container finds in `/etc`, as the workload's network has it.
#[derive(Debug, Clone, Default)]
pub(super) struct EtcFiles {
    pub(super) hostname: String,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) resolv_conf: String,
    pub(super) hosts: Vec<(IpAddr, String)>,
}

impl EtcFiles {
    /// Writes them for one container and mounts each, but for those that it mounts something else in place of. They can be
    /// written to where its root can.
    pub(super) fn mount(
        &self,
        spec: &Spec,
        area: &Area,
        index: usize,
        taken: &[&str],
    ) -> io::Result<(Vec<MountPlan>, Vec<OwnedFd>)> {
        let files = [
            ("hosts", self.hosts_file(spec)),
            ("resolv.conf", self.resolv_conf.clone()),
            ("hostname", format!("{}\n", self.hostname)),
        ];
        let read_only = spec.containers.get(index).is_some_and(|container| container.read_only_root);
        let (mut plans, mut mounted) = (Vec::new(), Vec::new());
        area.within(Whose::Container(index), |places| {
            let directory = area::directory(places.upper, &[&format!("etc-{index}")])?;
            for (name, content) in files {
                let target = format!("/etc/{name}");
                if taken.contains(&target.as_str()) {
                    continue;
                }
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(rustix::fs::openat(&directory, name, flags, Mode::RWXU)?);
                file.write_all(content.as_bytes())?;
                // Every user reads it, whatever the node's umask.
                rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
                if let Some(users) = &area.users {
                    users.give(file.as_fd())?;
                }
                let flags = MountFlags { read_only, no_exec: true, no_suid: true, no_dev: true };
                let mount = mounts::clone_of(file.as_fd(), Depth::Alone)?;
                mounts::restrict(mount.as_fd(), flags, Depth::Alone)?;
                plans.push(MountPlan { source: MountSource::Given, target, flags });
                mounted.push(mount);
            }
            Ok(())
        })?;
        Ok((plans, mounted))
    }

    fn hosts_file(&self, spec: &Spec) -> String {
        let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        for (address, name) in self.hosts.iter().filter(|(address, _)| !address.is_loopback()) {
            text.push_str(&format!("{address}\t{name}\n"));
        }
        if let Some(address) = self.address {
            text.push_str(&format!("{address}\t{}\n", self.hostname));
        }
        for entry in &spec.hosts {
            text.push_str(&format!("{}\t{}\n", entry.address, entry.names.join(" ")));
        }
        text
    }
}
