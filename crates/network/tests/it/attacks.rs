//! What a hostile workload tries. The attackers here have more than a container has: they are root of their namespace, with every
//! capability, so that what holds is the host's doing alone.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use network::Network;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};
use workload::{NetworkMode, PortProtocol};

use crate::support::{
    BEYOND, CLOUD, HOST, PATIENCE, bridge, cannot_reach, id, in_group, ip, listen, on_machine, open, place, publishing,
    reach, received, receiver, run, within,
};

/// Sends a datagram that claims to come from an address. Whether the sender's own kernel lets it go does not matter.
fn forge(namespace: &OwnedFd, from: Ipv4Addr, to: SocketAddrV4, text: &str) {
    let udp_length = u16::try_from(8 + text.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp_length).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.ip().octets());
    packet.extend(4444_u16.to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(udp_length.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(text.as_bytes());
    within(namespace, || {
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::RAW))
                .unwrap();
        let _ = rustix::net::sendto(&socket, &packet, SendFlags::empty(), &to);
    });
}

fn send(namespace: &OwnedFd, to: impl Into<SocketAddr>, text: &str) {
    let to = to.into();
    within(namespace, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let _ = socket.set_broadcast(true);
        let _ = socket.send_to(text.as_bytes(), to);
    });
}

#[test]
fn no_port_of_the_host_is_reached_by_any_of_its_addresses() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &publishing(80, None, PortProtocol::Tcp)).await.unwrap();
        let (address, inside) = place(&attached);
        let server = listen(&machine.host, (Ipv4Addr::UNSPECIFIED, 0));
        assert!(reach(&machine.beyond, (HOST, server.port())).is_ok(), "the host itself lets everybody in");
        let gateway = attached.gateway.unwrap();
        for to in [HOST, gateway] {
            assert!(cannot_reach(&inside, (to, server.port())), "{to}");
        }
        let socket = receiver(&machine.host, (Ipv4Addr::UNSPECIFIED, 0));
        let port = socket.local_addr().unwrap().port();
        let last = network.subnet().at(4095).unwrap();
        let everybody = [HOST, gateway, last, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::LOCALHOST];
        for to in everybody {
            for from in [address, gateway, HOST, BEYOND, Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
                forge(&inside, from, SocketAddrV4::new(to, port), "forged");
            }
        }
        send(&machine.beyond, (HOST, port), "honest");
        assert_eq!(received(&socket).0, "honest");
    });
}

#[test]
fn the_clouds_credentials_are_not_for_workloads() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (_, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        let cloud = listen(&machine.beyond, (CLOUD, 80));
        assert!(reach(&machine.host, cloud).is_ok(), "they are for the host");
        assert!(cannot_reach(&inside, cloud));
        // Nor do they come by a detour through the host's own link-local address.
        ip("addr add 169.254.170.2/32 dev lo");
        let agent = listen(&machine.host, (Ipv4Addr::new(169, 254, 170, 2), 0));
        within(&inside, || {
            ip("addr del 169.254.170.2/32 dev lo");
        });
        assert!(cannot_reach(&inside, agent));
    });
}

#[test]
fn the_hosts_loopback_is_not_reached_though_a_port_is_published_there() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &publishing(80, None, PortProtocol::Tcp)).await.unwrap();
        let (_, inside) = place(&attached);
        let server = listen(&machine.host, (Ipv4Addr::LOCALHOST, 0));
        // The attacker sends what is for 127.0.0.1 through its link.
        within(&inside, || {
            for setting in ["all/route_localnet", "eth0/route_localnet"] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{setting}"), "1").unwrap();
            }
            ip("addr del 127.0.0.1/8 dev lo");
            ip(&format!("route add 127.0.0.1/32 via {}", attached.gateway.unwrap()));
        });
        assert!(cannot_reach(&inside, server));
        // It is the table that keeps it out: the attack works where the table says nothing.
        for chain in ["from_link", "refuse_host"] {
            run("nft", &format!("flush chain inet pilvi_{} {chain}", machine.tag()));
        }
        assert!(reach(&inside, server).is_ok(), "the attack is none");
    });
}

