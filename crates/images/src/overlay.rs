//! From layers to a root file system: one overlay mount.
//!
//! Layers are named by descriptors, not by paths: nothing is resolved when the mount is made, and however long the store's
//! path is, the options are short. How they are handed over depends on the kernel:
//!
//! | kernel | layers are handed over | the mount is made by |
//! | --- | --- | --- |
//! | 6.13 and later | as descriptors, one at a time | `fsconfig(2)` |
//! | 6.5 and later | as `/proc/self/fd/N`, one at a time | `fsconfig(2)` |
//! | earlier | the same in one string, which with [`LAYERS_MAX`](crate::LAYERS_MAX) layers fits into `mount(2)`'s page | `mount(2)` |
//!
//! An overlay is told to follow no redirection and no indirection to another file's content (`redirect_dir=nofollow`,
//! `metacopy=off`): layers are made by tenants, and [unpacking](crate::Policy) refuses the attributes for them anyway.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, open_tree,
    unmount,
};

use crate::{Error, XattrNamespace};

/// The longest options of `mount(2)`, in bytes: a page less the terminating zero.
pub const OPTIONS_BYTES_MAX: usize = 4095;

/// The directories of an overlay that cannot be written to.
#[derive(Debug)]
pub struct Lower {
    /// Open directories, the topmost first.
    pub layers: Vec<OwnedFd>,
    /// Two empty directories: an overlay has at least one lower directory, and without a writable one two.
    pub empty: [OwnedFd; 2],
    /// By which attributes the layers say what is opaque.
    pub namespace: XattrNamespace,
}

/// The directories of an overlay that take what is written. Both are on one file system, and no other mount uses them.
#[derive(Debug, Clone, Copy)]
pub struct Upper<'a> {
    /// What is written.
    pub upper: BorrowedFd<'a>,
    /// The kernel's own, empty.
    pub work: BorrowedFd<'a>,
    /// Whether nothing of it need survive a crash of the machine: then nobody waits for the disk.
    pub volatile: bool,
}

impl Lower {
    /// Makes an overlay that is attached nowhere: it is used through its descriptor, handed to another process, attached by
    /// [`attach`], and gone when the last descriptor is.
    ///
    /// # Errors
    /// [`Error::Io`] with `EINVAL` on kernels before 6.5, which take layers by `mount(2)` alone: there
    /// [`Lower::mount_by_way_of`] helps.
    pub fn mount(&self, upper: Option<Upper<'_>>) -> Result<OwnedFd, Error> {
        self.configure(upper).map_err(Error::os("mounting an overlay"))
    }

