use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Command;

use super::*;

const MIB: u64 = 1024 * 1024;

fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip(test, "only root has disks");
    }
    is_root
}

/// A directory that is on a disk, where a host has one.
fn on_disk() -> tempfile::TempDir {
    tempfile::tempdir_in("/var/tmp").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Aloud: what the harness captures of a test that passes, nobody sees.
fn skip(test: &str, why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// A node's directory on a disk, where limited directories are possible.
fn disks(test: &str) -> Option<(tempfile::TempDir, Disks)> {
    if !is_root(test) {
        return None;
    }
    let directory = on_disk();
    let disks = Disks::open(&directory.path().join("disks")).unwrap();
    if let Kind::Nothing { reason } = disks.kind() {
        skip(test, reason);
        return None;
    }
    Some((directory, disks))
}

fn path(directory: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

/// Writes until nothing more fits; how much did. As containers do, without the right to exceed quotas.
fn fill(directory: BorrowedFd<'_>, name: &str) -> u64 {
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut sets = rustix::thread::capabilities(None).unwrap();
            sets.effective.remove(rustix::thread::CapabilitySet::SYS_RESOURCE);
            rustix::thread::set_capabilities(None, sets).unwrap();
            write_all(directory, name)
        });
        writer.join().unwrap()
    })
}

fn write_all(directory: BorrowedFd<'_>, name: &str) -> u64 {
    use std::io::Write;
    let mut file = std::fs::File::create(path(directory).join(name)).unwrap();
    let piece = vec![7; 64 * 1024];
    let mut written = 0;
    loop {
        match file.write(&piece) {
            Ok(length) => written += length as u64,
            Err(error) => {
                let full = [libc::ENOSPC, libc::EDQUOT];
                assert!(error.raw_os_error().is_some_and(|code| full.contains(&code)), "{error}");
                return written;
            }
        }
    }
}

/// Loop devices whose file is beneath a directory.
fn devices_beneath(directory: &Path) -> usize {
    let used = std::fs::read_dir("/sys/block").unwrap();
    let files = used.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path().join("loop/backing_file")).ok());
    files.filter(|file| Path::new(file.trim()).starts_with(directory)).count()
}

#[test]
fn as_much_fits_into_a_directory_as_was_said() {
    let Some((_kept, disks)) = disks("fits") else { return };
    for mib in [1, 10, 200] {
        let name = format!("limited-{mib}");
        let limited = disks.limited(&name, mib * MIB).unwrap();
        let written = fill(limited.upper(), "file");
        // What describes where a file's blocks are takes a few of them.
        let (least, most) = (mib * MIB - mib * MIB / 50 - 32 * 1024, mib * MIB + mib * MIB / 100 + 256 * 1024);
        assert!((least..=most).contains(&written), "{mib} MiB hold {written} bytes");
        let usage = limited.usage().unwrap().unwrap();
        assert!(usage.bytes_used >= written, "{usage:?}");
        assert!(usage.bytes_max >= mib * MIB, "{usage:?}");
        disks.remove(&name).unwrap();
    }
    assert!(disks.list().unwrap().is_empty());
}

#[test]
fn a_large_directory_costs_what_is_in_it() {
    let Some((_kept, disks)) = disks("large") else { return };
    let before = disks.space().unwrap();
    let limited = disks.limited("large", 200 * 1024 * MIB).unwrap();
    let after = disks.space().unwrap();
    assert!(before.bytes_free.saturating_sub(after.bytes_free) < 64 * MIB, "{before:?} {after:?}");
    assert!(after.bytes_promised - before.bytes_promised > 199 * 1024 * MIB, "{before:?} {after:?}");
    std::fs::write(path(limited.upper()).join("file"), "x").unwrap();
}

