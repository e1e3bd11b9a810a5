//! BatchCheckLayerAvailability.

use platform::{Access, Ctx};

use crate::api::{
    BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse, Layer, LayerAvailability, LayerFailure,
    LayerFailureCode,
};
use crate::digest::ContentDigest;
use crate::names::RepositoryName;
use crate::{Ecr, Error, layer, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &BatchCheckLayerAvailabilityRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:BatchCheckLayerAvailability").on(name.arn())
}

/// Tells which layers a repository has. Those are kept for a while, for the image that may be about to be pushed.
pub(crate) async fn batch_check_layer_availability(
    ecr: &Ecr,
    ctx: &Ctx,
    input: BatchCheckLayerAvailabilityRequest,
) -> Result<BatchCheckLayerAvailabilityResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let store = &ecr.platform.store;
    let repository = repository::find(store, name).await?;
    let (mut digests, mut failures) = (Vec::new(), Vec::new());
    for text in input.layer_digests {
        match text.parse::<ContentDigest>() {
            Ok(digest) => digests.push(digest),
            Err(_) => failures.push(failure(text)),
        }
    }
    let found = layer::read_many(store, &repository, &digests).await?;
    layer::note_seen(store, found.iter().flatten(), ctx.now).await?;
    let layers = digests.into_iter().zip(&found).map(|(digest, reference)| Layer {
        layer_digest: Some(digest.into()),
        layer_availability: Some(match reference {
            Some(_) => LayerAvailability::Available,
            None => LayerAvailability::Unavailable,
        }),
        layer_size: reference.as_ref().map(|reference| i64::try_from(reference.size).unwrap_or(i64::MAX)),
        media_type: None,
    });
    Ok(BatchCheckLayerAvailabilityResponse { layers: Some(layers.collect()), failures: Some(failures) })
}

fn failure(text: String) -> LayerFailure {
    let (code, reason) = if text.is_empty() {
        (LayerFailureCode::MissingLayerDigest, "Invalid request parameters: the layer digest is missing")
    } else {
        const REASON: &str =
            "Invalid request parameters: the layer digest should be the SHA-256 or SHA-512 of the layer";
        (LayerFailureCode::InvalidLayerDigest, REASON)
    };
    LayerFailure { layer_digest: Some(text), failure_code: Some(code), failure_reason: Some(reason.to_owned()) }
}
