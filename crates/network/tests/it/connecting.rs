use std::net::{Ipv4Addr, TcpListener};

use network::{Error, Network};
use workload::NetworkMode;

use crate::support::{
    BEYOND, HOST, accepting, bridge, cannot_reach, hear, id, in_group, ip, listen, on_machine, place, reach, run,
    within,
};

#[test]
fn a_workload_reaches_what_is_beyond_the_host_as_the_host() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &bridge()).await.unwrap();
        let (_, inside) = place(&attached);
        let server = listen(&machine.beyond, (BEYOND, 0));
        assert_eq!(reach(&inside, server).unwrap(), HOST);
    });
}

#[test]
fn workloads_of_a_group_reach_each_other_by_their_own_addresses() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let one = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        let other = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let ((address, inside), (other_address, other_inside)) = (place(&one), place(&other));
        let server = listen(&other_inside, (other_address, 80));
        assert_eq!(reach(&inside, server).unwrap(), address);
    });
}

#[test]
fn a_workload_that_left_its_group_by_ending_is_reached_no_more_and_the_group_goes_on() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let mut places = Vec::new();
        for number in 1..=3 {
            places.push(place(&network.attach(&id(number), &in_group("a", &[])).await.unwrap()));
        }
        let servers: Vec<_> = places.iter().map(|(address, inside)| listen(inside, (*address, 80))).collect();
        assert!(reach(&places[0].1, servers[1]).is_ok());
        network.detach(&id(2)).await.unwrap();
        assert!(cannot_reach(&places[0].1, servers[1]));
        assert!(cannot_reach(&places[1].1, servers[0]), "whoever holds its namespace");
        assert!(reach(&places[0].1, servers[2]).is_ok());
    });
}

#[test]
fn the_host_reaches_a_workload_by_its_address() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached =
            network.attach(&id(1), &workload::Network { mode: NetworkMode::Address, ..bridge() }).await.unwrap();
        let (address, inside) = place(&attached);
        let server = listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        assert_eq!(reach(&machine.host, (address, server.port())).unwrap(), attached.gateway.unwrap());
    });
}

#[test]
fn the_link_local_services_know_who_asks_and_leave_every_port_to_the_workload() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let mut insides = Vec::new();
        for (number, say) in [(1, "one"), (2, "two")] {
            let attached = network.attach(&id(number), &bridge()).await.unwrap();
            let (_, inside) = place(&attached);
            let listeners = attached.listeners;
            accepting(listeners.services, say);
            accepting(listeners.endpoint, say);
            assert_eq!(listeners.services_at.to_string(), "169.254.170.2:80");
            assert_eq!(listeners.endpoint_at.to_string(), "169.254.170.2:4566");
            for at in [listeners.services_at, listeners.endpoint_at] {
                assert_eq!(hear(&inside, at.into()).unwrap(), say);
            }
            insides.push(inside);
        }
        for port in [80, 4566, 53] {
            within(&insides[0], || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap();
            within(&insides[0], || std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap();
        }
    });
}

#[test]
fn a_workload_without_a_network_has_loopback_and_its_services_alone() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached =
            network.attach(&id(1), &workload::Network { mode: NetworkMode::None, ..bridge() }).await.unwrap();
        assert_eq!((attached.address, attached.gateway), (None, None));
        let inside = attached.namespace.unwrap();
        let server = listen(&machine.beyond, (BEYOND, 0));
        assert!(cannot_reach(&inside, server));
        let own = listen(&inside, (Ipv4Addr::LOCALHOST, 0));
        assert_eq!(reach(&inside, own).unwrap(), Ipv4Addr::LOCALHOST);
        accepting(attached.listeners.services, "none");
        assert_eq!(hear(&inside, attached.listeners.services_at.into()).unwrap(), "none");
        assert_eq!(within(&inside, || ip("-o link show up")).lines().count(), 1);
    });
}

#[test]
fn a_workload_in_the_hosts_network_has_services_at_loopback() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached =
            network.attach(&id(1), &workload::Network { mode: NetworkMode::Host, ..bridge() }).await.unwrap();
        assert!(attached.namespace.is_none() && attached.address.is_none());
        accepting(attached.listeners.services, "host");
        assert_eq!(hear(&machine.host, attached.listeners.services_at.into()).unwrap(), "host");
        network.detach(&id(1)).await.unwrap();
    });
}

#[test]
fn a_connection_from_inside_finds_who_listens_at_the_address_or_at_loopback() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &bridge()).await.unwrap();
        let (address, inside) = place(&attached);
        listen(&inside, (address, 80));
        listen(&inside, (Ipv4Addr::LOCALHOST, 81));
        for port in [80, 81] {
            let stream = network.connect(&id(1), port).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap().port(), port);
        }
        assert!(network.connect(&id(1), 82).await.is_err());
        assert!(matches!(network.connect(&id(2), 80).await, Err(Error::Unknown(_))));
    });
}

#[test]
fn what_went_through_a_link_is_counted_as_the_workload_sees_it() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &bridge()).await.unwrap();
        let (_, inside) = place(&attached);
        let before = network.stats(&id(1)).await.unwrap();
        let socket = within(&inside, || std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
        let there = crate::support::receiver(&machine.beyond, (BEYOND, 0));
        for _ in 0..100 {
            socket.send_to(&[0; 1000], there.local_addr().unwrap()).unwrap();
            crate::support::received(&there);
        }
        let after = network.stats(&id(1)).await.unwrap();
        assert!(after.sent_bytes - before.sent_bytes >= 100_000, "{before:?} {after:?}");
        assert!(after.received_bytes - before.received_bytes < 100_000);
    });
}

