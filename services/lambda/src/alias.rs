//! Aliases: what a request says of one.

use crate::api::AliasRoutingConfiguration;
use crate::function::{Function, is_latest, version};
use crate::names::FunctionName;
use crate::{Error, Lambda};
use store::Versioned;

/// Where an alias leads: its version, and another one with the part of the calls that it gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    pub(crate) version: String,
    pub(crate) additional: Option<(String, f64)>,
}

impl Route {
    /// What a request says of weights.
    ///
    /// # Errors
    /// [`Error::Parameter`]
    pub(crate) fn new(version: String, said: Option<AliasRoutingConfiguration>) -> Result<Self, Error> {
        let weights = said.and_then(|said| said.additional_version_weights).unwrap_or_default();
        if weights.len() > 1 {
            let message = "Number of items in AdditionalVersionWeights cannot be greater than 1";
            return Err(Error::Parameter(message.to_owned()));
        }
        let additional = weights.into_iter().next();
        if let Some((other, _)) = &additional {
            if is_latest(&version) {
                let message = "$LATEST is not supported for an alias pointing to more than 1 version";
                return Err(Error::Parameter(message.to_owned()));
            }
            if *other == version {
                return Err(Error::Parameter(format!(
                    "Invalid function version {version}. Function version {version} is already included in routing \
                     configuration."
                )));
            }
        }
        Ok(Self { version, additional })
    }

    /// Checks that its versions are there.
    ///
    /// # Errors
    /// [`Error::FunctionNotFound`]
    pub(crate) async fn check(
        &self,
        lambda: &Lambda,
        name: &FunctionName,
        function: &Versioned<Function>,
    ) -> Result<(), Error> {
        let others = self.additional.iter().map(|(other, _)| other);
        for number in std::iter::once(&self.version).chain(others).filter(|number| !is_latest(number)) {
            version(lambda, name, function, number).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(version: &str, weights: &[(&str, f64)]) -> Result<Route, Error> {
        let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
        let said = AliasRoutingConfiguration { additional_version_weights: Some(weights) };
        Route::new(version.to_owned(), Some(said))
    }

    #[test]
    fn an_alias_leads_to_one_version_or_to_two_published_ones() {
        assert_eq!(route("1", &[("2", 0.25)]).unwrap().additional, Some(("2".to_owned(), 0.25)));
        assert_eq!(route("$LATEST", &[]).unwrap().additional, None);
        for (version, weights) in
            [("1", &[("2", 0.1), ("3", 0.1)][..]), ("1", &[("1", 0.1)]), ("$LATEST", &[("1", 0.1)])]
        {
            assert!(matches!(route(version, weights), Err(Error::Parameter(_))), "{version}");
        }
    }
}
