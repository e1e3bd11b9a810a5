//! Whose a data directory is, and acting as that user.
//!
//! The server never runs as root: it runs as the owner of its data directory. That is the person behind `sudo`, the
//! system user `pilvi` under plain root, and the caller otherwise; a directory that has an owner keeps it. Whatever
//! root does within such a directory it does with the owner's rights ([`Owner::act`]), or a link put there by a
//! captured server would have root write where it points.

mod passwd;
mod process;
mod system_user;

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{Gid, Uid};
use rustix::process::{getegid, geteuid, getgroups, getuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

pub(crate) use passwd::{Passwd, PasswdEntry};
pub(crate) use process::own_command;

/// Where the state of a Pilvi that plain root starts is kept.
pub(crate) const SYSTEM_DATA_DIR: &str = "/var/lib/pilvi";

/// The user that a data directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// User id, never 0.
    pub(crate) uid: u32,
    /// Primary group id.
    pub(crate) gid: u32,
    /// Name for messages: the login name, or `uid 1234`.
    pub(crate) name: String,
}

impl Owner {
    fn of(entry: &PasswdEntry) -> Self {
        Self { uid: entry.uid, gid: entry.gid, name: entry.name.clone() }
    }

    /// The owner of a directory whose metadata tells these ids. The group is the user's own where the user is known.
    pub(crate) fn of_directory(uid: u32, gid: u32, passwd: &Passwd) -> Self {
        match passwd.by_uid(uid) {
            Some(entry) => Self::of(entry),
            None => Self { uid, gid, name: format!("uid {uid}") },
        }
    }

    /// Whether the process already runs as this user.
    pub(crate) fn is_caller(&self) -> bool {
        geteuid().as_raw() == self.uid
    }

    /// Runs `action` with this user's rights on files, and none beside. Only the calling thread changes, and no process
    /// may be started meanwhile.
    ///
    /// # Errors
    /// When the process may not become that user, as in a user namespace that does not map it.
    pub(crate) fn act<T>(&self, action: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_caller() {
            return action();
        }
        let assumed = Assumed::assume(self)
            .with_context(|| format!("cannot act as {} (is uid {} mapped in this namespace?)", self.name, self.uid))?;
        let outcome = action();
        drop(assumed);
        outcome
    }
}

/// Root's thread while it has another user's effective ids. Real and saved ids stay root's, so dropping it leads back.
struct Assumed {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Assumed {
    fn assume(owner: &Owner) -> io::Result<Self> {
        let groups = getgroups()?;
        set_thread_groups(&[])?;
        // From here on a failure drops `before`, which restores what was changed.
        let before = Self { uid: geteuid(), gid: getegid(), groups };
        set_thread_res_gid(None, Gid::from_raw(owner.gid), None)?;
        set_thread_res_uid(None, Uid::from_raw(owner.uid), None)?;
        Ok(before)
    }
}

impl Drop for Assumed {
    fn drop(&mut self) {
        let restored = set_thread_res_uid(None, self.uid, None)
            .and_then(|()| set_thread_res_gid(None, self.gid, None))
            .and_then(|()| set_thread_groups(&self.groups));
        if restored.is_err() {
            // Going on with a mixture of two users' rights is worse than ending.
            std::process::abort();
        }
    }
}

/// Who called the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody who is not root.
    Person { uid: u32, gid: u32 },
    /// Root, on behalf of somebody who is not (SUDO_UID).
    Sudo { uid: u32, gid: u32 },
    /// Root itself.
    Root,
}

impl Caller {
    /// # Errors
    /// When the program is installed setuid, which would let its caller's environment steer another user's rights, or
    /// when sudo's variables are malformed.
    pub(crate) fn detect() -> Result<Self> {
        if getuid() != geteuid() {
            bail!("pilvi must not be installed setuid; it drops root's rights by itself");
        }
        let variable = |name: &str| std::env::var(name).ok();
        Self::from_parts(geteuid().as_raw(), getegid().as_raw(), variable("SUDO_UID"), variable("SUDO_GID"))
    }

    fn from_parts(uid: u32, gid: u32, sudo_uid: Option<String>, sudo_gid: Option<String>) -> Result<Self> {
        if uid != 0 {
            return Ok(Self::Person { uid, gid });
        }
        let Some(sudo_uid) = sudo_uid else { return Ok(Self::Root) };
        let id = |name: &str, text: &str| text.parse::<u32>().with_context(|| format!("{name}={text} is not an id"));
        let uid = id("SUDO_UID", &sudo_uid)?;
        if uid == 0 {
            return Ok(Self::Root);
        }
        let gid = sudo_gid.map_or(Ok(uid), |text| id("SUDO_GID", &text))?;
        Ok(Self::Sudo { uid, gid })
    }

