//! The quotas of an account: how many users, groups, roles, policies and the like it may have.
//!
//! How many there are is counted once, when the first is made after a start, and kept up in memory from then on. Before
//! anybody is refused it is counted anew. Requests that come at the same moment can exceed a quota by their number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base::AccountId;
use platform::Ctx;
use store::{ListOptions, Scope};

use crate::entity::{Entity, Noun};
use crate::{Error, Iam, limits};

/// Accounts whose entities are counted; when there are more, counting begins again.
const ACCOUNTS_MAX: usize = 1000;

/// How many entities there are, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<(AccountId, Noun), usize>>);

impl Counts {
    fn get(&self, account: AccountId, noun: Noun) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(account, noun)).copied()
    }

    fn set(&self, account: AccountId, noun: Noun, count: usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ACCOUNTS_MAX * Noun::KINDS {
            counts.clear();
        }
        counts.insert((account, noun), count);
    }

    fn change(&self, account: AccountId, noun: Noun, change: impl FnOnce(usize) -> usize) {
        if let Some(count) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&(account, noun)) {
            *count = change(*count);
        }
    }
}

impl Noun {
    /// AWS's name of the quota, and how many an account may have.
    fn quota(self) -> (&'static str, usize) {
        match self {
            Self::User => ("UsersPerAccount", limits::USERS_PER_ACCOUNT),
            Self::Group => ("GroupsPerAccount", limits::GROUPS_PER_ACCOUNT),
            Self::Role => ("RolesPerAccount", limits::ROLES_PER_ACCOUNT),
            Self::Policy => ("PoliciesPerAccount", limits::POLICIES_PER_ACCOUNT),
            Self::InstanceProfile => ("InstanceProfilesPerAccount", limits::INSTANCE_PROFILES_PER_ACCOUNT),
            Self::OidcProvider => ("OpenIdConnectProvidersPerAccount", limits::OIDC_PROVIDERS_PER_ACCOUNT),
        }
    }
}

impl Iam {
    /// Refuses one more entity where the account has as many as it may.
    pub(crate) async fn check_quota<E: Entity>(&self, ctx: &Ctx) -> Result<(), Error> {
        let (quota, max) = E::NOUN.quota();
        if self.counts.get(ctx.account(), E::NOUN).is_some_and(|count| count < max) {
            return Ok(());
        }
        let count = self.count::<E>(ctx.account()).await?;
        self.counts.set(ctx.account(), E::NOUN, count);
        if count < max { Ok(()) } else { Err(Error::Quota { quota, max }) }
    }

    /// Notes that an entity was made.
    pub(crate) fn note_made(&self, ctx: &Ctx, noun: Noun) {
        self.counts.change(ctx.account(), noun, |count| count.saturating_add(1));
    }

    /// Notes that an entity was removed.
    pub(crate) fn note_gone(&self, ctx: &Ctx, noun: Noun) {
        self.counts.change(ctx.account(), noun, |count| count.saturating_sub(1));
    }

    /// How many entities of a kind an account has.
    pub(crate) async fn count<E: Entity>(&self, account: AccountId) -> Result<usize, Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
            let listing = self.platform.store.list::<E>(&Scope::global(account), options).await?;
            count += listing.items.len();
            after = listing.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }
}
