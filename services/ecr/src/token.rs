//! Authorization tokens: what `aws ecr get-login-password` prints and clients of the registry send with each request.
//!
//! A token carries who asked for it, sealed with the installation's own key, so that each request to the registry can be
//! authorised as that identity: by its policies as they are then, its session's included. Nothing is stored.

use std::time::Duration;

use base::{Region, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use platform::identity::{Caller, Session};
use platform::{Ctx, Platform};
use serde::{Deserialize, Serialize};

/// How long a token is good; one of a session ends with the session, if that is sooner. (API reference,
/// GetAuthorizationToken.)
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// The name that goes with a token as its password.
pub const TOKEN_USER: &str = "AWS";
/// The longest token that is opened, in bytes; a session's policies make the longest.
pub const TOKEN_LENGTH_MAX: usize = 32 * 1024;
/// What the tokens are sealed for.
const PURPOSE: &str = "ecr-authorization-token";

/// What a token says of its bearer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bearer {
    /// Who asked for it.
    pub principal: base::Principal,
    /// The access key that signed.
    pub access_key_id: String,
    /// The session that the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// The region of the registry that it is for.
    pub region: Region,
    /// When it ends.
    pub expires: Timestamp,
}

/// Why a token lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was not issued here.
    #[error("Your authorization token is invalid.")]
    Invalid,
    /// Its time is over.
    #[error("Your authorization token has expired. Reauthenticate and try again.")]
    Expired,
}

impl Bearer {
    /// Whoever signed a request, for as long as a token of theirs lasts.
    pub fn of(ctx: &Ctx) -> Self {
        let latest = ctx.now.plus(TOKEN_LIFETIME);
        Self {
            principal: ctx.principal.clone(),
            access_key_id: ctx.access_key_id.clone(),
            session: ctx.session.clone(),
            region: ctx.region.clone(),
            expires: ctx.session.as_ref().map_or(latest, |session| latest.min(session.expires)),
        }
    }

    /// The token: the password that goes with [`TOKEN_USER`].
    pub fn seal(&self, platform: &Platform) -> String {
        let plain = serde_json::to_vec(self).expect("the bearer has only string keys, so serde_json cannot refuse it");
        BASE64.encode(platform.keyring.seal(PURPOSE, &plain))
    }

    /// The bearer of a token.
    ///
    /// # Errors
    /// [`TokenError`]. That the identity still exists is not known here: see [`platform::identity::Identities`].
    pub fn open(platform: &Platform, token: &str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(TokenError::Invalid);
        }
        let sealed = BASE64.decode(token).map_err(|_| TokenError::Invalid)?;
        let plain = platform.keyring.open(PURPOSE, &sealed).ok_or(TokenError::Invalid)?;
        let bearer: Self = serde_json::from_slice(&plain).map_err(|_| TokenError::Invalid)?;
        if bearer.expires <= platform.clock.now() { Err(TokenError::Expired) } else { Ok(bearer) }
    }

    /// The bearer as a caller of the API.
    pub fn into_caller(self) -> Caller {
        Caller { access_key_id: self.access_key_id, principal: self.principal, session: self.session }
    }
}

/// `AWS:` and a token as `docker login` and the `Authorization: Basic` header have them.
pub(crate) fn basic(token: &str) -> String {
    BASE64.encode(format!("{TOKEN_USER}:{token}"))
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Principal};

    use super::*;

    fn ctx(platform: &Platform) -> Ctx {
        Ctx::new(Principal::root(AccountId::DEFAULT), Region::default(), platform.clock.now(), "r")
    }

    #[test]
    fn a_token_carries_its_bearer_for_twelve_hours() {
        let platform = Platform::in_memory();
        let bearer = Bearer::of(&ctx(&platform));
        assert_eq!(bearer.expires, platform.clock.now().plus(Duration::from_secs(43_200)));
        let token = bearer.seal(&platform);
        assert_eq!(Bearer::open(&platform, &token), Ok(bearer.clone()));
        let past = Bearer { expires: platform.clock.now(), ..bearer };
        assert_eq!(Bearer::open(&platform, &past.seal(&platform)), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_ends_with_its_session() {
        let platform = Platform::in_memory();
        let now = platform.clock.now();
        let session = Session {
            principal: Principal::root(AccountId::DEFAULT),
            issued: now,
            expires: now.plus(Duration::from_secs(900)),
            session_policy: None,
            policy_arns: Vec::new(),
            tags: Default::default(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            keys: Default::default(),
            external_id: None,
        };
        let bearer = Bearer::of(&Ctx { session: Some(session.clone()), ..ctx(&platform) });
        assert_eq!(bearer.expires, session.expires);
        assert_eq!(Bearer::open(&platform, &bearer.seal(&platform)).unwrap().session, Some(session));
    }

    #[test]
    fn a_token_of_another_purpose_or_none_at_all_is_invalid() {
        let platform = Platform::in_memory();
        let other = BASE64.encode(platform.keyring.seal("page-token", b"{}"));
        for wrong in ["", "AWS", "bm9uc2Vuc2U=", &other, &"A".repeat(TOKEN_LENGTH_MAX + 1)] {
            assert_eq!(Bearer::open(&platform, wrong), Err(TokenError::Invalid));
        }
    }
}