    /// Whether the caller has root's rights.
    pub(crate) fn is_root(&self) -> bool {
        !matches!(self, Self::Person { .. })
    }

    /// Whom a new data directory belongs to. Under plain root that is the user `pilvi`, made if it is missing.
    ///
    /// # Errors
    /// When that user cannot be made.
    pub(crate) fn owner_of_a_new_directory(&self, passwd: &Passwd) -> Result<Owner> {
        match *self {
            Self::Person { uid, gid } | Self::Sudo { uid, gid } => Ok(Owner::of_directory(uid, gid, passwd)),
            Self::Root => system_user::find_or_make(passwd).map(|entry| Owner::of(&entry)),
        }
    }

    /// Where this caller's data is kept when no directory is named.
    ///
    /// # Errors
    /// When the caller has no home directory.
    pub(crate) fn default_data_dir(&self, passwd: &Passwd) -> Result<PathBuf> {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match *self {
            Self::Root => Some(PathBuf::from(SYSTEM_DATA_DIR)),
            Self::Person { uid, .. } => {
                let home = || variable("HOME").or_else(|| passwd.home_of(uid));
                variable("XDG_DATA_HOME").or_else(|| home().map(below_home)).map(|dir| dir.join("pilvi"))
            }
            Self::Sudo { uid, .. } => {
                // sudo may have left root's own variable in place: it counts only where it leads to the person's files.
                let theirs = |path: &PathBuf| owner_uid(path) == Some(uid);
                let configured = variable("XDG_DATA_HOME").filter(theirs);
                configured.or_else(|| passwd.home_of(uid).map(below_home)).map(|dir| dir.join("pilvi"))
            }
        }
        .context("no home directory is known for you: name a data directory with --data-dir")
    }
}

fn below_home(home: PathBuf) -> PathBuf {
    home.join(".local/share")
}

fn owner_uid(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| metadata.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sudo(uid: &str, gid: &str) -> Result<Caller> {
        Caller::from_parts(0, 0, Some(uid.to_owned()), Some(gid.to_owned()))
    }

    #[test]
    fn sudo_counts_only_for_root_and_only_for_somebody_else() {
        assert_eq!(sudo("1000", "1001").unwrap(), Caller::Sudo { uid: 1000, gid: 1001 });
        assert_eq!(sudo("0", "0").unwrap(), Caller::Root);
        assert_eq!(Caller::from_parts(0, 0, None, None).unwrap(), Caller::Root);
        let person = Caller::from_parts(7, 8, Some("1000".into()), Some("1000".into())).unwrap();
        assert_eq!(person, Caller::Person { uid: 7, gid: 8 });
        assert!(sudo("-1", "0").is_err() && sudo("1000", "x").is_err());
    }

    #[test]
    fn the_person_behind_sudo_gets_a_directory_below_the_own_home() {
        let passwd = Passwd::parse("ann:x:4242:4243::/home/ann:/bin/sh\n");
        let caller = Caller::Sudo { uid: 4242, gid: 4243 };
        assert_eq!(caller.default_data_dir(&passwd).unwrap(), Path::new("/home/ann/.local/share/pilvi"));
        assert_eq!(Caller::Root.default_data_dir(&passwd).unwrap(), Path::new("/var/lib/pilvi"));
        let nobody_known = Caller::Sudo { uid: 4343, gid: 4343 }.default_data_dir(&passwd);
        assert!(nobody_known.unwrap_err().to_string().contains("--data-dir"));
    }

    #[test]
    fn an_owner_without_an_account_is_named_by_its_number() {
        let owner = Owner::of_directory(4242, 7, &Passwd::default());
        assert_eq!((owner.uid, owner.gid, owner.name.as_str()), (4242, 7, "uid 4242"));
    }

    #[test]
    fn root_acting_as_an_owner_has_only_that_owners_rights_and_comes_back() {
        if !geteuid().is_root() {
            return;
        }
        let owner = Owner { uid: 65_534, gid: 65_534, name: "nobody".into() };
        let during =
            owner.act(|| Ok((geteuid().as_raw(), getgroups()?, std::fs::read("/etc/shadow").is_err()))).unwrap();
        assert_eq!(during, (65_534, vec![], true));
        assert!(geteuid().is_root() && std::fs::read("/etc/shadow").is_ok());
    }
}
