//! DeleteBucket.

use platform::{Access, Ctx};

use crate::api::DeleteBucketRequest;
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketRequest) -> Access {
    Access::to("s3:DeleteBucket").on(names::bucket_arn(&input.bucket))
}

/// Deletes an empty bucket.
pub(crate) async fn delete_bucket(s3: &S3, _: &Ctx, input: DeleteBucketRequest) -> Result<(), Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    bucket::delete(s3, bucket).await
}
