use std::io::Write as _;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Two ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (one, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (one, (other, _)) = (one.unwrap(), accepted.unwrap());
    other.writable().await.unwrap();
    (one, other)
}

fn file(text: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    Arc::new(file)
}

fn slices<'a>(pieces: &'a [&'a [u8]]) -> Vec<IoSlice<'a>> {
    pieces.iter().map(|piece| IoSlice::new(piece)).collect()
}

/// Whether a write of these pieces is refused.
fn is_refused(windows: &Windows, pieces: &[&[u8]]) -> bool {
    windows.first_placeholder(&slices(pieces)).is_err()
}

#[tokio::test]
async fn a_part_is_sent_in_the_place_of_its_placeholder() {
    let (mut client, server) = pair().await;
    let windows = Windows::default();
    let placeholder = windows.open(file(b"0123456789"), 2, 5);
    assert_eq!(placeholder.len(), 5);
    let pieces: [&[u8]; 3] = [b"head ", b"and ", &placeholder];
    let write = slices(&pieces);
    assert_eq!(windows.first_placeholder(&write).unwrap(), Some(2));
    assert_eq!(windows.send(&server, &write[..2]).unwrap(), 14);
    assert_eq!(windows.first_placeholder(&slices(&[b"next"])).unwrap(), None);
    drop(server);
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "head and 23456");
}

#[tokio::test]
async fn a_file_that_cannot_be_handed_to_a_socket_is_copied() {
    // Files of proc have no pages that could be handed on.
    let limits = std::fs::read("/proc/self/limits").unwrap();
    let (mut client, server) = pair().await;
    let windows = Windows::default();
    let placeholder = windows.open(Arc::new(File::open("/proc/self/limits").unwrap()), 10, limits.len() - 10);
    let mut rest = &placeholder[..];
    while !rest.is_empty() {
        assert_eq!(windows.first_placeholder(&slices(&[rest])).unwrap(), Some(0));
        rest = &rest[windows.send(&server, &[]).unwrap()..];
    }
    drop(server);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, limits[10..]);
}

#[test]
fn a_write_without_the_placeholder_that_is_due_is_refused() {
    let windows = Windows::default();
    let first = windows.open(file(b"0123456789"), 0, 10);
    assert!(is_refused(&windows, &[b"head"]), "the placeholder was left out");
    assert!(is_refused(&windows, &[&[&b"head"[..], &first].concat()]), "its bytes were copied");
    assert!(is_refused(&windows, &[&[0; 10]]), "its bytes were copied");
    assert!(is_refused(&windows, &[&first[1..]]), "it is said to have come further than it has");
    assert!(is_refused(&windows, &[&first[..9]]), "it has become shorter");
    assert!(is_refused(&windows, &[&first[..4], b"-", &first[4..]]), "something came between");
    assert!(is_refused(&windows, &[&first, &first]), "it comes twice");
    let second = windows.open(file(b"9876543210"), 0, 10);
    assert!(is_refused(&windows, &[&first]), "the second was left out");
    assert!(is_refused(&windows, &[&second, &first]), "they changed places");
    assert!(is_refused(&windows, &[&second]), "the first was left out");
    assert_eq!(windows.first_placeholder(&slices(&[b"head", &first, &second])).unwrap(), Some(1));
}

#[tokio::test]
async fn a_placeholder_that_was_sent_is_not_known_any_more() {
    let (_client, server) = pair().await;
    let windows = Windows::default();
    let placeholder = windows.open(file(b"0123456789"), 0, 10);
    assert_eq!(windows.send(&server, &[]).unwrap(), 10);
    assert!(is_refused(&windows, &[&placeholder]));
}

#[tokio::test]
async fn a_file_that_has_become_shorter_is_an_error() {
    let (_client, server) = pair().await;
    let (windows, short) = (Windows::default(), file(b"0123456789"));
    let _placeholder = windows.open(short.clone(), 0, 10);
    short.set_len(4).unwrap();
    assert_eq!(windows.send(&server, &[]).unwrap(), 4);
    assert_eq!(windows.send(&server, &[]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn no_placeholder_is_longer_than_its_region() {
    let windows = Windows::default();
    let empty = file(b"");
    for _ in 0..3 * PLACES {
        assert_eq!(windows.open(empty.clone(), 0, usize::MAX).len(), WINDOW_BYTES_MAX);
    }
}
