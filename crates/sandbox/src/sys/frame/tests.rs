use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::*;

fn pair() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    (one, other)
}

fn frames(incoming: &mut Incoming, socket: &UnixStream) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let FrameRead::Frame(frame) = incoming.read(socket.as_fd()).unwrap() {
        frames.push(frame);
    }
    frames
}

#[test]
fn descriptors_arrive_with_the_frame_that_they_were_sent_with() {
    let (one, other) = pair();
    let mut outgoing = Outgoing::default();
    let descriptor = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    outgoing.push(&"none", vec![]).unwrap();
    outgoing.push(&"two", vec![descriptor(), descriptor()]).unwrap();
    outgoing.push(&"none again", vec![]).unwrap();
    outgoing.push(&"one", vec![descriptor()]).unwrap();
    outgoing.write(one.as_fd()).unwrap();
    assert!(outgoing.is_empty());
    assert_eq!(outgoing.bytes(), 0);
    let arrived = frames(&mut Incoming::default(), &other);
    let counts: Vec<usize> = arrived.iter().map(|frame| frame.descriptors.len()).collect();
    assert_eq!(counts, [0, 2, 0, 1]);
    assert_eq!(arrived[1].body, b"\"two\"");
}

#[test]
fn a_frame_longer_than_the_socket_takes_goes_in_parts() {
    let (one, other) = pair();
    let mut outgoing = Outgoing::default();
    let long = "x".repeat(FRAME_BYTES_MAX - 2);
    outgoing.push(&long, vec![std::fs::File::open("/dev/null").unwrap().into()]).unwrap();
    let mut incoming = Incoming::default();
    let mut arrived = Vec::new();
    while arrived.is_empty() {
        outgoing.write(one.as_fd()).unwrap();
        arrived = frames(&mut incoming, &other);
    }
    assert_eq!(arrived[0].body.len(), FRAME_BYTES_MAX);
    assert_eq!(arrived[0].descriptors.len(), 1);
}

#[test]
fn a_frame_that_is_too_long_is_neither_sent_nor_taken() {
    let (mut one, other) = pair();
    assert!(Outgoing::default().push(&"x".repeat(FRAME_BYTES_MAX), vec![]).is_err());
    one.write_all(&u32::MAX.to_be_bytes()).unwrap();
    assert!(Incoming::default().read(other.as_fd()).is_err());
}

#[test]
fn an_end_between_frames_is_an_end_and_one_within_a_frame_an_error() {
    let (mut one, other) = pair();
    one.write_all(&[0, 0, 0, 2, b'1', b'2', 0]).unwrap();
    drop(one);
    let mut incoming = Incoming::default();
    assert!(matches!(incoming.read(other.as_fd()).unwrap(), FrameRead::Frame(_)));
    assert!(incoming.read(other.as_fd()).is_err());

    let (one, other) = pair();
    drop(one);
    assert!(matches!(Incoming::default().read(other.as_fd()).unwrap(), FrameRead::Ended));
}