    /// Makes the same on any kernel. Before 6.5 it is mounted for a moment at `name` within `parent`, an empty directory that
    /// nobody else uses meanwhile; a process that dies in that moment leaves it there, unless its mount namespace ends with it.
    pub fn mount_by_way_of(
        &self,
        upper: Option<Upper<'_>>,
        parent: BorrowedFd<'_>,
        name: &str,
    ) -> Result<OwnedFd, Error> {
        match self.configure(upper) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.mount_for_a_moment(upper, parent, name),
            mount => mount.map_err(Error::os("mounting an overlay")),
        }
    }

    fn mount_for_a_moment(
        &self,
        upper: Option<Upper<'_>>,
        parent: BorrowedFd<'_>,
        name: &str,
    ) -> Result<OwnedFd, Error> {
        let failed = Error::os("mounting an overlay for a moment");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(parent, name, flags, Mode::empty()).map_err(&failed)?;
        self.mount_by_string(upper, place.as_fd())?;
        // By name, since the descriptor is of what is beneath the mount.
        let mount = open_tree(parent, name, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC);
        let path = format!("{}/{name}", by_descriptor(parent));
        unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).map_err(&failed)?;
        mount.map_err(&failed)
    }

    /// Mounts an overlay at a directory, on any kernel.
    pub fn mount_at(&self, upper: Option<Upper<'_>>, target: BorrowedFd<'_>) -> Result<(), Error> {
        match self.configure(upper) {
            Ok(mount) => attach(mount.as_fd(), target),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.mount_by_string(upper, target),
            Err(error) => Err(Error::os("mounting an overlay")(error)),
        }
    }

    fn configure(&self, upper: Option<Upper<'_>>) -> Result<OwnedFd, Errno> {
        use rustix::mount as m;
        let overlay = m::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        m::fsconfig_set_string(&overlay, "source", "overlay")?;
        for layer in self.stack(upper) {
            set_directory(&overlay, "lowerdir+", layer)?;
        }
        if let Some(upper) = upper {
            set_directory(&overlay, "upperdir", upper.upper)?;
            set_directory(&overlay, "workdir", upper.work)?;
        }
        for option in self.switches(upper) {
            match option.split_once('=') {
                Some((key, value)) => m::fsconfig_set_string(&overlay, key, value)?,
                None => m::fsconfig_set_flag(&overlay, option)?,
            }
        }
        m::fsconfig_create(&overlay)?;
        m::fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
    }

    fn mount_by_string(&self, upper: Option<Upper<'_>>, target: BorrowedFd<'_>) -> Result<(), Error> {
        let doing = "mounting an overlay";
        let layers: Vec<String> = self.stack(upper).map(by_descriptor).collect();
        let mut options = vec![format!("lowerdir={}", layers.join(":"))];
        if let Some(upper) = upper {
            options.push(format!("upperdir={}", by_descriptor(upper.upper)));
            options.push(format!("workdir={}", by_descriptor(upper.work)));
        }
        options.extend(self.switches(upper).map(str::to_owned));
        let options = joined(&options)?;
        let options = CString::new(options).map_err(|error| Error::io(doing)(error.into()))?;
        rustix::mount::mount("overlay", by_descriptor(target), "overlay", MountFlags::empty(), options.as_c_str())
            .map_err(Error::os(doing))
    }

    /// The layers, topmost first, as many as an overlay needs.
    fn stack(&self, upper: Option<Upper<'_>>) -> impl Iterator<Item = BorrowedFd<'_>> {
        let least = if upper.is_none() { 2_usize } else { 1 };
        let filling = self.empty.iter().take(least.saturating_sub(self.layers.len()));
        self.layers.iter().chain(filling).map(AsFd::as_fd)
    }

    fn switches(&self, upper: Option<Upper<'_>>) -> impl Iterator<Item = &'static str> + use<> {
        let volatile = upper.is_some_and(|upper| upper.volatile).then_some("volatile");
        let userxattr = (self.namespace == XattrNamespace::User).then_some("userxattr");
        ["redirect_dir=nofollow", "metacopy=off", "index=off"].into_iter().chain(volatile).chain(userxattr)
    }
}

/// Attaches an overlay that [`Lower::mount`] made, at a directory.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), Error> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", target, "", flags).map_err(Error::os("attaching an overlay"))
}

/// The options of an overlay for whoever mounts it by paths: the specification of a container, a person. `lower` is the
/// topmost first.
///
/// # Errors
/// [`Error::OptionsTooLong`] if they do not fit into the page that `mount(2)` takes.
pub fn options(
    lower: &[&Path],
    upper: Option<(&Path, &Path)>,
    namespace: XattrNamespace,
) -> Result<Vec<String>, Error> {
    let lower: Vec<String> = lower.iter().map(|path| escaped(path)).collect();
    let mut options = vec![format!("lowerdir={}", lower.join(":"))];
    if let Some((upper, work)) = upper {
        options.push(format!("upperdir={}", escaped(upper)));
        options.push(format!("workdir={}", escaped(work)));
    }
    options.extend(["redirect_dir=nofollow", "metacopy=off", "index=off"].map(str::to_owned));
    if namespace == XattrNamespace::User {
        options.push("userxattr".to_owned());
    }
    joined(&options)?;
    Ok(options)
}

fn joined(options: &[String]) -> Result<String, Error> {
    let joined = options.join(",");
    let length = joined.len();
    if length > OPTIONS_BYTES_MAX { Err(Error::OptionsTooLong { length, max: OPTIONS_BYTES_MAX }) } else { Ok(joined) }
}

