//! Places of those who receive a body: so many at a time in all, and no account has more than half of them. So whoever sends
//! slowly on purpose holds up nobody but their own account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::AccountId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::refusal::{Code, Refusal};

/// How long a request waits for a place.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The places.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// How many an account has.
    each: usize,
    /// The accounts that have some, or wait for some.
    accounts: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
}

/// One of the places, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(count)), each: count.div_ceil(2), accounts: Mutex::default() }
    }

    /// Takes a place for somebody of an account.
    pub(super) async fn take(&self, account: AccountId) -> Result<Place, Refusal> {
        let busy = || Refusal::new(Code::TooManyRequests, "Too many uploads are going on at once. Try again.");
        let taken = tokio::time::timeout(WAIT_MAX, self.wait(account)).await;
        // Nobody closes the semaphores.
        taken.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn wait(&self, account: AccountId) -> Result<Place, AcquireError> {
        // In this order: who waits for an own place takes none from others.
        let own = self.of(account).acquire_owned().await?;
        Ok(Place { _own: own, _of_all: self.all.clone().acquire_owned().await? })
    }

    fn of(&self, account: AccountId) -> Arc<Semaphore> {
        // Nothing that holds the lock can leave the map half changed.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // Each place, and whoever waits for one, holds its account's.
        accounts.retain(|_, places| Arc::strong_count(places) > 1);
        accounts.entry(account).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u32) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_for_long_is_told_to_come_back() {
        let places = Places::new(1);
        let held = places.take(account(1)).await.unwrap();
        assert!(places.take(account(2)).await.is_err());
        drop(held);
        assert!(places.take(account(2)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_has_its_share_leaves_places_to_others() {
        let places = Places::new(4);
        let held = [places.take(account(1)).await.unwrap(), places.take(account(1)).await.unwrap()];
        assert!(places.take(account(1)).await.is_err(), "half of them is its share");
        let other = places.take(account(2)).await.unwrap();
        drop(held);
        let _again = places.take(account(1)).await.unwrap();
        drop(other);
        let _third = places.take(account(3)).await.unwrap();
        assert_eq!(places.accounts.lock().unwrap().len(), 2, "who has none is forgotten");
    }
}
