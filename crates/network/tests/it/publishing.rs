use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use network::{Error, Living, Network};
use workload::{NetworkMode, PortProtocol, PublishedPort};

use crate::support::{
    BEYOND, HOST, Machine, PATIENCE, bridge, cannot_reach, eventually, id, listen, on_machine, open, place, publishing,
    reach, received, receiver, within,
};

#[test]
fn a_port_published_at_loopback_is_reached_from_the_host_and_from_nowhere_else() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &publishing(80, None, PortProtocol::Tcp)).await.unwrap();
        let (_, inside) = place(&attached);
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        let port = attached.ports[0];
        assert_eq!((port.host_address, port.container_port), (Ipv4Addr::LOCALHOST, 80));
        assert_eq!(reach(&machine.host, (Ipv4Addr::LOCALHOST, port.host_port)).unwrap(), attached.gateway.unwrap());
        assert!(cannot_reach(&machine.beyond, (HOST, port.host_port)));
        let stranger = network.attach(&id(2), &bridge()).await.unwrap();
        let (_, elsewhere) = place(&stranger);
        for address in [HOST, stranger.gateway.unwrap(), attached.address.unwrap()] {
            assert!(cannot_reach(&elsewhere, (address, port.host_port)), "{address}");
        }
    });
}

#[test]
fn a_port_published_everywhere_is_reached_from_everywhere_itself_included() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let wanted = publishing(80, Some(Ipv4Addr::UNSPECIFIED), PortProtocol::Tcp);
        let attached = network.attach(&id(1), &wanted).await.unwrap();
        let (_, inside) = place(&attached);
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        let port = attached.ports[0].host_port;
        assert_eq!(reach(&machine.beyond, (HOST, port)).unwrap(), BEYOND, "whoever asks is known");
        assert!(reach(&machine.host, (HOST, port)).is_ok());
        assert!(reach(&machine.host, (Ipv4Addr::LOCALHOST, port)).is_ok());
        let (_, elsewhere) = place(&network.attach(&id(2), &bridge()).await.unwrap());
        assert!(reach(&elsewhere, (HOST, port)).is_ok());
        assert!(reach(&inside, (HOST, port)).is_ok(), "itself");
        network.detach(&id(1)).await.unwrap();
        assert!(cannot_reach(&machine.beyond, (HOST, port)));
        assert!(cannot_reach(&machine.host, (Ipv4Addr::LOCALHOST, port)));
    });
}

#[test]
fn datagrams_go_to_a_published_port_and_answers_come_back() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        for (number, at, from, to) in [
            (1, None, &machine.host, Ipv4Addr::LOCALHOST),
            (2, Some(Ipv4Addr::UNSPECIFIED), &machine.beyond, HOST),
            (3, Some(HOST), &machine.host, HOST),
        ] {
            let attached = network.attach(&id(number), &publishing(53, at, PortProtocol::Udp)).await.unwrap();
            let (_, inside) = place(&attached);
            let server = receiver(&inside, (Ipv4Addr::UNSPECIFIED, 53));
            let client = receiver(from, (Ipv4Addr::UNSPECIFIED, 0));
            let to = SocketAddr::from((to, attached.ports[0].host_port));
            client.send_to(b"ping", to).unwrap();
            let (said, peer) = received(&server);
            assert_eq!(said, "ping");
            server.send_to(b"pong", peer).unwrap();
            assert_eq!(received(&client), ("pong".to_owned(), to));
        }
    });
}

#[test]
fn a_port_that_somebody_has_is_refused_and_nothing_is_left_of_the_attempt() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let holder = within(&machine.host, || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let host_port = holder.local_addr().unwrap().port();
        let port = PublishedPort { container_port: 80, host_port, host_address: None, protocol: PortProtocol::Tcp };
        let wanted = workload::Network { ports: vec![port.clone()], ..bridge() };
        assert!(matches!(network.attach(&id(1), &wanted).await, Err(Error::PortTaken { .. })));
        drop(holder);
        let taken = SocketAddr::from((Ipv4Addr::LOCALHOST, host_port));
        eventually(|| within(&machine.host, || TcpListener::bind(taken)).is_ok());
        network.attach(&id(1), &wanted).await.unwrap();
        assert!(matches!(network.attach(&id(2), &wanted).await, Err(Error::PortTaken { .. })));
        assert!(within(&machine.host, || TcpListener::bind(taken)).is_err(), "a published port is nobody else's");
    });
}

#[test]
fn an_address_of_its_own_needs_no_published_ports() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let wanted = publishing(80, Some(Ipv4Addr::UNSPECIFIED), PortProtocol::Tcp);
        let attached =
            network.attach(&id(1), &workload::Network { mode: NetworkMode::Address, ..wanted }).await.unwrap();
        assert!(attached.ports.is_empty());
        let (address, inside) = place(&attached);
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        assert!(reach(&machine.host, (address, 80)).is_ok());
    });
}

