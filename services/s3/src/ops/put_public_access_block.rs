//! PutPublicAccessBlock.

use platform::{Access, Ctx};

use crate::api::PutPublicAccessBlockRequest;
use crate::bucket::{self, PublicAccessBlock};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutPublicAccessBlockRequest) -> Access {
    Access::to("s3:PutBucketPublicAccessBlock").on(names::bucket_arn(&input.bucket))
}

/// Says what of the public is kept out.
pub(crate) async fn put_public_access_block(s3: &S3, _: &Ctx, input: PutPublicAccessBlockRequest) -> Result<(), Error> {
    let said = &input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: said.block_public_acls == Some(true),
        ignore_public_acls: said.ignore_public_acls == Some(true),
        block_public_policy: said.block_public_policy == Some(true),
        restrict_public_buckets: said.restrict_public_buckets == Some(true),
    };
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        bucket.public_access_block = Some(block);
        Ok(())
    })
    .await
    .map(drop)
}
