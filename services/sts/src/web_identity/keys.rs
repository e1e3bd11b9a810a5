//! Providers' keys, kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Timestamp;
use platform::ports::OidcProviderView;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::fetch::{Fetch, FetchError};
use super::jwk::{self, Algorithm, Key};
use crate::Error;

/// How long keys are used without asking for them again.
const KEPT: Duration = Duration::from_hours(1);
/// How soon a provider is asked again, be it for a key that it did not have: tokens, which anybody can send, make nobody
/// else's server busy.
const PAUSE: Duration = Duration::from_secs(10);
/// Providers whose keys are kept; when there are more, all are forgotten.
const PROVIDERS_MAX: usize = 256;
/// Providers that are asked at once.
const FETCHES_MAX: usize = 8;
/// What a provider tells of itself, below its address (OpenID Connect Discovery 1.0).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// The keys of providers.
pub(crate) struct KeyCache {
    providers: Mutex<HashMap<Identity, Arc<Slot>>>,
    fetches: Semaphore,
    fetch: Fetch,
}

/// What a provider's keys depend on.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    arn: String,
    url: String,
    thumbprints: Vec<String>,
}

/// One provider's keys; whoever holds it may fetch them.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Known>);

#[derive(Default)]
struct Known {
    keys: Vec<Key>,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self { providers: Mutex::default(), fetches: Semaphore::new(FETCHES_MAX), fetch: Fetch::new() }
    }

    /// The key with which a token of a provider claims to be signed.
    pub(super) async fn key(
        &self,
        provider: &OidcProviderView,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Key, Error> {
        let slot = self.slot(provider);
        let mut known = slot.0.lock().await;
        let is_fresh = known.fetched.is_some_and(|fetched| now < fetched.plus(KEPT));
        if let Some(key) = known.find(id, algorithm).filter(|_| is_fresh) {
            return Ok(key);
        }
        if known.tried.is_some_and(|tried| now < tried.plus(PAUSE)) {
            return Err(Error::NoVerificationKey);
        }
        known.tried = Some(now);
        known.keys = self.fetch_keys(provider).await.map_err(|error| {
            tracing::warn!(provider = %provider.url, %error, "the keys of an OpenID Connect provider cannot be fetched");
            match error {
                FetchError::Certificate => Error::WrongThumbprint,
                _ => Error::NoVerificationKey,
            }
        })?;
        known.fetched = Some(now);
        known.find(id, algorithm).ok_or(Error::NoVerificationKey)
    }

    async fn fetch_keys(&self, provider: &OidcProviderView) -> Result<Vec<Key>, FetchError> {
        let _one = self.fetches.acquire().await.map_err(|_| FetchError::Stopped)?;
        let address = format!("{}{DISCOVERY_PATH}", provider.url.trim_end_matches('/'));
        let fetch = |url: String| async move { self.fetch.get(&url, &provider.url, &provider.thumbprints).await };
        let document: Discovery = serde_json::from_slice(&fetch(address).await?).map_err(|_| FetchError::Content)?;
        if document.issuer != provider.url {
            return Err(FetchError::Issuer { says: document.issuer });
        }
        jwk::read_set(&fetch(document.jwks_uri).await?).ok_or(FetchError::Content)
    }

    fn slot(&self, provider: &OidcProviderView) -> Arc<Slot> {
        let identity = Identity {
            arn: provider.arn.to_string(),
            url: provider.url.clone(),
            thumbprints: provider.thumbprints.clone(),
        };
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        if providers.len() >= PROVIDERS_MAX && !providers.contains_key(&identity) {
            providers.clear();
        }
        providers.entry(identity).or_default().clone()
    }
}

impl Known {
    /// A token that names no key can only be of the only one that fits.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        let mut fitting = self.keys.iter().filter(|key| key.is_for(algorithm));
        let found = match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        };
        found.cloned()
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCache").finish_non_exhaustive()
    }
}
