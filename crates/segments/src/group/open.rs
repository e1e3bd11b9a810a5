//! Opening a group: what its folder holds, after whatever happened.

use std::sync::Arc;

use super::Open;
use crate::files::{Listed, TEMPORARY};
use crate::log::Log;
use crate::marks::Marks;
use crate::segment::{Name, Segment};
use crate::shared::Shared;
use crate::{Error, GroupKey};

/// Sequence numbers begin at the milliseconds since 1970 times this, so that not even a group that lost its last files
/// gives an id twice.
const SEQUENCE_PER_MS: u64 = 1 << 20;

impl Open {
    /// Reads a folder. What a crash left unfinished is removed; what has taken the place of something wins over it.
    pub(super) fn recover(shared: &Shared, key: &GroupKey) -> Result<Self, Error> {
        let mut listed = shared.root.list(key.as_str())?;
        listed.retain(|file| {
            let is_temporary = file.name.ends_with(TEMPORARY);
            if is_temporary {
                shared.root.remove_temporary(&format!("{key}/{}", file.name));
            }
            !is_temporary
        });
        let marks = Marks::open(&shared.root, key, &listed, &shared.reports)?;
        let segments = segments_in(shared, key, &listed)?;
        let mut open = Self {
            active: None,
            frozen: Vec::new(),
            segments,
            marks,
            least_number: 0,
            next_sequence: 0,
            unsynced: Vec::new(),
            has_new_names: false,
            memory_bytes: 0,
        };
        open.recover_logs(shared, key, &listed)?;
        let numbers = open.segments.iter().map(|segment| segment.name.last).chain(open.logs().map(|log| log.number));
        open.least_number = numbers.max().map_or(0, |last| last + 1);
        let last = open.segments.iter().map(|segment| &segment.totals).chain(open.logs().map(|log| &log.totals));
        let next = last.filter(|totals| totals.events > 0).map(|totals| totals.last_sequence + 1).max().unwrap_or(0);
        let now = u64::try_from(shared.clock.now().as_millis()).unwrap_or(0);
        let clean = open.segments.iter().map(|segment| segment.clean_before).max().unwrap_or(0);
        let marked = clean.max(open.marks.hidden().last_boundary()) + 1;
        open.next_sequence = next.max(now.saturating_mul(SEQUENCE_PER_MS)).max(marked);
        Ok(open)
    }

    fn recover_logs(&mut self, shared: &Shared, key: &GroupKey, listed: &[Listed]) -> Result<(), Error> {
        let mut logs: Vec<(u64, &Listed)> =
            listed.iter().filter_map(|file| Some((log_number(&file.name)?, file))).collect();
        logs.sort_unstable_by_key(|(number, _)| *number);
        let newest = logs.last().map(|(number, _)| *number);
        for (number, listed) in logs {
            let file = Arc::new(shared.root.file(format!("{key}/{}", listed.name)));
            if self.segments.iter().any(|segment| (segment.name.first..=segment.name.last).contains(&number)) {
                file.doom();
                continue;
            }
            let log = Log::recover(file, number, listed.size, self.marks.hidden(), &shared.reports, key);
            let log = log.map_err(Error::io("reading an active file of events"))?;
            if log.totals.events == 0 {
                log.file.doom();
            } else if Some(number) == newest && cut_off(shared, &log, listed.size) {
                self.active = Some(log);
            } else {
                self.frozen.push(Arc::new(log));
            }
        }
        Ok(())
    }
}

/// The name of an active file.
pub(super) fn log_name(number: u64) -> String {
    format!("{number:016x}.log")
}

fn log_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// The sealed files, without those whose events are in another.
fn segments_in(shared: &Shared, key: &GroupKey, listed: &[Listed]) -> Result<Vec<Arc<Segment>>, Error> {
    let mut found: Vec<(Name, &Listed)> =
        listed.iter().filter_map(|file| Some((Name::parse(&file.name)?, file))).collect();
    found.sort_unstable_by_key(|(name, _)| (name.first, name.last));
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for (name, listed) in &found {
        let file = Arc::new(shared.root.file(format!("{key}/{}", listed.name)));
        if found.iter().any(|(other, _)| other.supersedes(name)) {
            file.doom();
            continue;
        }
        let segment = Segment::open(file, *name, listed.size, &shared.reports, key);
        segments.push(Arc::new(segment.map_err(Error::io("reading a sealed file of events"))?));
    }
    Ok(segments)
}

/// Cuts off what a crash left half-written. Answers whether the file can be appended to.
fn cut_off(shared: &Shared, log: &Log, size: u64) -> bool {
    if log.length == size {
        return true;
    }
    // A file that is being copied for a backup is left alone.
    if shared.root.is_held() {
        return false;
    }
    let cut = log.file.open().and_then(|file| shared.root.disk.truncate(&file, log.length));
    cut.inspect_err(|error| tracing::warn!(file = log.file.path(), %error, "a torn end cannot be cut off")).is_ok()
}
