//! The system user that serves when plain root starts Pilvi.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Passwd, PasswdEntry, SYSTEM_DATA_DIR};

/// Its login name.
const NAME: &str = "pilvi";

/// Where the shadow suite installs its tool. Root's PATH is not asked.
const USERADD: [&str; 3] = ["/usr/sbin/useradd", "/sbin/useradd", "/usr/bin/useradd"];

/// The user `pilvi`, made as a system user without password, shell or home when it is missing.
///
/// # Errors
/// When it has to be made and `useradd` is missing or fails; the message says what to do by hand.
pub(super) fn find_or_make(passwd: &Passwd) -> Result<PasswdEntry> {
    if let Some(entry) = passwd.by_name(NAME) {
        return checked(entry);
    }
    make()?;
    let passwd = Passwd::read();
    let entry = passwd.by_name(NAME).with_context(|| format!("useradd made no user {NAME} in /etc/passwd"))?;
    checked(entry)
}

fn checked(entry: &PasswdEntry) -> Result<PasswdEntry> {
    if entry.uid == 0 {
        bail!("the user {NAME} has root's id; the server does not run with it");
    }
    Ok(entry.clone())
}

fn make() -> Result<()> {
    let advice = || {
        format!(
            "the server does not run as root and needs a system user {NAME}: make one \
             (useradd --system --user-group --no-create-home {NAME}), or name a data directory that belongs to \
             another user"
        )
    };
    let tool = USERADD.iter().find(|path| std::path::Path::new(path).exists()).with_context(advice)?;
    let output = Command::new(tool)
        .args(["--system", "--user-group", "--no-create-home", "--home-dir", SYSTEM_DATA_DIR])
        .args(["--shell", "/usr/sbin/nologin", "--comment", "Pilvi server", NAME])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {tool}"))
        .with_context(advice)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow::anyhow!("{tool} ended with {}: {}", output.status, said.trim()).context(advice()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_that_name_with_roots_id_is_refused() {
        let passwd = Passwd::parse("pilvi:x:0:0::/:/bin/sh\n");
        assert!(find_or_make(&passwd).unwrap_err().to_string().contains("root's id"));
    }

    #[test]
    fn an_existing_user_is_taken_as_it_is() {
        let passwd = Passwd::parse("pilvi:x:990:991::/srv/pilvi:/bin/sh\n");
        assert_eq!(find_or_make(&passwd).unwrap().uid, 990);
    }
}
