//! Temporary credentials. The session token is the session, sealed for its access key id.

use std::collections::BTreeMap;

use base::{Principal, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use wire::sigv4::SecretAccessKey;
use zeroize::Zeroizing;

use crate::{Keyring, Platform};

const PURPOSE: &str = "session-token";

/// What temporary credentials stand for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whom they act as.
    pub principal: Principal,
    /// When they were issued.
    pub issued: Timestamp,
    /// When they end.
    pub expires: Timestamp,
    /// The policy that narrows them, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_policy: Option<String>,
    /// Managed policies that narrow them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// Session tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Tags that go on into sessions opened by this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tag_keys: Vec<String>,
    /// The source identity, kept along a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// Condition keys that whoever vouched for the bearer brought: `aws:FederatedProvider`, `<issuer>:sub`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Vec<String>>,
    /// The external id that was given to assume the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// What `sts assume-role` hands out.
#[derive(Debug)]
pub struct TemporaryCredentials {
    /// `ASIA…`
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: SecretAccessKey,
    /// The session, sealed.
    pub session_token: String,
    /// When they end.
    pub expiration: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Content {
    secret: Zeroizing<String>,
    session: Session,
}

/// Issues credentials for a session. Nothing is stored.
pub fn issue_session(platform: &Platform, session: Session) -> TemporaryCredentials {
    let access_key_id = base::ids::iam(&*platform.rng, "ASIA");
    let secret = base::ids::secret_access_key(&*platform.rng);
    let expiration = session.expires;
    let content = Content { secret: Zeroizing::new(secret.clone()), session };
    let plain = Zeroizing::new(
        serde_json::to_vec(&content).expect("the content has only string keys, so serde_json cannot refuse it"),
    );
    let session_token = BASE64.encode(platform.keyring.seal(&purpose(&access_key_id), &plain));
    TemporaryCredentials {
        access_key_id,
        secret_access_key: SecretAccessKey::new(secret.as_str()),
        session_token,
        expiration,
    }
}

/// The session that `token` carries, and its secret, if this installation issued it for this key.
pub(super) fn open(keyring: &Keyring, access_key_id: &str, token: &str) -> Option<(Session, SecretAccessKey)> {
    let sealed = BASE64.decode(token).ok()?;
    let plain = keyring.open(&purpose(access_key_id), &sealed)?;
    let content: Content = serde_json::from_slice(&plain).ok()?;
    Some((content.session, SecretAccessKey::new(content.secret.as_str())))
}

fn purpose(access_key_id: &str) -> String {
    format!("{PURPOSE}/{access_key_id}")
}

#[cfg(test)]
mod tests {
    use base::AccountId;

    use super::*;

    #[test]
    fn a_token_opens_for_its_own_key_alone() {
        let platform = Platform::in_memory();
        let session = Session {
            principal: Principal::root(AccountId::DEFAULT),
            issued: Timestamp::from_secs(1),
            expires: Timestamp::from_secs(2),
            session_policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            keys: BTreeMap::new(),
            external_id: None,
        };
        let issued = issue_session(&platform, session.clone());
        let (opened, secret) = open(&platform.keyring, &issued.access_key_id, &issued.session_token).unwrap();
        assert_eq!(opened, session);
        assert_eq!(secret.expose(), issued.secret_access_key.expose());
        assert!(open(&platform.keyring, "ASIAAAAAAAAAAAAAAAAA", &issued.session_token).is_none());
        assert!(open(&platform.keyring, &issued.access_key_id, "bm9uc2Vuc2U=").is_none());
    }
}
