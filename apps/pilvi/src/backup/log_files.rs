//! The files of log events, as a backup takes them while a server writes them.
//!
//! The server is another process and goes on: it appends to active files and to lists of what is deleted, seals and
//! compacts files into new ones, and removes what those have taken the place of. So every file gets a second name at once,
//! a hard link, and is copied by that name afterwards: whatever is removed meanwhile stays there until it is copied.
//!
//! What the links of a group hold together was there at one moment, because its folder is listed before and after they are
//! made, and both lists must be the same: no name is ever used twice. Sealed files never change. Of those that grow the
//! bytes count that they had then; a batch that was half-written is cut off when the copy is opened, and none that had
//! been acknowledged is.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use segments::GroupKey;

use crate::data_dir::{DataDir, make_private_dir};

/// How often the files of a group are tried: a group changes them a few times a second at most.
const ATTEMPTS_MAX: usize = 100;
/// The longest name of a file; the store's own are half as long.
const FILE_NAME_LENGTH_MAX: usize = 128;
/// The end of the names of files that are being written: they belong to nothing yet.
const TEMPORARY: &str = ".tmp";

/// Files of log events that stay as they are until they are copied. Dropped, it gives them free.
#[derive(Debug)]
pub(super) struct LogFiles {
    /// The folder of the links, whose names are numbers.
    links: PathBuf,
    files: Vec<LogFile>,
}

/// One of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFile {
    /// `<account>/<region>/<group>/<file>`: where it is in the directory of log events.
    pub(super) path: String,
    /// How many bytes from its beginning count.
    pub(super) bytes: u64,
    link: u64,
}

impl LogFiles {
    /// The files of a data directory as they are now.
    ///
    /// # Errors
    /// When they can be neither listed nor linked: the data directory must be on one file system.
    pub(super) fn hold(dir: &DataDir) -> Result<Self> {
        let mut held = Self { links: dir.run().join("backup-logs"), files: Vec::new() };
        held.remove().context("what an earlier backup left cannot be removed")?;
        make_private_dir(&held.links)?;
        let logs = dir.logs();
        for account in folders_in(&logs)? {
            for region in folders_in(&logs.join(&account))? {
                for id in folders_in(&logs.join(&account).join(&region))? {
                    if let Some(group) = group_key(&account, &region, &id) {
                        held.hold_group(&logs, &group)
                            .with_context(|| format!("cannot hold the log events {group}"))?;
                    }
                }
            }
        }
        Ok(held)
    }

    fn hold_group(&mut self, logs: &Path, group: &GroupKey) -> Result<()> {
        let folder = logs.join(group.as_str());
        let before = self.files.len();
        for _ in 0..ATTEMPTS_MAX {
            // Nothing is left of a group that has been deleted.
            let Some(names) = files_in(&folder)? else { return Ok(()) };
            if self.link_all(&folder, group, &names)? && files_in(&folder)?.as_ref() == Some(&names) {
                return self.measure(before);
            }
            for file in self.files.split_off(before) {
                fs::remove_file(self.link(file.link))?;
            }
        }
        bail!("they have changed whenever they were looked at");
    }

    /// Answers whether all of them were still there.
    fn link_all(&mut self, folder: &Path, group: &GroupKey, names: &[String]) -> Result<bool> {
        for name in names {
            let link = self.files.last().map_or(0, |last| last.link + 1);
            match fs::hard_link(folder.join(name), self.link(link)) {
                Ok(()) => self.files.push(LogFile { path: format!("{group}/{name}"), bytes: 0, link }),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error).with_context(|| format!("cannot link {name}")),
            }
        }
        Ok(true)
    }

    fn measure(&mut self, from: usize) -> Result<()> {
        for at in from..self.files.len() {
            self.files[at].bytes = fs::metadata(self.link(self.files[at].link))?.len();
        }
        Ok(())
    }

    fn link(&self, number: u64) -> PathBuf {
        self.links.join(number.to_string())
    }

    /// The files, group by group.
    pub(super) fn files(&self) -> &[LogFile] {
        &self.files
    }

    /// Opens one of them, and tells how many bytes of it there are to be copied: fewer than counted, if what a crash had
    /// left half-written has been cut off since.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(&self, file: &LogFile) -> Result<(File, u64)> {
        let opened = File::open(self.link(file.link)).with_context(|| format!("cannot read {}", file.path))?;
        let bytes = opened.metadata()?.len().min(file.bytes);
        Ok((opened, bytes))
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.links) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for LogFiles {
    fn drop(&mut self) {
        // What stays takes room until the next backup, which removes it.
        let _ = self.remove();
    }
}

