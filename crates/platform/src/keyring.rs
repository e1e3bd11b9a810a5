//! Sealing with the installation's own key: secrets at rest, session tokens, page tokens.

use std::sync::Arc;

use base::Rng;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The size of the key.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The first byte of everything that is sealed; another value will mean another way of sealing.
const FORMAT: u8 = 1;

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
    /// A keyring of one key; nonces are drawn from `rng`.
    pub fn new(key: &[u8; KEY_BYTES], rng: Arc<dyn Rng>) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()), rng }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(byte: u8) -> Keyring {
        Keyring::new(&[byte; KEY_BYTES], Arc::new(base::SystemRng))
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let mine = keyring(1);
        let sealed = mine.seal("a", b"plain");
        assert_eq!(mine.open("a", &sealed).unwrap().as_slice(), b"plain");
        assert!(mine.open("b", &sealed).is_none());
        assert!(keyring(2).open("a", &sealed).is_none());
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(mine.open("a", &changed).is_none(), "byte {i}");
            assert!(mine.open("a", &sealed[..i]).is_none(), "cut at {i}");
        }
    }
}
