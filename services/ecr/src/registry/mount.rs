//! Taking blobs over from other repositories of the same registry, so that they need not be uploaded again.
//!
//! Amazon ECR does so where the account has it switched on, and for whoever may download the blob from where it is.

use platform::Access;
use store::ListOptions;

use super::Request;
use super::refusal::Refusal;
use super::route::is_name;
use crate::digest::ContentDigest;
use crate::layer;
use crate::names::RepositoryName;
use crate::repository::{self, Found, Repository};
use crate::{Error, account_setting};

/// How many repositories are searched for a blob whose repository the client does not name.
const SEARCHED_MAX: usize = 1000;
/// How many repositories that have it are asked about: each may be one from which the caller may not download.
const ASKED_MAX: usize = 4;

/// Takes a blob over, from the repository that is named or from any. Answers whether the repository has it now; why not is
/// told to nobody, who would learn of repositories that they may not read.
pub(super) async fn mount(
    request: &Request<'_>,
    to: &Found,
    digest: &ContentDigest,
    from: Option<&str>,
) -> Result<bool, Refusal> {
    let store = &request.ecr().platform.store;
    if !account_setting::is_blob_mounting_enabled(store, &to.name.scope()).await? {
        return Ok(false);
    }
    match from {
        Some(from) if !is_name(from) => Ok(false),
        Some(from) => take_over(request, request.named(from), to, digest).await,
        None => {
            for from in having(request, to, digest).await? {
                if take_over(request, from, to, digest).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

async fn take_over(
    request: &Request<'_>,
    from: RepositoryName,
    to: &Found,
    digest: &ContentDigest,
) -> Result<bool, Refusal> {
    let access = Access::to("ecr:GetDownloadUrlForLayer").on(from.arn());
    match request.ctx.admit(request.ecr(), &access).await {
        Ok(()) => {}
        Err(error) if error.status < 500 => return Ok(false),
        Err(error) => return Err(Refusal::of_gate(&error)),
    }
    match repository::find(&request.ecr().platform.store, from).await {
        Ok(from) => Ok(layer::mount(request.ecr(), &from, to, digest, request.ctx.now).await?),
        Err(Error::RepositoryNotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Some repositories of the registry that have a blob; the one that is to have it first.
async fn having(request: &Request<'_>, to: &Found, digest: &ContentDigest) -> Result<Vec<RepositoryName>, Error> {
    let store = &request.ecr().platform.store;
    let scope = to.name.scope();
    let mut found = Vec::new();
    if layer::read(store, to, digest).await?.is_some() {
        found.push(to.name.clone());
    }
    let options = ListOptions { limit: SEARCHED_MAX, ..ListOptions::default() };
    for record in store.list::<Repository>(&scope, options).await?.items {
        if found.len() >= ASKED_MAX {
            break;
        }
        let one = Found { name: request.named(record.name()), record };
        if one.name != to.name && layer::read(store, &one, digest).await?.is_some() {
            found.push(one.name);
        }
    }
    Ok(found)
}
