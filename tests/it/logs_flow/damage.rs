//! A byte of a sealed file that is not what was written.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base::{Rng, SeededRng};
use tests::program::{LIMIT, until};
use tests::{Options, Server};

use super::{batch, call, figure, make, messages};
use crate::security::now;

/// More than an active file holds, which is 8 MiB: so many batches of so many lines, each of a kilobyte.
const BATCHES: usize = 14;
const LINES: usize = 950;
const LINE_BYTES: usize = 1000;

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn sealed(server: &Server) -> Option<PathBuf> {
    files(&server.data_dir().join("logs")).into_iter().find(|file| file.extension().is_some_and(|end| end == "seg"))
}

#[test]
fn damage_to_a_sealed_file_costs_what_it_hits_and_is_told() {
    let mut server = Server::start(Options::default());
    let account = server.account();
    make(&server, &account, "shop", &["web", "later"]);
    let rng = SeededRng::new(3);
    let mut written = Vec::new();
    for number in 0..BATCHES {
        // Noise, so that compression leaves the file about its size.
        let letter = || char::from(b'!' + u8::try_from(rng.next_u64() % 90).unwrap());
        let noise = || (0..LINE_BYTES).map(|_| letter()).collect::<String>();
        let lines: Vec<String> = (0..LINES).map(|line| format!("{:05} {}", number * LINES + line, noise())).collect();
        call(&server, &account, "PutLogEvents", &batch("shop", "web", now().as_millis(), &lines));
        written.extend(lines);
    }
    let file = until(LIMIT, || sealed(&server)).expect("a full file is sealed");
    assert_eq!(messages(&server, &account, "shop", "web"), written);
    assert!(server.stop().success());

    let bytes = fs::File::options().read(true).write(true).open(&file).unwrap();
    let (mut byte, place) = ([0], bytes.metadata().unwrap().len() / 2);
    bytes.read_exact_at(&mut byte, place).unwrap();
    bytes.write_all_at(&[byte[0] ^ 0x40], place).unwrap();
    server.up();

    let left = messages(&server, &account, "shop", "web");
    assert!(left.len() < written.len() && left.len() > written.len() / 2, "{} of {}", left.len(), written.len());
    let mut rest = written.iter();
    assert!(left.iter().all(|message| rest.any(|other| other == message)), "what is left is whole and in order");
    let log = server.log();
    let told = log.lines().find(|line| line.contains("a file of events is damaged"));
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(told.is_some_and(|line| line.contains(name)), "the damage to {name} is not in the log:\n{log}");
    assert_eq!(figure(&server, "pilvi_log_corruptions{kind=\"block\"}"), 1);
    call(&server, &account, "PutLogEvents", &batch("shop", "later", now().as_millis(), &["goes on".to_owned()]));
    assert_eq!(messages(&server, &account, "shop", "later"), ["goes on"]);
}
