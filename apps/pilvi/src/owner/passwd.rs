//! `/etc/passwd`, read as a file: a static binary cannot load the modules that the C library would ask.

use std::path::PathBuf;

/// The accounts of this machine that the file names.
#[derive(Debug, Default)]
pub(crate) struct Passwd(Vec<PasswdEntry>);

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswdEntry {
    /// Login name.
    pub(crate) name: String,
    /// User id.
    pub(crate) uid: u32,
    /// Primary group id.
    pub(crate) gid: u32,
    /// Home directory.
    pub(crate) home: PathBuf,
}

impl Passwd {
    /// The machine's accounts; none when there is no such file, as in an image made from scratch.
    pub(crate) fn read() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    /// Malformed lines are skipped, as the C library does.
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(entry).collect())
    }

    /// The account with this user id.
    pub(crate) fn by_uid(&self, uid: u32) -> Option<&PasswdEntry> {
        self.0.iter().find(|entry| entry.uid == uid)
    }

    /// The account with this name.
    pub(crate) fn by_name(&self, name: &str) -> Option<&PasswdEntry> {
        self.0.iter().find(|entry| entry.name == name)
    }

    /// The home directory of the account with this user id.
    pub(crate) fn home_of(&self, uid: u32) -> Option<PathBuf> {
        self.by_uid(uid).map(|entry| entry.home.clone()).filter(|home| home.is_absolute())
    }
}

/// `name:password:uid:gid:comment:home:shell` (passwd(5)).
fn entry(line: &str) -> Option<PasswdEntry> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
    if name.is_empty() || name.starts_with(['#', '+', '-']) {
        return None;
    }
    Some(PasswdEntry { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: home.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_id_and_name_and_bad_lines_are_skipped() {
        let passwd = Passwd::parse(
            "root:x:0:0:root:/root:/bin/bash\n# a comment:x:1:1::/:/\n\nbroken:x:one:1::/:/\nann:x:1000:1001:Ann,,,:/home/ann:/bin/fish\n+::::::\n",
        );
        assert_eq!(passwd.by_uid(1000), passwd.by_name("ann"));
        assert_eq!(passwd.by_name("ann").unwrap().gid, 1001);
        assert_eq!(passwd.home_of(1000), Some(PathBuf::from("/home/ann")));
        assert_eq!(passwd.0.len(), 2);
    }
}
