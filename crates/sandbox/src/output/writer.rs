//! The shim's side of a container's output.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ftruncate, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::record::{HEAD_BYTES, Head, Place, RECORD_BYTES_MAX, Walk};
use super::{OUTPUT_DIRECTORY, Stream, open_directory, segment_name, segments};

/// The least that is kept, in bytes, whatever is asked for.
const BYTES_MAX_MIN: u64 = 64 * 1024;
/// Into so many segments an output is divided: when it is full, the oldest of them goes.
const SEGMENTS: u64 = 8;
/// The longest segment, in bytes.
const SEGMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A record is not divided to put less than this at the end of a segment, in bytes.
const PART_BYTES_MIN: u64 = 512;

/// Writes a container's output. Writing never fails: what cannot be kept is lost, which readers find out by its positions.
#[derive(Debug)]
pub struct Writer {
    directory: OwnedFd,
    older: VecDeque<Segment>,
    older_bytes: u64,
    current: Option<Current>,
    position: u64,
    /// The position after the last record that could be written.
    end: u64,
    bytes_max: u64,
    segment_bytes_max: u64,
}

#[derive(Debug)]
struct Segment {
    start: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Current {
    start: u64,
    file: File,
    bytes: u64,
}

impl Writer {
    /// Goes on with a container's output in this workload's directory, or begins it. At most `bytes_max` of disk are used, the
    /// records' heads included.
    pub fn open(directory: BorrowedFd<'_>, container: &str, bytes_max: u64) -> io::Result<Self> {
        let outputs = make_directory(directory, OUTPUT_DIRECTORY)?;
        let directory = make_directory(&outputs, container)?;
        let bytes_max = bytes_max.max(BYTES_MAX_MIN);
        let mut writer = Self {
            directory,
            older: VecDeque::new(),
            older_bytes: 0,
            current: None,
            position: 0,
            end: 0,
            bytes_max,
            segment_bytes_max: (bytes_max / SEGMENTS).min(SEGMENT_BYTES_MAX),
        };
        writer.find_older()?;
        Ok(writer)
    }

    /// The position that the next byte gets.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The position up to which readers find something.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// How much of disk it uses at most, in bytes.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// So much was printed and is not kept.
    pub fn skip(&mut self, bytes: u64) {
        // What follows begins another segment, at a position that tells.
        self.close_current();
        self.position += bytes;
    }

    /// Keeps what was printed.
    pub fn write(&mut self, stream: Stream, at_ns: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let room = self.room();
            let (part, rest) = data.split_at(data.len().min(room));
            if self.append(stream, at_ns, part).is_err() {
                // The segment may end in a part of a record now; what follows begins another, at a position that tells.
                self.close_current();
                self.position += part.len() as u64;
            } else {
                self.position += part.len() as u64;
                self.end = self.position;
            }
            data = rest;
        }
    }

    /// How much of a record the current segment takes. If that is too little, it is full.
    fn room(&mut self) -> usize {
        let used = self.current.as_ref().map_or(0, |current| current.bytes);
        let mut room = self.segment_bytes_max.saturating_sub(used + HEAD_BYTES as u64);
        if room < PART_BYTES_MIN {
            self.close_current();
            room = self.segment_bytes_max - HEAD_BYTES as u64;
        }
        usize::try_from(room).unwrap_or(RECORD_BYTES_MAX).min(RECORD_BYTES_MAX)
    }

    fn append(&mut self, stream: Stream, at_ns: u64, part: &[u8]) -> io::Result<()> {
        // A record is at most RECORD_BYTES_MAX long.
        let length = u32::try_from(part.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let head = Head { stream, length, at_ns }.to_bytes();
        let current = self.current()?;
        let whole = head.len() + part.len();
        let written = current.file.write_vectored(&[IoSlice::new(&head), IoSlice::new(part)])?;
        current.bytes += written as u64;
        if written == whole { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn current(&mut self) -> io::Result<&mut Current> {
        let current = match self.current.take() {
            Some(current) => current,
            None => {
                self.make_room();
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let name = segment_name(self.position);
                let file = openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)?;
                Current { start: self.position, file: file.into(), bytes: 0 }
            }
        };
        Ok(self.current.insert(current))
    }

    fn close_current(&mut self) {
        if let Some(current) = self.current.take() {
            if current.bytes == 0 {
                // Nothing could be written. On a full disk there would soon be many of these.
                let _ = unlinkat(&self.directory, segment_name(current.start), AtFlags::empty());
                return;
            }
            self.keep(Segment { start: current.start, bytes: current.bytes });
        }
    }

    fn keep(&mut self, segment: Segment) {
        self.older_bytes += segment.bytes;
        self.older.push_back(segment);
    }

    /// Removes the oldest segments until another one fits.
    fn make_room(&mut self) {
        while self.older_bytes + self.segment_bytes_max > self.bytes_max
            && let Some(oldest) = self.older.pop_front()
        {
            self.older_bytes -= oldest.bytes;
            let _ = unlinkat(&self.directory, segment_name(oldest.start), AtFlags::empty());
        }
    }

    /// What was printed by a container of the same name before. What its shim was about to write when it was killed is cut
    /// off, so that the last segment ends where the next begins.
    fn find_older(&mut self) -> io::Result<()> {
        let mut starts = segments(&self.directory)?;
        let Some(last) = starts.pop() else { return Ok(()) };
        for start in starts {
            // Another was begun after it: it has ended.
            let bytes = statat(&self.directory, segment_name(start), AtFlags::SYMLINK_NOFOLLOW)?.st_size;
            self.keep(Segment { start, bytes: u64::try_from(bytes).unwrap_or(0) });
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&self.directory, segment_name(last), flags, Mode::empty())?);
        let end = end_of(&file, last)?;
        if end.offset == 0 {
            unlinkat(&self.directory, segment_name(last), AtFlags::empty())?;
        } else {
            ftruncate(&file, end.offset)?;
            self.keep(Segment { start: last, bytes: end.offset });
        }
        (self.position, self.end) = (end.position, end.position);
        Ok(())
    }
}

/// Where the last whole record of a segment ends.
fn end_of(file: &File, start: u64) -> io::Result<Place> {
    let mut walk = Walk::over(file)?;
    let mut place = Place { offset: 0, position: start };
    while let Some(head) = walk.head(place)? {
        place = place.after(head);
    }
    Ok(place)
}

fn make_directory(at: impl std::os::fd::AsFd, name: &str) -> io::Result<OwnedFd> {
    match mkdirat(&at, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => open_directory(at, name),
        Err(error) => Err(error.into()),
    }
}
