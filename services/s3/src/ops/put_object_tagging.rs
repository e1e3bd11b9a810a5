//! PutObjectTagging.

use platform::{Access, Ctx};

use crate::amend::{self, Target};
use crate::api::{PutObjectTaggingOutput, PutObjectTaggingRequest};
use crate::describe::tags_of;
use crate::event::By;
use crate::tags::{self, OBJECT_TAGS_MAX};
use crate::{Error, S3};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutObjectTaggingRequest) -> Access {
    let actions = ["s3:PutObjectTagging", "s3:PutObjectVersionTagging"];
    let access = amend::access(actions, &input.bucket, &input.key, input.version_id.as_deref());
    tags::told(access, tags_of(input.tagging.tag_set.clone()))
}

/// Gives an object tags in place of those that it has.
pub(crate) async fn put_object_tagging(
    s3: &S3,
    ctx: &Ctx,
    input: PutObjectTaggingRequest,
) -> Result<PutObjectTaggingOutput, Error> {
    let access = access(ctx, &input);
    let tags = tags::check(tags_of(input.tagging.tag_set), OBJECT_TAGS_MAX)?;
    let target = Target {
        bucket: &input.bucket,
        owner: input.expected_bucket_owner.as_deref(),
        key: &input.key,
        version_id: input.version_id.as_deref(),
        access: &access,
        by: By::PutTagging,
    };
    let version_id = amend::amend(s3, ctx, target, |_, _, object| {
        object.tags.clone_from(&tags);
        Ok(())
    })
    .await?;
    Ok(PutObjectTaggingOutput { version_id })
}
