//! What requests ask for again and again, kept in memory as long as it is true: repositories with the policies that bear on
//! them, and the images that tags and digests name.
//!
//! All that is kept of an account's registry in a region is forgotten when one of its repositories, images, tags, policies
//! or settings changes, and whoever asks next reads it again. A change counts from its acknowledgement on
//! ([`store::ChangeCount`]). What is read while something changes is not kept: a [`Ticket`], taken before, tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::Policy;
use store::{ChangeCount, Record, Scope, Store, Versioned};

use crate::account_setting::AccountSetting;
use crate::image::{Manifest, Tag};
use crate::names::RepositoryName;
use crate::registry_policy::RegistryPolicy;
use crate::repository::{Found, Repository};

/// Registries of which something is kept.
const REGISTRIES_MAX: usize = 256;
/// How much is kept in all, by the size of what it was read from; in memory it takes a small multiple.
const BYTES_MAX: usize = 8 << 20;
/// What an entry counts besides its texts.
const ENTRY_BYTES: usize = 512;

/// A repository, and what the policies say of it.
#[derive(Debug)]
pub(crate) struct Known {
    /// The repository, if it is there.
    pub(crate) found: Option<Found>,
    /// What bears on the actions that a registry's policy always speaks of.
    pub(crate) on_registry_actions: Option<Arc<Policy>>,
    /// What bears on all other actions.
    pub(crate) on_others: Option<Arc<Policy>>,
    /// How long the texts are that it was read from.
    pub(crate) text_bytes: usize,
}

/// An image that a tag or digest names.
pub(crate) type Image = Arc<Versioned<Manifest>>;

/// What is kept, or a ticket for what is read now.
pub(crate) enum Look<T> {
    /// This.
    Found(T),
    /// Nothing.
    Missing(Ticket),
}

/// The state of a registry's records before something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// Which of the counts, if the registry was forgotten in between.
    epoch: u64,
    changes: u64,
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    registries: HashMap<Scope, Registry>,
    next_epoch: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Registry {
    counts: [ChangeCount; 5],
    /// What of it is true.
    ticket: Ticket,
    /// By name.
    repositories: HashMap<String, Arc<Known>>,
    /// By the repository's name, then by tag or digest.
    images: HashMap<String, HashMap<String, Image>>,
    bytes: usize,
}

impl Kept {
    /// A repository.
    pub(crate) fn repository(&self, store: &Store, name: &RepositoryName) -> Look<Arc<Known>> {
        let mut state = self.state();
        let registry = state.present(store, name.scope());
        registry.repositories.get(&name.name).cloned().map_or(Look::Missing(registry.ticket), Look::Found)
    }

    /// What a tag or digest names.
    pub(crate) fn image(&self, store: &Store, name: &RepositoryName, reference: &str) -> Look<Image> {
        let mut state = self.state();
        let registry = state.present(store, name.scope());
        let image = registry.images.get(&name.name).and_then(|images| images.get(reference)).cloned();
        image.map_or(Look::Missing(registry.ticket), Look::Found)
    }

    /// Keeps a repository that was read, if nothing has changed since.
    pub(crate) fn keep_repository(&self, name: &RepositoryName, ticket: Ticket, known: Arc<Known>) {
        let bytes = known.text_bytes;
        self.state().keep(&name.scope(), ticket, bytes, |registry| {
            registry.repositories.insert(name.name.clone(), known).is_none()
        });
    }

    /// Keeps an image that was read, if nothing has changed since.
    pub(crate) fn keep_image(&self, name: &RepositoryName, ticket: Ticket, reference: &str, image: Image) {
        // A record tells about as much as the manifest that it was made from.
        let bytes = usize::try_from(image.size).unwrap_or(usize::MAX);
        self.state().keep(&name.scope(), ticket, bytes, |registry| {
            registry.images.entry(name.name.clone()).or_default().insert(reference.to_owned(), image).is_none()
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind is at worst a wrong sum of bytes: only allocation can panic here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is kept of a registry and still true.
    fn present(&mut self, store: &Store, scope: Scope) -> &mut Registry {
        if self.registries.len() >= REGISTRIES_MAX && !self.registries.contains_key(&scope) {
            self.forget_all();
        }
        let epoch = self.next_epoch;
        let registry = self.registries.entry(scope).or_insert_with_key(|scope| {
            self.next_epoch += 1;
            Registry::new(store, scope, epoch)
        });
        let changes = registry.changes();
        if registry.ticket.changes != changes {
            self.bytes = self.bytes.saturating_sub(registry.bytes);
            registry.forget(changes);
        }
        registry
    }

    /// Keeps an entry of a registry if nothing has changed since the ticket was taken; `insert` tells whether it is new.
    fn keep(&mut self, scope: &Scope, ticket: Ticket, bytes: usize, insert: impl FnOnce(&mut Registry) -> bool) {
        let bytes = bytes.saturating_add(ENTRY_BYTES);
        let Some(registry) = self.registries.get_mut(scope) else { return };
        if registry.ticket != ticket || registry.changes() != ticket.changes {
            return;
        }
        if self.bytes.saturating_add(bytes) > BYTES_MAX {
            self.forget_all();
        } else if insert(registry) {
            registry.bytes += bytes;
            self.bytes += bytes;
        }
    }

    fn forget_all(&mut self) {
        self.registries.clear();
        self.bytes = 0;
    }
}

impl Registry {
    fn new(store: &Store, scope: &Scope, epoch: u64) -> Self {
        let service = scope.key().child(Repository::SERVICE);
        let kinds = [Repository::KIND, Manifest::KIND, Tag::KIND, RegistryPolicy::KIND, AccountSetting::KIND];
        let counts = kinds.map(|kind| store.count_changes(&service.child(kind)));
        let ticket = Ticket { epoch, changes: sum(&counts) };
        Self { counts, ticket, repositories: HashMap::new(), images: HashMap::new(), bytes: 0 }
    }

    fn changes(&self) -> u64 {
        sum(&self.counts)
    }

    fn forget(&mut self, changes: u64) {
        self.ticket.changes = changes;
        self.repositories.clear();
        self.images.clear();
        self.bytes = 0;
    }
}

/// How often anything has changed: none of the counts ever goes down.
fn sum(counts: &[ChangeCount]) -> u64 {
    counts.iter().map(ChangeCount::get).sum()
}
