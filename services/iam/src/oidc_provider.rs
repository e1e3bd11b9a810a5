//! OpenID Connect providers: whose tokens a role's trust policy can name.

use base::{AccountId, Arn, Timestamp};
use platform::BoxFuture;
use platform::ports::{OidcProviderDirectory, OidcProviderView};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, StoreError};

use crate::entity::{Entity, Identity, Noun};
use crate::limits::{CLIENT_IDS_PER_PROVIDER, THUMBPRINTS_PER_PROVIDER};
use crate::names::folded;
use crate::{Error, Iam};

const HTTPS: &str = "https://";
const HTTP: &str = "http://";

/// An OpenID Connect provider. Its name is its address without the scheme.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OidcProvider {
    pub(crate) identity: Identity,
    /// The address as it was given, which is what the tokens' `iss` says.
    pub(crate) url: String,
    /// For whom tokens may be meant.
    pub(crate) client_ids: Vec<String>,
    /// SHA-1 of certificates by which the provider's server is known, in lower case.
    pub(crate) thumbprints: Vec<String>,
}

impl Record for OidcProvider {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "oidc-provider";
}

impl Entity for OidcProvider {
    const NOUN: Noun = Noun::OidcProvider;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

impl OidcProvider {
    /// A provider whose parts are checked.
    pub(crate) fn new(
        identity: Identity,
        url: String,
        client_ids: Vec<String>,
        thumbprints: Vec<String>,
    ) -> Result<Self, Error> {
        let mut provider = Self { identity, url, client_ids: Vec::new(), thumbprints: Vec::new() };
        for id in client_ids {
            provider.add_client(id)?;
        }
        provider.set_thumbprints(thumbprints)?;
        Ok(provider)
    }

    /// Adds a client id; one that is there stays once.
    pub(crate) fn add_client(&mut self, id: String) -> Result<(), Error> {
        if self.client_ids.contains(&id) {
            return Ok(());
        }
        if self.client_ids.len() >= CLIENT_IDS_PER_PROVIDER {
            return Err(Error::Quota { quota: "ClientIdsPerOpenIdConnectProvider", max: CLIENT_IDS_PER_PROVIDER });
        }
        self.client_ids.push(id);
        Ok(())
    }

    /// Takes these thumbprints instead of those that it has.
    pub(crate) fn set_thumbprints(&mut self, thumbprints: Vec<String>) -> Result<(), Error> {
        if thumbprints.len() > THUMBPRINTS_PER_PROVIDER {
            return Err(Error::TooManyThumbprints);
        }
        if thumbprints.iter().any(|print| !print.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(Error::InvalidThumbprint);
        }
        self.thumbprints = thumbprints.into_iter().map(|print| print.to_ascii_lowercase()).collect();
        Ok(())
    }

    /// When it was made.
    pub(crate) fn created(&self) -> Timestamp {
        self.identity.created
    }
}

/// The name of the provider at an address: the address without its scheme. `https` alone is taken, but for addresses of
/// this very machine; unlike at AWS there may be a port, because a provider of one's own need not have the usual one.
pub(crate) fn name_of(url: &str) -> Result<String, Error> {
    let invalid = || Error::InvalidProviderUrl;
    let (rest, is_encrypted) = match (url.strip_prefix(HTTPS), url.strip_prefix(HTTP)) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return Err(invalid()),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let well_formed = !authority.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'\\' | b'%'));
    if well_formed && (is_encrypted || is_loopback(authority)) { Ok(rest.to_owned()) } else { Err(invalid()) }
}

/// Whether a host, with or without a port, is this machine by its very name.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The name of the provider that an ARN means.
pub(crate) fn name_in(arn: &str, account: AccountId) -> Option<String> {
    let arn: Arn = arn.parse().ok()?;
    let is_ours = arn.service == "iam" && arn.region.is_empty() && arn.account == account.as_str();
    arn.resource.strip_prefix("oidc-provider/").filter(|name| is_ours && !name.is_empty()).map(str::to_owned)
}

impl OidcProviderDirectory for Iam {
    fn provider<'a>(
        &'a self,
        account: AccountId,
        issuer: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProviderView>, StoreError>> {
        Box::pin(async move {
            let Ok(name) = name_of(issuer) else { return Ok(None) };
            let scope = Scope::global(account);
            let found = self.platform.store.read::<OidcProvider>(&scope, &[&folded(&name)]).await?;
            let found = found.filter(|found| found.identity.name == name).map(|found| found.value);
            Ok(found.map(|found| OidcProviderView {
                arn: found.identity.arn(Noun::OidcProvider, account),
                url: found.url,
                client_ids: found.client_ids,
                thumbprints: found.thumbprints,
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_named_by_its_address_without_scheme() {
        assert_eq!(name_of("https://token.example.com").unwrap(), "token.example.com");
        assert_eq!(name_of("https://oidc.example.com:8443/id/ABC/").unwrap(), "oidc.example.com:8443/id/ABC/");
        assert_eq!(name_of("http://127.0.0.1:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(name_of("http://[::1]:8080/x").unwrap(), "[::1]:8080/x");
    }

    #[test]
    fn addresses_that_are_not_encrypted_or_no_addresses_are_refused() {
        for url in [
            "token.example.com",
            "http://token.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "ftp://example.com",
            "https://",
            "https:///path",
            "https://example.com?x",
            "https://example.com/#x",
            "https://user@example.com",
            "https://example.com/a b",
        ] {
            assert!(name_of(url).is_err(), "{url}");
        }
    }
}
