use std::collections::BTreeMap;

use proptest::prelude::*;
use workload::PortProtocol;

use super::*;
use crate::{Availability, Capacity, Reserved};

const MIB: u64 = 1 << 20;

fn id(number: usize) -> WorkloadId {
    format!("{number:032x}").parse().unwrap()
}

fn node(name: &str, cpu_millis: u64, memory_mib: u64) -> Node {
    Node {
        id: name.parse().unwrap(),
        availability: Availability::Ready,
        capacity: Capacity { cpu_millis, memory_bytes: memory_mib * MIB, disk_bytes: 1000 * MIB },
        reserved: Reserved::default(),
        attributes: BTreeMap::new(),
    }
}

fn wants(number: usize, cpu_millis: u32, memory_mib: u64) -> Pending {
    let demand = Demand { cpu_millis, memory_bytes: memory_mib * MIB, ..Demand::default() };
    Pending { id: id(number), demand, node: None }
}

fn with_port(mut pending: Pending, port: u16, address: Option<[u8; 4]>) -> Pending {
    let address = address.map(Into::into);
    pending.demand.ports.push(PortDemand { port, address, protocol: PortProtocol::Tcp });
    pending
}

fn places(plan: &Plan) -> Vec<&str> {
    plan.placed.iter().map(|placed| placed.node.as_str()).collect()
}

#[test]
fn the_fullest_node_that_has_room_is_taken() {
    let mut half = node("half", 2000, 1000);
    half.reserved.add(&wants(0, 0, 500).demand);
    let snapshot = Snapshot { nodes: vec![node("a", 2000, 1000), half, node("small", 2000, 100)] };
    let plan = place(&snapshot, &[wants(1, 100, 50), wants(2, 100, 400), wants(3, 100, 400)]);
    assert_eq!(places(&plan), ["small", "half", "a"]);
}

#[test]
fn a_workload_that_fits_nowhere_is_refused_with_a_count_and_for_each_node_a_reason() {
    let mut away = node("away", 8000, 8000);
    away.availability = Availability::Away;
    let snapshot = Snapshot { nodes: vec![node("a", 100, 8000), node("b", 8000, 100), away] };
    let plan = place(&snapshot, &[wants(1, 200, 200)]);
    assert_eq!(plan.placed, []);
    let Refusals { cpu, memory, unavailable, .. } = plan.refused[0].refusals;
    assert_eq!((cpu, memory, unavailable), (1, 1, 1));
    let told: Vec<String> =
        explain(&snapshot, &wants(1, 200, 200)).into_iter().map(|(_, refusal)| refusal.unwrap().to_string()).collect();
    assert_eq!(
        told,
        [
            "0.200 processors are wanted, 0.100 of its 0.100 are free",
            "200 MiB of memory are wanted, 100 of its 100 are free",
            "it does not answer"
        ]
    );
}

#[test]
fn a_port_of_the_host_is_had_once_on_each_address() {
    let snapshot = Snapshot { nodes: vec![node("a", 1000, 1000)] };
    let asked = [
        with_port(wants(1, 1, 1), 80, Some([127, 0, 0, 1])),
        with_port(wants(2, 1, 1), 80, Some([127, 0, 0, 2])),
        with_port(wants(3, 1, 1), 80, Some([127, 0, 0, 1])),
        with_port(wants(4, 1, 1), 80, None),
        with_port(wants(5, 1, 1), 81, None),
        with_port(wants(6, 1, 1), 81, Some([127, 0, 0, 9])),
    ];
    let plan = place(&snapshot, &asked);
    assert_eq!(plan.placed.iter().map(|placed| placed.id.clone()).collect::<Vec<_>>(), [id(1), id(2), id(5)]);
    assert!(plan.refused.iter().all(|refused| refused.refusals.port == 1));
}

#[test]
fn attributes_are_had_or_have_a_value() {
    let mut special = node("special", 1000, 1000);
    special.attributes.insert("disk".to_owned(), Some("ssd".to_owned()));
    let snapshot = Snapshot { nodes: vec![node("a", 1000, 1000), special] };
    let asking = |name: &str, value: Option<&str>| {
        let mut pending = wants(1, 1, 1);
        pending.demand.attributes.insert(name.to_owned(), value.map(str::to_owned));
        place(&snapshot, &[pending])
    };
    assert_eq!(places(&asking("disk", None)), ["special"]);
    assert_eq!(places(&asking("disk", Some("ssd"))), ["special"]);
    assert!(asking("disk", Some("tape")).refused[0].refusals.are_lasting());
    assert!(asking("pilvi.privileged", None).refused[0].refusals.are_lasting());
}

