use std::io::Write as _;

use super::*;

fn file(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Arc::new(file)
}

async fn read(content: Content) -> Vec<u8> {
    content.into_reader().read_to_end(1 << 20).await.unwrap().to_vec()
}

#[tokio::test]
async fn parts_of_files_are_read_one_after_the_other() {
    let (one, other) = (file(b"0123456789"), file(b"abcdef"));
    let part = |file: &Arc<File>, range| FileRange { file: file.clone(), range };
    let content = Content::files(vec![part(&one, 2..5), part(&other, 3..3), part(&other, 0..6), part(&one, 9..10)]);
    assert_eq!(content.length(), Some(10));
    assert_eq!(read(content).await, b"234abcdef9");
}

#[tokio::test]
async fn a_content_gives_its_bytes_once() {
    let content = Content::bytes("all of it");
    let again = content.clone();
    assert_eq!((read(content).await, read(again).await), (b"all of it".to_vec(), Vec::new()));
    assert_eq!(read(Content::empty()).await, b"");
}

#[tokio::test]
async fn what_is_longer_than_its_taker_wants_is_refused_before_and_while_it_is_read() {
    let mut reader = Content::bytes("123456").into_reader();
    assert_eq!(reader.read_to_end(5).await, Err(ContentError::TooLarge));
    let mut reader = ContentReader::new(Content::bytes("123456").take(), None);
    assert_eq!(reader.read_to_end(5).await, Err(ContentError::TooLarge));
}

#[tokio::test]
async fn a_file_that_is_shorter_than_it_was_is_an_error_that_lasts() {
    let part = FileRange { file: file(b"short"), range: 0..9 };
    let mut reader = Content::files(vec![part]).into_reader();
    assert_eq!(reader.next().await, Err(ContentError::Unreadable));
    assert_eq!(reader.next().await, Err(ContentError::Unreadable));
}
