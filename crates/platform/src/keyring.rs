//! Sealing with the installation's own key: secrets at rest, session tokens, page tokens.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use base::Rng;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The first byte of everything that is sealed; another value will mean another way of sealing.
const FORMAT: u8 = 1;

/// Why there is no keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read or made.
    #[error("{path}: {source}")]
    Io {
        /// The key's file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a key.
    #[error("{path} holds no key: {KEY_BYTES} bytes are expected")]
    Damaged {
        /// The key's file.
        path: String,
    },
}

/// The installation's key. What it seals can be opened only by the same installation (or its restored backup), and only
/// for the purpose it was sealed for.
pub struct Keyring {
    cipher: XChaCha20Poly1305,
    rng: Arc<dyn Rng>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(***)")
    }
}

impl Keyring {
    /// Reads the key at `path`; the first time makes one, readable by its owner only.
    pub fn open_or_create(path: &Path, rng: Arc<dyn Rng>) -> Result<Self, KeyringError> {
        let failed = |source: std::io::Error| KeyringError::Io { path: path.display().to_string(), source };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match std::fs::File::open(path) {
            Ok(mut file) => {
                let damaged = |_| KeyringError::Damaged { path: path.display().to_string() };
                file.read_exact(&mut *key).map_err(damaged)?;
                if file.read(&mut [0]).map_err(failed)? != 0 {
                    return Err(KeyringError::Damaged { path: path.display().to_string() });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                rng.fill(&mut *key);
                create_private(path, &*key).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Self { cipher: XChaCha20Poly1305::new((&*key).into()), rng })
    }

    /// A keyring of a given key, for tests.
    pub fn from_key(key: [u8; KEY_BYTES]) -> Self {
        Self { cipher: XChaCha20Poly1305::new((&key).into()), rng: Arc::new(base::SystemRng) }
    }

    /// Encrypts and authenticates `plain`. It opens only for the same `purpose`.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        self.rng.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("ChaCha20-Poly1305 fails only beyond 256 GiB, and every message here is bounded");
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// What was sealed, if this keyring sealed it for `purpose` and nobody changed it.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let rest = sealed.strip_prefix(&[FORMAT])?;
        let (nonce, message) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: message, aad: purpose.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

/// Writes a file that only its owner can read, whole or not at all, durably.
pub(crate) fn create_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => (folder, name),
        _ => return Err(std::io::ErrorKind::InvalidInput.into()),
    };
    std::fs::create_dir_all(folder)?;
    let folder = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let draft = format!(".{}.new", name.to_string_lossy());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = std::fs::File::from(rustix::fs::openat(&folder, &draft, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(content)?;
    file.sync_all()?;
    rustix::fs::renameat(&folder, &draft, &folder, name)?;
    rustix::fs::fsync(&folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let keyring = Keyring::from_key([1; KEY_BYTES]);
        let sealed = keyring.seal("a", b"plain");
        assert_eq!(keyring.open("a", &sealed).unwrap().as_slice(), b"plain");
        assert!(keyring.open("b", &sealed).is_none());
        assert!(Keyring::from_key([2; KEY_BYTES]).open("a", &sealed).is_none());
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(keyring.open("a", &changed).is_none(), "byte {i}");
            assert!(keyring.open("a", &sealed[..i]).is_none(), "cut at {i}");
        }
    }

    #[test]
    fn the_key_is_kept_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master");
        let rng: Arc<dyn Rng> = Arc::new(base::SystemRng);
        let sealed = Keyring::open_or_create(&path, rng.clone()).unwrap().seal("x", b"y");
        let again = Keyring::open_or_create(&path, rng.clone()).unwrap();
        assert_eq!(again.open("x", &sealed).unwrap().as_slice(), b"y");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(Keyring::open_or_create(&path, rng), Err(KeyringError::Damaged { .. })));
    }
}
