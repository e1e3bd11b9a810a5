//! Signing keys, derived from a secret for one scope, and a small cache of those that proved right.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{CredentialScope, SecretAccessKey, TERMINATOR};

/// The key that signs everything of one access key, day, region and service. Wiped when dropped, prints as `***`.
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    /// Derives the key: four rounds of HMAC-SHA256.
    pub fn derive(secret: &SecretAccessKey, scope: &CredentialScope) -> Self {
        let mut seed = Zeroizing::new(Vec::with_capacity(4 + secret.expose().len()));
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(secret.expose().as_bytes());
        let date = hmac_sha256(&seed, scope.date.as_bytes());
        let region = hmac_sha256(&*date, scope.region.as_bytes());
        let service = hmac_sha256(&*region, scope.service.as_bytes());
        Self(hmac_sha256(&*service, TERMINATOR.as_bytes()))
    }

    /// The signature of `string_to_sign`: 64 lower-case hexadecimal digits.
    pub fn sign(&self, string_to_sign: &[u8]) -> String {
        hex::encode(*hmac_sha256(&*self.0, string_to_sign))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    let mut digest = mac.finalize().into_bytes();
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(&digest);
    digest.as_mut_slice().zeroize();
    out
}

/// Keys under which a signature has verified. At most [`SigningKeyCache::ENTRIES_MAX`]; the least recently used half goes
/// first. A key that verified nothing is never kept, so strangers cannot push anyone out.
#[derive(Default)]
pub struct SigningKeyCache {
    generations: Mutex<Generations>,
}

/// Two halves: what was used since the last turn, and what was used before it.
#[derive(Default)]
struct Generations {
    young: HashMap<CacheKey, Arc<SigningKey>>,
    old: HashMap<CacheKey, Arc<SigningKey>>,
}

/// A digest of access key, scope and secret: a changed secret is another entry, and nothing can be read back from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CacheKey([u8; 32]);

impl CacheKey {
    pub(super) fn new(access_key_id: &str, secret: &SecretAccessKey, scope: &CredentialScope) -> Self {
        let mut digest = Sha256::new();
        for part in [access_key_id, &scope.date, &scope.region, &scope.service, secret.expose()] {
            // With its length in front, so that no two lists of parts read the same.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self(digest.finalize().into())
    }
}

impl SigningKeyCache {
    /// The most keys that are kept: those of a thousand callers, each with one service and region a day.
    pub const ENTRIES_MAX: usize = 1024;

    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<SigningKey>> {
        let mut generations = self.lock();
        if let Some(found) = generations.young.get(key) {
            return Some(Arc::clone(found));
        }
        let found = generations.old.remove(key)?;
        generations.insert(*key, Arc::clone(&found));
        Some(found)
    }

    pub(super) fn insert(&self, key: CacheKey, signing: Arc<SigningKey>) {
        self.lock().insert(key, signing);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // A panic between two map operations leaves at worst a missing entry.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, key: CacheKey, signing: Arc<SigningKey>) {
        if self.young.len() >= SigningKeyCache::ENTRIES_MAX / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, signing);
    }
}

impl fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = self.lock();
        f.debug_struct("SigningKeyCache").field("entries", &(generations.young.len() + generations.old.len())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(region: &str) -> CredentialScope {
        CredentialScope { date: "20150830".into(), region: region.into(), service: "iam".into() }
    }

    #[test]
    fn the_key_derived_is_that_of_the_iam_user_guide() {
        let secret = SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let key = SigningKey::derive(&secret, &scope("us-east-1"));
        assert_eq!(hex::encode(*key.0), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        assert_eq!(format!("{key:?}"), "***");
    }

    #[test]
    fn another_key_day_region_service_or_secret_is_another_entry() {
        let (one, two) = (SecretAccessKey::new("one"), SecretAccessKey::new("two"));
        let base = CacheKey::new("AKID", &one, &scope("us-east-1"));
        let others = [
            CacheKey::new("AKIE", &one, &scope("us-east-1")),
            CacheKey::new("AKID", &two, &scope("us-east-1")),
            CacheKey::new("AKID", &one, &scope("us-east-2")),
            CacheKey::new("AKID2015", &one, &CredentialScope { date: "0830".into(), ..scope("us-east-1") }),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn the_cache_forgets_the_unused_and_never_outgrows_its_bound() {
        let cache = SigningKeyCache::new();
        let secret = SecretAccessKey::new("secret");
        let key = |n: usize| CacheKey::new(&format!("AKID{n}"), &secret, &scope("us-east-1"));
        let signing = Arc::new(SigningKey::derive(&secret, &scope("us-east-1")));
        for n in 0..3 * SigningKeyCache::ENTRIES_MAX {
            cache.insert(key(n), Arc::clone(&signing));
            assert!(cache.get(&key(0)).is_some(), "in constant use");
        }
        let generations = cache.lock();
        assert!(generations.young.len() + generations.old.len() <= SigningKeyCache::ENTRIES_MAX);
        drop(generations);
        assert!(cache.get(&key(1)).is_none(), "not used for long");
    }
}
