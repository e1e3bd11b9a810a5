//! Layers: archives that functions share, in numbered versions that never change.

use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, StoreError, Versioned};

use base::Timestamp;
use blobs::Digest;

use crate::api;
use crate::code::location;
use crate::configuration::{Architecture, Archive, LayerUse};
use crate::function::{new_revision, version_id};
use crate::names::LayerName;
use crate::permission::Statements;
use crate::{Error, Lambda, describe, limits};

/// A layer. Its record's id is its name; it stays when its versions are deleted, so that no number is given twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// The number of the next version.
    pub next_version: u64,
}

/// A layer's version. Its record's id is the layer's name and its number, in twenty digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerVersion {
    /// The layer's name.
    pub layer: String,
    /// Its number.
    pub number: u64,
    /// The archive.
    pub archive: Archive,
    /// In its owner's words.
    pub description: Option<String>,
    /// Under which licence it is.
    pub license: Option<String>,
    /// The runtimes that it is made for, as far as it says.
    pub runtimes: Option<Vec<String>>,
    /// The processors that it is made for, as far as it says.
    pub architectures: Option<Vec<Architecture>>,
    /// When it was published.
    pub created: Timestamp,
    /// Who else may use it.
    pub policy: Statements,
    /// Another one after each change of that.
    pub revision: String,
}

impl Record for Layer {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "layer";
}

impl Record for LayerVersion {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "layer-version";

    fn blobs(&self) -> Vec<Digest> {
        vec![self.archive.digest]
    }
}

/// Which version a request means, by its number.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn number(asked: i64) -> Result<u64, Error> {
    let refused = || Error::Parameter("Layer Version Cannot be less than 1".to_owned());
    u64::try_from(asked).ok().filter(|number| *number > 0).ok_or_else(refused)
}

/// Finds a version.
pub(crate) async fn find(
    lambda: &Lambda,
    layer: &LayerName,
    number: u64,
) -> Result<Option<Versioned<LayerVersion>>, Error> {
    Ok(lambda.platform.store.read(&layer.scope(), &[&layer.name, &version_id(number)]).await?)
}

/// The versions of a layer, or of all layers, in the order of names and numbers.
pub(crate) async fn versions(
    lambda: &Lambda,
    scope: &store::Scope,
    layer: Option<&str>,
) -> Result<Vec<Versioned<LayerVersion>>, Error> {
    let id_prefix: Vec<&str> = layer.into_iter().collect();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let options = ListOptions { id_prefix: &id_prefix, after: after.as_deref(), ..ListOptions::default() };
        let page = lambda.platform.store.list::<LayerVersion>(scope, options).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The layers that a function is to have.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) async fn used(lambda: &Lambda, ctx: &Ctx, arns: &[String]) -> Result<Vec<LayerUse>, Error> {
    if arns.len() > limits::LAYERS_MAX {
        return Err(Error::Parameter(format!("Cannot reference more than {} layers.", limits::LAYERS_MAX)));
    }
    let mut used: Vec<(LayerName, LayerUse)> = Vec::new();
    for arn in arns {
        let missing = || Error::Parameter(format!("Layer version {arn} does not exist."));
        let (layer, number) = LayerName::of_arn(arn).ok_or_else(missing)?;
        if layer.region != ctx.region {
            return Err(Error::Parameter(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {}.",
                ctx.region
            )));
        }
        if let Some((_, other)) = used.iter().find(|(known, _)| *known == layer) {
            return Err(Error::Parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {} and {arn} \
                 are versions of the same layer.",
                other.arn
            )));
        }
        let version = find(lambda, &layer, number.unwrap_or_default()).await?.ok_or_else(missing)?;
        used.push((layer, LayerUse { arn: arn.clone(), archive: version.archive }));
    }
    Ok(used.into_iter().map(|(_, layer)| layer).collect())
}

impl LayerVersion {
    /// Whether it is made for what a list is asked for. One that says nothing is made for nothing in particular.
    pub(crate) fn fits(&self, runtime: Option<&str>, architecture: Option<api::Architecture>) -> bool {
        let has_runtime = |asked: &str| self.runtimes.iter().flatten().any(|runtime| runtime == asked);
        let has_architecture =
            |asked: api::Architecture| self.architectures.iter().flatten().any(|it| it.as_str() == asked.as_str());
        runtime.is_none_or(has_runtime) && architecture.is_none_or(has_architecture)
    }

    fn architectures(&self) -> Option<Vec<api::Architecture>> {
        let list = self.architectures.as_ref()?;
        Some(list.iter().filter_map(|it| it.as_str().parse().ok()).collect())
    }

    /// As lists tell it.
    pub(crate) fn describe_briefly(&self, layer: &LayerName) -> api::LayerVersionsListItem {
        api::LayerVersionsListItem {
            compatible_architectures: self.architectures(),
            compatible_runtimes: self.runtimes.clone(),
            created_date: Some(describe::date(self.created)),
            description: self.description.clone(),
            layer_version_arn: Some(layer.version_arn(self.number)),
            license_info: self.license.clone(),
            version: i64::try_from(self.number).ok(),
        }
    }

    /// As it is told by itself, with an address of its archive.
    pub(crate) fn describe(&self, lambda: &Lambda, ctx: &Ctx, layer: &LayerName) -> api::GetLayerVersionResponse {
        let brief = self.describe_briefly(layer);
        api::GetLayerVersionResponse {
            compatible_architectures: brief.compatible_architectures,
            compatible_runtimes: brief.compatible_runtimes,
            content: Some(api::LayerVersionContentOutput {
                code_sha256: Some(self.archive.code_sha256()),
                code_size: i64::try_from(self.archive.size).ok(),
                location: Some(location::location(lambda, ctx, &self.archive)),
                ..Default::default()
            }),
            created_date: brief.created_date,
            description: Some(self.description.clone().unwrap_or_default()),
            layer_arn: Some(layer.arn()),
            layer_version_arn: brief.layer_version_arn,
            license_info: brief.license_info,
            version: brief.version,
        }
    }
}

/// The error of a version that is not there.
pub(crate) fn none() -> Error {
    Error::NotFound("The resource you requested does not exist.".to_owned())
}

/// The same where a policy is asked for.
pub(crate) fn no_version(layer: &LayerName, number: u64) -> Error {
    Error::NotFound(format!("Layer version {} does not exist.", layer.version_arn(number)))
}

/// Changes who else may use a version, and answers its new revision.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Revision`], and what `change` answers.
pub(crate) async fn amend(
    lambda: &Lambda,
    layer: &LayerName,
    number: u64,
    expected: Option<&str>,
    mut change: impl FnMut(&mut Statements) -> Result<(), Error>,
) -> Result<String, Error> {
    let revision = new_revision(lambda);
    let (scope, number_id) = (layer.scope(), version_id(number));
    let id = [layer.name.as_str(), number_id.as_str()];
    let updated = lambda.platform.store.update::<LayerVersion, Error>(&scope, &id, |version| {
        change(&mut version.policy)?;
        if expected.is_some_and(|expected| expected != version.revision) {
            return Err(Error::Revision("GetLayerPolicy"));
        }
        version.revision.clone_from(&revision);
        Ok(())
    });
    match updated.await {
        Err(Error::Store(StoreError::NotFound { .. })) => Err(no_version(layer, number)),
        updated => updated.map(|_| revision),
    }
}
