//! The node's process ends and another one takes over.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use network::{Attached, Error, Living, Network};
use workload::{NetworkMode, PortProtocol};

use crate::support::{
    BEYOND, accepting, bridge, cannot_reach, eventually, hear, id, in_group, ip, listen, on_machine, open, place,
    publishing, reach, run, within,
};

fn living(number: u32, wanted: &workload::Network, namespace: Option<&Arc<OwnedFd>>) -> Living {
    Living {
        id: id(number),
        wanted: wanted.clone(),
        namespace: namespace.map(|namespace| namespace.try_clone().unwrap()),
    }
}

fn namespace_of(attached: &Attached) -> Option<Arc<OwnedFd>> {
    attached.namespace.as_ref().map(|namespace| Arc::new(namespace.try_clone().unwrap()))
}

#[test]
fn workloads_keep_everything_while_nobody_runs_and_when_they_are_taken_over() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let mut wanted = publishing(80, Some(Ipv4Addr::UNSPECIFIED), PortProtocol::Tcp);
        (wanted.group, wanted.aliases) = (Some("a".to_owned()), vec!["web".to_owned()]);
        let attached = network.attach(&id(1), &wanted).await.unwrap();
        let other = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let ((address, inside), (_, others)) = (place(&attached), place(&other));
        let (port, before) = (attached.ports[0], attached.ports.clone());
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        drop((network, attached, other));

        // Nobody runs.
        assert!(reach(&machine.host, (Ipv4Addr::LOCALHOST, port.host_port)).is_ok());
        assert!(reach(&others, (address, 80)).is_ok());
        assert!(reach(&others, listen(&machine.beyond, (BEYOND, 0))).is_ok());

        let network = Network::open(machine.settings()).await.unwrap();
        assert!(reach(&others, (address, 80)).is_ok(), "between opening and taking over, too");
        let all = vec![living(1, &wanted, Some(&inside)), living(2, &in_group("a", &[]), Some(&others))];
        let mut adopted = network.adopt(all).await.unwrap();
        let (second, first) = (adopted.pop().unwrap(), adopted.pop().unwrap());
        let (second, first) = (second.1.unwrap(), first.1.unwrap());
        assert_eq!((first.address, &first.ports), (Some(address), &before));
        accepting(first.listeners.services, "again");
        assert_eq!(hear(&inside, first.listeners.services_at.into()).unwrap(), "again");
        assert!(reach(&machine.host, (Ipv4Addr::LOCALHOST, port.host_port)).is_ok());
        assert!(reach(&others, (address, 80)).is_ok());
        drop(second);
        for number in [1, 2] {
            network.detach(&id(number)).await.unwrap();
        }
        eventually(|| cannot_reach(&machine.host, (Ipv4Addr::LOCALHOST, port.host_port)));
        network.purge().await.unwrap();
        assert_eq!(Network::leftovers(machine.tag()).await.unwrap(), [""; 0]);
    });
}

#[test]
fn what_belonged_to_workloads_that_do_not_live_is_removed() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &publishing(80, None, PortProtocol::Tcp)).await.unwrap();
        let (_, inside) = place(&attached);
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, attached.ports[0].host_port));
        drop((network, attached));
        // A link that no record tells of.
        ip(&format!("link add pv{}4000 type bridge", machine.tag()));
        let network = open(machine.settings()).await;
        assert!(cannot_reach(&machine.host, at));
        assert!(!ip("-o link").contains(&format!("pv{}", machine.tag())), "{}", ip("-o link"));
        // The namespace of the one that ended may still be somebody's.
        let again = network.attach(&id(1), &bridge()).await.unwrap();
        assert_ne!(again.address, None);
    });
}

