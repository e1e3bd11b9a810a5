use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use super::*;

const LEAST: u64 = 64 * 1024;

fn workload() -> (tempfile::TempDir, std::fs::File) {
    let directory = tempfile::tempdir().unwrap();
    let opened = std::fs::File::open(directory.path()).unwrap();
    (directory, opened)
}

fn text(pieces: &Pieces) -> String {
    pieces.pieces.iter().map(|piece| String::from_utf8_lossy(&piece.data).into_owned()).collect()
}

fn files(directory: &tempfile::TempDir) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory.path().join("output/app")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_written_is_read_with_its_stream_time_and_position() {
    let (_directory, workload) = workload();
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    writer.write(Stream::Output, 7, b"one\n");
    writer.write(Stream::Errors, 8, b"two");
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    let read = reader.read(0, 1000).unwrap();
    let [one, two] = &read.pieces[..] else { panic!("{read:?}") };
    assert_eq!(*one, Piece { stream: Stream::Output, at_ns: 7, position: 0, lost: 0, data: b"one\n".to_vec() });
    assert_eq!(*two, Piece { stream: Stream::Errors, at_ns: 8, position: 4, lost: 0, data: b"two".to_vec() });
    assert!(!one.is_partial() && two.is_partial());
    assert_eq!(read.next, 7);
    assert_eq!(reader.read(7, 1000).unwrap(), Pieces { pieces: vec![], next: 7 });
    writer.write(Stream::Output, 9, b"three");
    assert_eq!(text(&reader.read(7, 1000).unwrap()), "three");
    assert_eq!(reader.end().unwrap(), writer.position());
}

#[test]
fn reading_begins_and_ends_in_the_middle_of_a_record() {
    let (_directory, workload) = workload();
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    writer.write(Stream::Output, 1, b"0123456789");
    writer.write(Stream::Output, 1, b"abc");
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    let read = reader.read(3, 4).unwrap();
    assert_eq!((text(&read).as_str(), read.next), ("3456", 7));
    let read = reader.read(7, 4).unwrap();
    assert_eq!((text(&read).as_str(), read.next), ("789a", 11));
    assert_eq!(text(&reader.read(0, 2).unwrap()), "01");
}

#[test]
fn nothing_is_read_where_nothing_was_printed() {
    let (_directory, workload) = workload();
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    assert_eq!(reader.read(5, 10).unwrap(), Pieces { pieces: vec![], next: 5 });
    assert_eq!((reader.end().unwrap(), reader.tail_lines(3).unwrap()), (0, 0));
    assert!(Reader::open(workload.as_fd(), "../app").is_err());
}

#[test]
fn the_disk_holds_no_more_than_was_asked_for_and_what_is_lost_is_counted_exactly() {
    let (directory, workload) = workload();
    let bytes_max = 256 * 1024;
    let mut writer = Writer::open(workload.as_fd(), "app", bytes_max).unwrap();
    let mut printed = 0;
    for number in 0..3000_u64 {
        let line = format!("{number} {}\n", "x".repeat((number * 37 % 1500) as usize));
        writer.write(Stream::Output, number, line.as_bytes());
        printed += line.len() as u64;
        let kept: u64 = files(&directory).iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(kept <= bytes_max, "{kept}");
    }
    assert_eq!(writer.position(), printed);
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    let read = reader.read(0, usize::MAX).unwrap();
    let lost: u64 = read.pieces.iter().map(|piece| piece.lost).sum();
    let left: u64 = read.pieces.iter().map(|piece| piece.data.len() as u64).sum();
    assert_eq!(lost + left, printed);
    assert!(left > bytes_max / 2);
    assert!(text(&read).ends_with("x\n"));
    assert_eq!(read.next, printed);
}

