//! Whole images, pushed and pulled: how long it takes and what it costs the server.

use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{Pair, Plan, Stage, Who};
use crate::oci::blob::{Image, Opaque};
use crate::oci::registry::Check;
use crate::processes::CpuTicks;
use crate::report::say;
use crate::stats::{figure, median};

/// Where the images go.
pub(super) const REPOSITORY: &str = "bench/moves";

const LARGE_LAYERS: u64 = 5;
const SMALL_LAYERS: u64 = 100;
const SMALL_BYTES: usize = 64 * 1024;

/// Which images are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Shape {
    Large,
    Small,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    Push,
    Pull,
}

/// One kind of move by both.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) shape: Shape,
    pub(super) way: Way,
    /// Of an image.
    pub(super) layers: u64,
    pub(super) layer_bytes: u64,
    #[serde(flatten)]
    pub(super) of: Pair<Cost>,
    /// Pilvi's processor time as a share of the other's: the median of the rounds' own.
    pub(super) cpu_share: f64,
    /// How many times faster Pilvi is, likewise.
    pub(super) speed: f64,
}

/// What an image costs: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cost {
    /// From the first request to the last answer.
    pub(super) seconds: f64,
    /// Processor time of the server.
    pub(super) cpu_s: f64,
    pub(super) megabytes_per_second: f64,
    pub(super) rounds: Vec<Run>,
}

/// One image in one round, or the mean of several.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Run {
    pub(super) seconds: f64,
    pub(super) cpu_s: f64,
}

/// The moves, while they are measured.
pub(super) struct Moves {
    plan: Plan,
    large: Opaque,
    small: Opaque,
    tracks: Vec<Track>,
}

struct Track {
    shape: Shape,
    way: Way,
    runs: Pair<Vec<Run>>,
}

impl Moves {
    pub(super) fn new(plan: Plan) -> Self {
        let kinds = [Shape::Large, Shape::Small].into_iter().flat_map(|shape| [(shape, Way::Push), (shape, Way::Pull)]);
        let tracks = kinds.map(|(shape, way)| Track { shape, way, runs: Pair::default() }).collect();
        Self { plan, large: Opaque::new(plan.large_bytes), small: Opaque::new(SMALL_BYTES), tracks }
    }

    /// Images that neither registry has seen: pushed by each, then pulled.
    pub(super) fn round(&mut self, stage: &Stage, round: u64) -> Result<()> {
        for shape in [Shape::Large, Shape::Small] {
            let images = self.images(shape, round);
            for way in [Way::Push, Way::Pull] {
                for who in Who::in_turn(round) {
                    let run = run(stage, who, way, &images).with_context(|| stage.last_words(who))?;
                    let (time, cpu) = (run.seconds, run.cpu_s);
                    say(&format!("{way:?} {shape:?} {:<16} {time:.3} s, {cpu:.3} s of processors", who.name()));
                    let track = self.tracks.iter_mut().find(|track| track.shape == shape && track.way == way);
                    track.context("a move without a track")?.runs.of_mut(who).push(run);
                }
            }
            if round == 0 {
                let last = images.last().context("no image")?;
                for who in Who::ALL {
                    stage.registries.of(who).pull(REPOSITORY, &tag(last), last, Check::Digest)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn figures(self) -> Result<Vec<Figures>> {
        let plan = self.plan;
        self.tracks.into_iter().map(|track| track.figures(plan)).collect()
    }

    fn images(&self, shape: Shape, round: u64) -> Vec<Image> {
        match shape {
            Shape::Large => vec![self.large.image(LARGE_LAYERS, round)],
            Shape::Small => {
                let first = round * self.plan.small_images;
                (first..first + self.plan.small_images).map(|number| self.small.image(SMALL_LAYERS, number)).collect()
            }
        }
    }
}

impl Track {
    fn figures(self, plan: Plan) -> Result<Figures> {
        let (layers, layer_bytes) = match self.shape {
            Shape::Large => (LARGE_LAYERS, plan.large_bytes as u64),
            Shape::Small => (SMALL_LAYERS, SMALL_BYTES as u64),
        };
        let bytes = figure(layers * layer_bytes);
        let pairs: Vec<_> = self.runs.pilvi.iter().zip(&self.runs.docker_registry).collect();
        let over =
            |ratio: fn(&Run, &Run) -> f64| median(&pairs.iter().map(|(one, two)| ratio(one, two)).collect::<Vec<_>>());
        Ok(Figures {
            shape: self.shape,
            way: self.way,
            layers,
            layer_bytes,
            cpu_share: over(|pilvi, other| pilvi.cpu_s / other.cpu_s).context("no round")?,
            speed: over(|pilvi, other| other.seconds / pilvi.seconds).context("no round")?,
            of: Pair::make(|who| Cost::over(self.runs.of(who).clone(), bytes))?,
        })
    }
}

impl Cost {
    fn over(rounds: Vec<Run>, bytes: f64) -> Result<Self> {
        let middle = |of: fn(&Run) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>()).context("no round");
        let seconds = middle(|run| run.seconds)?;
        Ok(Self { seconds, cpu_s: middle(|run| run.cpu_s)?, megabytes_per_second: bytes / 1e6 / seconds, rounds })
    }
}

/// Moves the images one after the other.
fn run(stage: &Stage, who: Who, way: Way, images: &[Image]) -> Result<Run> {
    let registry = stage.registries.of(who);
    // What the other one has left to be written is nobody's to wait for.
    rustix::fs::sync();
    let before = CpuTicks::now(stage.pid(who));
    let begun = Instant::now();
    for image in images {
        match way {
            Way::Push => registry.push(REPOSITORY, &tag(image), image)?,
            Way::Pull => registry.pull(REPOSITORY, &tag(image), image, Check::Length)?,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_s = CpuTicks::now(stage.pid(who)).since(before).server_s();
    let count = figure(images.len() as u64);
    Ok(Run { seconds: seconds / count, cpu_s: cpu_s / count })
}

/// A tag that no other image has.
fn tag(image: &Image) -> String {
    image.manifest.digest.replace(':', "-")
}
