//! `bench registry`: images into a registry and out of it, beside Debian's docker-registry.
//!
//! Both servers run at the same time, each idle while the other is measured, and take turns. The layers have no meaning, so
//! nothing is unpacked: what an image costs until it can be run is `bench pull`'s to measure.

mod moves;
mod present;
mod rates;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::baseline;
use crate::machine::Machine;
use crate::oci::docker_registry::{self, DockerRegistry};
use crate::oci::registry::{self, Registry};
use crate::peer::{Kind, Server};
use crate::processes;
use crate::report::{Frame, Report, Verdict, heading, say};
use crate::setting::{Setting, Wishes, first_line};
use crate::signed::Plain;
use moves::Moves;
use rates::Rates;

/// The name of the report and of the baseline.
const NAME: &str = "registry";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: u64,
    large_bytes: usize,
    /// Images of many small layers that are moved in one round: one alone takes too little time to be measured.
    small_images: u64,
    /// Of one kind of request to one registry in one round.
    time: Duration,
}

fn mode(wishes: &Wishes) -> (&'static str, Plan) {
    if wishes.quick {
        let time = Duration::from_millis(400);
        return ("quick", Plan { rounds: 2, large_bytes: 50_000_000, small_images: 3, time });
    }
    ("full", Plan { rounds: 3, large_bytes: 200_000_000, small_images: 10, time: Duration::from_secs(1) })
}

/// Which registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Pilvi,
    DockerRegistry,
}

impl Who {
    const ALL: [Self; 2] = [Self::Pilvi, Self::DockerRegistry];

    /// Both; the second one comes first in every second round.
    fn in_turn(round: u64) -> [Self; 2] {
        let [one, other] = Self::ALL;
        if round.is_multiple_of(2) { [one, other] } else { [other, one] }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pilvi => "Pilvi",
            Self::DockerRegistry => docker_registry::NAME,
        }
    }
}

/// A value for each registry.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Pair<T> {
    pilvi: T,
    docker_registry: T,
}

impl<T> Pair<T> {
    fn of(&self, who: Who) -> &T {
        match who {
            Who::Pilvi => &self.pilvi,
            Who::DockerRegistry => &self.docker_registry,
        }
    }

    fn of_mut(&mut self, who: Who) -> &mut T {
        match who {
            Who::Pilvi => &mut self.pilvi,
            Who::DockerRegistry => &mut self.docker_registry,
        }
    }

    fn make(mut value: impl FnMut(Who) -> Result<T>) -> Result<Self> {
        Ok(Self { pilvi: value(Who::Pilvi)?, docker_registry: value(Who::DockerRegistry)? })
    }
}

/// The servers under test.
struct Stage {
    pilvi: Server,
    docker_registry: DockerRegistry,
    registries: Pair<Registry>,
}

impl Stage {
    fn start(setting: &Setting) -> Result<Self> {
        let (pilvi, _) = Server::start(setting, Kind::Pilvi, &setting.scratch.join("pilvi"), &Plain::identity())?;
        let docker_registry = DockerRegistry::start(&setting.scratch.join(docker_registry::NAME))?;
        let caller = pilvi.caller()?;
        for repository in [moves::REPOSITORY, rates::REPOSITORY] {
            registry::create_repository(&caller, repository).with_context(|| pilvi.last_words())?;
        }
        let registries =
            Pair { pilvi: Registry::of_pilvi(&caller)?, docker_registry: docker_registry.registry.clone() };
        Ok(Self { pilvi, docker_registry, registries })
    }

    fn pid(&self, who: Who) -> u32 {
        match who {
            Who::Pilvi => self.pilvi.pid(),
            Who::DockerRegistry => self.docker_registry.daemon.pid(),
        }
    }

    fn last_words(&self, who: Who) -> String {
        match who {
            Who::Pilvi => self.pilvi.last_words(),
            Who::DockerRegistry => self.docker_registry.daemon.last_words(),
        }
    }

    /// The most memory that the registry's processes held.
    fn peaks(&self) -> Result<Pair<f64>> {
        Pair::make(|who| Ok(processes::peak_mib_of_tree(self.pid(who))))
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    moves: Vec<moves::Figures>,
    rates: Vec<rates::Figures>,
    /// The most memory, of all processes of a registry: after the moves, then after everything.
    peak_mib_of_moves: Pair<f64>,
    peak_mib: Pair<f64>,
}

/// Measures, shows, saves, judges.
///
/// # Errors
/// When something could not be measured, a request was refused, or other bytes came back than were pushed.
pub(crate) fn run(wishes: &Wishes) -> Result<Verdict> {
    let setting = Setting::prepare(wishes.work_dir.as_deref())?;
    let (mode, plan) = mode(wishes);
    let machine = Machine::here(&setting.scratch)?;
    ensure!(
        !machine.forgets_its_files(),
        "{} is on {}, which keeps its files in memory: name a folder on a disk (--work-dir)",
        setting.scratch.display(),
        machine.filesystem
    );
    let programs =
        [("pilvi", first_line(&setting.pilvi, &["version"])?), (docker_registry::NAME, docker_registry::version()?)];
    let results = measure(&setting, plan)?;
    setting.tidy()?;
    let frame = Frame { bench: NAME, mode, machine, programs: programs.into(), method: present::method(plan) };
    let (ratios, promises) = (present::ratios(&results), present::promises(&results));
    let report = Report::new(frame, results, ratios, promises);
    present::results(&report);
    baseline::conclude(NAME, &report, &setting, wishes.save_baseline)
}

fn measure(setting: &Setting, plan: Plan) -> Result<Results> {
    let stage = Stage::start(setting)?;
    let mut moves = Moves::new(plan);
    for round in 0..plan.rounds {
        heading(&format!("images in and out, round {} of {}", round + 1, plan.rounds));
        moves.round(&stage, round)?;
    }
    let peak_mib_of_moves = stage.peaks()?;
    heading("rates");
    let mut rates = Rates::prepare(&stage)?;
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        rates.round(&stage, plan.time, round)?;
    }
    let peak_mib = stage.peaks()?;
    stage.pilvi.stop()?;
    stage.docker_registry.daemon.stop()?;
    Ok(Results { moves: moves.figures()?, rates: rates.figures()?, peak_mib_of_moves, peak_mib })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_comes_first_in_every_second_round() {
        assert_eq!(Who::in_turn(0), [Who::Pilvi, Who::DockerRegistry]);
        assert_eq!(Who::in_turn(1), [Who::DockerRegistry, Who::Pilvi]);
        let pair = Pair::make(|who| Ok(who.name())).unwrap();
        assert_eq!(pair.of(Who::DockerRegistry), &"docker-registry");
    }
}