/// Whether a path is that of a file of log events: then it leads to a place in their directory, four steps down.
pub(super) fn is_log_file(path: &str) -> bool {
    let mut parts = path.split('/');
    let (Some(account), Some(region), Some(id), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    group_key(account, region, id).is_some_and(|group| path.starts_with(group.as_str())) && is_file_name(name)
}

fn group_key(account: &str, region: &str, id: &str) -> Option<GroupKey> {
    GroupKey::new(account.parse().ok()?, &region.parse().ok()?, id).ok()
}

fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let is_hidden = name.starts_with('.') || name.ends_with(TEMPORARY);
    (1..=FILE_NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(allowed) && !is_hidden
}

/// The folders in a folder; none if it is not there.
fn folders_in(folder: &Path) -> Result<Vec<String>> {
    Ok(names_in(folder, fs::FileType::is_dir)?.unwrap_or_default())
}

/// The files of a group, in order; `None` if it is not there.
fn files_in(folder: &Path) -> Result<Option<Vec<String>>> {
    let names = names_in(folder, fs::FileType::is_file)?;
    Ok(names.map(|names| names.into_iter().filter(|name| is_file_name(name)).collect()))
}

fn names_in(folder: &Path, is_wanted: fn(&fs::FileType) -> bool) -> Result<Option<Vec<String>>> {
    let listed = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_wanted = is_wanted(&entry.file_type()?);
            names.extend(entry.file_name().into_string().ok().filter(|_| is_wanted));
        }
        names.sort_unstable();
        Ok(names)
    };
    match listed() {
        Ok(names) => Ok(Some(names)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "000000000000/us-east-1/g";

    fn data_dir() -> (tempfile::TempDir, DataDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        make_private_dir(&dir.run()).unwrap();
        fs::create_dir_all(dir.logs().join(GROUP)).unwrap();
        (temp, dir)
    }

    fn content(held: &LogFiles, name: &str) -> String {
        let file = held.files().iter().find(|file| file.path == format!("{GROUP}/{name}")).unwrap();
        let (file, bytes) = held.open(file).unwrap();
        io::read_to_string(io::Read::take(file, bytes)).unwrap()
    }

    #[test]
    fn what_is_held_outlives_its_removal_and_does_not_grow() {
        let (_temp, dir) = data_dir();
        let group = dir.logs().join(GROUP);
        for name in ["0.log", "0-0-0.seg", "0.marks", "1-1-0.seg.tmp"] {
            fs::write(group.join(name), name).unwrap();
        }
        fs::create_dir_all(dir.logs().join("trash/0")).unwrap();
        fs::write(dir.logs().join("lock"), "").unwrap();
        let held = LogFiles::hold(&dir).unwrap();
        let paths: Vec<_> = held.files().iter().map(|file| file.path.rsplit('/').next().unwrap()).collect();
        assert_eq!(paths, ["0-0-0.seg", "0.log", "0.marks"]);
        fs::write(group.join("0.log"), "0.log and more").unwrap();
        fs::remove_file(group.join("0-0-0.seg")).unwrap();
        assert_eq!(
            (content(&held, "0.log"), content(&held, "0-0-0.seg")),
            ("0.log".to_owned(), "0-0-0.seg".to_owned())
        );
        fs::write(group.join("0.log"), "0").unwrap();
        assert_eq!(content(&held, "0.log"), "0");
        drop(held);
        assert!(!dir.run().join("backup-logs").exists());
    }

    #[test]
    fn a_group_is_held_as_it_was_at_one_moment_while_its_files_come_and_go() {
        let (_temp, dir) = data_dir();
        let group = dir.logs().join(GROUP);
        // Each number is in an active file, then in a sealed one too, then in that alone.
        let seal = |number: u32| {
            fs::write(group.join(format!("{number}.log")), "").unwrap();
            if let Some(last) = number.checked_sub(1) {
                fs::rename(group.join(format!("{last}.log")), group.join(format!("{last}.seg.tmp"))).unwrap();
                fs::rename(group.join(format!("{last}.seg.tmp")), group.join(format!("{last}.seg"))).unwrap();
            }
        };
        seal(0);
        let (looked, look) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let sealing = scope.spawn(move || {
                for number in 1..200 {
                    seal(number);
                    if number % 5 == 0 {
                        look.recv().unwrap();
                    }
                }
            });
            while !sealing.is_finished() {
                let held = LogFiles::hold(&dir).unwrap();
                let number = |file: &LogFile| file.path.rsplit(['/', '.']).nth(1).unwrap().parse().unwrap();
                let numbers: std::collections::BTreeSet<usize> = held.files().iter().map(number).collect();
                // While one is renamed it has no name that counts; every other one must be there.
                assert!(numbers.len() >= *numbers.last().unwrap(), "{numbers:?}");
                // The last look finds nobody who waits for it.
                let _ = looked.send(());
            }
        });
    }

    #[test]
    fn only_a_path_that_stays_below_the_directory_is_one_of_a_log_file() {
        assert!(is_log_file(&format!("{GROUP}/0000-00.seg")));
        for path in [
            "",
            "0.log",
            "000000000000/us-east-1/0.log",
            "000000000000/us-east-1/../0.log",
            "000000000000/us-east-1/g/..",
            "000000000000/us-east-1/g/.hidden",
            "000000000000/us-east-1/g/0.tmp",
            "000000000000/us-east-1/g/h/0.log",
            "000000000000/../g/0.log",
            "trash/us-east-1/g/0.log",
            "/000000000000/us-east-1/g/0.log",
        ] {
            assert!(!is_log_file(path), "{path}");
        }
    }
}
