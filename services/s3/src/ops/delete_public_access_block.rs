//! DeletePublicAccessBlock.

use platform::{Access, Ctx};

use crate::api::DeletePublicAccessBlockRequest;
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeletePublicAccessBlockRequest) -> Access {
    Access::to("s3:PutBucketPublicAccessBlock").on(names::bucket_arn(&input.bucket))
}

/// Lets the public in as far as ACLs and policies do.
pub(crate) async fn delete_public_access_block(
    s3: &S3,
    _: &Ctx,
    input: DeletePublicAccessBlockRequest,
) -> Result<(), Error> {
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        bucket.public_access_block = None;
        Ok(())
    })
    .await
    .map(drop)
}