#[test]
fn nobody_speaks_in_anothers_name() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let victim = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        let friend = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let attacker = network.attach(&id(3), &in_group("b", &[])).await.unwrap();
        let ((address, victims), (friends_address, friends), (own, inside)) =
            (place(&victim), place(&friend), place(&attacker));
        let socket = receiver(&friends, (Ipv4Addr::UNSPECIFIED, 0));
        let to = SocketAddrV4::new(friends_address, socket.local_addr().unwrap().port());
        let beyond = receiver(&machine.beyond, (BEYOND, 0));
        let beyonds = SocketAddrV4::new(BEYOND, beyond.local_addr().unwrap().port());
        let attack = || {
            for from in [address, friends_address, friend.gateway.unwrap(), HOST, BEYOND, Ipv4Addr::LOCALHOST, CLOUD] {
                for to in [to, beyonds] {
                    forge(&inside, from, to, "forged");
                }
            }
            forge(&victims, address, to, "honest");
            forge(&victims, address, beyonds, "honest");
            (received(&socket), received(&beyond))
        };
        let honest = |((text, from), (text_beyond, from_beyond)): ((String, SocketAddr), (String, SocketAddr))| {
            (text.as_str(), text_beyond.as_str()) == ("honest", "honest")
                && from.ip() == address
                && from_beyond.ip() == HOST
        };
        assert!(honest(attack()));
        // The table and the kernel's own check each hold alone.
        let check = format!("/proc/sys/net/ipv4/conf/pv{}{}/rp_filter", machine.tag(), u32::from(own) & 0xfff);
        std::fs::write(&check, "0").unwrap();
        assert!(honest(attack()), "without the kernel's check");
        std::fs::write(&check, "1").unwrap();
        run("nft", &format!("flush chain inet pilvi_{} from_link", machine.tag()));
        assert!(honest(attack()), "without the table's");
        std::fs::write(&check, "0").unwrap();
        assert!(!honest(attack()), "the attack is none");
    });
}

#[test]
fn whoever_takes_anothers_address_gets_none_of_what_is_for_it() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let victim = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        let friend = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let attacker = network.attach(&id(3), &in_group("b", &[])).await.unwrap();
        let ((address, victims), (friends_address, friends), (_, inside)) =
            (place(&victim), place(&friend), place(&attacker));
        listen(&victims, (address, 80));
        let server = listen(&friends, (friends_address, 80));
        // It takes the address and the gateway's, tells everybody so, and speaks from there.
        within(&inside, || {
            std::fs::write("/proc/sys/net/ipv4/conf/eth0/arp_notify", "1").unwrap();
            for taken in [address, friend.gateway.unwrap(), HOST] {
                ip(&format!("addr add {taken}/32 dev eth0"));
            }
            ip("link set eth0 down");
            ip("link set eth0 up");
            ip(&format!("addr del {}/32 dev eth0", friend.gateway.unwrap()));
            ip(&format!("route add {} dev eth0 src {address}", friend.gateway.unwrap()));
            ip(&format!("route add default via {} onlink dev eth0 src {address}", friend.gateway.unwrap()));
        });
        assert!(cannot_reach(&inside, server));
        assert_eq!(reach(&victims, server).unwrap(), address);
        assert_eq!(reach(&friends, (address, 80)).unwrap(), friends_address);
        assert_eq!(reach(&machine.host, (address, 80)).unwrap(), friend.gateway.unwrap());
    });
}

#[test]
fn workloads_of_other_groups_and_of_none_are_not_reached() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let mut all = Vec::new();
        for (number, wanted) in [in_group("a", &[]), in_group("b", &[]), bridge(), bridge()].iter().enumerate() {
            let attached = network.attach(&id(u32::try_from(number).unwrap()), wanted).await.unwrap();
            let (address, inside) = place(&attached);
            all.push((listen(&inside, (address, 80)), inside));
        }
        for (own, inside) in &all {
            for (other, _) in all.iter().filter(|(other, _)| other != own) {
                assert!(cannot_reach(inside, *other), "{own} {other}");
            }
        }
    });
}

#[test]
fn another_nodes_workloads_are_not_reached() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let mut settings = machine.settings();
        (settings.tag, settings.directory) = ("ffffffff".to_owned(), machine.path("other"));
        let other = open(settings).await;
        let (_, inside) = place(&network.attach(&id(1), &in_group("a", &[])).await.unwrap());
        let attached = other.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let (address, others) = place(&attached);
        let server = listen(&others, (address, 80));
        assert!(cannot_reach(&inside, server));
        let hosts = listen(&machine.host, (attached.gateway.unwrap(), 0));
        assert!(cannot_reach(&inside, hosts));
        assert!(reach(&machine.host, server).is_ok());
    });
}

#[test]
fn nobody_beyond_the_host_reaches_a_workload_or_speaks_as_one() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let attached = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        let other = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let ((address, inside), (others_address, others)) = (place(&attached), place(&other));
        let server = listen(&inside, (address, 80));
        assert!(cannot_reach(&machine.beyond, server));
        assert!(cannot_reach(
            &machine.beyond,
            (attached.gateway.unwrap(), listen(&machine.host, (Ipv4Addr::UNSPECIFIED, 0)).port())
        ));
        let socket = receiver(&inside, (address, 0));
        let to = SocketAddrV4::new(address, socket.local_addr().unwrap().port());
        forge(&machine.beyond, others_address, to, "forged");
        forge(&machine.beyond, attached.gateway.unwrap(), to, "forged");
        send(&others, to, "honest");
        assert_eq!(received(&socket).0, "honest");
    });
}

