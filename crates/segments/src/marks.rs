//! What is deleted or expired while its events still lie in files.
//!
//! Each mark says: of what arrived before number N of the group, this stream, or everything before that time, is gone.
//! Marks are appended to a file of the group and are on the disk before they are obeyed; when most of them have nothing
//! left to hide the file is written anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::files::{Listed, Root, StoredFile, TEMPORARY};
use crate::frame::{Found, Frames, HEADER_LENGTH, Header, Kind};
use crate::report::Reports;
use crate::varint::{self, Reader};
use crate::{Damage, Error, GroupKey};

/// A file of marks is not written anew before it has that many.
const RECORDS_MIN: usize = 64;
const STREAM: u8 = 1;
const EXPIRY: u8 = 2;

/// What must not be answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden {
    /// Deleted streams, with the number before which their events are gone.
    streams: BTreeMap<Arc<str>, u64>,
    /// Expired times, the latest first, with the number before which events of those times are gone: rising.
    expired: Vec<(i64, u64)>,
}

impl Hidden {
    /// The number before which a stream's events are gone.
    pub(crate) fn boundary(&self, stream: &str) -> u64 {
        self.streams.get(stream).copied().unwrap_or(0)
    }

    pub(crate) fn is_expired(&self, timestamp: i64, sequence: u64) -> bool {
        self.expired.iter().any(|&(before, boundary)| timestamp < before && sequence < boundary)
    }

    /// Whether nothing before that time and that number is left.
    pub(crate) fn covers(&self, before: i64, last_sequence: u64) -> bool {
        self.expired.iter().any(|&(expired, boundary)| before <= expired && last_sequence < boundary)
    }

    /// Before which time something is expired, at most.
    pub(crate) fn expired_before(&self) -> Option<i64> {
        self.expired.first().map(|(before, _)| *before)
    }

    pub(crate) fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    fn apply(&mut self, mark: &Mark) {
        match mark {
            Mark::Stream { name, boundary } => {
                self.streams.insert(Arc::clone(name), *boundary);
            }
            Mark::Expiry { before, boundary } => {
                self.expired.retain(|(earlier, number)| earlier > before || number > boundary);
                self.expired.push((*before, *boundary));
            }
        }
    }

    /// Forgets what hides nothing of what arrived from that number on.
    fn prune(&mut self, first_sequence: u64) {
        self.streams.retain(|_, boundary| *boundary > first_sequence);
        self.expired.retain(|(_, boundary)| *boundary > first_sequence);
    }

    fn marks(&self) -> impl Iterator<Item = Mark> {
        let stream = |(name, boundary): (&Arc<str>, &u64)| Mark::Stream { name: Arc::clone(name), boundary: *boundary };
        let expiry = |&(before, boundary): &(i64, u64)| Mark::Expiry { before, boundary };
        self.streams.iter().map(stream).chain(self.expired.iter().map(expiry))
    }

    /// The highest number that a mark has.
    pub(crate) fn last_boundary(&self) -> u64 {
        self.marks().map(|mark| mark.boundary()).max().unwrap_or(0)
    }

    fn count(&self) -> usize {
        self.streams.len() + self.expired.len()
    }
}

/// A deletion or an expiry of what arrived before number `boundary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    Stream { name: Arc<str>, boundary: u64 },
    Expiry { before: i64, boundary: u64 },
}

impl Mark {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        let boundary = match self {
            Self::Stream { name, boundary } => {
                payload.push(STREAM);
                payload.extend_from_slice(name.as_bytes());
                *boundary
            }
            Self::Expiry { before, boundary } => {
                payload.push(EXPIRY);
                varint::put_signed(&mut payload, *before);
                *boundary
            }
        };
        out.extend_from_slice(&Header::of(Kind::Mark, &payload, boundary, 1).to_bytes());
        out.extend_from_slice(&payload);
    }

    fn decode(header: &Header, payload: &[u8]) -> Option<Self> {
        let boundary = header.sequence;
        match payload.split_first()? {
            (&STREAM, name) => Some(Self::Stream { name: std::str::from_utf8(name).ok()?.into(), boundary }),
            (&EXPIRY, before) => Some(Self::Expiry { before: Reader::new(before).signed()?, boundary }),
            _ => None,
        }
    }
}

/// A group's marks and their file.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    hidden: Arc<Hidden>,
    file: Option<MarksFile>,
    next_number: u64,
}

#[derive(Debug)]
struct MarksFile {
    file: Arc<StoredFile>,
    length: u64,
    records: usize,
}

