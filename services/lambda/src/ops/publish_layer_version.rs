//! PublishLayerVersion.

use platform::{Access, Ctx};
use store::{Tx, Versioned};

use crate::api::{self, PublishLayerVersionRequest, PublishLayerVersionResponse};
use crate::code::{self, SaidCode};
use crate::configuration::{Architecture, runtime};
use crate::function::{Change, changing, new_revision, version_id};
use crate::layer::{Layer, LayerVersion};
use crate::names::LayerName;
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PublishLayerVersionRequest) -> Access {
    Access::to("lambda:PublishLayerVersion").on(LayerName::read(ctx, &input.layer_name).arn())
}

/// Publishes an archive as a layer's next version.
pub(crate) async fn publish_layer_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PublishLayerVersionRequest,
) -> Result<PublishLayerVersionResponse, Error> {
    let layer = LayerName::read(ctx, &input.layer_name);
    if layer.account != ctx.account() || layer.region != ctx.region {
        return Err(Error::AccessDenied("Layers are published in the caller's own account and region.".to_owned()));
    }
    let runtimes = input.compatible_runtimes.as_deref().unwrap_or_default();
    runtime::check_of_layer("compatibleRuntimes", runtimes.iter().map(String::as_str))?;
    code::refuse_unserved(input.content.s3_object_storage_mode, None)?;
    let source = SaidCode {
        zip_file: input.content.zip_file,
        s3_bucket: input.content.s3_bucket,
        s3_key: input.content.s3_key,
        s3_object_version: input.content.s3_object_version,
        image_uri: None,
    };
    let archive = code::archive(lambda, ctx, source.source()?).await?;
    let blank = LayerVersion {
        layer: layer.name.clone(),
        number: 0,
        archive,
        description: input.description,
        license: input.license_info,
        runtimes: input.compatible_runtimes,
        architectures: input.compatible_architectures.map(|list| list.into_iter().map(architecture).collect()),
        created: ctx.now,
        policy: Default::default(),
        revision: new_revision(lambda),
    };
    let version = changing(lambda, || next(lambda, &layer, &blank)).await?;
    let told = version.describe(lambda, ctx, &layer);
    Ok(PublishLayerVersionResponse {
        compatible_architectures: told.compatible_architectures,
        compatible_runtimes: told.compatible_runtimes,
        content: told.content,
        created_date: told.created_date,
        description: told.description,
        layer_arn: told.layer_arn,
        layer_version_arn: told.layer_version_arn,
        license_info: told.license_info,
        version: told.version,
    })
}

async fn next(lambda: &Lambda, layer: &LayerName, blank: &LayerVersion) -> Result<Change<LayerVersion>, Error> {
    let (scope, id) = (layer.scope(), [layer.name.as_str()]);
    let before: Option<Versioned<Layer>> = lambda.platform.store.read(&scope, &id).await?;
    let number = before.as_ref().map_or(1, |layer| layer.next_version);
    let version = LayerVersion { number, ..blank.clone() };
    let mut usage = usage::read(lambda, &scope).await?;
    usage.take_code(version.archive.size)?;
    let (mut tx, after) = (Tx::new(), Layer { next_version: number + 1 });
    match &before {
        Some(before) => tx.replace(before, &after),
        None => tx.insert(&scope, &id, &after),
    };
    tx.insert(&scope, &[&layer.name, &version_id(number)], &version);
    usage.write(&mut tx);
    Ok(Change { tx, outcome: version })
}

fn architecture(said: api::Architecture) -> Architecture {
    match said {
        api::Architecture::X8664 => Architecture::X86,
        api::Architecture::Arm64 => Architecture::Arm,
    }
}
