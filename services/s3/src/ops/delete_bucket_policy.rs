//! DeleteBucketPolicy.

use platform::{Access, Ctx};

use crate::api::DeleteBucketPolicyRequest;
use crate::bucket;
use crate::policy_setting::{BucketPolicy, of_owners_account};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketPolicyRequest) -> Access {
    Access::to("s3:DeleteBucketPolicy").on(names::bucket_arn(&input.bucket))
}

/// Takes the policy from a bucket.
pub(crate) async fn delete_bucket_policy(s3: &S3, ctx: &Ctx, input: DeleteBucketPolicyRequest) -> Result<(), Error> {
    let owner = input.expected_bucket_owner.as_deref();
    of_owners_account(ctx.account(), &*bucket::expected(s3, &input.bucket, owner).await?)?;
    bucket::clear::<BucketPolicy>(s3, &input.bucket, owner).await
}
