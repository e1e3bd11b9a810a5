//! GetObjectTagging.

use platform::{Access, Ctx};

use crate::amend;
use crate::api::{GetObjectTaggingOutput, GetObjectTaggingRequest};
use crate::describe::tag_set;
use crate::{Error, S3};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetObjectTaggingRequest) -> Access {
    let actions = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging"];
    amend::access(actions, &input.bucket, &input.key, input.version_id.as_deref())
}

/// Answers the tags of an object.
pub(crate) async fn get_object_tagging(
    s3: &S3,
    ctx: &Ctx,
    input: GetObjectTaggingRequest,
) -> Result<GetObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let found =
        amend::read(s3, ctx, &access(ctx, &input), &input.bucket, owner, &input.key, input.version_id.as_deref())
            .await?;
    Ok(GetObjectTaggingOutput { tag_set: tag_set(&found.object()?.tags), version_id: found.answered_id() })
}
