//! Whom to ask next, and when, after something went wrong.

use std::time::Duration;

use super::address::Address;
use super::endpoint::Endpoint;
use super::{Progress, RemoteError, tls};

/// How often a mirror is tried before the next place is.
const MIRROR_ATTEMPTS: u32 = 2;

/// Where something may be had.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// From the repository at a registry or a mirror.
    Repository(&'a Endpoint),
    /// From an address that the manifest names for it, which knows nothing of who asks.
    Elsewhere(&'a Address),
}

/// The way through the places where something may be had.
pub(super) struct Plan<'a> {
    sources: Vec<Source<'a>>,
    place: usize,
    /// How often the present one has failed since something came of it.
    failures: u32,
    registry: &'a Endpoint,
    progress: &'a dyn Progress,
}

impl<'a> Plan<'a> {
    /// Mirrors that can be reached, then the registry, then what the manifest names. `endpoints` ends with the registry.
    pub(super) fn new(endpoints: &'a [Endpoint], elsewhere: &'a [Address], progress: &'a dyn Progress) -> Self {
        let (registry, mirrors) = endpoints.split_last().expect("a repository is made with its registry");
        let mirrors = mirrors.iter().filter(|mirror| !mirror.is_down());
        let places = mirrors.chain([registry]).map(Source::Repository);
        let sources = places.chain(elsewhere.iter().map(Source::Elsewhere)).collect();
        Self { sources, place: 0, failures: 0, registry, progress }
    }

    /// Whom to ask now.
    pub(super) fn source(&self) -> Source<'a> {
        self.sources.get(self.place).copied().unwrap_or(Source::Repository(self.registry))
    }

    /// Whom the addresses of a manifest come from.
    pub(super) fn registry(&self) -> &'a Endpoint {
        self.registry
    }

    /// Something came: what goes wrong from now on is a new failure.
    pub(super) fn advanced(&mut self) {
        self.failures = 0;
    }

    /// After the present one failed: waits, or goes on to the next.
    ///
    /// # Errors
    /// The error, if there is nobody left.
    pub(super) async fn failed(&mut self, error: RemoteError) -> Result<(), RemoteError> {
        self.failures += 1;
        if is_ours(&error) {
            return Err(error);
        }
        let is_passing = is_passing(&error);
        let wait = match self.source() {
            Source::Repository(mirror) if mirror.is_mirror() => {
                if is_unreachable(&error) {
                    mirror.set_down();
                }
                let again = is_passing && !mirror.is_down() && self.failures < MIRROR_ATTEMPTS;
                again.then(|| self.backoff())
            }
            // What the registry does not have may be where the manifest says.
            Source::Repository(_) | Source::Elsewhere(_) => {
                let attempts = self.registry.config().limits.attempts;
                (is_passing && self.failures < attempts).then(|| self.wait_after(&error)).flatten()
            }
        };
        if let Some(wait) = wait {
            self.progress.retrying(&error, wait);
            tokio::time::sleep(wait).await;
            return Ok(());
        }
        if self.place + 1 >= self.sources.len() {
            return Err(error);
        }
        tracing::warn!(error = %tls::chain(&error), "the next place is asked for an image");
        self.progress.retrying(&error, Duration::ZERO);
        self.place += 1;
        self.failures = 0;
        Ok(())
    }

    /// How long to wait; none if it asks for longer than anybody wants to.
    fn wait_after(&self, error: &RemoteError) -> Option<Duration> {
        match error {
            RemoteError::RateLimited { retry_after: Some(after), .. } => {
                let longest = self.registry.config().timeouts.retry_after_longest;
                (*after <= longest).then(|| (*after).max(self.backoff()))
            }
            _ => Some(self.backoff()),
        }
    }

    /// Twice as long each time, up to a bound, and somewhere between three quarters and all of that.
    fn backoff(&self) -> Duration {
        let config = self.registry.config();
        let doubled = config.timeouts.retry_first.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        let whole = doubled.min(config.timeouts.retry_longest);
        let quarters = u32::try_from(config.rng.next_u64() % 64).unwrap_or(0);
        whole - whole * quarters / 256
    }
}

/// Whether it is this machine's fault, or nobody's who could be asked again.
fn is_ours(error: &RemoteError) -> bool {
    use RemoteError::{Config, Full, Image, Sink, Stopped, TooLarge};
    matches!(error, Config(_) | Full | Image(_) | Sink { .. } | Stopped | TooLarge { .. })
}

/// Whether another attempt may fare better.
fn is_passing(error: &RemoteError) -> bool {
    match error {
        RemoteError::Lookup { .. }
        | RemoteError::Connect { .. }
        | RemoteError::Exchange { .. }
        | RemoteError::TimedOut { .. }
        | RemoteError::RateLimited { .. } => true,
        RemoteError::Proxy { status, .. } | RemoteError::Status { status, .. } => {
            matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
        }
        _ => false,
    }
}

/// Whether it cannot be spoken to at all.
fn is_unreachable(error: &RemoteError) -> bool {
    use RemoteError::{Address, Certificate, Connect, Inward, Lookup, Proxy, TimedOut};
    matches!(
        error,
        Address { .. }
            | Certificate { .. }
            | Connect { .. }
            | Inward { .. }
            | Lookup { .. }
            | Proxy { .. }
            | TimedOut { .. }
    )
}
