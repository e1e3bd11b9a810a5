//! Finding functions, versions and aliases.

use store::{ListOptions, Versioned};

use super::{Alias, Attached, Configuration, Function, Holder, Version, is_latest, version_id};
use crate::executor::Callee;
use crate::names::{FunctionName, LATEST, Target, is_version};
use crate::{Error, Lambda};

/// What a request's name means.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The function.
    pub(crate) function: Versioned<Function>,
    /// The version; none is `$LATEST`.
    pub(crate) version: Option<Versioned<Version>>,
    /// The alias, if one was named.
    pub(crate) alias: Option<Versioned<Alias>>,
}

impl Found {
    /// `$LATEST`, or the version's number.
    pub(crate) fn version_name(&self) -> String {
        self.version.as_ref().map_or_else(|| LATEST.to_owned(), |version| version.number.to_string())
    }

    /// What hangs by what was named.
    pub(crate) fn attached(&self) -> &Attached {
        match (&self.alias, &self.version) {
            (Some(alias), _) => alias.attached(),
            (None, Some(version)) => version.attached(),
            (None, None) => self.function.attached(),
        }
    }

    /// The revision of what was named.
    pub(crate) fn revision(&self) -> &str {
        match (&self.alias, &self.version) {
            (Some(alias), _) => alias.revision(),
            (None, Some(version)) => version.revision(),
            (None, None) => self.function.revision(),
        }
    }

    /// What is to be called, under the ARN by which it was.
    pub(crate) fn callee(&self, target: &Target) -> Callee {
        let called: &Configuration = match &self.version {
            Some(version) => &version.configuration,
            None => self.function.called(),
        };
        Callee {
            function: target.function.clone(),
            uid: self.function.uid.clone(),
            version: self.version_name(),
            invoked_arn: target.arn(),
            configuration: called.clone(),
            reserved: self.function.reserved,
            may_recurse: self.function.may_recurse,
        }
    }
}

/// Finds a function.
///
/// # Errors
/// [`Error::FunctionNotFound`]
pub(crate) async fn find(lambda: &Lambda, name: &FunctionName) -> Result<Versioned<Function>, Error> {
    let found = lambda.platform.store.read(&name.scope(), &[&name.name]).await?;
    found.ok_or_else(|| Error::FunctionNotFound(name.arn()))
}

/// Finds a version by its number.
///
/// # Errors
/// [`Error::FunctionNotFound`]
pub(crate) async fn version(
    lambda: &Lambda,
    name: &FunctionName,
    function: &Versioned<Function>,
    number: &str,
) -> Result<Versioned<Version>, Error> {
    let found = match number.parse::<u64>() {
        Ok(number) => lambda.platform.store.read(&function.scope, &[&function.uid, &version_id(number)]).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Error::FunctionNotFound(name.qualified(number)))
}

/// Finds an alias.
///
/// # Errors
/// [`Error::AliasNotFound`]
pub(crate) async fn alias(
    lambda: &Lambda,
    name: &FunctionName,
    function: &Versioned<Function>,
    alias: &str,
) -> Result<Versioned<Alias>, Error> {
    let found = lambda.platform.store.read(&function.scope, &[&function.uid, alias]).await?;
    found.ok_or_else(|| Error::AliasNotFound(name.qualified(alias)))
}

/// Finds what a request names. An alias gives its own version: which of two gets a call is a matter of calling.
///
/// # Errors
/// [`Error::FunctionNotFound`]
pub(crate) async fn resolve(lambda: &Lambda, target: &Target) -> Result<Found, Error> {
    let missing = |error: Error| match error {
        Error::FunctionNotFound(_) | Error::AliasNotFound(_) => Error::FunctionNotFound(target.arn()),
        other => other,
    };
    let name = &target.function;
    let function = find(lambda, name).await.map_err(missing)?;
    let qualifier = target.qualifier();
    if is_latest(qualifier) {
        return Ok(Found { function, version: None, alias: None });
    }
    if is_version(qualifier) {
        let version = Some(version(lambda, name, &function, qualifier).await.map_err(missing)?);
        return Ok(Found { function, version, alias: None });
    }
    let alias = alias(lambda, name, &function, qualifier).await.map_err(missing)?;
    let version = match is_latest(&alias.function_version) {
        true => None,
        false => Some(version(lambda, name, &function, &alias.function_version).await?),
    };
    Ok(Found { function, version, alias: Some(alias) })
}

/// All published versions of a function, the oldest first.
pub(crate) async fn versions(
    lambda: &Lambda,
    function: &Versioned<Function>,
) -> Result<Vec<Versioned<Version>>, Error> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let options = ListOptions { id_prefix: &[&function.uid], after: after.as_deref(), ..ListOptions::default() };
        let page = lambda.platform.store.list::<Version>(&function.scope, options).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// All aliases of a function, in the order of their names.
pub(crate) async fn aliases(lambda: &Lambda, function: &Versioned<Function>) -> Result<Vec<Versioned<Alias>>, Error> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let options = ListOptions { id_prefix: &[&function.uid], after: after.as_deref(), ..ListOptions::default() };
        let page = lambda.platform.store.list::<Alias>(&function.scope, options).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// What hangs by `$LATEST`, by each version and by each alias, in the order of their names.
pub(crate) async fn attached_everywhere(
    lambda: &Lambda,
    function: &Versioned<Function>,
) -> Result<Vec<(String, Attached)>, Error> {
    let mut all = vec![(LATEST.to_owned(), function.attached.clone())];
    for version in versions(lambda, function).await? {
        all.push((version.number.to_string(), version.value.attached));
    }
    for alias in aliases(lambda, function).await? {
        all.push((alias.name.clone(), alias.value.attached));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}
