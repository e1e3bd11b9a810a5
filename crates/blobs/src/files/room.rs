//! Room on the disk: what is left to the state, which lies on the same one, and what is set aside for files that are being
//! written. Whoever asks is told of room that nobody else has been told of; and a file that grows asks as it grows, so that
//! nobody keeps others from room that they do not fill.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Files;
use crate::BlobError;

/// How many bytes of the disk are left to the state, or …
const STATE_BYTES: u64 = 64 * 1024 * 1024;
/// … this part of a disk of which that would be more.
const STATE_PART: u64 = 16;
/// How many bytes a file is given room for at once, at most, beyond those that it is to have next.
const AHEAD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many bytes a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Space {
    free: u64,
    total: u64,
}

/// How many bytes are set aside and not yet written.
#[derive(Debug, Default)]
pub(super) struct SetAside(AtomicU64);

/// Room that is set aside for a file. What is left of it is anybody's when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    files: Files,
    left: u64,
}

impl Space {
    /// Whether so many bytes more leave something to the state.
    fn holds(self, bytes: u64) -> bool {
        let left = STATE_BYTES.min(self.total / STATE_PART);
        self.total == 0 || bytes.saturating_add(left) <= self.free
    }
}

impl SetAside {
    /// Sets bytes aside, if there is room for them and for all that is set aside already.
    fn take(&self, bytes: u64, space: impl FnOnce() -> Option<Space>) -> bool {
        // First taken, then looked: of two who come at once, at most one is wrongly refused, and none wrongly let in.
        let before = self.0.fetch_add(bytes, Ordering::AcqRel);
        let has_room = space().is_none_or(|space| space.holds(before.saturating_add(bytes)));
        if !has_room {
            self.give_back(bytes);
        }
        has_room
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Files {
    /// Whether so many bytes more leave room on the disk for what is being written, and for the state, which lies on the
    /// same one.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.space().is_none_or(|space| space.holds(bytes.saturating_add(self.0.set_aside.bytes())))
    }

    /// No room yet, for a file that grows.
    pub(super) fn room(&self) -> Room {
        Room { files: self.clone(), left: 0 }
    }

    /// None where the file system does not tell; then a write tells.
    fn space(&self) -> Option<Space> {
        let stat = rustix::fs::fstatvfs(&self.0.root).ok()?;
        let in_bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize.max(1));
        Some(Space { free: in_bytes(stat.f_bavail), total: in_bytes(stat.f_blocks) })
    }
}

impl Room {
    /// Sees to room for the next bytes of a file that has so many: and, so as not to ask each time, for as many more as it
    /// has already, within bounds.
    ///
    /// # Errors
    /// [`BlobError::Full`]
    pub(super) fn cover(&mut self, bytes: u64, size: u64) -> Result<(), BlobError> {
        if bytes <= self.left {
            return Ok(());
        }
        let needed = bytes - self.left;
        let set_aside = &self.files.0.set_aside;
        for wanted in [needed.saturating_add(size.min(AHEAD_BYTES_MAX)), needed] {
            if set_aside.take(wanted, || self.files.space()) {
                self.left += wanted;
                return Ok(());
            }
        }
        Err(BlobError::Full)
    }

    /// Bytes that were covered are on the disk, which counts them itself from here on.
    pub(super) fn filled(&mut self, bytes: u64) {
        let filled = bytes.min(self.left);
        self.left -= filled;
        self.files.0.set_aside.give_back(filled);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.files.0.set_aside.give_back(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::files;
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn something_is_left_to_the_state_and_less_of_it_on_a_small_disk() {
        let large = Space { free: 1000 * MIB, total: 10_000 * MIB };
        assert!(large.holds(936 * MIB) && !large.holds(936 * MIB + 1));
        let small = Space { free: 100 * MIB, total: 160 * MIB };
        assert!(small.holds(90 * MIB) && !small.holds(90 * MIB + 1));
        assert!(Space { free: 0, total: 0 }.holds(1), "a file system that does not tell has room");
    }

    #[test]
    fn what_is_set_aside_for_one_is_no_room_for_another() {
        let (set_aside, space) = (SetAside::default(), || Some(Space { free: 164 * MIB, total: 10_000 * MIB }));
        assert!(set_aside.take(60 * MIB, space) && !set_aside.take(60 * MIB, space));
        assert!(set_aside.take(40 * MIB, space) && !set_aside.take(1, space));
        set_aside.give_back(60 * MIB);
        assert!(set_aside.take(60 * MIB, space));
        assert_eq!(set_aside.bytes(), 100 * MIB);
    }

    #[test]
    fn a_file_that_grows_has_room_ahead_of_it_and_none_when_it_is_done() {
        let (_directory, files) = files();
        let set_aside = || files.0.set_aside.bytes();
        let mut room = files.room();
        room.cover(10, 0).unwrap();
        assert_eq!(set_aside(), 10, "a small file sets nothing aside that it does not fill");
        room.filled(10);
        room.cover(10, 10).unwrap();
        assert_eq!(set_aside(), 20);
        room.filled(10);
        room.cover(5, 20).unwrap();
        assert_eq!(set_aside(), 10, "there was enough");
        room.cover(11, 100 * MIB).unwrap();
        assert_eq!(set_aside(), 11 + 16 * MIB);
        drop(room);
        assert_eq!(set_aside(), 0);
    }

    #[test]
    fn a_file_is_refused_bytes_that_others_have_the_room_for() {
        let (_directory, files) = files();
        let mut writer = files.writer(u64::MAX).unwrap();
        writer.append(b"first").unwrap();
        // As if others had been given all there is.
        files.0.set_aside.0.fetch_add(u64::MAX / 2, Ordering::AcqRel);
        assert!(!files.has_room(0));
        assert!(matches!(writer.append(b"second"), Err(BlobError::Full)));
        files.0.set_aside.give_back(u64::MAX / 2);
        writer.append(b"third").unwrap();
        assert_eq!(writer.size(), 10);
        let file = writer.finish().unwrap();
        assert_eq!((files.open(&file).unwrap().unwrap().size, files.0.set_aside.bytes()), (10, 0));
    }
}
