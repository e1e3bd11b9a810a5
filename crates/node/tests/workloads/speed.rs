//! How long a node takes for a container that does nothing, step by step. Nothing is asserted: `--speed COUNT` prints it.

use std::collections::BTreeMap;
use std::time::Instant;

use node::protocol::Event;
use workload::{ContainerState, Observed, Phase, StepName, WorkloadId};

use crate::child::{Living, script};

/// Starts and ends so many, one after the other and then all at one time, and prints what took how long.
pub(crate) async fn print(count: usize) {
    let living = Living::new().await;
    let mut times = Times::default();
    let mut following = living.node.follow().await.unwrap();
    for _ in 0..count {
        let began = Instant::now();
        let id = living.run(script("")).await;
        times.add("assigned", began);
        let (mut runs, mut has_exited) = (false, false);
        let observed = loop {
            let Event::Observed { id: other, observed, .. } = following.next().await.unwrap() else { continue };
            if other != id {
                continue;
            }
            if !runs && observed.phase >= Phase::Running {
                runs = true;
                times.add("running", began);
            }
            if !has_exited && matches!(observed.containers[0].state, ContainerState::Exited(_)) {
                has_exited = true;
                times.add("ended", began);
            }
            if observed.phase == Phase::Stopped {
                break observed;
            }
        };
        times.add("stopped", began);
        times.add_steps(&observed);
        living.node.retire(&id).await.unwrap();
    }
    times.print();
    let began = Instant::now();
    let mut left: Vec<WorkloadId> = Vec::new();
    for _ in 0..count {
        left.push(living.run(script("")).await);
    }
    while !left.is_empty() {
        if let Event::Observed { id, observed, .. } = following.next().await.unwrap()
            && observed.phase == Phase::Stopped
        {
            left.retain(|other| *other != id);
        }
    }
    println!("{:>10.1} a second, all at one time", count as f64 / began.elapsed().as_secs_f64());
    run_and_hold(&living, count).await;
    living.end().await;
}

/// The same for what lives as long as its session, and for what was made before it was known what it executes.
async fn run_and_hold(living: &Living, count: usize) {
    let mut spec = script("read line");
    spec.containers[0].stdin = true;
    let mut times = Times::default();
    for _ in 0..count {
        let began = Instant::now();
        let mut running = living.node.run(&living.assignment(spec.clone())).await.unwrap();
        let mut observed = running.next().await.unwrap();
        times.add("run: known", began);
        while observed.phase < Phase::Running {
            observed = running.next().await.unwrap();
        }
        times.add("run: runs", began);
        times.add_steps(&observed);
        drop(running);
        let mut held = living.node.hold(&living.assignment(spec.clone())).await.unwrap();
        while !node::client::is_made(&held.next().await.unwrap(), "app") {}
        let began = Instant::now();
        held.release(&spec).await.unwrap();
        while held.next().await.unwrap().phase < Phase::Running {}
        times.add("held: runs", began);
        let id = living.assignment(spec.clone()).id;
        drop((held, id));
    }
    println!("\nas long as its session:");
    times.print();
}

/// Microseconds by what took them, in the order in which it was first heard of.
#[derive(Default)]
struct Times {
    by_name: BTreeMap<(usize, String), Vec<u64>>,
}

impl Times {
    fn add(&mut self, name: &str, began: Instant) {
        let order = ["assigned", "running", "ended", "stopped", "run: known", "run: runs", "held: runs"]
            .iter()
            .position(|known| *known == name);
        self.put(100 + order.unwrap_or_default(), name.to_owned(), u64::try_from(began.elapsed().as_micros()).unwrap());
    }

    fn add_steps(&mut self, observed: &Observed) {
        const ORDER: [StepName; 6] = [
            StepName::Network,
            StepName::Volumes,
            StepName::Sandbox,
            StepName::Create,
            StepName::Start,
            StepName::CleanUp,
        ];
        for step in &observed.steps {
            let order = ORDER.iter().position(|name| *name == step.name).unwrap_or(ORDER.len());
            self.put(order, format!("{:?}", step.name), step.took_us.unwrap_or_default());
        }
    }

    fn put(&mut self, order: usize, name: String, us: u64) {
        self.by_name.entry((order, name)).or_default().push(us);
    }

    fn print(&mut self) {
        for ((_, name), all) in &mut self.by_name {
            all.sort_unstable();
            let at = |part: usize| all[all.len() * part / 100] as f64 / 1000.0;
            println!("{name:>10} p50 {:>7.2} ms, p99 {:>7.2} ms", at(50), at(99));
        }
    }
}
