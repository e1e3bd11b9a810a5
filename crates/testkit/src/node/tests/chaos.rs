//! Servers and nodes are killed at any moment.

use std::time::Duration;

use proptest::prelude::*;
use workload::{Phase, WorkloadId};

use platform::workloads::Stop;

use super::bed::{Bed, sized};

#[derive(Debug, Clone)]
enum Act {
    Create { mib: u64 },
    Stop(prop::sample::Index),
    Remove(prop::sample::Index),
    Exit(prop::sample::Index),
    KillServer,
    KillNode(bool),
    StartNode(bool),
    HangUp(bool),
    Turns(u32),
    Pass(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (1_u64..2000).prop_map(|mib| Act::Create { mib }),
        3 => index().prop_map(Act::Stop),
        2 => index().prop_map(Act::Remove),
        3 => index().prop_map(Act::Exit),
        2 => Just(Act::KillServer),
        1 => any::<bool>().prop_map(Act::KillNode),
        2 => any::<bool>().prop_map(Act::StartNode),
        1 => any::<bool>().prop_map(Act::HangUp),
        8 => (1_u32..4).prop_map(Act::Turns),
        2 => (100_u64..3000).prop_map(Act::Pass),
    ]
}

async fn play(acts: Vec<Act>) -> Result<(), TestCaseError> {
    let mut bed = Bed::new();
    bed.join("b", 4, 4096);
    let node = |bed: &Bed, second: bool| bed.nodes[&if second { "b" } else { "a" }.parse().unwrap()].clone();
    let mut ids: Vec<WorkloadId> = Vec::new();
    for act in acts {
        match act {
            Act::Create { mib } => ids.push(bed.create(sized(100, mib)).await),
            Act::Stop(which) if !ids.is_empty() => {
                let stop = Stop { timeout_s: None, reason: "chance".to_owned() };
                // It may be gone.
                let _ = bed.workloads.stop(&bed.scope, which.get(&ids), &stop).await;
            }
            Act::Remove(which) if !ids.is_empty() => {
                let _ = bed.workloads.remove(&bed.scope, which.get(&ids), true).await;
            }
            Act::Exit(which) if !ids.is_empty() => {
                bed.nodes.values().for_each(|node| node.exit(which.get(&ids), 1));
            }
            Act::Stop(_) | Act::Remove(_) | Act::Exit(_) => {}
            Act::KillServer => bed.restart_server(),
            Act::KillNode(second) => node(&bed, second).crash(),
            Act::StartNode(second) => node(&bed, second).start(),
            Act::HangUp(second) => node(&bed, second).hang_up(),
            Act::Turns(turns) => bed.turns(turns).await,
            Act::Pass(ms) => bed.pass(Duration::from_millis(ms)).await,
        }
        for id in &ids {
            let starts: u32 = bed.nodes.values().map(|node| node.starts(id)).sum();
            prop_assert!(starts <= 1, "{} was started {} times", id, starts);
        }
    }
    for second in [false, true] {
        node(&bed, second).start();
    }
    bed.pass(Duration::from_secs(20)).await;
    at_rest(&bed, &ids).await
}

/// Everything is as it should be: what is kept, what runs, and what is set aside are the same.
async fn at_rest(bed: &Bed, ids: &[WorkloadId]) -> Result<(), TestCaseError> {
    let mut running = Vec::new();
    for id in ids {
        let Some(found) = bed.workloads.get(&bed.scope, id).await.unwrap() else { continue };
        match found.phase() {
            Phase::Running => running.push(id.clone()),
            Phase::Pending => prop_assert!(found.waiting.is_some(), "{} waits and does not say why", id),
            phase => prop_assert_eq!(phase, Phase::Stopped),
        }
    }
    let mut on_nodes: Vec<WorkloadId> = bed.nodes.values().flat_map(|node| node.running()).collect();
    running.sort();
    on_nodes.sort();
    prop_assert_eq!(&running, &on_nodes);
    let nodes = bed.workloads.nodes().await.unwrap();
    let set_aside: u32 = nodes.iter().map(|node| node.reserved.workloads).sum();
    prop_assert_eq!(set_aside as usize, running.len());
    for node in &nodes {
        prop_assert!(node.reserved.memory_bytes <= node.capacity.memory_bytes);
    }
    Ok(())
}

proptest! {

    #[test]
    fn whoever_is_killed_whenever_nothing_runs_twice_and_everything_converges(
        acts in prop::collection::vec(any_act(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(play(acts))?;
    }
}
