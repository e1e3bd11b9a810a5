//! DeleteBucketTagging.

use platform::{Access, Ctx};

use crate::api::DeleteBucketTaggingRequest;
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketTaggingRequest) -> Access {
    Access::to("s3:PutBucketTagging").on(names::bucket_arn(&input.bucket))
}

/// Takes the tags from a bucket.
pub(crate) async fn delete_bucket_tagging(s3: &S3, _: &Ctx, input: DeleteBucketTaggingRequest) -> Result<(), Error> {
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        bucket.tags.clear();
        Ok(())
    })
    .await
    .map(drop)
}
