//! What it costs, printed. Nothing is asserted of it: machines differ.

use std::time::{Duration, Instant};

use workload::PortProtocol;

use crate::support::{bridge, id, in_group, on_machine, open, publishing};

const ROUNDS: u32 = 100;

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    println!("{what}: p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
}

#[test]
fn attaching_and_detaching() {
    on_machine(|machine| async move {
        for pool in [0, 128] {
            let mut settings = machine.settings();
            settings.pool = pool;
            let network = open(settings).await;
            let with = if pool > 0 { "with a pool" } else { "without a pool" };
            let ports = workload::Network { group: Some("a".to_owned()), ..publishing(80, None, PortProtocol::Tcp) };
            for (kind, wanted) in
                [("plain", bridge()), ("in a group", in_group("a", &["x"])), ("and with a port", ports)]
            {
                // The pool is full when so many links are there.
                let full = |links: &str| links.matches(&format!(": pv{}", machine.tag())).count() >= pool;
                while !full(&crate::support::ip("-o link")) {
                    tokio::task::yield_now().await;
                }
                let (mut attaching, mut detaching) = (Vec::new(), Vec::new());
                for number in 0..ROUNDS {
                    let began = Instant::now();
                    network.attach(&id(number), &wanted).await.unwrap();
                    attaching.push(began.elapsed());
                }
                for number in 0..ROUNDS {
                    let began = Instant::now();
                    network.detach(&id(number)).await.unwrap();
                    detaching.push(began.elapsed());
                }
                print(&format!("attach {with}, {kind}"), attaching);
                print(&format!("detach {with}, {kind}"), detaching);
            }
            network.purge().await.unwrap();
        }
    });
}

#[test]
fn one_after_the_other_for_a_while() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.pool = network::limits::POOL_DEFAULT;
        let network = open(settings).await;
        let began = Instant::now();
        for number in 0..ROUNDS * 3 {
            network.attach(&id(number), &bridge()).await.unwrap();
            network.detach(&id(number)).await.unwrap();
        }
        println!("attached and detached {:.0} times a second", f64::from(ROUNDS * 3) / began.elapsed().as_secs_f64());
        network.purge().await.unwrap();
    });
}