#[test]
fn a_reader_that_is_overtaken_goes_on_with_what_is_left() {
    let (_directory, workload) = workload();
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    writer.write(Stream::Output, 1, b"first\n");
    assert_eq!(text(&reader.read(0, 3).unwrap()), "fir");
    for _ in 0..1000 {
        writer.write(Stream::Output, 1, &[b'x'; 1000]);
    }
    // The segment is removed, but this reader has it open.
    let mut next = 3;
    let (mut lost, mut left) = (0, 0);
    loop {
        let read = reader.read(next, 10_000).unwrap();
        if read.pieces.is_empty() {
            break;
        }
        lost += read.pieces.iter().map(|piece| piece.lost).sum::<u64>();
        left += read.pieces.iter().map(|piece| piece.data.len() as u64).sum::<u64>();
        next = read.next;
    }
    assert_eq!(3 + lost + left, writer.position());
    assert!(lost > 0 && left > 0);
}

#[test]
fn positions_go_on_when_a_container_is_made_anew() {
    let (_directory, workload) = workload();
    for turn in 0..3 {
        let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
        assert_eq!(writer.position(), turn * 6);
        writer.write(Stream::Output, 1, b"hello\n");
    }
    // One that prints nothing leaves no trace.
    Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    assert_eq!(text(&reader.read(0, 1000).unwrap()), "hello\nhello\nhello\n");
}

#[test]
fn what_a_killed_shim_was_about_to_write_is_cut_off() {
    let (directory, workload) = workload();
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    writer.write(Stream::Output, 1, b"whole\n");
    writer.write(Stream::Output, 1, b"half of it\n");
    let file = std::fs::OpenOptions::new().write(true).open(&files(&directory)[0]).unwrap();
    file.set_len(file.metadata().unwrap().len() - 4).unwrap();
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    assert_eq!(text(&reader.read(0, 1000).unwrap()), "whole\n");
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    assert_eq!(writer.position(), 6);
    writer.write(Stream::Output, 1, b"next\n");
    assert_eq!(text(&reader.read(6, 1000).unwrap()), "next\n");
    // Zeros, which a loss of power leaves, are no records.
    let last = std::fs::OpenOptions::new().write(true).open(files(&directory).last().unwrap()).unwrap();
    last.write_all_at(&[0; 100], last.metadata().unwrap().len()).unwrap();
    assert_eq!(reader.read(11, 1000).unwrap().pieces, []);
    assert_eq!(Writer::open(workload.as_fd(), "app", LEAST).unwrap().position(), 11);
}

#[test]
fn the_last_lines_are_found_across_segments_and_unended_lines_count() {
    let (_directory, workload) = workload();
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    for number in 0..2000 {
        writer.write(Stream::Output, 1, format!("line {number:04}\n").as_bytes());
    }
    let mut reader = Reader::open(workload.as_fd(), "app").unwrap();
    let tail = |reader: &mut Reader, lines| {
        let from = reader.tail_lines(lines).unwrap();
        text(&reader.read(from, usize::MAX).unwrap())
    };
    assert_eq!(tail(&mut reader, 0), "");
    assert_eq!(tail(&mut reader, 1), "line 1999\n");
    assert_eq!(tail(&mut reader, 1500).lines().count(), 1500);
    assert!(tail(&mut reader, 1500).starts_with("line 0500\n"));
    let everything = tail(&mut reader, u64::MAX);
    assert!(everything.lines().count() > 1500);
    writer.write(Stream::Output, 1, b"not ended");
    assert_eq!(tail(&mut reader, 2), "line 1999\nnot ended");
}

#[test]
fn a_directory_that_refuses_files_costs_output_and_nothing_else() {
    let (directory, workload) = workload();
    let mut writer = Writer::open(workload.as_fd(), "app", LEAST).unwrap();
    writer.write(Stream::Output, 1, b"kept\n");
    // What a full disk does to a new segment, a name that is taken does as well.
    let taken = directory.path().join("output/app").join(segment_name(LEAST / 8 + 5));
    std::fs::create_dir(&taken).unwrap();
    writer.write(Stream::Output, 1, &vec![b'x'; 3 * LEAST as usize]);
    writer.write(Stream::Output, 1, b"after\n");
    assert_eq!(writer.position(), 5 + 3 * LEAST + 6);
}
