//! DeleteObjectTagging.

use platform::{Access, Ctx};

use crate::amend::{self, Target};
use crate::api::{DeleteObjectTaggingOutput, DeleteObjectTaggingRequest};
use crate::event::By;
use crate::{Error, S3};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteObjectTaggingRequest) -> Access {
    let actions = ["s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"];
    amend::access(actions, &input.bucket, &input.key, input.version_id.as_deref())
}

/// Takes the tags from an object.
pub(crate) async fn delete_object_tagging(
    s3: &S3,
    ctx: &Ctx,
    input: DeleteObjectTaggingRequest,
) -> Result<DeleteObjectTaggingOutput, Error> {
    let access = access(ctx, &input);
    let target = Target {
        bucket: &input.bucket,
        owner: input.expected_bucket_owner.as_deref(),
        key: &input.key,
        version_id: input.version_id.as_deref(),
        access: &access,
        by: By::DeleteTagging,
    };
    let version_id = amend::amend(s3, ctx, target, |_, _, object| {
        object.tags.clear();
        Ok(())
    })
    .await?;
    Ok(DeleteObjectTaggingOutput { version_id })
}