/// Colons divide layers, commas options.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for c in path.to_string_lossy().chars() {
        if matches!(c, ':' | ',' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn set_directory(overlay: &OwnedFd, key: &str, directory: BorrowedFd<'_>) -> Result<(), Errno> {
    match rustix::mount::fsconfig_set_fd(overlay, key, directory) {
        Err(Errno::INVAL) => rustix::mount::fsconfig_set_string(overlay, key, by_descriptor(directory)),
        set => set,
    }
}

fn by_descriptor(directory: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_the_topmost_layer_first_and_escape_what_divides() {
        let lower = [Path::new("/l/2"), Path::new("/l/1:a,b\\")];
        let upper = Some((Path::new("/u"), Path::new("/w")));
        let options = options(&lower, upper, XattrNamespace::User).unwrap().join(",");
        assert_eq!(
            options,
            "lowerdir=/l/2:/l/1\\:a\\,b\\\\,upperdir=/u,workdir=/w,redirect_dir=nofollow,metacopy=off,index=off,userxattr"
        );
    }

    #[test]
    fn options_that_no_page_holds_are_refused_and_those_by_descriptor_always_fit() {
        let long = "/d".repeat(60);
        let lower = vec![Path::new(&long); 64];
        assert!(matches!(options(&lower, None, XattrNamespace::Trusted), Err(Error::OptionsTooLong { .. })));
        let by_descriptor = vec!["/proc/self/fd/999999".to_owned(); crate::LAYERS_MAX];
        assert!(joined(&[by_descriptor.join(":"), "x".repeat(200)]).is_ok());
    }

    /// Tells the child what it is.
    const CHILD: &str = "PILVI_IMAGES_MOUNT_CHILD";

    /// Mounts are attached in a mount namespace of a child's own, so that none is left behind.
    #[test]
    fn an_overlay_is_attached_with_the_new_calls_and_with_the_old_one() {
        if !rustix::process::geteuid().is_root() {
            return eprintln!("skipped: only root can mount an overlay");
        }
        if std::env::var_os(CHILD).is_some() {
            return attach_in_both_ways();
        }
        let mut unshare = std::process::Command::new("unshare");
        let test = "overlay::tests::an_overlay_is_attached_with_the_new_calls_and_with_the_old_one";
        unshare.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
        match unshare.args(["--exact", test, "--nocapture"]).env(CHILD, "1").output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => eprintln!("skipped: no mount namespace can be made: {error}"),
        }
    }

    fn attach_in_both_ways() {
        let directory = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            OwnedFd::from(std::fs::File::open(path).unwrap())
        };
        let lower = || Lower {
            layers: (0..crate::LAYERS_MAX).map(|layer| open(&format!("layer-{layer}"))).collect(),
            empty: [open("empty"), open("empty-too")],
            namespace: XattrNamespace::Trusted,
        };
        drop(lower());
        std::fs::write(directory.path().join("layer-0/name"), "the topmost").unwrap();
        std::fs::write(directory.path().join("layer-127/name"), "the lowest").unwrap();
        let (upper, work, target) = (open("upper"), open("work"), directory.path().join("target"));
        let parent = OwnedFd::from(std::fs::File::open(directory.path()).unwrap());
        drop(open("target"));
        let detached = lower().mount_for_a_moment(None, parent.as_fd(), "target").unwrap();
        assert!(!target.join("name").exists(), "it is still mounted");
        let inside = rustix::fs::openat(&detached, "name", OFlags::RDONLY, Mode::empty()).unwrap();
        assert_eq!(std::io::read_to_string(std::fs::File::from(inside)).unwrap(), "the topmost");
        attach(detached.as_fd(), open("target").as_fd()).unwrap();
        drop(detached);
        assert_eq!(std::fs::read_to_string(target.join("name")).unwrap(), "the topmost");
        unmount(&target, UnmountFlags::empty()).unwrap();
        for by_string in [false, true] {
            for upper in [None, Some(Upper { upper: upper.as_fd(), work: work.as_fd(), volatile: true })] {
                let at = open("target");
                match by_string {
                    true => lower().mount_by_string(upper, at.as_fd()).unwrap(),
                    false => lower().mount_at(upper, at.as_fd()).unwrap(),
                }
                assert_eq!(std::fs::read_to_string(target.join("name")).unwrap(), "the topmost");
                assert_eq!(std::fs::write(target.join("written"), "x").is_ok(), upper.is_some());
                unmount(&target, UnmountFlags::empty()).unwrap();
                // The kernel wants a new one after a mount that waited for nothing.
                let _ = std::fs::remove_dir_all(directory.path().join("work/work"));
            }
        }
    }
}
