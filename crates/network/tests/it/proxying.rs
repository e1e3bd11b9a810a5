//! Without nft.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use network::Network;
use workload::PortProtocol;

use crate::support::{
    BEYOND, HOST, accepting, bridge, cannot_reach, eventually, hear, id, in_group, ip, listen, on_machine, open, place,
    publishing, reach, received, receiver, within,
};

/// Reaches a port that this test's own process serves, so without blocking it.
async fn reached(namespace: &Arc<OwnedFd>, to: impl Into<SocketAddr>) -> std::io::Result<Ipv4Addr> {
    let (namespace, to) = (Arc::clone(namespace), to.into());
    tokio::task::spawn_blocking(move || reach(&namespace, to)).await.unwrap()
}

#[test]
fn a_published_port_is_reached_through_the_proxy() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.nft = false;
        let network = open(settings).await;
        assert!(network.what_is_missing()[0].contains("proxy"));
        let wanted = publishing(80, Some(Ipv4Addr::UNSPECIFIED), PortProtocol::Tcp);
        let attached = network.attach(&id(1), &wanted).await.unwrap();
        let (address, inside) = place(&attached);
        listen(&inside, (Ipv4Addr::UNSPECIFIED, 80));
        let port = attached.ports[0].host_port;
        for (from, to) in [(&machine.host, Ipv4Addr::LOCALHOST), (&machine.host, HOST), (&machine.beyond, HOST)] {
            assert_eq!(reached(from, (to, port)).await.unwrap(), address, "the proxy connects from inside");
        }
        network.detach(&id(1)).await.unwrap();
        eventually(|| cannot_reach(&machine.host, (Ipv4Addr::LOCALHOST, port)));
    });
}

#[test]
fn datagrams_go_through_the_proxy_and_answers_find_back() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.nft = false;
        let network = open(settings).await;
        let attached = network.attach(&id(1), &publishing(53, None, PortProtocol::Udp)).await.unwrap();
        let (address, inside) = place(&attached);
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, attached.ports[0].host_port));
        let server = receiver(&inside, (address, 53));
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, peer)) = server.recv_from(&mut buffer) {
                let said = String::from_utf8_lossy(&buffer[..length]);
                server.send_to(format!("{said}, too").as_bytes(), peer).unwrap();
            }
        });
        for name in ["one", "two"] {
            let client = receiver(&machine.host, (Ipv4Addr::UNSPECIFIED, 0));
            for word in ["a", "b"] {
                client.send_to(format!("{name} {word}").as_bytes(), to).unwrap();
                let client = client.try_clone().unwrap();
                let answer = tokio::task::spawn_blocking(move || received(&client)).await.unwrap();
                assert_eq!(answer, (format!("{name} {word}, too"), to));
            }
        }
    });
}

#[test]
fn without_nft_nothing_is_wired_so_nothing_gets_out_or_across() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.nft = false;
        let network = open(settings).await;
        let attached = network.attach(&id(1), &in_group("a", &["me"])).await.unwrap();
        let other = network.attach(&id(2), &in_group("a", &[])).await.unwrap();
        let ((_, inside), (others_address, others)) = (place(&attached), place(&other));
        let server = listen(&others, (others_address, 80));
        assert!(cannot_reach(&inside, server));
        assert!(cannot_reach(&inside, listen(&machine.beyond, (BEYOND, 0))));
        assert!(cannot_reach(&inside, (HOST, listen(&machine.host, (Ipv4Addr::UNSPECIFIED, 0)).port())));
        accepting(attached.listeners.services, "here");
        assert_eq!(hear(&inside, attached.listeners.services_at.into()).unwrap(), "here");
        assert_eq!(within(&inside, || ip("-o link show up")).lines().count(), 1);
        assert!(network.connect(&id(2), 80).await.is_ok());
        network.purge().await.unwrap();
        assert_eq!(Network::leftovers(machine.tag()).await.unwrap(), [""; 0]);
    });
}

#[test]
fn a_port_in_use_is_refused_by_the_proxy_too() {
    on_machine(|machine| async move {
        let mut settings = machine.settings();
        settings.nft = false;
        let network = open(settings).await;
        let attached = network.attach(&id(1), &publishing(80, None, PortProtocol::Tcp)).await.unwrap();
        let mut wanted = bridge();
        wanted.ports = publishing(80, None, PortProtocol::Tcp).ports;
        wanted.ports[0].host_port = attached.ports[0].host_port;
        assert!(network.attach(&id(2), &wanted).await.is_err());
        network.detach(&id(1)).await.unwrap();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, wanted.ports[0].host_port));
        eventually(|| within(&machine.host, || std::net::TcpListener::bind(free)).is_ok());
        network.attach(&id(2), &wanted).await.unwrap();
    });
}