#[test]
fn it_is_seen_nowhere_and_gone_with_its_last_user() {
    let Some((kept, disks)) = disks("gone") else { return };
    if *disks.kind() != Kind::Image {
        return skip("gone", "directories are limited by quotas");
    }
    let limited = disks.limited("one", 8 * MIB).unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(kept.path().to_str().unwrap()), "it is mounted in nobody's namespace");
    assert_eq!(devices_beneath(kept.path()), 1);
    drop(limited);
    // The kernel unmounts when the last descriptor is closed, and clears the device after that.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while devices_beneath(kept.path()) > 0 {
        assert!(std::time::Instant::now() < deadline, "the device stays");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn what_was_written_is_found_by_the_next_node_whether_it_is_in_use_or_not() {
    let Some((kept, disks)) = disks("found") else { return };
    let limited = disks.limited("one", 8 * MIB).unwrap();
    std::fs::write(path(limited.upper()).join("file"), "kept").unwrap();
    drop(disks);
    let disks = Disks::open(&kept.path().join("disks")).unwrap();
    let again = disks.find("one").unwrap().unwrap();
    std::fs::write(path(again.upper()).join("other"), "seen").unwrap();
    let seen = std::fs::read_to_string(path(limited.upper()).join("other")).unwrap();
    assert_eq!(seen, "seen", "both are the same file system");
    drop((limited, again));
    let again = disks.find("one").unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(path(again.upper()).join("file")).unwrap(), "kept");
    assert_eq!(disks.list().unwrap(), ["one"]);
    assert!(disks.find("another").unwrap().is_none());
}

#[test]
fn an_overlay_and_a_clone_are_made_of_it_and_outlive_its_descriptor() {
    let Some((_kept, disks)) = disks("overlay") else { return };
    let lower = on_disk();
    std::fs::write(lower.path().join("below"), "lower").unwrap();
    let lower_directory = open_directory(lower.path()).unwrap();
    let limited = disks.limited("one", 8 * MIB).unwrap();
    let (overlay, clone) = limited
        .attached(|upper, work| {
            let context = rustix::mount::fsopen("overlay", rustix::mount::FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
            for (key, value) in [("lowerdir", lower_directory.as_fd()), ("upperdir", upper), ("workdir", work)] {
                let path = format!("/proc/self/fd/{}", value.as_raw_fd());
                rustix::mount::fsconfig_set_string(&context, key, path).unwrap();
            }
            rustix::mount::fsconfig_create(context.as_fd()).unwrap();
            let flags = rustix::mount::FsMountFlags::FSMOUNT_CLOEXEC;
            let overlay =
                rustix::mount::fsmount(context.as_fd(), flags, rustix::mount::MountAttrFlags::empty()).unwrap();
            use rustix::mount::OpenTreeFlags as F;
            let flags = F::OPEN_TREE_CLONE | F::OPEN_TREE_CLOEXEC | F::AT_EMPTY_PATH;
            (overlay, rustix::mount::open_tree(upper, c"", flags).unwrap())
        })
        .unwrap();
    drop(limited);
    disks.remove("one").unwrap();
    assert_eq!(std::fs::read_to_string(path(overlay.as_fd()).join("below")).unwrap(), "lower");
    let written = fill(overlay.as_fd(), "file");
    assert!(written <= 9 * MIB, "{written}");
    assert!(path(clone.as_fd()).join("file").exists());
}

#[test]
fn on_old_kernels_an_image_is_attached_for_a_moment() {
    let Some((kept, disks)) = disks("old") else { return };
    if *disks.kind() != Kind::Image {
        return skip("old", "directories are limited by quotas");
    }
    let mut limited = disks.limited("one", 8 * MIB).unwrap();
    let Form::Image { is_of_use_detached, .. } = &mut limited.form else { panic!("it is an image") };
    *is_of_use_detached = false;
    let clone = limited
        .attached(|upper, _| {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
            assert!(mounts.contains(kept.path().to_str().unwrap()));
            clone(upper)
        })
        .unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(kept.path().to_str().unwrap()));
    std::fs::write(path(clone.as_fd()).join("file"), "x").unwrap();
    assert!(path(limited.upper()).join("file").exists());
}

fn clone(directory: BorrowedFd<'_>) -> OwnedFd {
    use rustix::mount::OpenTreeFlags as F;
    let flags = F::OPEN_TREE_CLONE | F::OPEN_TREE_CLOEXEC | F::AT_EMPTY_PATH;
    rustix::mount::open_tree(directory, c"", flags).unwrap()
}

