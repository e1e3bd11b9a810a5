//! Room on the disk that is not the clients' to fill: the state is on the same one, and all accounts need it.

use std::os::fd::AsFd;

/// What is left free, in bytes, …
const KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// … or this part of a disk on which that would be more.
const KEPT_PART: u64 = 16;

/// Whether so many more bytes fit onto the disk of a file or directory. One that does not tell has no limit that could be
/// kept: writing tells then.
pub(super) fn has_room(disk: impl AsFd, bytes: u64) -> bool {
    let Ok(stat) = rustix::fs::fstatvfs(disk) else { return true };
    let in_bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize.max(1));
    fits(bytes, in_bytes(stat.f_bavail), in_bytes(stat.f_blocks))
}

fn fits(bytes: u64, free: u64, total: u64) -> bool {
    total == 0 || bytes.saturating_add(KEPT_BYTES.min(total / KEPT_PART)) <= free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_a_disk_is_left_free() {
        const MIB: u64 = 1 << 20;
        assert!(fits(10 * MIB, 74 * MIB, 100 * 1024 * MIB));
        assert!(!fits(10 * MIB + 1, 74 * MIB, 100 * 1024 * MIB));
        assert!(fits(1, MIB, 4 * MIB) && !fits(MIB, MIB, 4 * MIB), "of a small one less");
        assert!(!fits(u64::MAX, u64::MAX - 1, u64::MAX));
        assert!(fits(MIB, 0, 0), "one that does not tell");
        let directory = tempfile::tempdir().unwrap();
        let directory = std::fs::File::open(directory.path()).unwrap();
        assert!(has_room(&directory, 1) && !has_room(&directory, u64::MAX));
    }
}
