//! Providers' keys, kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
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
/// Providers whose keys are kept; when there are more, one of the account that has the most is forgotten.
const PROVIDERS_MAX: usize = 256;
/// Providers that are asked at once, and how many of them for one account: slow issuers of one hold up no other.
const FETCHES_MAX: usize = 8;
const FETCHES_OF_ACCOUNT_MAX: usize = 2;
/// What a provider tells of itself, below its address (OpenID Connect Discovery 1.0).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// The keys of providers.
pub(crate) struct KeyCache {
    /// By account and ARN.
    providers: Mutex<HashMap<(String, String), Arc<Slot>>>,
    fetches: Semaphore,
    /// By account, as long as somebody waits.
    of_accounts: Mutex<HashMap<String, Weak<Semaphore>>>,
    fetch: Fetch,
}

/// One provider's keys; whoever holds it may fetch them.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The address and the thumbprints that the keys were fetched with.
    source: (String, Vec<String>),
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
        Self {
            providers: Mutex::default(),
            fetches: Semaphore::new(FETCHES_MAX),
            of_accounts: Mutex::default(),
            fetch: Fetch::new(),
        }
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
        let source = (provider.url.clone(), provider.thumbprints.clone());
        if known.source != source {
            // The pause stays: a change of thumbprints is no way to have somebody asked more often.
            *known = Known { source, tried: known.tried, ..Known::default() };
        }
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
        let of_account = self.of_account(&provider.arn.account);
        let _one_of_account = of_account.acquire().await.map_err(|_| FetchError::Stopped)?;
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
        let key = (provider.arn.account.clone(), provider.arn.to_string());
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        if providers.len() >= PROVIDERS_MAX && !providers.contains_key(&key) {
            let crowded = most_frequent(providers.keys().map(|(account, _)| account)).cloned();
            let victim = providers.keys().find(|(account, _)| Some(account) == crowded.as_ref()).cloned();
            victim.and_then(|victim| providers.remove(&victim));
        }
        providers.entry(key).or_default().clone()
    }

    fn of_account(&self, account: &str) -> Arc<Semaphore> {
        let mut of_accounts = self.of_accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waited_for) = of_accounts.get(account).and_then(Weak::upgrade) {
            return waited_for;
        }
        of_accounts.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(FETCHES_OF_ACCOUNT_MAX));
        of_accounts.insert(account.to_owned(), Arc::downgrade(&semaphore));
        semaphore
    }
}

fn most_frequent<'a>(texts: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut counts: HashMap<&String, usize> = HashMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(text, _)| text)
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
