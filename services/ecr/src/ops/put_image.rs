//! PutImage.

use platform::{Access, Ctx};

use crate::api::{Image, PutImageRequest, PutImageResponse};
use crate::image::identifier::identifier;
use crate::image::push::{Push, push};
use crate::names::RepositoryName;
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutImageRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:PutImage").on(name.arn())
}

/// Stores a manifest, whose layers have been uploaded, and lets a tag name it.
pub(crate) async fn put_image(ecr: &Ecr, ctx: &Ctx, input: PutImageRequest) -> Result<PutImageResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let digest = input.image_digest.map(|text| text.parse()).transpose();
    let digest = digest.map_err(|_| Error::parameter("imageDigest", "must be a SHA-256 or SHA-512 digest"))?;
    let to_push = Push {
        bytes: input.image_manifest.clone().into_bytes(),
        media_type: input.image_manifest_media_type,
        digest,
        tags: input.image_tag.iter().cloned().collect(),
    };
    let pushed = push(ecr, &name, to_push, ctx.now).await?;
    if !pushed.has_changed {
        return Err(Error::ImageExists { name, digest: pushed.digest, tag: input.image_tag });
    }
    let image = Image {
        registry_id: Some(name.registry.to_string()),
        repository_name: Some(name.name),
        image_id: Some(identifier(pushed.digest.as_str(), input.image_tag.as_deref())),
        image_manifest: Some(input.image_manifest),
        image_manifest_media_type: Some(pushed.manifest.media_type),
    };
    Ok(PutImageResponse { image: Some(image) })
}