impl Marks {
    /// The number that a file's name says.
    pub(crate) fn number(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".marks").filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    }

    fn name(number: u64) -> String {
        format!("{number:016x}.marks")
    }

    /// Reads the newest of a group's files of marks; older ones go.
    pub(crate) fn open(
        root: &Arc<Root>,
        group: &GroupKey,
        listed: &[Listed],
        reports: &Reports,
    ) -> Result<Self, Error> {
        let mut files: Vec<(u64, &Listed)> =
            listed.iter().filter_map(|file| Some((Self::number(&file.name)?, file))).collect();
        files.sort_unstable_by_key(|(number, _)| *number);
        let Some((number, newest)) = files.pop() else { return Ok(Self::default()) };
        files.iter().for_each(|(_, file)| root.remove(format!("{group}/{}", file.name)));
        let file = Arc::new(root.file(format!("{group}/{}", newest.name)));
        let size = usize::try_from(newest.size).unwrap_or(usize::MAX);
        let bytes = file.read(0, size).map_err(Error::io("reading what has been deleted"))?;
        let (mut hidden, mut records, mut length) = (Hidden::default(), 0, 0);
        for found in Frames::new(Kind::Mark, &bytes, 0) {
            match found {
                Found::Frame { offset, header, payload } => {
                    if let Some(mark) = Mark::decode(&header, payload) {
                        hidden.apply(&mark);
                    }
                    (records, length) = (records + 1, offset + header.frame_length());
                }
                Found::Damaged { offset, length } => {
                    reports.add(group, &file, offset as u64, length as u64, Damage::Marks);
                }
            }
        }
        let file = Some(MarksFile { file, length: length as u64, records });
        Ok(Self { hidden: Arc::new(hidden), file, next_number: number + 1 })
    }

    pub(crate) fn hidden(&self) -> &Arc<Hidden> {
        &self.hidden
    }

    /// The bytes of the file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.length)
    }

    /// The file and up to where it is written.
    pub(crate) fn stored(&self) -> Option<(&str, u64)> {
        self.file.as_ref().map(|file| (file.file.path(), file.length))
    }

    /// Obeys a mark, though it may not be on the disk.
    pub(crate) fn apply(&mut self, mark: &Mark) {
        Arc::make_mut(&mut self.hidden).apply(mark);
    }

    /// Brings a mark to the disk.
    pub(crate) fn store(&mut self, root: &Arc<Root>, group: &GroupKey, mark: &Mark) -> Result<(), Error> {
        let doing = "writing down what is deleted";
        let mut bytes = Vec::new();
        mark.encode(&mut bytes);
        let Some(known) = &mut self.file else { return self.begin_file(root, group, &bytes, 1) };
        let file = known.file.open().map_err(Error::io(doing))?;
        let written = root.disk.write_at(&file, &bytes, known.length).and_then(|()| root.disk.sync(&file));
        if let Err(error) = written {
            // What cannot be cut off is overwritten, or found to be torn.
            let _ = root.disk.truncate(&file, known.length);
            return Err(Error::io(doing)(error));
        }
        known.length += bytes.len() as u64;
        known.records += 1;
        Ok(())
    }

    /// Forgets what has nothing left to hide, and writes the file anew when that is most of it.
    pub(crate) fn prune(&mut self, root: &Arc<Root>, group: &GroupKey, first_sequence: u64) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        let records = file.records;
        if self.hidden.marks().any(|mark| mark.boundary() <= first_sequence) {
            Arc::make_mut(&mut self.hidden).prune(first_sequence);
        }
        let count = self.hidden.count();
        if records < RECORDS_MIN || records < 2 * count {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(count * (HEADER_LENGTH + 64));
        self.hidden.marks().for_each(|mark| mark.encode(&mut bytes));
        self.begin_file(root, group, &bytes, count)
    }

    /// Writes a new file, which takes the place of the old one.
    fn begin_file(&mut self, root: &Arc<Root>, group: &GroupKey, bytes: &[u8], records: usize) -> Result<(), Error> {
        let doing = "writing down what is deleted";
        let name = Self::name(self.next_number);
        let temporary = format!("{name}{TEMPORARY}");
        let opened = root.create(&format!("{group}/{temporary}"))?;
        let written = root.disk.write_at(&opened, bytes, 0).and_then(|()| root.disk.sync(&opened));
        if let Err(error) = written {
            root.remove_temporary(&format!("{group}/{temporary}"));
            return Err(Error::io(doing)(error));
        }
        root.rename(group.as_str(), &temporary, &name)?;
        root.sync_folder(group.as_str()).map_err(Error::os(doing))?;
        self.next_number += 1;
        let file = Arc::new(root.file(format!("{group}/{name}")));
        file.opened(opened);
        if let Some(old) = self.file.replace(MarksFile { file, length: bytes.len() as u64, records }) {
            old.file.doom();
        }
        Ok(())
    }
}

impl Mark {
    fn boundary(&self) -> u64 {
        match self {
            Self::Stream { boundary, .. } | Self::Expiry { boundary, .. } => *boundary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(before: i64, boundary: u64) -> Mark {
        Mark::Expiry { before, boundary }
    }

    #[test]
    fn a_later_expiry_takes_the_place_of_what_it_includes() {
        let mut hidden = Hidden::default();
        hidden.apply(&expiry(100, 5));
        hidden.apply(&expiry(200, 7));
        assert_eq!(hidden.expired, [(200, 7)]);
    }

    #[test]
    fn an_earlier_time_later_on_hides_what_came_in_between_only_up_to_its_time() {
        let mut hidden = Hidden::default();
        hidden.apply(&expiry(200, 7));
        hidden.apply(&expiry(100, 20));
        let is_hidden = |timestamp, sequence| hidden.is_expired(timestamp, sequence);
        assert_eq!((is_hidden(150, 6), is_hidden(150, 8), is_hidden(50, 8)), (true, false, true));
    }

    #[test]
    fn marks_are_read_back() {
        for mark in [expiry(-5, 9), Mark::Stream { name: "a/b".into(), boundary: u64::MAX }] {
            let mut bytes = Vec::new();
            mark.encode(&mut bytes);
            let found = Frames::new(Kind::Mark, &bytes, 0).next();
            let Some(Found::Frame { header, payload, .. }) = found else { panic!("{found:?}") };
            assert_eq!(Mark::decode(&header, payload), Some(mark));
        }
    }
}
