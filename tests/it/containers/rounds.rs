//! Kill whatever there is, at random moments: what nobody killed goes on, what was killed is told, and nothing is left.
//!
//! Moments and victims come from a seed, which is printed; `PILVI_CRASH_SEED` has a run again, as far as a machine does the same
//! twice.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::containers::{Leftovers, parent_of};
use tests::program::{LIMIT, until};

use super::{Stage, has_stopped, is_running};

/// How often something is killed, unless `PILVI_CRASH_KILLS` says otherwise.
const KILLS: u64 = 20;
/// After so many of them everything is counted.
const COUNTED_EVERY: u64 = 20;
/// Kills are spread over so long a time after a container is asked for: from before anything was written down until it runs.
const SPREAD_US: u64 = 400_000;
/// How long a victim that is not there yet is waited for; one that is gone by then was never met.
const VICTIM_LIMIT: Duration = Duration::from_secs(5);
/// Everything that a container can have.
const EVERYTHING: [&str; 11] =
    ["-p", "80", "-v", "/scratch", "--tmpfs", "/t:size=1m", "--storage-opt", "size=32m", "--network", "team", "--init"];

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Node,
    Launcher,
    Shim,
    Container,
}

const VICTIMS: [Victim; 5] = [Victim::Server, Victim::Node, Victim::Launcher, Victim::Shim, Victim::Container];

/// Numbers that a seed gives: Knuth's multiplier, the upper half of each state.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) % count
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn whatever_is_killed_at_whatever_moment_nothing_is_left_and_what_should_run_runs() {
    let Some(mut stage) = Stage::new() else { return };
    let seed = setting("PILVI_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("seed {seed}"));
    let mut dice = Dice(seed);
    stage.run(&EVERYTHING, &["true"]).success();
    let empty = stage.server.leftovers();
    stage.server.do_pilvi(&["run", "-d", "--name", "steady", &stage.image, "sleep", "100000"]).success();
    let steady = stage.server.process_of("steady").unwrap();
    let before = stage.server.leftovers();
    let mut met = [0; VICTIMS.len()];
    for round in 0..setting("PILVI_CRASH_KILLS").unwrap_or(KILLS) {
        let which = usize::try_from(round).unwrap() % VICTIMS.len();
        if play(&mut stage, round, VICTIMS[which], Duration::from_micros(dice.below(SPREAD_US))) {
            met[which] += 1;
        }
        assert_eq!(stage.server.process_of("steady"), Some(steady), "round {round}: what nobody killed was restarted");
        if round % COUNTED_EVERY == COUNTED_EVERY - 1 {
            assert_nothing_beyond(&stage, &before);
            // What was killed often is started again later and later; a supervisor that is new knows of none.
            assert!(stage.server.stop().success());
            stage.server.up();
            assert!(stage.server.has_node());
        }
    }
    say(&format!("met {VICTIMS:?}: {met:?} times"));
    assert!(met.iter().all(|&times| times > 0), "seed {seed}: {met:?}");
    stage.pilvi(&["rm", "-f", "steady"]).success();
    assert_nothing_beyond(&stage, &empty);
}

/// One container, asked for, and something killed meanwhile. Whether there was something to kill.
#[track_caller]
fn play(stage: &mut Stage, round: u64, victim: Victim, after: Duration) -> bool {
    let name = format!("round-{round}");
    let others = processes(stage);
    let flags = ["run", "-d", "--name", name.as_str()];
    let run = stage.server.follow_pilvi(&[&flags, EVERYTHING.as_slice(), &[&stage.image, "sleep", "1000"]].concat());
    std::thread::sleep(after);
    let ran = stage.server.process_of(&name);
    let met = match victim {
        Victim::Server => {
            stage.server.kill_server();
            true
        }
        _ => until(VICTIM_LIMIT, || find(stage, victim, &others)).is_some_and(kill),
    };
    if let Some(process) = ran.filter(|_| met) {
        assert_told(stage, round, &name, victim, process);
    }
    drop(run);
    let rm = || stage.pilvi(&["rm", "-f", &name]);
    // A server that is killed before it wrote the wish down knows of no container.
    let gone = until(LIMIT, || (rm().status.success() || stage.server.container(&name).is_none()).then_some(()));
    assert!(gone.is_some(), "round {round}, {victim:?} after {after:?}: {:?}\n{}", rm(), stage.server.log());
    met
}

/// A container that ran when something was killed: it goes on, the same, or its end is told as what it was.
#[track_caller]
fn assert_told(stage: &Stage, round: u64, name: &str, victim: Victim, process: u32) {
    match victim {
        Victim::Server | Victim::Node | Victim::Launcher => {
            let told = stage.server.until_container(name, is_running);
            let pid = told.pointer("/observed/containers/0/state/running/pid").and_then(Value::as_u64);
            assert_eq!(pid, Some(process.into()), "round {round}, {victim:?}: {told}");
            assert_eq!(told["observed"]["containers"][0]["restarts"], 0, "round {round}, {victim:?}: {told}");
        }
        Victim::Shim | Victim::Container => {
            let told = stage.server.until_container(name, has_stopped);
            assert!(!fs::exists(format!("/proc/{process}")).unwrap(), "round {round}, {victim:?}: {told}");
            let is_lost = told.to_string().contains("sandboxLost");
            assert!(is_lost || victim == Victim::Container, "round {round}, {victim:?}: {told}");
        }
    }
}

#[track_caller]
fn assert_nothing_beyond(stage: &Stage, before: &Leftovers) {
    let clean = until(LIMIT, || stage.server.leftovers().beyond(before).is_empty().then_some(()));
    assert!(clean.is_some(), "left: {:#?}\n{}", stage.server.leftovers().beyond(before), stage.server.log());
}

/// What is to be killed and is none of those `others`.
fn find(stage: &Stage, victim: Victim, others: &BTreeSet<u32>) -> Option<u32> {
    let node = stage.server.node_process();
    let is_shim = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "pilvi-shim\n");
    // What a shim has made is its child: the first process of its sandbox, which has its name, too, and the container's.
    let shim_of = |pid: u32| parent_of(pid).filter(|parent| is_shim(*parent));
    let all = processes(stage);
    let mut new = all.difference(others);
    match victim {
        Victim::Server => None,
        Victim::Node => node,
        Victim::Launcher => all.iter().copied().find(|pid| node.is_some() && parent_of(*pid) == node),
        Victim::Shim => new.find_map(|pid| shim_of(*pid)),
        Victim::Container => new.copied().find(|pid| shim_of(*pid).is_some()),
    }
}

fn processes(stage: &Stage) -> BTreeSet<u32> {
    tests::containers::processes(&stage.server.node_dir()).into_iter().collect()
}

/// Whether it was there to be killed.
fn kill(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

#[expect(clippy::print_stdout, reason = "a run that failed is had again by what it printed")]
fn say(text: &str) {
    println!("{text}");
}
