//! What is measured: which requests, of which size, by how many callers at once, at whom.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::nginx;
use crate::stats::{Latency, figure, median};

pub(super) const KIB: u64 = 1024;
pub(super) const MIB: u64 = 1024 * KIB;
/// The sizes of objects, in bytes.
pub(super) const SIZES: [u64; 3] = [KIB, MIB, LARGE];
/// The largest of them.
pub(super) const LARGE: u64 = 100 * MIB;
/// How many callers wait for an answer at once.
const CALLERS: [usize; 3] = [1, 8, 32];
/// The same for large objects: with 32 of them there would be 3 GB in flight, and nothing else to see.
const CALLERS_OF_LARGE: [usize; 2] = [1, 8];

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    Pilvi,
    Moto,
    /// The disk: the bytes written to a file, and fsync, and their MD5.
    Disk,
    Nginx,
}

impl Who {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pilvi => "Pilvi",
            Self::Moto => "moto",
            Self::Disk => "disk",
            Self::Nginx => nginx::NAME,
        }
    }
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// PutObject whose signature covers the body's SHA-256, as SDKs send it over plain HTTP.
    Put,
    /// PutObject whose signature does not cover the body, as SDKs send it over TLS.
    PutUnsigned,
    Get,
    /// ListObjectsV2: a page of 1,000 keys.
    List,
    /// ListObjectsV2 with a delimiter: what stands for all keys.
    ListFolders,
    /// CreateMultipartUpload, the parts, CompleteMultipartUpload.
    Upload,
}

impl What {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::PutUnsigned => "put-unsigned",
            Self::Get => "get",
            Self::List => "list",
            Self::ListFolders => "list-folders",
            Self::Upload => "multipart",
        }
    }
}

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub(super) what: What,
    /// Of an object; 0 of lists.
    pub(super) bytes: u64,
    pub(super) callers: usize,
}

impl Cell {
    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        let sized = |what: What| SIZES.into_iter().flat_map(move |bytes| of_size(what, bytes));
        let lists = |what: What| [1, 8].map(|callers| Self { what, bytes: 0, callers });
        sized(What::Put)
            .chain(of_size(What::PutUnsigned, LARGE))
            .chain(sized(What::Get))
            .chain(lists(What::List))
            .chain(lists(What::ListFolders))
            .chain(SIZES.map(|bytes| Self { what: What::Upload, bytes, callers: if bytes == LARGE { 4 } else { 8 } }))
            .collect()
    }

    /// Whom it is measured at: Pilvi first. Several large objects at once take moto minutes, and tell nothing new.
    pub(super) fn peers(self) -> Vec<Who> {
        let has_moto = self.bytes < LARGE || self.callers == 1 || self.what == What::Upload;
        let moto = if has_moto { vec![Who::Moto] } else { vec![] };
        let floor = match self.what {
            What::Put | What::PutUnsigned => vec![Who::Disk],
            What::Get => vec![Who::Nginx],
            What::List | What::ListFolders | What::Upload => vec![],
        };
        [vec![Who::Pilvi], floor, moto].concat()
    }

    /// The same; another one begins in each round.
    pub(super) fn peers_in_turn(self, round: u64) -> Vec<Who> {
        let mut peers = self.peers();
        let count = peers.len() as u64;
        peers.rotate_left(usize::try_from(round % count).unwrap_or(0));
        peers
    }

    /// As tables and baselines show it: `put/100-MiB/8`.
    pub(super) fn name(self) -> String {
        match self.bytes {
            0 => format!("{}/{}", self.what.name(), self.callers),
            bytes => format!("{}/{}/{}", self.what.name(), size(bytes).replace(' ', "-"), self.callers),
        }
    }
}

fn of_size(what: What, bytes: u64) -> Vec<Cell> {
    let callers: &[usize] = if bytes == LARGE { &CALLERS_OF_LARGE } else { &CALLERS };
    callers.iter().map(|callers| Cell { what, bytes, callers: *callers }).collect()
}

/// `1 KiB`, `100 MiB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < MIB { format!("{} KiB", bytes / KIB) } else { format!("{} MiB", bytes / MIB) }
}

/// What one of them did in one round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Run {
    pub(super) latency: Latency,
    pub(super) per_second: f64,
    /// Processor time of the server for a request; of the disk there is none.
    pub(super) cpu_us: Option<f64>,
}

