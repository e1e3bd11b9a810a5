//! The node's process is killed at any moment.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use network::{Network, Settings};
use workload::PortProtocol;

use crate::support::{bridge, id, in_group, ip, on_machine, open, place, publishing, reach, run};

const ROUNDS: u32 = 20;
const TAG: &str = "PILVI_TEST_NETWORK_TAG";
const DIRECTORY: &str = "PILVI_TEST_NETWORK_DIRECTORY";

/// What the process that is killed does: it comes and goes with workloads, and says so, until it is killed.
#[test]
fn victim() {
    let (Ok(tag), Ok(directory)) = (std::env::var(TAG), std::env::var(DIRECTORY)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut settings = Settings::new(tag, directory);
        settings.pool = 2;
        let network = open(settings).await;
        println!("\nstep");
        for number in 0.. {
            let wanted = match number % 3 {
                0 => bridge(),
                1 => in_group("a", &["web"]),
                _ => publishing(80, None, PortProtocol::Tcp),
            };
            network.attach(&id(number), &wanted).await.unwrap();
            println!("\nstep");
            if let Some(old) = number.checked_sub(4) {
                network.detach(&id(old)).await.unwrap();
                println!("\nstep");
            }
        }
    });
}

/// What there is on a machine: devices, ways, rules.
fn everything() -> [String; 4] {
    let addresses = ip("-4 -o addr").lines().map(|line| line.split("valid_lft").next().unwrap().to_owned()).collect();
    [addresses, ip("-4 route show table all"), ip("-4 rule"), run("nft", "list ruleset")]
}

#[test]
fn what_a_node_of_other_settings_left_is_gone_when_the_next_one_begins() {
    on_machine(|machine| async move {
        let before = everything();
        let mut settings = machine.settings();
        settings.subnet = Some("10.99.0.0/24".parse().unwrap());
        let network = open(settings.clone()).await;
        network.attach(&id(1), &publishing(80, None, PortProtocol::Tcp)).await.unwrap();
        drop(network);
        settings.subnet = Some("10.99.16.0/24".parse().unwrap());
        let network = open(settings).await;
        let everywhere = everything().concat();
        assert!(everywhere.contains("10.99.16.") && !everywhere.contains("10.99.0."), "{everywhere}");
        network.attach(&id(1), &bridge()).await.unwrap();
        network.purge().await.unwrap();
        assert_eq!(everything(), before);
    });
}

#[test]
fn whenever_a_node_is_killed_the_next_one_finds_its_way_and_leaves_nothing() {
    on_machine(|machine| async move {
        let before = everything();
        for round in 0..ROUNDS {
            let mut victim = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killing::victim", "--nocapture"])
                .env(TAG, machine.tag())
                .env(DIRECTORY, machine.settings().directory)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let said = BufReader::new(victim.stdout.take().unwrap());
            let steps = said.lines().map_while(Result::ok).filter(|line| line == "step");
            assert!(steps.take(usize::try_from(1 + round * 7 % 23).unwrap()).count() > 0, "it never began");
            victim.kill().unwrap();
            victim.wait().unwrap();
            if round % 2 == 0 {
                // Every other time the next one is killed, too, before anybody cleaned up.
                continue;
            }
            let network = open(machine.settings()).await;
            let one = network.attach(&id(0), &in_group("a", &[])).await.unwrap();
            let other = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
            let ((_, inside), (address, others)) = (place(&one), place(&other));
            let server = crate::support::listen(&others, (address, 80));
            assert!(reach(&inside, server).is_ok());
            network.purge().await.unwrap();
            assert_eq!(Network::leftovers(machine.tag()).await.unwrap(), [""; 0], "round {round}");
            assert_eq!(everything(), before, "round {round}");
        }
    });
}
