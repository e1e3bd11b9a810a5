//! Everybody else's side of a container's output.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};

use super::record::{Place, RECORD_BYTES_MAX, Walk};
use super::{OUTPUT_DIRECTORY, Stream, open_directory, segment_name, segments};

/// How often a segment that is to be opened may have been removed meanwhile, before that is an error.
const REMOVED_MEANWHILE_MAX: usize = 16;

/// Something that was printed at once, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where.
    pub stream: Stream,
    /// When it was read from the container, in nanoseconds since 1970.
    pub at_ns: u64,
    /// The position of its first byte.
    pub position: u64,
    /// How many bytes between the piece before, or the position that was asked for, and this one are not there any more.
    pub lost: u64,
    /// What.
    pub data: Vec<u8>,
}

impl Piece {
    /// The position after it.
    pub fn next(&self) -> u64 {
        self.position + self.data.len() as u64
    }

    /// Whether it ends in the middle of a line: more of the line may come in a further piece of its stream.
    pub fn is_partial(&self) -> bool {
        self.data.last() != Some(&b'\n')
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    /// In the order in which they were printed.
    pub pieces: Vec<Piece>,
    /// Where to go on.
    pub next: u64,
}

/// Reads a container's output. Works while it is written, and when it has long ended. It reads files, which may take
/// milliseconds.
#[derive(Debug)]
pub struct Reader {
    workload: OwnedFd,
    container: String,
    directory: Option<OwnedFd>,
    opened: Option<Opened>,
}

/// The segment in which was read last, and a place in it from which going on is short.
#[derive(Debug)]
struct Opened {
    start: u64,
    file: File,
    place: Place,
}

impl Reader {
    /// Of the container of this name in a workload's directory; there need not be any output yet.
    pub fn open(directory: BorrowedFd<'_>, container: &str) -> io::Result<Self> {
        if !super::is_file_name(container) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let workload = directory.try_clone_to_owned()?;
        Ok(Self { workload, container: container.to_owned(), directory: None, opened: None })
    }

    /// What was printed from this position on, at most so many bytes of it. None are answered at the end of what there is.
    pub fn read(&mut self, from: u64, bytes_max: usize) -> io::Result<Pieces> {
        let mut read = Pieces { pieces: Vec::new(), next: from };
        let mut bytes_left = bytes_max;
        if !self.place_at(from)? {
            return Ok(read);
        }
        while bytes_left > 0 {
            // First what other segments there are, then this one to its end: if there is a next one, this has ended.
            let next_start = self.segment_after()?;
            self.read_segment(&mut read, &mut bytes_left)?;
            match next_start {
                Some(start) if bytes_left > 0 => {
                    if !self.open_segment(start)? {
                        // Removed since: whatever is there now begins later.
                        self.opened = None;
                        if !self.place_at(read.next)? {
                            break;
                        }
                    }
                }
                _ => break,
            }
        }
        Ok(read)
    }

    /// The position after everything that there is.
    pub fn end(&mut self) -> io::Result<u64> {
        let Some(directory) = self.directory()? else {
            return Ok(0);
        };
        let Some(last) = segments(directory)?.last().copied() else {
            return Ok(0);
        };
        if !self.open_segment(last)? {
            return Ok(last);
        }
        let Some(opened) = &self.opened else {
            return Ok(last);
        };
        let mut walk = Walk::over(&opened.file)?;
        let mut place = opened.place;
        while let Some(head) = walk.head(place)? {
            place = place.after(head);
        }
        Ok(place.position)
    }

    /// The position from which on there are so many lines. One that has not ended is a line.
    pub fn tail_lines(&mut self, lines: u64) -> io::Result<u64> {
        let end = self.end()?;
        if lines == 0 {
            return Ok(end);
        }
        let Some(directory) = self.directory()? else {
            return Ok(end);
        };
        // The line break that ends the last line is not one between lines.
        let mut breaks_wanted = lines;
        let mut first = end;
        for start in segments(directory)?.into_iter().rev() {
            if start >= end || !self.open_segment(start)? {
                continue;
            }
            let breaks = self.breaks(end)?;
            if breaks >= breaks_wanted {
                return self.break_number(breaks - breaks_wanted, end);
            }
            breaks_wanted -= breaks;
            first = start;
        }
        Ok(first)
    }