#[test]
fn a_mount_that_a_killed_node_left_is_cleared_away() {
    let Some((kept, disks)) = disks("left") else { return };
    let at = kept.path().join("disks/mounts/left");
    std::fs::create_dir(&at).unwrap();
    assert!(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&at).status().unwrap().success());
    std::fs::write(kept.path().join("disks/templates/unfinished.1.1"), "").unwrap();
    drop(disks);
    Disks::open(&kept.path().join("disks")).unwrap();
    assert!(!at.exists());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(kept.path().to_str().unwrap()));
    assert!(names(&kept.path().join("disks/templates")).unwrap().is_empty());
}

#[test]
fn images_end_with_the_machines_life() {
    let Some((kept, disks)) = disks("boot") else { return };
    if *disks.kind() != Kind::Image {
        return skip("boot", "directories are limited by quotas");
    }
    drop(disks.limited("one", 8 * MIB).unwrap());
    drop(disks.unlimited("other").unwrap());
    drop(disks);
    std::fs::write(kept.path().join("disks/boot"), "another life\n").unwrap();
    let disks = Disks::open(&kept.path().join("disks")).unwrap();
    assert_eq!(disks.list().unwrap(), ["other"]);
}

#[test]
fn a_name_is_given_once_and_stays_within_the_directory() {
    let Some((_kept, disks)) = disks("names") else { return };
    let _one = disks.limited("one", 8 * MIB).unwrap();
    assert!(matches!(disks.limited("one", 8 * MIB), Err(Error::Exists { .. })));
    assert!(matches!(disks.unlimited("one"), Err(Error::Exists { .. })));
    for bad in ["", ".", "..", "../x", "a/b", ".x", "a b"] {
        assert!(matches!(disks.limited(bad, 8 * MIB), Err(Error::Name { .. })), "{bad:?}");
        assert!(matches!(disks.remove(bad), Err(Error::Name { .. })), "{bad:?}");
    }
    for bytes in [0, BYTES_MIN - 1, BYTES_MAX + 1] {
        assert!(matches!(disks.limited("two", bytes), Err(Error::Size { .. })));
    }
    assert_eq!(disks.list().unwrap(), ["one"]);
}

#[test]
fn many_are_made_at_once() {
    let Some((_kept, disks)) = disks("many") else { return };
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|number| {
                let disks = &disks;
                scope.spawn(move || disks.limited(&format!("n{number}"), 20 * MIB).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (number, limited) in made.iter().enumerate() {
        std::fs::write(path(limited.upper()).join("who"), number.to_string()).unwrap();
    }
    for number in 0..16 {
        let found = disks.find(&format!("n{number}")).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(path(found.upper()).join("who")).unwrap(), number.to_string());
    }
    drop(made);
    disks.remove_all().unwrap();
}

#[test]
fn a_tree_that_is_not_limited_says_so() {
    let Some((_kept, disks)) = disks("tree") else { return };
    let tree = disks.unlimited("tree").unwrap();
    assert_eq!(tree.usage().unwrap(), None);
    std::fs::write(path(tree.upper()).join("file"), "x").unwrap();
    let found = disks.find("tree").unwrap().unwrap();
    assert!(path(found.upper()).join("file").exists());
}

#[test]
fn whatever_a_tenant_made_is_removed() {
    let Some((kept, disks)) = disks("trash") else { return };
    let tree = disks.unlimited("tree").unwrap();
    let outside = kept.path().join("outside");
    std::fs::write(&outside, "stays").unwrap();
    let root = path(tree.upper());
    std::os::unix::fs::symlink(kept.path(), root.join("link")).unwrap();
    let immutable = std::fs::File::create(root.join("immutable")).unwrap();
    rustix::fs::ioctl_setflags(&immutable, rustix::fs::IFlags::IMMUTABLE).unwrap();
    // Deeper than paths are long, and than anybody has descriptors.
    let mut at = rustix::fs::openat(tree.upper(), ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    for _ in 0..3_000 {
        rustix::fs::mkdirat(&at, "deeper", Mode::from_raw_mode(0)).unwrap();
        let file = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&at, "file", file, Mode::from_raw_mode(0o600)).unwrap();
        at = rustix::fs::openat(&at, "deeper", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    }
    disks.remove("tree").unwrap();
    assert!(disks.find("tree").unwrap().is_none());
    disks.empty_trash().unwrap();
    assert!(names(&kept.path().join("disks/trash")).unwrap().is_empty());
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "stays");
    disks.remove_all().unwrap();
    assert!(!kept.path().join("disks").exists());
}
