//! `/v2/<name>/referrers/<digest>`: what refers to an image, as an index that is made for the answer.

use std::collections::BTreeMap;

use http::StatusCode;
use http::header::{HeaderName, LINK};
use serde::{Deserialize, Serialize};
use store::Versioned;
use wire::serve::raw::{RawBody, RawResponse};

use super::answer::Answer;
use super::refusal::{Code, Refusal};
use super::{Request, digest};
use crate::Error;
use crate::image::{Manifest, readable_referrers};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The most referrers that are looked at for a page.
const REFERRERS_A_PAGE: usize = 50;
/// What the manifests of a page have together, in bytes, unless a single one has more: their annotations are answered,
/// and an answer should have 4 MiB at most. (OCI Distribution 1.1, "Listing Referrers".)
const MANIFEST_BYTES_A_PAGE: u64 = 4 * 1024 * 1024;
/// Which filters an answer has been through.
const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Lists what refers to a digest, be it there or not, and can be pulled.
pub(super) async fn list(request: &Request<'_>, name: &str, text: &str) -> Result<RawResponse, Refusal> {
    // "The IAM principal invoking this operation must have the ecr:BatchGetImage permission." (API reference,
    // ListImageReferrers)
    let repository = request.admit(name, &["ecr:BatchGetImage"]).await?;
    let subject = digest(text)?;
    let artifact_type = request.parameter("artifactType").filter(|text| !text.is_empty());
    let (platform, list) = (&request.ecr().platform, format!("referrers/{}/{subject}", repository.id()));
    let after = request.parameter("after").map(|token| platform.open_page_token(&request.ctx, &list, &token));
    let after = after.transpose().map_err(|_| {
        Refusal::new(Code::PaginationNumberInvalid, "The parameter 'after' was not given out for this list.")
    })?;
    let limits = (REFERRERS_A_PAGE, MANIFEST_BYTES_A_PAGE);
    let (found, next) = readable_referrers(&platform.store, &repository, &subject, after.as_deref(), limits).await?;
    let _room = request.ecr().room.take(found.iter().map(|manifest| manifest.size).sum()).await;
    let mut manifests = Vec::new();
    for manifest in found.iter().filter(|manifest| !manifest.storage.is_archived) {
        let own = manifest.artifact_type.as_deref();
        if artifact_type.as_deref().is_none_or(|wanted| own == Some(wanted)) {
            manifests.push(describe(request, manifest).await?);
        }
    }
    let mut answer = Answer::new(StatusCode::OK).content_type(OCI_INDEX);
    if artifact_type.is_some() {
        answer = answer.header(OCI_FILTERS_APPLIED, "artifactType");
    }
    if let Some(next) = next {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("after", &platform.page_token(&request.ctx, &list, &next));
        query.extend_pairs(artifact_type.iter().map(|wanted| ("artifactType", wanted)));
        answer = answer.header(LINK, &format!("</v2/{name}/referrers/{subject}?{}>; rel=\"next\"", query.finish()));
    }
    let index = Index { schema_version: 2, media_type: OCI_INDEX, manifests };
    let document = serde_json::to_vec(&index).expect("an index has only string keys, so serde_json cannot refuse it");
    Ok(answer.body(RawBody::Bytes(document.into())).done("ListReferrers"))
}

async fn describe(request: &Request<'_>, manifest: &Versioned<Manifest>) -> Result<Descriptor, Error> {
    let bytes = request.ecr().content.read(manifest.content, manifest.size).await?;
    // What is not a map of texts has been stored all the same; it has no annotations then.
    let annotations = serde_json::from_slice::<Annotated>(&bytes).map(|it| it.annotations).unwrap_or_default();
    Ok(Descriptor {
        media_type: manifest.media_type.clone(),
        digest: manifest.name().to_owned(),
        size: manifest.size,
        artifact_type: manifest.artifact_type.clone(),
        annotations,
    })
}
