//! Taking the figures: rounds in which all take turns.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::command::Cost;
use super::local::{self, Local};
use super::session::{Session, Who};
use crate::oci::docker_registry::DockerRegistry;
use crate::oci::registry::Registry;
use crate::oci::tree::{Content, Form, Tree, Which};
use crate::report::{heading, say};
use crate::setting::Setting;
use crate::stats::{figure, median};

/// Where the images are in the registry.
const REPOSITORY: &str = "bench/app";

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    pub(super) image: Facts,
    pub(super) pulls: Vec<Pulls>,
    /// `None` when only peers were measured.
    pub(super) local: Option<Local>,
    pub(super) disk: Vec<Disk>,
}

/// What is pulled.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Facts {
    pub(super) layers: usize,
    pub(super) gzip_bytes: u64,
    pub(super) zstd_bytes: u64,
    /// Of its layers' files, before later layers delete some.
    pub(super) unpacked_bytes: u64,
    pub(super) content: Content,
}

/// What is pulled, into what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Case {
    /// The image, into an empty store.
    Gzip,
    /// The same with layers compressed by zstd.
    Zstd,
    /// The image that shares all layers but one with the first, after it.
    Second,
}

impl Case {
    pub(super) const ALL: [Self; 3] = [Self::Gzip, Self::Second, Self::Zstd];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Second => "5 of 6 layers there",
        }
    }

    const fn tag(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Second => "second",
        }
    }

    const fn which(self) -> Which {
        match self {
            Self::Gzip | Self::Zstd => Which::First,
            Self::Second => Which::Second,
        }
    }

    const fn form(self) -> Form {
        match self {
            Self::Gzip | Self::Second => Form::Gzip,
            Self::Zstd => Form::Zstd,
        }
    }
}

/// One way's pulls of one case.
#[derive(Debug, Serialize)]
pub(super) struct Pulls {
    pub(super) case: Case,
    pub(super) who: Who,
    /// Medians over the rounds.
    #[serde(flatten)]
    pub(super) cost: Cost,
    pub(super) rounds: Vec<Cost>,
    /// What Pilvi takes of this one's time and processor time: medians of the rounds' own.
    pub(super) pilvi_time_share: Option<f64>,
    pub(super) pilvi_cpu_share: Option<f64>,
}

/// What a store takes with the first image in it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Disk {
    pub(super) who: Who,
    pub(super) bytes: u64,
    /// Beside the compressed layers and the unpacked files.
    pub(super) ratio: f64,
}

/// Measures everything.
pub(super) fn all(setting: &Setting, rounds: usize, who: &[Who]) -> Result<Results> {
    heading("images");
    let tree = Tree::prepare(&setting.reports.join("image"))?;
    let peer = DockerRegistry::start(&setting.scratch.join("docker-registry"))?;
    for case in Case::ALL {
        peer.registry.push(REPOSITORY, case.tag(), &tree.image(case.which(), case.form())?)?;
    }
    let facts = facts(&tree)?;
    let mut measure = Measure { setting, tree: &tree, registry: &peer.registry, pulls: Vec::new(), disk: Vec::new() };
    for round in 0..rounds {
        heading(&format!("round {} of {rounds}", round + 1));
        let mut order = who.to_vec();
        order.rotate_left(round % who.len());
        for who in order {
            measure.round(who, round == 0)?;
        }
    }
    let Measure { pulls, disk, .. } = measure;
    let local = who.contains(&Who::Pilvi).then(|| local::measure(setting, &tree, rounds)).transpose()?;
    peer.daemon.stop()?;
    let ratio = |bytes: u64| figure(bytes) / figure(facts.gzip_bytes + facts.unpacked_bytes);
    let disk = disk.into_iter().map(|(who, bytes)| Disk { who, bytes, ratio: ratio(bytes) }).collect();
    Ok(Results { image: facts, pulls: summary(&pulls)?, local, disk })
}

struct Measure<'a> {
    setting: &'a Setting,
    tree: &'a Tree,
    registry: &'a Registry,
    pulls: Vec<(Who, Case, Cost)>,
    disk: Vec<(Who, u64)>,
}

impl Measure<'_> {
    /// One way's pulls: into an empty store, the second image after the first, and the other compression into another
    /// empty store.
    fn round(&mut self, who: Who, is_first: bool) -> Result<()> {
        let mut session = Session::begin(self.setting, who)?;
        self.pull(&mut session, who, Case::Gzip, is_first)?;
        if is_first {
            self.disk.push((who, session.disk_bytes()?));
        }
        self.pull(&mut session, who, Case::Second, is_first)?;
        session.end()?;
        if who.knows_zstd() {
            let mut session = Session::begin(self.setting, who)?;
            self.pull(&mut session, who, Case::Zstd, is_first)?;
            session.end()?;
        }
        Ok(())
    }

    fn pull(&mut self, session: &mut Session, who: Who, case: Case, is_checked: bool) -> Result<()> {
        let reference = format!("{}/{REPOSITORY}:{}", self.registry.address, case.tag());
        let cost = session.pull(&reference)?;
        say(&format!(
            "{:<14} {:<20} {:.2} s, {:.2} s of processors",
            who.name(),
            case.name(),
            cost.seconds,
            cost.cpu_s
        ));
        if is_checked {
            let found = session.content(&reference, &self.tree.diff_ids(case.which()))?;
            let wanted = self.tree.content(case.which());
            ensure!(found == wanted, "{} made a root with {found:?} of an image with {wanted:?}", who.name());
        }
        self.pulls.push((who, case, cost));
        Ok(())
    }
}

fn facts(tree: &Tree) -> Result<Facts> {
    let bytes = |form: Form| -> Result<u64> { Ok(tree.image(Which::First, form)?.bytes()) };
    Ok(Facts {
        layers: tree.diff_ids(Which::First).len(),
        gzip_bytes: bytes(Form::Gzip)?,
        zstd_bytes: bytes(Form::Zstd)?,
        unpacked_bytes: tree.unpacked_bytes(Which::First),
        content: tree.content(Which::First),
    })
}

fn summary(pulls: &[(Who, Case, Cost)]) -> Result<Vec<Pulls>> {
    let of = |who: Who, case: Case| -> Vec<Cost> {
        pulls.iter().filter(|(by, of, _)| (*by, *of) == (who, case)).map(|(_, _, cost)| *cost).collect()
    };
    let mut summary = Vec::new();
    for case in Case::ALL {
        let pilvi = of(Who::Pilvi, case);
        for who in Who::ALL {
            let rounds = of(who, case);
            if rounds.is_empty() {
                continue;
            }
            let middle = |figure: fn(&Cost) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
            let share = |figure: fn(&Cost) -> f64| {
                median(&pilvi.iter().zip(&rounds).map(|(one, other)| figure(one) / figure(other)).collect::<Vec<_>>())
            };
            summary.push(Pulls {
                case,
                who,
                cost: Cost {
                    seconds: middle(|cost| cost.seconds).context("no round")?,
                    cpu_s: middle(|cost| cost.cpu_s).context("no round")?,
                },
                pilvi_time_share: share(|cost| cost.seconds),
                pilvi_cpu_share: share(|cost| cost.cpu_s),
                rounds,
            });
        }
    }
    Ok(summary)
}