#[test]
fn one_that_names_a_node_goes_there_or_nowhere() {
    let snapshot = Snapshot { nodes: vec![node("a", 1000, 1000), node("b", 1000, 10)] };
    let on = |name: &str, memory_mib| {
        let pending = Pending { node: Some(name.parse().unwrap()), ..wants(1, 1, memory_mib) };
        place(&snapshot, &[pending])
    };
    assert_eq!(places(&on("b", 5)), ["b"]);
    assert_eq!(on("b", 50).refused[0].refusals.memory, 1);
    assert_eq!(on("c", 1).refused[0].refusals.other, 2);
}

#[test]
fn what_waits_says_so_without_figures() {
    let refusals = Refusals { memory: 2, cpu: 1, ..Refusals::default() };
    assert_eq!(refusals.to_string(), "2 nodes with too little memory, 1 node with too little processor time");
    assert_eq!(Refusals::default().to_string(), "there is no node");
}

#[test]
fn five_thousand_workloads_that_fit_nowhere_are_refused_without_looking_at_each_node_each_time() {
    let nodes = (0..5000).map(|number| node(&format!("n{number:04}"), 10, 8000)).collect();
    let pending: Vec<Pending> = (0..5000).map(|number| wants(number, 20, 10)).collect();
    let plan = place(&Snapshot { nodes }, &pending);
    assert_eq!((plan.placed.len(), plan.refused.len()), (0, 5000));
    assert_eq!(plan.refused[4999].refusals.cpu, 5000);
}

fn any_node() -> impl Strategy<Value = (u64, u64, u64, bool)> {
    (0_u64..40, 0_u64..40, 0_u64..40, prop::bool::weighted(0.9))
}

fn any_pending() -> impl Strategy<Value = (u32, u64, u64, Option<u16>, Option<usize>)> {
    (0_u32..20, 0_u64..20, 0_u64..20, prop::option::weighted(0.3, 1_u16..4), prop::option::weighted(0.1, 0_usize..8))
}

proptest! {
    #[test]
    fn a_plan_never_gives_a_node_more_than_it_has_and_refuses_only_what_fits_nowhere(
        nodes in prop::collection::vec(any_node(), 0..8),
        asked in prop::collection::vec(any_pending(), 0..60),
    ) {
        let nodes: Vec<Node> = nodes.into_iter().enumerate().map(|(number, (cpu, memory, disk, ready))| Node {
            availability: if ready { Availability::Ready } else { Availability::Lost },
            capacity: Capacity { cpu_millis: cpu, memory_bytes: memory, disk_bytes: disk },
            ..node(&format!("n{number}"), 0, 0)
        }).collect();
        let pending: Vec<Pending> = asked.into_iter().enumerate().map(|(number, (cpu, memory, disk, port, on))| {
            let mut one = wants(number, cpu, 0);
            one.demand.memory_bytes = memory;
            one.demand.disk_bytes = disk;
            one.node = on.map(|on| format!("n{on}").parse().unwrap());
            port.map_or(one.clone(), |port| with_port(one, port, None))
        }).collect();
        let snapshot = Snapshot { nodes };
        let plan = place(&snapshot, &pending);
        prop_assert_eq!(plan.placed.len() + plan.refused.len(), pending.len());
        prop_assert_eq!(&plan, &place(&snapshot, &pending), "the same question has the same answer");
        // Replayed one by one, each placed one fits, and each refused one fits nowhere at its turn.
        let mut now = snapshot.clone();
        let mut placed = plan.placed.iter().peekable();
        for one in &pending {
            if let Some(at) = placed.next_if(|placed| placed.id == one.id) {
                let node = now.nodes.iter_mut().find(|node| node.id == at.node).unwrap();
                prop_assert_eq!(refusal(node, one), None);
                node.reserved.add(&one.demand);
            } else {
                prop_assert!(explain(&now, one).iter().all(|(_, refusal)| refusal.is_some()));
            }
        }
        for node in &now.nodes {
            prop_assert!(node.reserved.memory_bytes <= node.capacity.memory_bytes);
            prop_assert!(node.reserved.cpu_millis <= node.capacity.cpu_millis);
            prop_assert!(node.reserved.disk_bytes <= node.capacity.disk_bytes);
        }
    }

    #[test]
    fn what_was_set_aside_is_given_back_whole(asked in prop::collection::vec(any_pending(), 1..20)) {
        let mut reserved = Reserved::default();
        let demands: Vec<Demand> = asked.into_iter().enumerate().map(|(number, (cpu, memory, ..))| {
            with_port(wants(number, cpu, memory), u16::try_from(number).unwrap() + 1, None).demand
        }).collect();
        demands.iter().for_each(|demand| reserved.add(demand));
        demands.iter().for_each(|demand| reserved.subtract(demand));
        prop_assert_eq!(reserved, Reserved::default());
    }
}
