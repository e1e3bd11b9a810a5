//! AbortMultipartUpload.

use platform::{Access, Ctx};

use crate::api::{AbortMultipartUploadOutput, AbortMultipartUploadRequest};
use crate::{Error, S3, bucket, multipart, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &AbortMultipartUploadRequest) -> Access {
    Access::to("s3:AbortMultipartUpload").on(names::object_arn(&input.bucket, &input.key))
}

/// Ends an upload without an object. Its parts go soon.
pub(crate) async fn abort_multipart_upload(
    s3: &S3,
    ctx: &Ctx,
    input: AbortMultipartUploadRequest,
) -> Result<AbortMultipartUploadOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = multipart::find(s3, &bucket, &input.key, &input.upload_id).await?;
    if input.if_match_initiated_time.is_some_and(|time| time.as_secs() != upload.initiated.as_secs()) {
        return Err(Error::PreconditionFailed("x-amz-if-match-initiated-time"));
    }
    multipart::abort(s3, &upload, ctx.now).await?;
    Ok(AbortMultipartUploadOutput::default())
}
