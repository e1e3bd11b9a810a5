//! What a host keeps of its membership: one file, `join.json` in the node's directory.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use workload::NodeId;
use zeroize::Zeroizing;

use super::{Address, JoinError};
use crate::gate::words::Certified;
use crate::gate::{Fingerprint, Token};

/// The file.
pub const FILE: &str = "join.json";
/// The same of a host that has asked and not heard the answer.
const ASKED_FILE: &str = "join-asked.json";
/// A longer file is none of ours.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// A certificate is looked at as good for at least so long, whatever the server says.
const VALID_MIN: Duration = Duration::from_secs(60);

/// Who this host is, and where.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The server.
    pub server: Address,
    /// The host's name there.
    pub name: NodeId,
    /// The authority that the server is known by.
    pub authority: Fingerprint,
    /// The token that it joined with, by its name.
    pub(super) token: String,
    /// PEM. Written down before it is used, so that whoever asks again asks with the same one.
    pub(super) key: Zeroizing<String>,
    /// None until the server has answered.
    pub(super) certificate: Option<Certificate>,
    /// What the server tells its hosts about itself. It means nothing here.
    #[serde(default)]
    pub(super) facts: BTreeMap<String, String>,
}

/// What the server made of the key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Certificate {
    /// PEM.
    pub(super) pem: String,
    /// When it is to be replaced: at half of its life.
    pub(super) renew_at: Timestamp,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server, name, authority, .. } = self;
        f.debug_struct("Identity").field("server", server).field("name", name).field("authority", authority).finish()
    }
}

impl Identity {
    /// Somebody with a new key.
    pub(super) fn new(server: Address, name: NodeId, token: &Token) -> Result<Self, JoinError> {
        let (authority, token) = (token.authority, token.id.clone());
        Ok(Self { server, name, authority, token, key: new_key()?.0, certificate: None, facts: BTreeMap::new() })
    }

    /// What is kept in a node's directory, if anything is.
    ///
    /// # Errors
    /// [`JoinError::File`] if it cannot be read, [`JoinError::Damaged`] if it is something else.
    pub fn load(directory: &Path) -> Result<Option<Self>, JoinError> {
        Self::read(directory.join(FILE))
    }

    /// What was asked with, if no answer was heard.
    pub(super) fn load_asked(directory: &Path) -> Result<Option<Self>, JoinError> {
        Self::read(directory.join(ASKED_FILE))
    }

    fn read(path: PathBuf) -> Result<Option<Self>, JoinError> {
        let mut text = Zeroizing::new(Vec::new());
        let read = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&path);
        match read.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JoinError::File { path, source }),
            // What serde says could repeat the key.
            Ok(_) => serde_json::from_slice(&text).map(Some).map_err(|_| JoinError::Damaged { path }),
        }
    }

    /// Keeps it. Blocks until it is on the disk.
    pub(super) fn save(&self, directory: &Path) -> Result<(), JoinError> {
        let path = directory.join(FILE);
        self.write(&path).map_err(|source| JoinError::File { path, source })?;
        // One that stays is asked with by nobody: its token is used.
        let _ = std::fs::remove_file(directory.join(ASKED_FILE));
        Ok(())
    }

    /// Keeps what is about to be asked with, beside what is kept already.
    pub(super) fn save_asked(&self, directory: &Path) -> Result<(), JoinError> {
        let path = directory.join(ASKED_FILE);
        self.write(&path).map_err(|source| JoinError::File { path, source })
    }

    /// Forgets what a directory keeps: the server knows this host no more.
    ///
    /// # Errors
    /// [`JoinError::File`]
    pub fn forget(directory: &Path) -> Result<(), JoinError> {
        let path = directory.join(FILE);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(JoinError::File { path, source }),
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = Zeroizing::new(serde_json::to_vec_pretty(self)?);
        let unfinished = PathBuf::from(format!("{}.new", path.display()));
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
    }

    /// The public key, as the server is told.
    pub(super) fn public_key(&self) -> Result<String, JoinError> {
        let key = KeyPair::from_pem(&self.key).map_err(|_| JoinError::Key)?;
        Ok(URL_SAFE_NO_PAD.encode(key.public_key_raw()))
    }

    /// Takes what the server made of the key.
    pub(super) fn certify(&mut self, certified: Certified, now: Timestamp) {
        let valid = Duration::from_secs(certified.valid_s).max(VALID_MIN);
        self.facts = certified.facts;
        self.certificate = Some(Certificate { pem: certified.certificate, renew_at: now.plus(valid / 2) });
    }

    /// Whether the server has answered once.
    pub fn has_joined(&self) -> bool {
        self.certificate.is_some()
    }
}

/// A new key, as PEM, and its public part, as the server is told.
pub(super) fn new_key() -> Result<(Zeroizing<String>, String), JoinError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| JoinError::Key)?;
    Ok((Zeroizing::new(key.serialize_pem()), URL_SAFE_NO_PAD.encode(key.public_key_raw())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn identity() -> Identity {
        let name = NodeId::try_from("worker-1".to_owned()).unwrap();
        let token = format!("pilvi-join.0123456789abcdef.{}.{}", "A".repeat(43), Fingerprint::of(b"authority"));
        Identity::new("https://127.0.0.1:1".parse().unwrap(), name, &token.parse().unwrap()).unwrap()
    }

    #[test]
    fn an_identity_is_read_back_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Identity::load(directory.path()).unwrap().is_none());
        let mut identity = identity();
        let key = identity.public_key().unwrap();
        identity.save(directory.path()).unwrap();
        identity.certify(
            Certified { certificate: "pem".to_owned(), valid_s: 1000, facts: BTreeMap::new() },
            Timestamp::default(),
        );
        identity.save(directory.path()).unwrap();
        let read = Identity::load(directory.path()).unwrap().unwrap();
        Identity::forget(directory.path()).unwrap();
        assert!(Identity::load(directory.path()).unwrap().is_none());
        identity.save(directory.path()).unwrap();
        assert!(read.has_joined() && read.public_key().unwrap() == key);
        assert_eq!(read.certificate.unwrap().renew_at, Timestamp::from_secs(500));
        let mode = std::fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{identity:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_is_no_identity_is_not_taken_for_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(Identity::load(directory.path()), Err(JoinError::Damaged { .. })));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(Identity::load(directory.path()), Err(JoinError::File { .. })));
    }
}