#[test]
fn the_first_packet_of_a_workload_arrives() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let there = crate::support::receiver(&machine.beyond, (BEYOND, 0));
        let to = there.local_addr().unwrap();
        for number in 0..20 {
            let (_, inside) = place(&network.attach(&id(number), &bridge()).await.unwrap());
            within(&inside, || {
                std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().send_to(b"first", to).unwrap();
            });
            assert_eq!(crate::support::received(&there).0, "first");
            network.detach(&id(number)).await.unwrap();
        }
    });
}

#[test]
fn a_workload_is_attached_once_and_detached_as_often_as_one_likes() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        network.attach(&id(1), &bridge()).await.unwrap();
        assert!(matches!(network.attach(&id(1), &bridge()).await, Err(Error::Attached(_))));
        for _ in 0..2 {
            network.detach(&id(1)).await.unwrap();
        }
        assert!(matches!(network.stats(&id(1)).await, Err(Error::Unknown(_))));
        network.attach(&id(1), &bridge()).await.unwrap();
    });
}

#[test]
fn packets_are_as_big_as_the_hosts_way_out_allows() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (_, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        assert!(within(&inside, || ip("link show eth0")).contains("mtu 1400"));
    });
}

#[test]
fn nothing_is_left_when_a_network_is_removed() {
    on_machine(|machine| async move {
        let routes = ip("-4 route show table all");
        let mut settings = machine.settings();
        settings.pool = 3;
        let network = crate::support::open(settings).await;
        for number in 1..=4 {
            let wanted = crate::support::publishing(80, None, workload::PortProtocol::Tcp);
            network.attach(&id(number), &workload::Network { group: Some("a".to_owned()), ..wanted }).await.unwrap();
        }
        assert!(!Network::leftovers(machine.tag()).await.unwrap().is_empty());
        network.purge().await.unwrap();
        assert_eq!(Network::leftovers(machine.tag()).await.unwrap(), [""; 0]);
        assert_eq!(ip("-4 route show table all"), routes);
        assert!(!ip("-o link").contains(machine.tag()));
        assert!(network.attach(&id(5), &bridge()).await.is_err());
    });
}

#[test]
fn two_nodes_on_one_host_have_different_addresses() {
    on_machine(|machine| async move {
        let one = machine.network().await;
        let mut settings = machine.settings();
        (settings.tag, settings.directory) = ("ffffffff".to_owned(), machine.path("other"));
        let other = crate::support::open(settings.clone()).await;
        assert!(!one.subnet().overlaps(other.subnet()));
        (settings.tag, settings.directory) = ("fffffffe".to_owned(), machine.path("third"));
        settings.subnet = Some(one.subnet());
        assert!(matches!(Network::open(settings).await, Err(Error::SubnetTaken { .. })));
    });
}

#[test]
fn addresses_that_the_host_has_a_route_to_are_left_alone() {
    on_machine(|machine| async move {
        ip(&format!("route add 10.88.0.0/18 via {BEYOND}"));
        assert_eq!(machine.network().await.subnet().to_string(), "10.88.64.0/20");
    });
}

#[test]
fn a_table_of_somebody_elses_that_drops_everything_is_told_of() {
    on_machine(|machine| async move {
        run("nft", "add table ip filter");
        run("nft", "add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }");
        let network = Network::open(machine.settings()).await.unwrap();
        assert!(network.what_is_missing()[0].contains("`ip filter`"), "{:?}", network.what_is_missing());
    });
}

#[test]
fn many_come_and_go_at_once_and_nothing_is_left() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.pool = 4;
        let network = crate::support::open(settings).await;
        let mut coming = tokio::task::JoinSet::new();
        for number in 0..50 {
            let network = network.clone();
            coming.spawn(async move {
                let group = format!("group {}", number % 7);
                let wanted = crate::support::publishing(80, None, workload::PortProtocol::Tcp);
                let wanted = workload::Network { group: Some(group), aliases: vec!["web".to_owned()], ..wanted };
                for _ in 0..4 {
                    let attached = network.attach(&id(number), &wanted).await.unwrap();
                    assert_eq!(attached.ports.len(), 1);
                    network.detach(&id(number)).await.unwrap();
                }
                network.attach(&id(number), &wanted).await.unwrap().address.unwrap()
            });
        }
        let mut addresses: Vec<Ipv4Addr> = coming.join_all().await;
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 50);
        let table = run("nft", &format!("-n list table inet pilvi_{}", machine.tag()));
        assert_eq!(table.matches(" : jump group_").count(), 50, "{table}");
        assert_eq!(table.matches("chain group_").count(), 7, "{table}");
        assert_eq!(table.matches("127.0.0.1 . 6 . ").count(), 50, "{table}");
        for number in 0..50 {
            network.detach(&id(number)).await.unwrap();
        }
        let table = run("nft", &format!("list table inet pilvi_{}", machine.tag()));
        assert!(!table.contains("group_") && !table.contains("elements = { 1"), "{table}");
        network.purge().await.unwrap();
        assert_eq!(Network::leftovers(machine.tag()).await.unwrap(), [""; 0]);
    });
}
