//! Small answers, over and over: manifests, lists of tags, blobs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::{Pair, Stage, Who};
use crate::client::{self, Load, Order};
use crate::oci::blob::Opaque;
use crate::oci::connection::Connection;
use crate::oci::registry::Registry;
use crate::processes::CpuTicks;
use crate::stats::{Latency, Samples, figure, median};

/// Where the image is.
pub(super) const REPOSITORY: &str = "bench/rates";
/// How many callers wait for an answer at once.
const CALLERS: [usize; 2] = [1, 32];
const LAYERS: u64 = 6;
const LAYER_BYTES: usize = 64 * 1024;
/// The tags of the one image.
const TAGS: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    ManifestByTag,
    ManifestByDigest,
    TagList,
    Blob,
}

impl What {
    const ALL: [Self; 4] = [Self::ManifestByTag, Self::ManifestByDigest, Self::TagList, Self::Blob];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ManifestByTag => "manifest by tag",
            Self::ManifestByDigest => "manifest by digest",
            Self::TagList => "list of 100 tags",
            Self::Blob => "blob of 64 KiB",
        }
    }
}

/// One kind of request, answered by both.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) what: What,
    pub(super) callers: usize,
    #[serde(flatten)]
    pub(super) of: Pair<Rate>,
    /// How many times more answers a second Pilvi gives: the median of the rounds' own.
    pub(super) ratio: f64,
    /// How many times less processor time it takes for one, likewise.
    pub(super) cpu_ratio: f64,
}

/// Medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rate {
    pub(super) latency: Latency,
    pub(super) per_second: f64,
    /// Processor time of the server for an answer.
    pub(super) cpu_us: f64,
    pub(super) rounds: Vec<Run>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Run {
    latency: Latency,
    per_second: f64,
    cpu_us: f64,
}

/// The requests, while they are measured.
pub(super) struct Rates {
    tracks: Vec<Track>,
}

struct Track {
    what: What,
    callers: usize,
    requests: Pair<Vec<Vec<u8>>>,
    runs: Pair<Vec<Run>>,
}

impl Rates {
    /// Pushes the image under its tags.
    pub(super) fn prepare(stage: &Stage) -> Result<Self> {
        let image = Opaque::new(LAYER_BYTES).image(LAYERS, u64::from(u32::MAX));
        for who in Who::ALL {
            let registry = stage.registries.of(who);
            registry.push(REPOSITORY, &tag(0), &image)?;
            let mut connection = Connection::open(registry.address)?;
            (1..TAGS).try_for_each(|number| registry.tag(&mut connection, REPOSITORY, &tag(number), &image))?;
        }
        let requests = |what: What, registry: &Registry| -> Vec<Vec<u8>> {
            let requests: Vec<String> = match what {
                What::ManifestByTag => {
                    (0..TAGS).map(|number| registry.manifest_request(REPOSITORY, &tag(number))).collect()
                }
                What::ManifestByDigest => vec![registry.manifest_request(REPOSITORY, &image.manifest.digest)],
                What::TagList => vec![registry.head("GET", &format!("/v2/{REPOSITORY}/tags/list"), "")],
                What::Blob => {
                    image.layers.iter().map(|layer| registry.blob_request(REPOSITORY, &layer.digest)).collect()
                }
            };
            requests.into_iter().map(String::into_bytes).collect()
        };
        let cells = What::ALL.into_iter().flat_map(|what| CALLERS.map(|callers| (what, callers)));
        let track = |(what, callers): (What, usize)| {
            let requests = Pair::make(|who| Ok(requests(what, stage.registries.of(who))))?;
            Ok(Track { what, callers, requests, runs: Pair::default() })
        };
        Ok(Self { tracks: cells.map(track).collect::<Result<_>>()? })
    }

    pub(super) fn round(&mut self, stage: &Stage, time: Duration, round: u64) -> Result<()> {
        for track in &mut self.tracks {
            for who in Who::in_turn(round) {
                let run = track.run(stage, who, time).with_context(|| stage.last_words(who))?;
                track.runs.of_mut(who).push(run);
            }
        }
        Ok(())
    }

    pub(super) fn figures(self) -> Result<Vec<Figures>> {
        self.tracks.into_iter().map(Track::figures).collect()
    }
}

impl Track {
    fn run(&self, stage: &Stage, who: Who, time: Duration) -> Result<Run> {
        let load = Load {
            address: stage.registries.of(who).address,
            requests: self.requests.of(who),
            order: Order::Cycle,
            callers: self.callers,
            time,
        };
        let before = CpuTicks::now(stage.pid(who));
        let outcome = client::drive(&load)?;
        let cpu = CpuTicks::now(stage.pid(who)).since(before);
        let refusal = outcome.first_refusal.unwrap_or_default();
        ensure!(
            outcome.refused == 0,
            "{} refused {} of a {}: {refusal}",
            who.name(),
            outcome.refused,
            self.what.name()
        );
        let count = figure(outcome.latencies_ns.len() as u64);
        let latency = Samples::new(outcome.latencies_ns).context("nothing was answered")?.latency();
        let per_second = count / outcome.elapsed.as_secs_f64();
        Ok(Run { latency, per_second, cpu_us: cpu.server_s() * 1e6 / count })
    }

    fn figures(self) -> Result<Figures> {
        let pairs: Vec<_> = self.runs.pilvi.iter().zip(&self.runs.docker_registry).collect();
        let over =
            |ratio: fn(&Run, &Run) -> f64| median(&pairs.iter().map(|(one, two)| ratio(one, two)).collect::<Vec<_>>());
        Ok(Figures {
            what: self.what,
            callers: self.callers,
            ratio: over(|pilvi, other| pilvi.per_second / other.per_second).context("no round")?,
            cpu_ratio: over(|pilvi, other| other.cpu_us / pilvi.cpu_us).context("no round")?,
            of: Pair::make(|who| Rate::over(self.runs.of(who).clone()))?,
        })
    }
}

impl Rate {
    fn over(rounds: Vec<Run>) -> Result<Self> {
        let middle = |of: fn(&Run) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>()).context("no round");
        let latencies: Vec<Latency> = rounds.iter().map(|run| run.latency).collect();
        Ok(Self {
            latency: Latency::over_rounds(&latencies).context("no round")?,
            per_second: middle(|run| run.per_second)?,
            cpu_us: middle(|run| run.cpu_us)?,
            rounds,
        })
    }
}

fn tag(number: usize) -> String {
    format!("v1.{number}.0")
}
