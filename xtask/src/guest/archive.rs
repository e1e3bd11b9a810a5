//! The archive that a kernel unpacks into its first root file system: cpio's `newc` form
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
/// Everything is padded to so many bytes.
const UNIT: usize = 4;

/// An archive that is being written.
pub(super) struct Archive {
    to: BufWriter<File>,
    inode: u32,
    made: BTreeSet<String>,
}

impl Archive {
    /// Begins one.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { to: BufWriter::new(file), inode: 0, made: BTreeSet::new() })
    }

    /// Adds a directory, once.
    pub(super) fn directory(&mut self, name: &str) -> Result<()> {
        if self.made.insert(name.to_owned()) { self.entry(name, DIRECTORY, 0, &mut io::empty()) } else { Ok(()) }
    }

    /// Adds a file's content.
    pub(super) fn file(&mut self, name: &str, path: &Path, executable: bool) -> Result<()> {
        let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let length = u32::try_from(file.metadata()?.len()).context("a file of 4 GiB and more does not fit")?;
        self.entry(name, if executable { PROGRAM } else { FILE }, length, &mut file)
    }

    /// Adds a file's content unless one of its name was added by this.
    pub(super) fn file_once(&mut self, name: &str, path: &Path, executable: bool) -> Result<()> {
        if self.made.insert(name.to_owned()) { self.file(name, path, executable) } else { Ok(()) }
    }

    /// Adds files where they are, with the directories above them.
    pub(super) fn with_parents(&mut self, paths: &BTreeSet<PathBuf>) -> Result<()> {
        for path in paths {
            let name = path.strip_prefix("/").unwrap_or(path);
            let mut above: Vec<_> = name.ancestors().skip(1).filter(|parent| *parent != Path::new("")).collect();
            above.reverse();
            for parent in above {
                self.directory(&parent.display().to_string())?;
            }
            self.file(&name.display().to_string(), path, true)?;
        }
        Ok(())
    }

    /// Adds a script.
    pub(super) fn script(&mut self, name: &str, text: &str) -> Result<()> {
        let length = u32::try_from(text.len()).context("a script that does not fit")?;
        self.entry(name, PROGRAM, length, &mut text.as_bytes())
    }

    /// Ends it.
    pub(super) fn finish(mut self) -> Result<()> {
        self.entry("TRAILER!!!", 0, 0, &mut io::empty())?;
        self.to.flush().context("cannot write the guest's archive")
    }

    fn entry(&mut self, name: &str, mode: u32, length: u32, content: &mut dyn io::Read) -> Result<()> {
        self.inode += 1;
        let name_length = u32::try_from(name.len() + 1)?;
        // Inode, mode, owner, group, links, time, length, device, special device (two numbers each), name, checksum.
        let fields = [self.inode, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        let mut head = String::from("070701");
        fields.iter().for_each(|field| head.push_str(&format!("{field:08X}")));
        head.push_str(name);
        head.push('\0');
        self.to.write_all(head.as_bytes())?;
        self.pad(head.len())?;
        let written = io::copy(content, &mut self.to)?;
        anyhow::ensure!(written == u64::from(length), "{name} changed while it was read");
        self.pad(usize::try_from(written)?)
    }

    fn pad(&mut self, length: usize) -> Result<()> {
        let missing = length.next_multiple_of(UNIT) - length;
        Ok(self.to.write_all(&[0; UNIT][..missing])?)
    }
}
