//! Executions that functions have for themselves: reserved ones, and environments that are kept ready.

use store::{Tx, Versioned};

use crate::api::ProvisionedConcurrencyStatusEnum;
use crate::executor::Readiness;
use crate::function::{Change, Function, Provisioned, changing, find, resolve};
use crate::names::{FunctionName, Target, is_alias};
use crate::{Error, Lambda, describe, limits, usage};

/// Sets of how many executions a function is sure; none is of as many as are free.
///
/// # Errors
/// [`Error::FunctionNotFound`], [`Error::Parameter`]
pub(crate) async fn reserve(lambda: &Lambda, name: &FunctionName, count: Option<u32>) -> Result<(), Error> {
    changing(lambda, || async {
        let (function, mut usage) = (find(lambda, name).await?, usage::read(lambda, &name.scope()).await?);
        let provisioned = function.provisioned_total();
        if let Some(count) = count.filter(|count| *count < provisioned) {
            return Err(Error::Parameter(format!(
                " ReservedConcurrentExecutions  {count} should not be lower than function's total provisioned concurrency \
                 [{provisioned}]."
            )));
        }
        let now = Function { reserved: count, ..function.value.clone() };
        usage.claim(function.claimed(), now.claimed(), "ReservedConcurrentExecutions")?;
        let mut tx = Tx::new();
        tx.replace(&function, &now);
        usage.write(&mut tx);
        Ok(Change { tx, outcome: () })
    })
    .await
}

/// Sets how many environments are kept ready of a version or alias; none is none at all.
///
/// # Errors
/// [`Error::FunctionNotFound`], [`Error::Parameter`], [`Error::Conflict`]
pub(crate) async fn provision(lambda: &Lambda, target: &Target, count: Option<u32>) -> Result<(), Error> {
    changing(lambda, || async {
        let (found, mut usage) = (at(lambda, target).await?, usage::read(lambda, &target.function.scope()).await?);
        let mut now = found.value.clone();
        match count {
            None => drop(now.provisioned.remove(target.qualifier())),
            Some(count) => {
                check_pointing(lambda, target, &found).await?;
                let provisioned = Provisioned { count, modified: lambda.platform.clock.now() };
                now.provisioned.insert(target.qualifier().to_owned(), provisioned);
                check_count(&now, count)?;
            }
        }
        usage.claim(found.claimed(), now.claimed(), "ConcurrentExecutions")?;
        let mut tx = Tx::new();
        if now != found.value {
            tx.replace(&found, &now);
            usage.write(&mut tx);
        }
        Ok(Change { tx, outcome: () })
    })
    .await
}

/// The function of a version or alias that is there.
///
/// # Errors
/// [`Error::FunctionNotFound`], [`Error::AliasNotFound`]
pub(crate) async fn at(lambda: &Lambda, target: &Target) -> Result<Versioned<Function>, Error> {
    match resolve(lambda, target).await {
        Ok(found) => Ok(found.function),
        Err(Error::FunctionNotFound(arn)) if is_alias(target.qualifier()) => Err(Error::AliasNotFound(arn)),
        Err(error) => Err(error),
    }
}

fn check_count(function: &Function, count: u32) -> Result<(), Error> {
    if function.reserved.is_some_and(|reserved| reserved < function.provisioned_total()) {
        return Err(Error::Parameter(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
                .to_owned(),
        ));
    }
    if count > limits::CONCURRENT_EXECUTIONS_MAX {
        return Err(Error::Parameter(format!(
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{}].",
            limits::CONCURRENT_EXECUTIONS_MAX
        )));
    }
    Ok(())
}

/// A version is kept ready by itself or by one alias, not by both.
async fn check_pointing(lambda: &Lambda, target: &Target, function: &Versioned<Function>) -> Result<(), Error> {
    if function.provisioned.is_empty() {
        return Ok(());
    }
    let qualifier = target.qualifier();
    let aliases = crate::function::aliases(lambda, function).await?;
    let version_of = |alias: &str| aliases.iter().find(|it| it.name == alias).map(|it| it.function_version.clone());
    if is_alias(qualifier) {
        let version = version_of(qualifier).unwrap_or_default();
        return match function.provisioned.contains_key(&version) {
            true => Err(Error::Conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
                    .to_owned(),
            )),
            false => Ok(()),
        };
    }
    let mut provisioned = function.provisioned.keys().filter(|it| is_alias(it));
    match provisioned.any(|alias| version_of(alias).as_deref() == Some(qualifier)) {
        true => Err(Error::Conflict("Version is pointed by a Provisioned Concurrency alias".to_owned())),
        false => Ok(()),
    }
}

/// What is told of environments that are kept ready.
pub(crate) struct Told {
    pub(crate) requested: i32,
    pub(crate) available: i32,
    pub(crate) status: ProvisionedConcurrencyStatusEnum,
    /// Why it has failed, if it has.
    pub(crate) reason: Option<String>,
    pub(crate) modified: String,
}

/// How far it has come.
pub(crate) async fn told(lambda: &Lambda, name: &FunctionName, qualifier: &str, wanted: &Provisioned) -> Told {
    let Readiness { ready, failed } = lambda.neighbours.executor.provisioned(name, qualifier).await;
    let ready = ready.min(wanted.count);
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let (status, reason) = match failed {
        _ if ready == wanted.count => (ProvisionedConcurrencyStatusEnum::Ready, None),
        Some(reason) => (ProvisionedConcurrencyStatusEnum::Failed, Some(reason)),
        None => (ProvisionedConcurrencyStatusEnum::InProgress, None),
    };
    Told {
        requested: number(wanted.count),
        available: number(ready),
        status,
        reason,
        modified: describe::date(wanted.modified),
    }
}

/// Refuses `$LATEST`, which is never kept ready.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn refuse_latest(target: &Target, message: &str) -> Result<(), Error> {
    match crate::function::is_latest(target.qualifier()) {
        true => Err(Error::Parameter(message.to_owned())),
        false => Ok(()),
    }
}