#[test]
fn free_ports_are_found_for_many_at_once() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let ports = publishing(80, None, PortProtocol::Tcp).ports[0].clone();
        let wanted = workload::Network { ports: vec![ports; 100], ..bridge() };
        let attached = network.attach(&id(1), &wanted).await.unwrap();
        let mut found: Vec<u16> = attached.ports.iter().map(|port| port.host_port).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 100);
        let (_, inside) = place(&attached);
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        assert!(found.iter().all(|port| reach(&machine.host, (Ipv4Addr::LOCALHOST, *port)).is_ok()));
    });
}

/// Attaches a workload and has somebody beyond the host ask it something, so that the kernel remembers.
async fn asked(machine: &Machine, network: &Network, number: u32) -> (Ipv4Addr, Arc<OwnedFd>) {
    let wanted = publishing(53, Some(HOST), PortProtocol::Udp);
    let attached = network.attach(&id(number), &wanted).await.unwrap();
    let (address, inside) = place(&attached);
    let server = receiver(&inside, (Ipv4Addr::UNSPECIFIED, 53));
    let client = receiver(&machine.beyond, (Ipv4Addr::UNSPECIFIED, 0));
    client.send_to(b"ping", (HOST, attached.ports[0].host_port)).unwrap();
    let (_, peer) = received(&server);
    server.send_to(b"pong", peer).unwrap();
    received(&client);
    assert!(is_remembered(address));
    (address, inside)
}

fn is_remembered(address: Ipv4Addr) -> bool {
    std::fs::read_to_string("/proc/thread-self/net/nf_conntrack").unwrap().contains(&format!("={address} "))
}

#[test]
fn nothing_is_remembered_of_an_address_when_it_is_free_again() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (address, _) = asked(&machine, &network, 1).await;
        network.detach(&id(1)).await.unwrap();
        let until = tokio::time::Instant::now() + PATIENCE;
        while is_remembered(address) {
            assert!(tokio::time::Instant::now() < until, "it is remembered for ever");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn where_addresses_are_few_whoever_gets_one_that_was_anothers_a_moment_ago_gets_nothing_else_of_it() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.subnet = Some("10.99.0.0/28".parse().unwrap());
        let network = open(settings).await;
        let mut seen = BTreeSet::new();
        for number in 0..40 {
            let attached = network.attach(&id(1000 + number), &bridge()).await.unwrap();
            let address = attached.address.unwrap();
            assert!(!is_remembered(address), "{address}, for the {number}th");
            network.detach(&id(1000 + number)).await.unwrap();
            seen.insert(asked(&machine, &network, number).await.0);
            network.detach(&id(number)).await.unwrap();
        }
        assert!(seen.len() > 5, "{seen:?}");
    });
}

#[test]
fn who_could_not_be_taken_away_keeps_its_address_until_that_is_done() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.subnet = Some("10.99.0.0/28".parse().unwrap());
        let network = open(settings).await;
        let (address, _) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        // It cannot be forgotten: there is something else in the place of what is remembered.
        let (record, aside) =
            (machine.path("network").join("workloads").join(format!("{}.json", id(1))), machine.path("aside"));
        std::fs::rename(&record, &aside).unwrap();
        std::fs::create_dir(&record).unwrap();
        assert!(network.detach(&id(1)).await.is_err());
        let mut others = Vec::new();
        while let Ok(attached) = network.attach(&id(2 + others.len() as u32), &bridge()).await {
            others.push(attached.address.unwrap());
        }
        assert!(others.len() > 5 && !others.contains(&address), "{others:?}");
        std::fs::remove_dir(&record).unwrap();
        std::fs::rename(&aside, &record).unwrap();
        network.detach(&id(1)).await.unwrap();
        let (again, _) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        assert_eq!(again, address);
    });
}

#[test]
fn what_a_node_that_was_killed_had_not_forgotten_yet_the_next_one_forgets() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (living, inside) = asked(&machine, &network, 1).await;
        let (over, _) = asked(&machine, &network, 2).await;
        drop(network);
        // As if it had been killed after it forgot the workload, and before the kernel did.
        std::fs::remove_file(machine.path("network").join("workloads").join(format!("{}.json", id(2)))).unwrap();
        let network = Network::open(machine.settings()).await.unwrap();
        assert!(is_remembered(living) && is_remembered(over));
        let (wanted, namespace) = (publishing(53, Some(HOST), PortProtocol::Udp), Some(inside.try_clone().unwrap()));
        let adopted = network.adopt(vec![Living { id: id(1), wanted, namespace }]).await.unwrap();
        assert_eq!(adopted[0].1.as_ref().unwrap().address, Some(living));
        assert!(is_remembered(living) && !is_remembered(over));
    });
}
