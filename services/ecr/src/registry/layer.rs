//! `GET /v2/_layers/<sealed>`: downloads at the addresses that `GetDownloadUrlForLayer` answers.

use http::Method;
use http::request::Parts;
use wire::serve::raw::{RawRequest, RawResponse};

use super::layer_url::{LayerUrl, PREFIX};
use super::refusal::{Code, Refusal};
use super::{Registry, blob};
use crate::{layer, repository};

/// Whether a request is for such an address: the path says everything, whoever asks.
pub(super) fn is_layer_url(parts: &Parts) -> bool {
    parts.uri.path().starts_with(PREFIX) && matches!(parts.method, Method::GET | Method::HEAD)
}

/// Answers the layer, if the address is good still and the repository has it still.
pub(super) async fn answer(registry: &Registry, request: &RawRequest) -> Result<RawResponse, Refusal> {
    let platform = &registry.ecr.platform;
    let denied = |message: &str| Refusal::new(Code::Denied, message);
    let url = LayerUrl::open(platform, request.parts.uri.path()).ok_or_else(|| denied("Access Denied"))?;
    if !url.is_good(request.now) {
        return Err(denied("Request has expired"));
    }
    let unknown = || Refusal::blob_unknown(url.digest().as_str());
    let repository = repository::find(&platform.store, url.repository()).await.map_err(|_| unknown())?;
    if !url.is_of(&repository) {
        return Err(unknown());
    }
    let reference = layer::read(&platform.store, &repository, url.digest()).await?.ok_or_else(unknown)?;
    blob::content(&registry.ecr, &request.parts, url.digest(), &reference, "GetLayer").await
}
