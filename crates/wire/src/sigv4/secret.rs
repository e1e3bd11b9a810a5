//! Keys as their owner holds them.

use std::fmt;

use zeroize::Zeroizing;

/// A secret access key. It prints as `***` and is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretAccessKey(Zeroizing<String>);

impl SecretAccessKey {
    /// Takes the secret over; the caller's own copies stay the caller's to wipe.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself, for deriving, sealing, or handing to its owner once. Never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretAccessKey {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a caller signs with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA…`, or `ASIA…` when it is temporary.
    pub access_key_id: String,
    /// The secret that belongs to it.
    pub secret_access_key: SecretAccessKey,
    /// Present for temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key)
            .field("session_token", &self.session_token.as_ref().map(|_| "***"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_secret_nor_token_is_ever_printed() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: SecretAccessKey::new("wJalr"),
            session_token: Some("FwoG".into()),
        };
        let printed = format!("{credentials:?} {:#?}", credentials.secret_access_key);
        assert!(printed.contains("AKIDEXAMPLE") && printed.contains("***"), "{printed}");
        assert!(!printed.contains("wJalr") && !printed.contains("FwoG"), "{printed}");
    }
}