#[test]
fn the_newer_protocol_is_no_way_around() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (address, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        let number = u32::from(address) - u32::from(network.subnet().first());
        let link = format!("pv{}{number}", machine.tag());
        assert_eq!(ip(&format!("-6 addr show dev {link}")), "");
        assert_eq!(within(&inside, || ip("-6 addr show dev eth0")), "");
        // Even where both ends have it.
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6"), "0").unwrap();
        ip(&format!("-6 addr add fd00::1/64 dev {link} nodad"));
        // They need not find each other first: that takes multicast, which is not let through.
        let ethernet = |device: &str| {
            let shown = ip(&format!("-o link show dev {device}"));
            shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
        };
        let (hosts, own) = (ethernet(&link), within(&inside, || ethernet("eth0")));
        ip(&format!("-6 neigh add fd00::2 lladdr {own} dev {link}"));
        within(&inside, || {
            std::fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "0").unwrap();
            ip("-6 addr add fd00::2/64 dev eth0 nodad");
            ip(&format!("-6 neigh add fd00::1 lladdr {hosts} dev eth0"));
        });
        let server = listen(&machine.host, "[::]:0".parse::<SocketAddr>().unwrap());
        assert!(cannot_reach(&inside, SocketAddr::new("fd00::1".parse().unwrap(), server.port())));
    });
}

#[test]
fn what_the_settings_deny_is_denied() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.denied = vec!["203.0.113.0/28".parse().unwrap()];
        let network = open(settings).await;
        let (_, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        let server = listen(&machine.beyond, (BEYOND, 0));
        assert!(cannot_reach(&inside, server));
    });
}

#[test]
fn a_workload_fills_its_share_of_the_hosts_connection_table_and_no_more() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (_, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        let other = place(&network.attach(&id(2), &bridge()).await.unwrap()).1;
        within(&inside, || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            for number in 0..network::limits::FLOWS_MAX * 2 {
                // What is refused is told by an error of the next one.
                let port = 1 + u16::try_from(number).unwrap();
                while socket.send_to(b"x", (BEYOND, port)).is_err() {}
            }
        });
        let count: u32 =
            std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").unwrap().trim().parse().unwrap();
        assert!(count <= network::limits::FLOWS_MAX + 100, "{count}");
        assert!(count > network::limits::FLOWS_MAX / 2, "{count}");
        let server = listen(&machine.beyond, (BEYOND, 0));
        assert!(reach(&other, server).is_ok(), "others have theirs");
    });
}

#[test]
fn who_flushes_every_rule_of_the_host_does_not_let_workloads_at_each_other() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let (_, inside) = place(&network.attach(&id(1), &in_group("a", &[])).await.unwrap());
        let (address, others) = place(&network.attach(&id(2), &in_group("b", &[])).await.unwrap());
        let server = listen(&others, (address, 80));
        run("nft", "flush ruleset");
        let table = format!("nft table inet pilvi_{}", machine.tag());
        let until = tokio::time::Instant::now() + PATIENCE;
        while !Network::leftovers(machine.tag()).await.unwrap().contains(&table) {
            assert!(tokio::time::Instant::now() < until, "the table never comes back");
        }
        assert!(cannot_reach(&inside, server));
        assert!(reach(&inside, listen(&machine.beyond, (BEYOND, 0))).is_ok());
    });
}

#[test]
fn a_change_after_somebody_flushed_the_table_writes_it_anew() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        // Chains and sets go, the table stays: nobody is told.
        run("nft", &format!("flush table inet pilvi_{}", machine.tag()));
        run("nft", &format!("flush map inet pilvi_{} inbound", machine.tag()));
        network.detach(&id(1)).await.unwrap();
        let (_, inside) = place(&network.attach(&id(2), &bridge()).await.unwrap());
        let server = listen(&machine.host, (Ipv4Addr::UNSPECIFIED, 0));
        assert!(cannot_reach(&inside, (HOST, server.port())));
    });
}

#[test]
fn link_local_sockets_are_not_reached_from_another_workload_of_the_same_group() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let victim = network.attach(&id(1), &in_group("a", &[])).await.unwrap();
        let attacker = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let ((address, _), (_, inside)) = (place(&victim), place(&attacker));
        victim.listeners.services.set_nonblocking(true).unwrap();
        for port in [80, 4566, 53, 64_080, 64_081, 64_082] {
            assert!(cannot_reach(&inside, (address, port)), "{port}");
        }
        // Packets for the link-local address that are sent to the other by way of the gateway.
        within(&inside, || {
            for address in ["169.254.170.2", "169.254.169.253"] {
                ip(&format!("addr del {address}/32 dev lo"));
            }
        });
        assert!(cannot_reach(&inside, victim.listeners.services_at));
        let nobody: std::io::Result<_> = victim.listeners.services.accept();
        assert_eq!(nobody.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn a_workload_in_no_network_has_nothing_to_leave_by() {
    on_machine(|machine| async move {
        let network = machine.network().await;
        let wanted = workload::Network { mode: NetworkMode::None, ..bridge() };
        let inside = network.attach(&id(1), &wanted).await.unwrap().namespace.unwrap();
        let (address, others) = place(&network.attach(&id(2), &bridge()).await.unwrap());
        let server = listen(&others, (address, 80));
        assert!(cannot_reach(&inside, server));
        assert!(within(&inside, || TcpListener::bind((address, 80))).is_err());
    });
}
