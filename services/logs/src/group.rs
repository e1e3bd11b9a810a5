//! Log groups: what is kept of one, and what others see of it.

use base::{Rng, Timestamp, ids};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Scope, Store, StoreError, Tx, Versioned};

use crate::api;
use crate::names::GroupName;
use crate::{Error, Tags};

/// The days that a retention can have.
pub const RETENTION_DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A log group. Its record's id is its name, cut at `/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Random, new at each creation: what its streams, filters and segments are kept under, so that a group that is
    /// created again has nothing of the one before it.
    pub storage_id: String,
    /// When it was created.
    pub created: Timestamp,
    /// STANDARD, INFREQUENT_ACCESS or DELIVERY.
    #[serde(with = "wire::stored")]
    pub class: api::LogGroupClass,
    /// After how many days events expire; none keeps them.
    pub retention_days: Option<i32>,
    /// Whether it cannot be deleted until that is taken back.
    pub deletion_protected: bool,
    /// Its tags.
    pub tags: Tags,
    /// How many metric filters it has.
    pub metric_filters: usize,
    /// Counts the changes of its metric filters, so that ingestion knows whether those that it compiled are current.
    pub metric_filters_changed: u64,
    /// How many subscription filters it has.
    #[serde(default)]
    pub subscription_filters: usize,
    /// Counts their changes.
    #[serde(default)]
    pub subscription_filters_changed: u64,
    /// Whether it has a resource policy of its own, so that nobody looks for one that is not there.
    #[serde(default)]
    pub has_policy: bool,
}

impl Record for LogGroup {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "log-group";
}

impl LogGroup {
    /// A new group of class STANDARD that keeps its events.
    pub fn new(rng: &dyn Rng, now: Timestamp) -> Self {
        Self {
            storage_id: ids::hex32(rng),
            created: now,
            class: api::LogGroupClass::Standard,
            retention_days: None,
            deletion_protected: false,
            tags: Tags::default(),
            metric_filters: 0,
            metric_filters_changed: 0,
            subscription_filters: 0,
            subscription_filters_changed: 0,
            has_policy: false,
        }
    }

    /// The group as DescribeLogGroups answers it.
    pub(crate) fn describe(&self, name: &GroupName, stored_bytes: u64) -> api::LogGroup {
        api::LogGroup {
            arn: Some(name.arn_with_streams()),
            log_group_arn: Some(name.arn()),
            log_group_name: Some(name.name.clone()),
            log_group_class: Some(self.class),
            creation_time: Some(self.created.as_millis()),
            retention_in_days: self.retention_days,
            metric_filter_count: i32::try_from(self.metric_filters).ok(),
            stored_bytes: Some(i64::try_from(stored_bytes).unwrap_or(i64::MAX)),
            deletion_protection_enabled: Some(self.deletion_protected),
            ..api::LogGroup::default()
        }
    }
}

/// The segments of a group's id in the store. Cut at `/`, names come in their own order and fit into keys, where every
/// `/` inside of a segment takes three bytes.
pub(crate) fn id_of(name: &str) -> Vec<&str> {
    name.split('/').collect()
}

/// The name that a record's id was made of.
pub(crate) fn name_of(record: &Versioned<LogGroup>) -> String {
    record.id.join("/")
}

/// The group of a name.
///
/// # Errors
/// [`Error::GroupNotFound`]
pub(crate) async fn find(store: &Store, name: &GroupName) -> Result<Versioned<LogGroup>, Error> {
    store.read(&name.scope(), &id_of(&name.name)).await?.ok_or(Error::GroupNotFound)
}

/// Creates a group.
///
/// # Errors
/// [`Error::GroupExists`]
pub(crate) async fn create(store: &Store, name: &GroupName, group: &LogGroup) -> Result<(), Error> {
    let mut tx = Tx::new();
    tx.insert(&name.scope(), &id_of(&name.name), group);
    match store.commit(tx).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict { .. }) => Err(Error::GroupExists),
        Err(error) => Err(error.into()),
    }
}

/// Whether the events of a group can be read by time, which those of class STANDARD can.
///
/// # Errors
/// [`Error::ClassUnreadable`]
pub(crate) fn check_readable(group: &LogGroup) -> Result<(), Error> {
    match group.class {
        api::LogGroupClass::Standard => Ok(()),
        class => Err(Error::ClassUnreadable(class.as_str())),
    }
}

/// Changes a group that exists.
///
/// # Errors
/// [`Error::GroupNotFound`], and what `change` answers.
pub(crate) async fn update(
    store: &Store,
    name: &GroupName,
    change: impl FnMut(&mut LogGroup) -> Result<(), Error>,
) -> Result<Versioned<LogGroup>, Error> {
    store.update(&name.scope(), &id_of(&name.name), change).await.map_err(|error| match error {
        Error::Store(StoreError::NotFound { .. }) => Error::GroupNotFound,
        other => other,
    })
}

/// A part of the groups of a scope, by name.
#[derive(Debug)]
pub(crate) struct GroupsPage {
    /// The groups.
    pub(crate) groups: Vec<Versioned<LogGroup>>,
    /// The name after which to go on, if there may be more.
    pub(crate) next: Option<String>,
}

/// Lists groups whose names begin with `prefix` and that `wanted` takes, at most `limit`, those after `after`. Of a list
/// that leaves much out, so many are read that a page fills, or the list ends.
pub(crate) async fn list(
    store: &Store,
    scope: &Scope,
    (prefix, after, limit): (&str, Option<String>, usize),
    wanted: impl Fn(&str, &LogGroup) -> bool,
) -> Result<GroupsPage, Error> {
    let mut groups = Vec::new();
    let mut after = after.filter(|after| after.as_str() >= prefix);
    if after.is_none() && !prefix.is_empty() {
        // What comes after the prefix leaves out the group that is called by the prefix itself.
        let exact: Option<Versioned<LogGroup>> = store.read(scope, &id_of(prefix)).await?;
        groups.extend(exact.filter(|group| wanted(prefix, group)));
        after = Some(prefix.to_owned());
    }
    while groups.len() < limit {
        let page = store.list(scope, ListOptions { after: after.as_deref(), ..ListOptions::default() }).await?;
        for group in page.items {
            let name = name_of(&group);
            if !name.starts_with(prefix) {
                return Ok(GroupsPage { groups, next: None });
            }
            if groups.len() == limit {
                return Ok(GroupsPage { groups, next: after });
            }
            if wanted(&name, &group) {
                groups.push(group);
            }
            after = Some(name);
        }
        if !page.more {
            return Ok(GroupsPage { groups, next: None });
        }
    }
    Ok(GroupsPage { groups, next: after })
}
