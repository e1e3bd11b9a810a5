use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use crate::support::{BEYOND, GLANCE, PATIENCE, bridge, id, in_group, on_machine, place, within};

const RESOLVER: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 169, 253), 53);

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut packet = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend(kind.to_be_bytes());
    packet.extend([0, 1]);
    packet
}

fn ask(inside: &OwnedFd, packet: &[u8]) -> Vec<u8> {
    let socket = within(inside, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
    socket.connect(RESOLVER).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(packet).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

fn ask_by_stream(inside: &OwnedFd, packet: &[u8]) -> Vec<u8> {
    within(inside, || {
        let mut stream = std::net::TcpStream::connect(RESOLVER).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(packet).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap();
        answer
    })
}

/// The addresses of an answer whose every record is one.
fn addresses(answer: &[u8], question: &[u8]) -> Vec<Ipv4Addr> {
    answer[question.len()..]
        .chunks_exact(16)
        .map(|record| Ipv4Addr::new(record[12], record[13], record[14], record[15]))
        .collect()
}

/// A name server beyond the host, which says that no name is there and counts who asks.
fn name_server(beyond: &OwnedFd) -> std::sync::mpsc::Receiver<(Vec<u8>, SocketAddr)> {
    let socket = within(beyond, || UdpSocket::bind((BEYOND, 53))).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let asked = buffer[..length].to_vec();
            let mut answer = asked.clone();
            answer[2] |= 0x80;
            answer[3] = 0x83;
            // Somebody who guesses is not believed: another question's id comes first.
            let mut forged = answer.clone();
            forged[0] ^= 0xff;
            forged[3] = 0x80;
            let _ = socket.send_to(&forged, from);
            let _ = socket.send_to(&answer, from);
            let _ = tell.send((asked, from));
        }
    });
    told
}

/// Asks without blocking the runtime, which answers.
async fn asked(inside: &std::sync::Arc<OwnedFd>, packet: Vec<u8>, stream: bool) -> Vec<u8> {
    let inside = std::sync::Arc::clone(inside);
    tokio::task::spawn_blocking(move || if stream { ask_by_stream(&inside, &packet) } else { ask(&inside, &packet) })
        .await
        .unwrap()
}

#[test]
fn those_of_a_group_find_each_other_by_name_and_nobody_else_does() {
    on_machine(|machine| async move {
        let told = name_server(&machine.beyond);
        let network = machine.network().await;
        let one = network.attach(&id(1), &in_group("a", &["Web", "one.web"])).await.unwrap();
        let two = network.attach(&id(2), &in_group("a", &["web"])).await.unwrap();
        let stranger = network.attach(&id(3), &in_group("b", &["other"])).await.unwrap();
        let ((first, inside), (second, _), (_, outside)) = (place(&one), place(&two), place(&stranger));
        for stream in [false, true] {
            let answer = asked(&inside, question("wEb", 1), stream).await;
            let mut found = addresses(&answer, &question("web", 1));
            found.sort();
            assert_eq!(found, [first, second]);
            assert_eq!(
                addresses(&asked(&inside, question("one.web", 1), stream).await, &question("one.web", 1)),
                [first]
            );
        }
        assert!(told.try_recv().is_err(), "a group's names are nobody else's business");
        assert_eq!(asked(&outside, question("web", 1), false).await[3] & 0x0f, 3, "another group's name is no name");
        network.detach(&id(2)).await.unwrap();
        assert_eq!(addresses(&asked(&inside, question("web", 1), false).await, &question("web", 1)), [first]);
    });
}

#[test]
fn other_names_are_passed_on_with_another_id_and_the_right_answer_comes_back() {
    on_machine(|machine| async move {
        let told = name_server(&machine.beyond);
        let network = machine.network().await;
        let attached = network.attach(&id(1), &bridge()).await.unwrap();
        assert_eq!(attached.resolv_conf.lines().next(), Some("nameserver 169.254.169.253"));
        let (_, inside) = place(&attached);
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..8 {
            let answer = asked(&inside, question("example.com", 1), false).await;
            assert_eq!((&answer[..2], answer[3] & 0x0f), (&[0xab, 0xcd][..], 3));
            ids.insert(told.recv_timeout(PATIENCE).unwrap().0[..2].to_vec());
        }
        assert!(ids.len() > 4, "{ids:?}");
    });
}

#[test]
fn what_is_no_honest_question_is_not_passed_on() {
    on_machine(|machine| async move {
        let told = name_server(&machine.beyond);
        let network = machine.network().await;
        let (_, inside) = place(&network.attach(&id(1), &bridge()).await.unwrap());
        for kind in [252, 255] {
            assert_eq!(asked(&inside, question("example.com", kind), false).await[3] & 0x0f, 5);
        }
        let socket = within(&inside, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
        for length in 0..12 {
            socket.send_to(&vec![0; length], RESOLVER).unwrap();
        }
        let mut loop_of_answers = question("example.com", 1);
        loop_of_answers[2] |= 0x80;
        socket.send_to(&loop_of_answers, RESOLVER).unwrap();
        // It still answers, and nothing of that was heard beyond.
        assert_eq!(asked(&inside, question("example.com", 1), false).await[3] & 0x0f, 3);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap().0[2] & 0x80, 0);
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn a_flood_of_questions_keeps_nobody_else_from_an_answer() {
    on_machine(|machine| async move {
        // Nobody answers beyond: each question waits.
        let silent = within(&machine.beyond, || UdpSocket::bind((BEYOND, 53))).unwrap();
        let network = machine.network().await;
        let flooder = place(&network.attach(&id(1), &bridge()).await.unwrap()).1;
        let (address, other) = place(&network.attach(&id(2), &in_group("a", &["me"])).await.unwrap());
        let socket = within(&flooder, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
        for number in 0..5000 {
            socket.send_to(&question(&format!("n{number}.example"), 1), RESOLVER).unwrap();
        }
        assert_eq!(addresses(&asked(&other, question("me", 1), false).await, &question("me", 1)), [address]);
        silent.set_read_timeout(Some(GLANCE)).unwrap();
        let mut heard = 0;
        let mut buffer = [0; 512];
        while silent.recv(&mut buffer).is_ok() {
            heard += 1;
        }
        assert!(heard <= network::limits::QUESTIONS_MAX * 2, "{heard}");
    });
}
