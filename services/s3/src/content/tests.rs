use std::sync::Arc;
use std::time::Duration;

use base::SeededRng;
use tempfile::TempDir;

use super::*;
use crate::checksum::{self, Algorithm};

fn content() -> (TempDir, Content) {
    let directory = TempDir::new().unwrap();
    let files = Files::open_root(directory.path(), Arc::new(SeededRng::new(5))).unwrap();
    (directory, Content::new(files))
}

fn announced() -> Announced {
    Announced { bytes_max: 10 << 20, ..Announced::default() }
}

async fn taken(content: &Content, announced: Announced, bytes: &[u8]) -> Result<Received, Error> {
    content.intake(announced)?.take(wire::Content::bytes(bytes.to_vec()).into_reader()).await
}

async fn given(content: &Content, data: &Data, span: Span) -> Option<Vec<u8>> {
    let given = content.give(data, span).await.unwrap()?;
    assert_eq!(given.length(), Some(span.length));
    Some(given.into_reader().read_to_end(usize::MAX).await.unwrap().to_vec())
}

fn file_count(content: &Content) -> usize {
    (0..=255).map(|directory| content.files.settled(directory, Duration::ZERO).unwrap().len()).sum()
}

fn bytes_of(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_every_size_comes_back_with_its_sums() {
    let (_directory, content) = content();
    for size in [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 512 * 1024, 3 * 1024 * 1024 + 7] {
        let bytes = bytes_of(size);
        for algorithm in Algorithm::ALL {
            let received =
                taken(&content, Announced { algorithm: Some(algorithm), ..announced() }, &bytes).await.unwrap();
            assert_eq!(matches!(received.data, Data::Inline(_)), size <= INLINE_BYTES_MAX);
            assert_eq!((received.size, received.data.size()), (size as u64, size as u64));
            assert_eq!(received.md5, checksum::md5_of(&bytes));
            assert_eq!(received.checksum, Some((algorithm, checksum::of(algorithm, &bytes))));
            assert_eq!(given(&content, &received.data, Span::all(size as u64)).await.unwrap(), bytes);
            content.discard(&received.data).await;
        }
    }
    assert_eq!(file_count(&content), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_announced_leaves_nothing() {
    let (_directory, content) = content();
    for size in [10, 100_000, 2_000_000] {
        let bytes = bytes_of(size);
        let md5 = STANDARD.encode([7; 16]);
        let wrong = taken(&content, Announced { md5: Some(md5), ..announced() }, &bytes).await;
        assert!(matches!(wrong, Err(Error::BadMd5 { .. })));
        let sums = vec![(Algorithm::Crc32, "AAAAAA==".to_owned())];
        let wrong = taken(&content, Announced { checksums: sums, ..announced() }, &bytes).await;
        assert!(matches!(wrong, Err(Error::BadChecksum(Algorithm::Crc32))));
        let wrong = taken(&content, Announced { bytes_max: 9, ..announced() }, &bytes).await;
        assert!(matches!(wrong, Err(Error::EntityTooLarge { max: 9, .. })));
    }
    assert_eq!(file_count(&content), 0);
}

#[tokio::test]
async fn announcements_that_cannot_be_are_refused_before_anything_is_read() {
    let (_directory, content) = content();
    let crc = |algorithm: Algorithm| (algorithm, STANDARD.encode(checksum::of(algorithm, b"x")));
    let two = vec![crc(Algorithm::Crc32), crc(Algorithm::Sha1)];
    assert!(matches!(content.intake(Announced { checksums: two, ..announced() }), Err(Error::InvalidRequest(_))));
    let other = Announced { checksums: vec![crc(Algorithm::Crc32)], algorithm: Some(Algorithm::Sha1), ..announced() };
    assert!(matches!(content.intake(other), Err(Error::InvalidRequest(_))));
    let no_sum = vec![(Algorithm::Crc32, "AA==".to_owned())];
    let refused = content.intake(Announced { checksums: no_sum, ..announced() });
    assert!(matches!(refused, Err(Error::InvalidChecksum(Algorithm::Crc32))));
    assert!(matches!(
        content.intake(Announced { md5: Some("x".to_owned()), ..announced() }),
        Err(Error::InvalidMd5(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_outlives_its_source_and_a_reader_its_object() {
    let (_directory, content) = content();
    let bytes = bytes_of(100_000);
    let mut pieces = Vec::new();
    for part in [&bytes[..40_000], &bytes[40_000..90_000], &bytes[90_000..]] {
        let Data::Files(files) = taken(&content, announced(), part).await.unwrap().data else { panic!("not files") };
        pieces.extend(files);
    }
    let source = Data::Files(pieces);
    let copy = content.duplicate(&source).await.unwrap().unwrap();
    let span = Span { start: 39_990, length: 50_020 };
    let reading = content.give(&source, span).await.unwrap().unwrap();
    content.discard(&source).await;
    assert_eq!(file_count(&content), 6, "whoever reads keeps all of it");
    let read = reading.into_reader().read_to_end(usize::MAX).await.unwrap();
    assert_eq!(read, bytes[39_990..90_010]);
    content.discard(&source).await;
    assert_eq!(file_count(&content), 3);
    assert_eq!(given(&content, &source, span).await, None);
    assert_eq!(content.duplicate(&source).await.unwrap(), None);
    assert_eq!(given(&content, &copy, Span::all(100_000)).await.unwrap(), bytes);
}

#[test]
fn data_is_written_shortly_and_read_again() {
    for data in [
        Data::Inline(Bytes::from_static(b"hello")),
        Data::Files(vec![Piece { file: "00112233445566778899aabbccddeeff".parse().unwrap(), size: 7 }]),
    ] {
        let text = serde_json::to_string(&data).unwrap();
        assert_eq!(serde_json::from_str::<Data>(&text).unwrap(), data, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_record_may_name_all_the_same_is_not_discarded() {
    let (_directory, content) = content();
    let data = taken(&content, announced(), &bytes_of(20_000)).await.unwrap().data;
    let uncertain = Error::Store(store::StoreError::Uncertain { reason: "the disk went away".to_owned() });
    content.discard_after(&uncertain, &data).await;
    assert_eq!(file_count(&content), 1);
    content.discard_after(&Error::PreconditionFailed("If-Match"), &data).await;
    assert_eq!(file_count(&content), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_before_a_record_may_name_the_files_leaves_none() {
    let (_directory, content) = content();
    let take = || async { content.unrecorded(&taken(&content, announced(), &bytes_of(20_000)).await.unwrap().data) };
    let unrecorded = take().await;
    std::thread::spawn(move || drop(unrecorded)).join().unwrap();
    assert_eq!(file_count(&content), 0);
    drop(take().await);
    while file_count(&content) > 0 {
        tokio::task::yield_now().await;
    }
    take().await.release();
    assert_eq!(file_count(&content), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_of_what_is_there_are_those_of_what_came() {
    let (_directory, content) = content();
    for size in [0, 100, 20_000, 700_000] {
        let bytes = bytes_of(size);
        let data = taken(&content, announced(), &bytes).await.unwrap().data;
        for algorithm in Algorithm::ALL {
            let expected = checksum::of(algorithm, &bytes);
            assert_eq!(content.sum(&data, algorithm).await.unwrap(), expected);
            assert_eq!(content.sums(&data, algorithm).await.unwrap(), (checksum::md5_of(&bytes), expected));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_checksums_after_the_content_none_is_computed() {
    let (_directory, content) = content();
    let received = taken(&content, announced(), &bytes_of(20_000)).await.unwrap();
    // Whoever reads it now finds that it has gone.
    content.discard(&received.data).await;
    let trailers = |algorithms: &[Algorithm]| {
        let trailer = |algorithm: &Algorithm| {
            let value = STANDARD.encode(checksum::of(*algorithm, &bytes_of(20_000)));
            (format!("x-amz-checksum-{}", algorithm.as_str().to_lowercase()), value)
        };
        algorithms.iter().map(trailer).collect::<wire::content::Trailers>()
    };
    let intake = content.intake(announced()).unwrap();
    let one = intake.checked(received.clone(), &trailers(&[Algorithm::Sha1])).await;
    assert!(matches!(one, Err(Error::Internal(_))), "{one:?}");
    let two = intake.checked(received.clone(), &trailers(&[Algorithm::Sha1, Algorithm::Sha256])).await;
    assert!(matches!(two, Err(Error::InvalidRequest(_))), "{two:?}");
    let before = vec![(Algorithm::Crc32, STANDARD.encode(checksum::of(Algorithm::Crc32, &bytes_of(20_000))))];
    let intake = content.intake(Announced { checksums: before, ..announced() }).unwrap();
    let both = intake.checked(received, &trailers(&[Algorithm::Sha1])).await;
    assert!(matches!(both, Err(Error::InvalidRequest(_))), "{both:?}");
}
