//! What is kept of users, roles and managed policies in memory, ready to be evaluated.
//!
//! Everything of an account is forgotten when anything of IAM changes in it. What is read while something changes is not
//! kept: a [`Ticket`], taken before reading, tells.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, Principal};
use platform::ports::RoleView;
use policy::{IdentityPolicies, Policy};
use store::{ChangeCount, Scope, Store};

/// Accounts of which something is kept.
const ACCOUNTS_MAX: usize = 1000;
/// Characters of policies that are kept in all; compiled they take a small multiple of it.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// What an entry counts besides its texts.
const ENTRY_BYTES: usize = 512;

/// A user or role and all that bears on it.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) known: Known,
    pub(crate) policies: Arc<IdentityPolicies>,
    pub(crate) tags: Arc<BTreeMap<String, String>>,
    /// How long the texts are that only this holder keeps.
    pub(crate) text_bytes: usize,
}

/// Who a [`Holder`] is.
#[derive(Debug)]
pub(crate) enum Known {
    User(Principal),
    Role(RoleView),
}

/// Whom to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    /// By unique id.
    UserId(&'a str),
    /// By folded name.
    UserName(&'a str),
    /// By folded name.
    Role(&'a str),
}

/// What is kept.
#[derive(Debug)]
pub(crate) enum Look<T> {
    /// This, be it that there is none.
    Found(Option<Arc<T>>),
    /// Nothing. What is read now may be kept with this.
    Missing(Ticket),
}

/// The state of an account's records before something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// Which of the counts, if the account was forgotten in between.
    epoch: u64,
    changes: u64,
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<AccountId, Account>,
    next_epoch: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Account {
    changes: ChangeCount,
    /// What of it is true.
    ticket: Ticket,
    users_by_id: HashMap<String, Option<Arc<Holder>>>,
    users_by_name: HashMap<String, Option<Arc<Holder>>>,
    roles: HashMap<String, Option<Arc<Holder>>>,
    policies: HashMap<String, Option<Arc<Policy>>>,
    bytes: usize,
}

impl Cache {
    /// A user or role.
    pub(crate) fn holder(&self, store: &Store, account: AccountId, who: Who<'_>) -> Look<Holder> {
        let mut state = self.state();
        let account = state.present(store, account);
        let kept = match who {
            Who::UserId(id) => account.users_by_id.get(id),
            Who::UserName(name) => account.users_by_name.get(name),
            Who::Role(name) => account.roles.get(name),
        };
        kept.map_or(Look::Missing(account.ticket), |kept| Look::Found(kept.clone()))
    }

    /// A managed policy of an account.
    pub(crate) fn policy(&self, store: &Store, account: AccountId, arn: &str) -> Look<Policy> {
        let mut state = self.state();
        let account = state.present(store, account);
        account.policies.get(arn).map_or(Look::Missing(account.ticket), |kept| Look::Found(kept.clone()))
    }

    /// Keeps what was read, and tells whether it is true still.
    pub(crate) fn keep_holder(
        &self,
        account: AccountId,
        ticket: Ticket,
        who: Who<'_>,
        holder: Option<Arc<Holder>>,
    ) -> bool {
        let bytes = holder.as_ref().map_or(0, |holder| holder.text_bytes);
        self.state().keep(account, ticket, bytes, |account| match who {
            Who::UserId(id) => account.users_by_id.insert(id.to_owned(), holder).is_some(),
            Who::UserName(name) => account.users_by_name.insert(name.to_owned(), holder).is_some(),
            Who::Role(name) => account.roles.insert(name.to_owned(), holder).is_some(),
        })
    }

    /// Keeps what was read, and tells whether it is true still.
    pub(crate) fn keep_policy(
        &self,
        account: AccountId,
        ticket: Ticket,
        arn: &str,
        policy: Option<Arc<Policy>>,
        bytes: usize,
    ) -> bool {
        self.state().keep(account, ticket, bytes, |account| account.policies.insert(arn.to_owned(), policy).is_some())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind is at worst a wrong sum of bytes: only allocation can panic here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is kept of an account and still true.
    fn present(&mut self, store: &Store, id: AccountId) -> &mut Account {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(&id) {
            self.forget_all();
        }
        let epoch = self.next_epoch;
        let account = self.accounts.entry(id).or_insert_with(|| {
            self.next_epoch += 1;
            Account::new(store, id, epoch)
        });
        let changes = account.changes.get();
        if account.ticket.changes != changes {
            self.bytes = self.bytes.saturating_sub(account.bytes);
            account.forget(changes);
        }
        account
    }

    /// Keeps an entry of an account if nothing has changed since the ticket was taken; `insert` tells whether there was
    /// one in its place. Answers whether nothing has.
    fn keep(
        &mut self,
        id: AccountId,
        ticket: Ticket,
        text_bytes: usize,
        insert: impl FnOnce(&mut Account) -> bool,
    ) -> bool {
        let bytes = text_bytes + ENTRY_BYTES;
        let Some(account) = self.accounts.get_mut(&id) else { return false };
        if account.ticket != ticket || account.changes.get() != ticket.changes {
            return false;
        }
        if self.bytes + bytes > TEXT_BYTES_MAX {
            self.forget_all();
        } else if !insert(account) {
            account.bytes += bytes;
            self.bytes += bytes;
        }
        true
    }

    fn forget_all(&mut self) {
        self.accounts.clear();
        self.bytes = 0;
    }
}

impl Account {
    fn new(store: &Store, id: AccountId, epoch: u64) -> Self {
        let changes = store.count_changes(&Scope::global(id).key().child(crate::entity::SERVICE));
        let ticket = Ticket { epoch, changes: changes.get() };
        Self {
            changes,
            ticket,
            users_by_id: HashMap::new(),
            users_by_name: HashMap::new(),
            roles: HashMap::new(),
            policies: HashMap::new(),
            bytes: 0,
        }
    }

    fn forget(&mut self, changes: u64) {
        self.ticket.changes = changes;
        self.users_by_id.clear();
        self.users_by_name.clear();
        self.roles.clear();
        self.policies.clear();
        self.bytes = 0;
    }
}