/// A cell while it is measured.
pub(super) struct Track {
    pub(super) cell: Cell,
    runs: BTreeMap<Who, Vec<Run>>,
}

/// A cell that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    #[serde(flatten)]
    pub(super) cell: Cell,
    pub(super) of: BTreeMap<Who, Rate>,
    /// How many times as many requests a second as the others Pilvi answers: the median of the rounds' own.
    pub(super) ratios: BTreeMap<Who, f64>,
}

/// Medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rate {
    pub(super) latency: Latency,
    pub(super) per_second: f64,
    /// Of objects' bytes; none of lists.
    pub(super) megabytes_per_second: Option<f64>,
    pub(super) cpu_us: Option<f64>,
    /// Processor time for a byte.
    pub(super) cpu_ns_per_byte: Option<f64>,
    pub(super) rounds: Vec<Run>,
}

impl Track {
    pub(super) fn new(cell: Cell) -> Self {
        Self { cell, runs: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, who: Who, run: Run) {
        self.runs.entry(who).or_default().push(run);
    }

    pub(super) fn figures(self) -> Result<Figures> {
        let own = self.runs.get(&Who::Pilvi).context("a cell without Pilvi")?;
        let ratio = |others: &Vec<Run>| {
            let each: Vec<f64> = own.iter().zip(others).map(|(own, other)| own.per_second / other.per_second).collect();
            median(&each).context("no round")
        };
        let others = self.runs.iter().filter(|(who, _)| **who != Who::Pilvi);
        let ratios = others.map(|(who, runs)| Ok((*who, ratio(runs)?))).collect::<Result<_>>()?;
        let cell = self.cell;
        let of = self.runs.into_iter().map(|(who, runs)| Ok((who, Rate::over(runs, cell.bytes)?)));
        Ok(Figures { cell, of: of.collect::<Result<_>>()?, ratios })
    }
}

impl Rate {
    fn over(rounds: Vec<Run>, bytes: u64) -> Result<Self> {
        let latencies: Vec<Latency> = rounds.iter().map(|run| run.latency).collect();
        let per_second = median(&rounds.iter().map(|run| run.per_second).collect::<Vec<_>>()).context("no round")?;
        let cpu_us = median(&rounds.iter().filter_map(|run| run.cpu_us).collect::<Vec<_>>());
        let has_bytes = bytes > 0;
        Ok(Self {
            latency: Latency::over_rounds(&latencies).context("no round")?,
            per_second,
            megabytes_per_second: has_bytes.then(|| per_second * figure(bytes) / 1e6),
            cpu_us,
            cpu_ns_per_byte: cpu_us.filter(|_| has_bytes).map(|us| us * 1e3 / figure(bytes)),
            rounds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_pilvis_and_has_somebody_beside_it_and_a_name_of_its_own() {
        let cells = Cell::all();
        let mut names: Vec<String> = cells.iter().map(|cell| cell.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cells.len());
        assert!(names.contains(&"put/100-MiB/8".to_owned()), "{names:?}");
        for cell in cells {
            let peers = cell.peers();
            assert!(peers[0] == Who::Pilvi && peers.len() > 1, "{cell:?}");
            let mut turned = cell.peers_in_turn(1);
            assert_eq!(turned[0], peers[1]);
            turned.sort_unstable();
            let mut all = peers;
            all.sort_unstable();
            assert_eq!(turned, all);
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_own() {
        let run = |per_second: f64| Run {
            latency: Latency { samples: 1, p50_us: 1.0, p99_us: 1.0, max_us: 1.0 },
            per_second,
            cpu_us: Some(10.0),
        };
        let mut track = Track::new(Cell { what: What::Get, bytes: KIB, callers: 1 });
        for (own, other) in [(10.0, 10.0), (10.0, 5.0), (90.0, 30.0)] {
            track.push(Who::Nginx, run(other));
            track.push(Who::Pilvi, run(own));
        }
        let figures = track.figures().unwrap();
        assert_eq!(figures.ratios, BTreeMap::from([(Who::Nginx, 2.0)]));
        let rate = &figures.of[&Who::Pilvi];
        assert_eq!((rate.per_second, rate.megabytes_per_second), (10.0, Some(10.0 * 1024.0 / 1e6)));
        assert_eq!(rate.cpu_ns_per_byte, Some(10_000.0 / 1024.0));
    }
}
