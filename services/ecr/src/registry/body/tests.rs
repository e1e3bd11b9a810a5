use std::collections::VecDeque;

use blobs::Blobs;
use proptest::prelude::*;

use super::*;
use crate::content::Content;
use crate::digest::{Algorithm, ContentDigest};

const ID: &str = "0123abcd-0123-4123-8123-0123456789ab";

/// A body that comes in these pieces, and then ends as it is said.
struct Script {
    pieces: VecDeque<Bytes>,
    end: Result<(), BodyError>,
}

impl Pieces for Script {
    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        match self.pieces.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.end.map(|()| None).map_err(Cut::Body),
        }
    }
}

fn script(pieces: &[&[u8]], end: Result<(), BodyError>) -> Script {
    Script { pieces: pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect(), end }
}

fn content() -> (tempfile::TempDir, Content) {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
    let content = Content::open(blobs, &directory.path().join("uploads")).unwrap();
    (directory, content)
}

async fn digest_of(session: Session, whole: &[u8]) -> Result<(), ContentError> {
    session.publish(ContentDigest::of(Algorithm::Sha256, whole)).await.map(drop)
}

#[tokio::test]
async fn small_pieces_are_gathered_and_large_ones_are_not_copied() {
    let (_directory, content) = content();
    let large = vec![7; BATCH_BYTES];
    let mut body = script(&[b"one", b"two", &large, &large, b"three"], Ok(()));
    let received = receive(content.session(ID).await.unwrap(), &mut body, None, &|_| ()).await;
    assert!(received.end.is_ok());
    let whole = [b"onetwo".as_slice(), &large, &large, b"three"].concat();
    digest_of(received.session.unwrap(), &whole).await.unwrap();
}

#[tokio::test]
async fn what_came_before_the_client_went_away_is_kept() {
    let (_directory, content) = content();
    let large = vec![7; BATCH_BYTES];
    let mut body = script(&[&large, b"rest"], Err(BodyError::Incomplete));
    let received = receive(content.session(ID).await.unwrap(), &mut body, None, &|_| ()).await;
    assert!(matches!(received.end, Err(Cut::Body(BodyError::Incomplete))));
    assert_eq!(received.session.unwrap().length(), BATCH_BYTES as u64 + 4);
}

#[tokio::test]
async fn no_more_is_taken_than_was_announced() {
    let (_directory, content) = content();
    for (announced, is_right) in [(6, true), (5, false), (7, false)] {
        let mut body = script(&[b"one", b"two"], Ok(()));
        let session = content.session(ID).await.unwrap().shorten(0).await.unwrap();
        let received = receive(session, &mut body, Some(announced), &|_| ()).await;
        assert_eq!(received.end.is_ok(), is_right, "{announced}");
        assert!(received.session.unwrap().length() <= announced);
    }
}

#[tokio::test]
async fn an_empty_body_adds_nothing() {
    let (_directory, content) = content();
    let received = receive(content.session(ID).await.unwrap(), &mut script(&[], Ok(())), Some(0), &|_| ()).await;
    assert!(received.end.is_ok());
    assert_eq!(received.session.unwrap().length(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_body_is_stored_as_it_came_however_it_is_cut(
        lengths in prop::collection::vec(prop_oneof![0usize..50, 1000usize..90_000, Just(BATCH_BYTES)], 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_directory, content) = content();
            let whole: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|at| (at % 251) as u8).collect();
            let mut rest = Bytes::from(whole.clone());
            let pieces = lengths.iter().map(|length| rest.split_to(*length)).collect();
            let mut body = Script { pieces, end: Ok(()) };
            let received = receive(content.session(ID).await.unwrap(), &mut body, Some(whole.len() as u64), &|_| ()).await;
            assert!(received.end.is_ok());
            digest_of(received.session.unwrap(), &whole).await.unwrap();
        });
    }
}
