//! Changing `$LATEST`, and publishing it.

use platform::Ctx;
use store::{Tx, Versioned};

use super::{Condition, Function, Update, Version, new_revision, version_id};
use crate::api::FunctionConfiguration;
use crate::configuration::Configuration;
use crate::describe::Described;
use crate::names::{FunctionName, LATEST};
use crate::reconcile::settle;
use crate::{Error, Lambda, usage};

/// What a change has made: what is told of it.
pub(crate) enum Outcome {
    /// `$LATEST`.
    Latest(Box<Function>),
    /// A version.
    Version(Box<Version>),
}

impl Outcome {
    /// As operations answer it.
    ///
    /// # Errors
    /// [`Error::Internal`] for an environment that does not open.
    pub(crate) fn describe(&self, lambda: &Lambda, name: &FunctionName) -> Result<FunctionConfiguration, Error> {
        match self {
            Self::Latest(function) => Described::latest(name, function).whole(lambda),
            Self::Version(version) => Described::version(name, version).whole(lambda),
        }
    }
}

/// Checks that a request knows what it changes.
///
/// # Errors
/// [`Error::Revision`]
pub(crate) fn check_revision(function: &Function, expected: Option<&str>) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != function.revision => Err(Error::Revision("GetFunction/GetAlias")),
        _ => Ok(()),
    }
}

/// Checks that a function is not being changed.
///
/// # Errors
/// [`Error::UpdateInProgress`], [`Error::NotActive`]
pub(crate) fn check_changeable(name: &FunctionName, function: &Function) -> Result<(), Error> {
    match (&function.update, &function.condition) {
        (Some(Update::InProgress), _) => Err(Error::UpdateInProgress(name.arn())),
        (_, Condition::Pending) => Err(Error::NotActive(Condition::Pending.as_str())),
        _ => Ok(()),
    }
}

/// Makes `$LATEST` something else, and a version of that if it is wanted.
///
/// # Errors
/// [`Error::CodeStorageExceeded`]
#[expect(clippy::too_many_arguments, reason = "all of one transaction, which is built here")]
pub(crate) async fn change_latest(
    lambda: &Lambda,
    ctx: &Ctx,
    name: &FunctionName,
    function: &Versioned<Function>,
    latest: Configuration,
    publishes: bool,
    mut usage: usage::Read,
    tx: &mut Tx,
) -> Result<Outcome, Error> {
    let (before, after) = (function.latest.package.size(), latest.package.size());
    let called = function.called().clone();
    let mut now = Function {
        latest,
        previous: (function.condition == Condition::Active).then_some(called),
        update: Some(Update::InProgress),
        modified: ctx.now,
        revision: new_revision(lambda),
        code_bytes: (function.code_bytes + after).saturating_sub(before),
        ..function.value.clone()
    };
    usage.free_code(before);
    usage.take_code(after)?;
    settle::wanted(tx, name, &function.uid, LATEST);
    let version = match publishes {
        true => Some(next_version(lambda, ctx, name, function, &mut now, None, &mut usage, tx).await?),
        false => None,
    };
    tx.replace(function, &now);
    usage.write(tx);
    Ok(version.map_or_else(|| Outcome::Latest(Box::new(now)), |version| Outcome::Version(Box::new(version))))
}

/// Publishes `$LATEST` as it is.
///
/// # Errors
/// [`Error::CodeStorageExceeded`]
pub(crate) async fn publish(
    lambda: &Lambda,
    ctx: &Ctx,
    name: &FunctionName,
    function: &Versioned<Function>,
    description: Option<String>,
    mut usage: usage::Read,
    tx: &mut Tx,
) -> Result<Outcome, Error> {
    let mut now = function.value.clone();
    let version = next_version(lambda, ctx, name, function, &mut now, description, &mut usage, tx).await?;
    if now != function.value {
        now.revision = new_revision(lambda);
        tx.replace(function, &now);
        usage.write(tx);
    }
    Ok(Outcome::Version(Box::new(version)))
}

/// The version that `now` is published as: the last one, if that is the same.
#[expect(clippy::too_many_arguments, reason = "all of one transaction, which is built here")]
async fn next_version(
    lambda: &Lambda,
    ctx: &Ctx,
    name: &FunctionName,
    function: &Versioned<Function>,
    now: &mut Function,
    description: Option<String>,
    usage: &mut usage::Read,
    tx: &mut Tx,
) -> Result<Version, Error> {
    let last = version_id(now.next_version.saturating_sub(1));
    let last = lambda.platform.store.read::<Version>(&function.scope, &[&function.uid, &last]).await?;
    if let Some(last) = last.filter(|last| last.configuration == now.latest) {
        return Ok(last.value);
    }
    let number = now.next_version;
    let version = Version::of(now, number, description, ctx.now, new_revision(lambda));
    let size = version.configuration.package.size();
    usage.take_code(size)?;
    now.next_version += 1;
    now.code_bytes += size;
    tx.insert(&function.scope, &[&function.uid, &version_id(number)], &version);
    settle::wanted(tx, name, &function.uid, &number.to_string());
    Ok(version)
}
