//! Changing functions: one transaction, tried again while others come between.

use std::future::Future;

use platform::tags::Tags;
use platform::{Attempts, Ctx};
use store::{StoreError, Tx, Versioned};

use super::{Attached, Function, Holder, resolve};
use crate::names::{FunctionName, Target};
use crate::{Error, Lambda};

/// What a transaction is to do with a function.
pub(crate) struct Change<T> {
    /// What is written.
    pub(crate) tx: Tx,
    /// What is answered once it is.
    pub(crate) outcome: T,
}

/// Reads, decides and commits, until nobody has come between.
///
/// # Errors
/// What `decide` answers.
pub(crate) async fn changing<T, F>(lambda: &Lambda, mut decide: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<Change<T>, Error>>,
{
    let mut attempts = Attempts::new();
    loop {
        let outcome = match decide().await {
            Ok(Change { tx, outcome }) if tx.is_empty() => Ok(outcome),
            Ok(Change { tx, outcome }) => lambda.platform.store.commit(tx).await.map(|_| outcome).map_err(Error::from),
            Err(error) => Err(error),
        };
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

/// Another revision.
pub(crate) fn new_revision(lambda: &Lambda) -> String {
    base::ids::uuid(&*lambda.platform.rng)
}

/// Changes what hangs by what a request names, and gives that another revision. `change` is told the revision before.
///
/// # Errors
/// [`Error::FunctionNotFound`], and what `change` answers.
pub(crate) async fn amend<T>(
    lambda: &Lambda,
    target: &Target,
    mut change: impl FnMut(&Versioned<Function>, &str, &mut Attached, &mut Tx) -> Result<T, Error>,
) -> Result<(T, String), Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = try_amend(lambda, target, &mut change).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn try_amend<T>(
    lambda: &Lambda,
    target: &Target,
    change: &mut impl FnMut(&Versioned<Function>, &str, &mut Attached, &mut Tx) -> Result<T, Error>,
) -> Result<(T, String), Error> {
    let found = resolve(lambda, target).await?;
    let (mut tx, revision) = (Tx::new(), new_revision(lambda));
    let outcome = match (&found.alias, &found.version) {
        (Some(alias), _) => replace(&mut tx, &found.function, alias, &revision, change)?,
        (None, Some(version)) => replace(&mut tx, &found.function, version, &revision, change)?,
        (None, None) => replace(&mut tx, &found.function, &found.function, &revision, change)?,
    };
    lambda.platform.store.commit(tx).await?;
    Ok((outcome, revision))
}

fn replace<R, T>(
    tx: &mut Tx,
    function: &Versioned<Function>,
    old: &Versioned<R>,
    revision: &str,
    change: &mut impl FnMut(&Versioned<Function>, &str, &mut Attached, &mut Tx) -> Result<T, Error>,
) -> Result<T, Error>
where
    R: store::Record + Holder + Clone,
{
    let mut new = old.value.clone();
    let before = old.value.revision().to_owned();
    let outcome = change(function, &before, new.attached_mut(), tx)?;
    new.revise(revision.to_owned());
    if old.key != function.key {
        // A function that is deleted takes with it what hangs by it.
        tx.require(function);
    }
    tx.replace(old, &new);
    Ok(outcome)
}

/// The function that a request about tags names.
///
/// # Errors
/// [`Error::Parameter`] for a version or alias, which have no tags, and for what there is none of here.
pub(crate) fn tagged(ctx: &Ctx, arn: &str) -> Result<FunctionName, Error> {
    match Target::of_arn(arn) {
        Some(Target { qualifier: Some(_), .. }) => Err(Error::Parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.".to_owned(),
        )),
        Some(Target { function, .. }) if function.region == ctx.region => Ok(function),
        _ => Err(Error::NotFound("The resource you requested does not exist.".to_owned())),
    }
}

/// Changes a function's tags.
///
/// # Errors
/// [`Error::FunctionNotFound`], and what `change` answers.
pub(crate) async fn change_tags(
    lambda: &Lambda,
    name: &FunctionName,
    mut change: impl FnMut(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    let revision = new_revision(lambda);
    update(lambda, name, |function| {
        change(&mut function.tags)?;
        function.revision.clone_from(&revision);
        Ok(())
    })
    .await
}

/// Changes a function's own record, without anything being made ready anew.
///
/// # Errors
/// [`Error::FunctionNotFound`], and what `change` answers.
pub(crate) async fn update(
    lambda: &Lambda,
    name: &FunctionName,
    change: impl FnMut(&mut Function) -> Result<(), Error>,
) -> Result<(), Error> {
    let updated = lambda.platform.store.update::<Function, Error>(&name.scope(), &[&name.name], change).await;
    match updated {
        Err(Error::Store(StoreError::NotFound { .. })) => Err(Error::FunctionNotFound(name.arn())),
        updated => updated.map(drop),
    }
}
