//! A function's records: the function itself with what can be changed of it, its published versions, its aliases.
//!
//! The function lies by its name; what else it has lies below the random id that it gets at each creation, so that one that
//! is deleted and made again shares nothing with its forerunner.

mod change;
mod find;
mod publish;

use std::collections::BTreeMap;

use base::Timestamp;
use blobs::Digest;
use platform::tags::Tags;
use serde::{Deserialize, Serialize};
use store::Record;

use crate::configuration::Configuration;
use crate::event_invoke::EventInvoke;
use crate::names::LATEST;
use crate::permission::Statements;
use crate::url::FunctionUrl;

pub(crate) use change::{Change, amend, change_tags, changing, new_revision, tagged, update};
pub(crate) use find::{Found, alias, aliases, attached_everywhere, find, resolve, version, versions};
pub(crate) use publish::{change_latest, check_changeable, check_revision, publish};

/// A function. Its record's id is its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// New at each creation: 32 hexadecimal digits.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its tags.
    pub tags: Tags,
    /// What `$LATEST` is.
    pub latest: Configuration,
    /// What it was, as long as what it is now is not ready to run.
    pub previous: Option<Configuration>,
    /// What can be done with `$LATEST`.
    pub condition: Condition,
    /// What has been done with the last change of `$LATEST`; none if it never was changed.
    pub update: Option<Update>,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Another one after each change.
    pub revision: String,
    /// The number of the next version.
    pub next_version: u64,
    /// What the code of `$LATEST` and all versions has, in bytes.
    pub code_bytes: u64,
    /// Of how many executions it is sure.
    pub reserved: Option<u32>,
    /// How many environments are kept ready, by version or alias.
    pub provisioned: BTreeMap<String, Provisioned>,
    /// Whether it may call itself in a circle.
    pub may_recurse: bool,
    /// What hangs by `$LATEST`.
    pub attached: Attached,
}

/// A published version. Its record's id is the function's id and the version's number, in twenty digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// Its own description; that of its configuration is the function's.
    pub description: String,
    /// What it is, for good.
    pub configuration: Configuration,
    /// What can be done with it.
    pub condition: Condition,
    /// When it was published.
    pub modified: Timestamp,
    /// Another one after each change of what hangs by it.
    pub revision: String,
    /// What hangs by it.
    pub attached: Attached,
}

/// An alias. Its record's id is the function's id and the alias's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// What it is called for.
    pub description: String,
    /// The version that it names: a number, or `$LATEST`.
    pub function_version: String,
    /// Another version, and what part of the calls it gets.
    pub additional: Option<(String, f64)>,
    /// Another one after each change.
    pub revision: String,
    /// What hangs by it.
    pub attached: Attached,
}

/// What can hang by `$LATEST`, a version or an alias.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attached {
    /// Who else may.
    pub policy: Statements,
    /// What becomes of events.
    pub event_invoke: Option<EventInvoke>,
    /// The address at which it answers.
    pub url: Option<FunctionUrl>,
    /// When its runtime is renewed; none is `Auto`.
    pub renews_runtime: Option<RuntimeRenewal>,
}

/// When a runtime is renewed, in the interface's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RuntimeRenewal {
    /// When the function is changed.
    FunctionUpdate,
}

/// Environments that are kept ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provisioned {
    /// How many.
    pub count: u32,
    /// Since when it is wanted.
    pub modified: Timestamp,
}

/// What can be done with a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// It is made ready.
    Pending,
    /// It can be called.
    Active,
    /// It cannot be made ready.
    Failed(Failure),
}

/// What has become of a change of `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Update {
    /// What it is now is made ready; what it was is called meanwhile.
    InProgress,
    /// What it is now is called.
    Successful,
    /// It cannot be made ready; what it was is called still.
    Failed(Failure),
}

/// Why something cannot be made ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In Lambda's words.
    pub code: String,
    /// For a person.
    pub reason: String,
}

impl Condition {
    /// Lambda's word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Failed(_) => "Failed",
        }
    }

    /// What it is after it was tried to make it ready.
    pub fn after(outcome: Result<(), Failure>) -> Self {
        match outcome {
            Ok(()) => Self::Active,
            Err(failure) => Self::Failed(failure),
        }
    }
}

impl Version {
    /// `$LATEST` as it is now, as a version.
    pub(crate) fn of(
        function: &Function,
        number: u64,
        description: Option<String>,
        now: Timestamp,
        revision: String,
    ) -> Self {
        Self {
            number,
            description: description.unwrap_or_else(|| function.latest.description.clone()),
            configuration: function.latest.clone(),
            condition: Condition::Pending,
            modified: now,
            revision,
            attached: Attached::default(),
        }
    }
}

impl Function {
    /// Whether what it is now, or will be, is being made ready.
    pub fn is_settling(&self) -> bool {
        self.condition == Condition::Pending || self.update == Some(Update::InProgress)
    }

    /// What is called as `$LATEST`.
    pub fn called(&self) -> &Configuration {
        self.previous.as_ref().unwrap_or(&self.latest)
    }

    /// What has come of making it ready.
    pub fn settle(&mut self, outcome: Result<(), Failure>) {
        if self.update == Some(Update::InProgress) {
            self.update = Some(match outcome {
                Ok(()) => Update::Successful,
                Err(failure) => Update::Failed(failure),
            });
            if self.update == Some(Update::Successful) {
                self.previous = None;
                self.condition = Condition::Active;
            }
            return;
        }
        self.condition = Condition::after(outcome);
    }

    /// How many environments are kept ready of all its versions and aliases.
    pub fn provisioned_total(&self) -> u32 {
        self.provisioned.values().map(|provisioned| provisioned.count).sum()
    }

    /// How much of the account's executions it takes for itself.
    pub fn claimed(&self) -> u32 {
        self.reserved.unwrap_or_else(|| self.provisioned_total())
    }
}

impl Record for Function {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "function";

    fn blobs(&self) -> Vec<Digest> {
        let mut blobs = self.latest.blobs();
        blobs.extend(self.previous.iter().flat_map(Configuration::blobs));
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }
}

impl Record for Version {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "version";

    fn blobs(&self) -> Vec<Digest> {
        self.configuration.blobs()
    }
}

impl Record for Alias {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "alias";
}

/// The last segment of a version's id: numbers in the order of their records.
pub(crate) fn version_id(number: u64) -> String {
    format!("{number:020}")
}

/// What a policy or a setting hangs by.
pub(crate) trait Holder {
    /// What hangs by it.
    fn attached(&self) -> &Attached;
    /// The same, to change it.
    fn attached_mut(&mut self) -> &mut Attached;
    /// Its revision.
    fn revision(&self) -> &str;
    /// Gives it another.
    fn revise(&mut self, revision: String);
}

macro_rules! holder {
    ($type:ty) => {
        impl Holder for $type {
            fn attached(&self) -> &Attached {
                &self.attached
            }

            fn attached_mut(&mut self) -> &mut Attached {
                &mut self.attached
            }

            fn revision(&self) -> &str {
                &self.revision
            }

            fn revise(&mut self, revision: String) {
                self.revision = revision;
            }
        }
    };
}

holder!(Function);
holder!(Version);
holder!(Alias);

/// Whether a text is the version that can be changed.
pub(crate) fn is_latest(qualifier: &str) -> bool {
    qualifier == LATEST
}