#[test]
fn only_what_is_as_the_record_says_is_taken_over() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let mut insides = Vec::new();
        for number in 1..=4 {
            insides.push(place(&network.attach(&id(number), &bridge()).await.unwrap()).1);
        }
        drop(network);
        ip(&format!("link del pv{}2", machine.tag()));
        let network = Network::open(machine.settings()).await.unwrap();
        let none = workload::Network { mode: NetworkMode::None, ..bridge() };
        let all = vec![
            living(1, &bridge(), Some(&insides[0])),
            living(2, &bridge(), Some(&insides[2])),
            living(3, &bridge(), None),
            living(4, &none, Some(&insides[3])),
            living(5, &bridge(), Some(&insides[3])),
        ];
        for (id, adopted) in network.adopt(all).await.unwrap() {
            assert!(matches!(adopted, Err(Error::Lost { .. })), "{id}");
            network.attach(&id, &bridge()).await.unwrap();
        }
    });
}

#[test]
fn every_kind_of_network_is_taken_over() {
    on_machine(|machine| async move {
        for nft in [true, false] {
            let mut settings = machine.settings();
            settings.nft = nft;
            let network = open(settings.clone()).await;
            let modes = [NetworkMode::Bridge, NetworkMode::Address, NetworkMode::Host, NetworkMode::None];
            let (mut all, mut at) = (Vec::new(), Vec::new());
            for (number, mode) in (1..).zip(modes) {
                let wanted = workload::Network { mode, ..bridge() };
                let attached = network.attach(&id(number), &wanted).await.unwrap();
                at.push((attached.listeners.services_at, attached.address));
                all.push(living(number, &wanted, namespace_of(&attached).as_ref()));
            }
            drop(network);
            let network = Network::open(settings).await.unwrap();
            let adopted = network.adopt(all).await.unwrap();
            for ((id, adopted), at) in adopted.into_iter().zip(at) {
                let adopted = adopted.unwrap_or_else(|error| panic!("{id}: {error}"));
                assert_eq!((adopted.listeners.services_at, adopted.address), at);
            }
            network.purge().await.unwrap();
        }
    });
}

#[test]
fn after_a_reboot_the_records_say_nothing() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let subnet = network.subnet();
        network.attach(&id(1), &bridge()).await.unwrap();
        network.purge().await.unwrap();
        drop(network);
        let network = machine.network().await;
        network.attach(&id(1), &bridge()).await.unwrap();
        drop(network);
        // As after a reboot: the kernel knows nothing of it, and somebody else took the addresses.
        run("nft", "flush ruleset");
        for link in [format!("pv-{}", machine.tag()), format!("pv{}2", machine.tag())] {
            ip(&format!("link del {link}"));
        }
        ip(&format!("route del unreachable {subnet} metric {}", u32::from_str_radix(machine.tag(), 16).unwrap()));
        ip(&format!("route add {subnet} via {BEYOND}"));
        let network = machine.network().await;
        assert!(!network.subnet().overlaps(subnet));
        let (_, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        assert!(reach(&inside, listen(&machine.beyond, (BEYOND, 0))).is_ok());
    });
}

#[test]
fn a_pool_that_nobody_took_from_ends_with_its_process() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.pool = 4;
        let network = open(settings.clone()).await;
        for number in 1..=12 {
            network.attach(&id(number), &bridge()).await.unwrap();
        }
        drop(network);
        let network = open(settings).await;
        for number in 1..=12 {
            network.attach(&id(number), &bridge()).await.unwrap();
        }
        network.purge().await.unwrap();
        assert_eq!(Network::leftovers(machine.tag()).await.unwrap(), [""; 0]);
    });
}

#[test]
fn a_workload_that_took_the_sockets_ports_while_nobody_ran_does_not_keep_the_services_away() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        let (_, inside) = place(&attached);
        drop((network, attached));
        let bind = |port: u16| within(&inside, || std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        let _impostors: Vec<_> = [80, 4566, 64_080, 64_181].map(bind).into();
        let network = Network::open(machine.settings()).await.unwrap();
        let mut adopted = network.adopt(vec![living(1, &in_group("a", &[]), Some(&inside))]).await.unwrap();
        let adopted = adopted.pop().unwrap().1.unwrap();
        accepting(adopted.listeners.services, "the services");
        accepting(adopted.listeners.endpoint, "the endpoint");
        assert_eq!(hear(&inside, adopted.listeners.services_at.into()).unwrap(), "the services");
        assert_eq!(hear(&inside, adopted.listeners.endpoint_at.into()).unwrap(), "the endpoint");
    });
}
