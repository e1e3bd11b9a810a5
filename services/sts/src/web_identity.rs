//! Tokens of OpenID Connect providers: whether one is what it says, and what it says.
//!
//! A provider's keys are fetched from the address that its tokens name as issuer, and only if iam has a provider of that
//! address in the role's account. Its server is known by the public certificate authorities or by the provider's
//! thumbprints. Addresses are https, or plain http where they name this very machine; a name that is not this machine's
//! must not lead to it ([`fetch`]).

mod fetch;
mod jwk;
mod jwt;
mod keys;
mod tls;

use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use platform::ports::OidcProviderView;
use serde_json::Value;

pub(crate) use keys::KeyCache;

use crate::{Error, Sts};

/// How far the clock of a provider may be ahead.
const AHEAD_MAX_S: i64 = 300;
/// Claims that become condition keys; further ones are left out.
const CLAIMS_MAX: usize = 64;
/// The claim that carries session tags.
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
/// The claim that carries a source identity.
const SOURCE_IDENTITY_CLAIM: &str = "https://aws.amazon.com/source_identity";
/// The one provider whose condition key `aud` is the authorised party, where a token names one.
const GOOGLE: &str = "accounts.google.com";

/// What a verified token says.
#[derive(Debug)]
pub(crate) struct WebIdentity {
    pub(crate) provider: OidcProviderView,
    pub(crate) subject: String,
    /// The audience that the provider in iam knows.
    pub(crate) audience: String,
    /// Claims as condition keys (`<issuer>:sub`), with their values.
    pub(crate) keys: BTreeMap<String, Vec<String>>,
    /// Session tags, each with its value.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) transitive_tag_keys: Vec<String>,
    pub(crate) source_identity: Option<String>,
}

impl Sts {
    /// Verifies a token for a role of `account`.
    pub(crate) async fn web_identity(
        &self,
        account: AccountId,
        token: &str,
        now: Timestamp,
    ) -> Result<WebIdentity, Error> {
        let token = jwt::Token::parse(token).ok_or(Error::NoJwt)?;
        let issuer = token.text("iss").ok_or(Error::MissingClaim { claim: "iss" })?;
        let provider = self.providers.provider(account, issuer).await?;
        let provider = provider.ok_or_else(|| Error::NoProvider { issuer: issuer.to_owned() })?;
        check_times(&token, now)?;
        let subject = token.text("sub").ok_or(Error::MissingClaim { claim: "sub" })?.to_owned();
        let audience = audience(&token, &provider)?;
        let key = self.keys.key(&provider, token.key_id(), token.algorithm(), now).await?;
        if !key.verifies(token.algorithm(), token.signed(), token.signature()) {
            return Err(Error::BadTokenSignature);
        }
        let (tags, transitive_tag_keys) = session_tags(&token);
        Ok(WebIdentity {
            keys: condition_keys(&token, &provider),
            subject,
            audience,
            tags,
            transitive_tag_keys,
            source_identity: token.text(SOURCE_IDENTITY_CLAIM).map(str::to_owned),
            provider,
        })
    }
}

fn check_times(token: &jwt::Token, now: Timestamp) -> Result<(), Error> {
    let now = now.as_secs();
    let expires = token.instant("exp").ok_or(Error::MissingClaim { claim: "exp" })?;
    let issued = token.instant("iat").ok_or(Error::MissingClaim { claim: "iat" })?;
    if expires <= now {
        return Err(Error::TokenExpired { now, expires });
    }
    let begins = token.instant("nbf").unwrap_or(issued).max(issued);
    if begins > now.saturating_add(AHEAD_MAX_S) { Err(Error::TokenOfTheFuture) } else { Ok(()) }
}

/// The audience or authorised party of the token that is a client id of the provider.
fn audience(token: &jwt::Token, provider: &OidcProviderView) -> Result<String, Error> {
    let audiences = token.texts("aud");
    if audiences.is_empty() {
        return Err(Error::MissingClaim { claim: "aud" });
    }
    let known = audiences.into_iter().chain(token.texts("azp")).find(|audience| provider.client_ids.contains(audience));
    known.ok_or(Error::WrongAudience)
}

fn condition_keys(token: &jwt::Token, provider: &OidcProviderView) -> BTreeMap<String, Vec<String>> {
    let name = issuer_name(provider);
    let mut keys = BTreeMap::new();
    for (claim, value) in token.claims().take(CLAIMS_MAX) {
        let values = jwt::texts(value);
        if !values.is_empty() {
            keys.insert(format!("{name}:{claim}"), values);
        }
    }
    if name == GOOGLE {
        keys.insert(format!("{name}:oaud"), token.texts("aud"));
        if let Some(party) = token.text("azp") {
            keys.insert(format!("{name}:aud"), vec![party.to_owned()]);
        }
    }
    keys
}

/// What stands before the colon in a provider's condition keys: its address without the scheme.
pub(crate) fn issuer_name(provider: &OidcProviderView) -> &str {
    provider.url.split_once("://").map_or(provider.url.as_str(), |(_, rest)| rest)
}

/// `{"principal_tags": {"key": ["value"]}, "transitive_tag_keys": ["key"]}`
fn session_tags(token: &jwt::Token) -> (Vec<(String, String)>, Vec<String>) {
    let Some(claim) = token.claim(TAGS_CLAIM) else { return Default::default() };
    let named = claim.get("principal_tags").and_then(Value::as_object).into_iter().flatten();
    let tags = named.filter_map(|(key, values)| Some((key.clone(), jwt::texts(values).into_iter().next()?))).collect();
    (tags, claim.get("transitive_tag_keys").map(jwt::texts).unwrap_or_default())
}
