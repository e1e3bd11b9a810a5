//! Tokens: what somebody carries to a machine so that it may join, once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base::Rng;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::certificates::Fingerprint;

/// For how long a token is good unless told otherwise.
pub const TOKEN_TTL_DEFAULT: Duration = Duration::from_secs(3600);
/// For how long a token can be good at most.
pub const TOKEN_TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How a token begins, so that a leaked one is recognised.
const PREFIX: &str = "pilvi-join";
/// How many random bytes a token's name has.
const ID_BYTES: usize = 8;
/// How many random bytes its secret has.
const SECRET_BYTES: usize = 32;
/// The longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// A token. It prints as its name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What the server finds it by; hexadecimal.
    pub id: String,
    pub(crate) secret: Secret,
    /// The authority of the gate that gave it out: no other server is believed to be the one.
    pub authority: Fingerprint,
}

/// What proves that somebody has a token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

/// That is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no token: `pilvi node token create` prints one")]
pub struct InvalidToken;

impl Token {
    /// A new one.
    pub(super) fn make(rng: &dyn Rng, authority: Fingerprint) -> Self {
        let (mut id, mut secret) = ([0; ID_BYTES], Zeroizing::new([0; SECRET_BYTES]));
        rng.fill(&mut id);
        rng.fill(&mut *secret);
        Self { id: hex::encode(id), secret: Secret(secret), authority }
    }

    /// The token as text, its secret included.
    pub fn reveal(&self) -> Zeroizing<String> {
        let Self { id, secret, authority } = self;
        Zeroizing::new(format!("{PREFIX}.{id}.{}.{authority}", *secret.text()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(InvalidToken);
        }
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(id), Some(secret), Some(authority), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidToken);
        };
        let authority = authority.parse().map_err(|_| InvalidToken)?;
        if !is_id(id) {
            return Err(InvalidToken);
        }
        Ok(Self { id: id.to_owned(), secret: Secret::read(secret).ok_or(InvalidToken)?, authority })
    }
}

/// Whether that can be a token's name.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_BYTES * 2 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Secret {
    /// From its text.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        bytes.as_slice().try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Its text.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// What is kept of it: nothing that it could be made from. It has as many random bits as the hash, so it needs neither
    /// salt nor slowness.
    pub(super) fn hash(&self) -> String {
        hex::encode(Sha256::digest(*self.0))
    }

    /// Whether that is its hash, in a time that does not depend on where they differ.
    pub(super) fn has_hash(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    fn token() -> Token {
        Token::make(&SeededRng::new(7), Fingerprint::of(b"authority"))
    }

    #[test]
    fn a_token_is_read_back_from_its_text() {
        let token = token();
        assert_eq!(token.reveal().parse::<Token>().unwrap(), token);
        assert_eq!(format!("  {}\n", *token.reveal()).parse::<Token>().unwrap(), token);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let text = token().reveal().to_string();
        let parts: Vec<&str> = text.split('.').collect();
        let with = |place: usize, part: &str| {
            let mut parts = parts.clone();
            parts[place] = part;
            parts.join(".")
        };
        let wrong = [
            String::new(),
            with(0, "other"),
            with(1, "../../etc/passwd"),
            with(1, ""),
            with(2, "short"),
            with(3, "00"),
            format!("{text}.more"),
            " ".repeat(1000),
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<Token>(), Err(InvalidToken), "{wrong}");
        }
    }

    #[test]
    fn a_token_prints_no_secret_and_only_its_own_hash_fits() {
        let token = token();
        assert!(!format!("{token:?}").contains(&*token.secret.text()));
        assert!(token.secret.has_hash(&token.secret.hash()));
        assert!(!token.secret.has_hash(&Secret(Zeroizing::new([0; SECRET_BYTES])).hash()));
        assert!(!token.secret.has_hash(""));
    }
}