    /// Reads the open segment from `read.next` on.
    fn read_segment(&mut self, read: &mut Pieces, bytes_left: &mut usize) -> io::Result<()> {
        let Some(opened) = &mut self.opened else {
            return Ok(());
        };
        let mut walk = Walk::over(&opened.file)?;
        while *bytes_left > 0
            && let Some(head) = walk.head(opened.place)?
        {
            let after = opened.place.after(head);
            if after.position > read.next {
                let lost = opened.place.position.saturating_sub(read.next);
                let position = read.next.max(opened.place.position);
                let skip = usize::try_from(position - opened.place.position).unwrap_or(usize::MAX);
                let data = walk.data(opened.place, head, skip, *bytes_left)?.to_vec();
                *bytes_left -= data.len();
                read.next = position + data.len() as u64;
                read.pieces.push(Piece { stream: head.stream, at_ns: head.at_ns, position, lost, data });
            }
            if after.position > read.next {
                // The rest of this record is for the next time.
                return Ok(());
            }
            opened.place = after;
        }
        Ok(())
    }

    /// Has the segment open that a position is in, or the first one after it. False if there is none.
    fn place_at(&mut self, position: u64) -> io::Result<bool> {
        let near = RECORD_BYTES_MAX as u64;
        if self
            .opened
            .as_ref()
            .is_some_and(|opened| (opened.place.position..=opened.place.position + near).contains(&position))
        {
            // Where reading ended the last time. Should what follows be in a later segment, reading goes there.
            return Ok(true);
        }
        for _ in 0..REMOVED_MEANWHILE_MAX {
            let Some(directory) = self.directory()? else {
                return Ok(false);
            };
            let starts = segments(directory)?;
            let index = starts.partition_point(|start| *start <= position).saturating_sub(1);
            let Some(start) = starts.get(index) else {
                return Ok(false);
            };
            if self.open_segment(*start)? {
                return Ok(true);
            }
        }
        Err(io::Error::other("segments are removed faster than they can be opened"))
    }

    /// Where the segment after the open one begins.
    fn segment_after(&mut self) -> io::Result<Option<u64>> {
        let after = self.opened.as_ref().map(|opened| opened.start);
        let Some(directory) = self.directory()? else {
            return Ok(None);
        };
        Ok(segments(directory)?.into_iter().find(|start| Some(*start) > after))
    }

    /// False if it is not there any more.
    fn open_segment(&mut self, start: u64) -> io::Result<bool> {
        let Some(directory) = self.directory()? else {
            return Ok(false);
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(directory, segment_name(start), flags, Mode::empty()) {
            Ok(file) => {
                let place = Place { offset: 0, position: start };
                self.opened = Some(Opened { start, file: file.into(), place });
                Ok(true)
            }
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn directory(&mut self) -> io::Result<Option<&OwnedFd>> {
        if self.directory.is_none() {
            let opened = open_directory(&self.workload, OUTPUT_DIRECTORY)
                .and_then(|outputs| open_directory(outputs, &self.container));
            match opened {
                Ok(directory) => self.directory = Some(directory),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(self.directory.as_ref())
    }

    /// How many line breaks the open segment has that something follows.
    fn breaks(&self, end: u64) -> io::Result<u64> {
        let mut count = 0;
        self.each_break(end, |_| {
            count += 1;
            true
        })?;
        Ok(count)
    }

    /// The position after the break of this number in the open segment.
    fn break_number(&self, number: u64, end: u64) -> io::Result<u64> {
        let mut count = 0;
        let mut found = end;
        self.each_break(end, |position| {
            found = position;
            count += 1;
            count <= number
        })?;
        Ok(found)
    }

    /// Calls with the position after each line break before `end`, while it is told to go on.
    fn each_break(&self, end: u64, mut going_on: impl FnMut(u64) -> bool) -> io::Result<()> {
        let Some(opened) = &self.opened else {
            return Ok(());
        };
        let mut walk = Walk::over(&opened.file)?;
        let mut place = Place { offset: 0, position: opened.start };
        while let Some(head) = walk.head(place)? {
            let data = walk.data(place, head, 0, usize::MAX)?;
            for (index, _) in data.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                let position = place.position + index as u64 + 1;
                if position < end && !going_on(position) {
                    return Ok(());
                }
            }
            place = place.after(head);
        }
        Ok(())
    }
}
