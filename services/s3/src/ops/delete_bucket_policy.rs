//! DeleteBucketPolicy.

use platform::{Access, Ctx};

use crate::api::DeleteBucketPolicyRequest;
use crate::bucket;
use crate::policy_setting::BucketPolicy;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketPolicyRequest) -> Access {
    Access::to("s3:DeleteBucketPolicy").on(names::bucket_arn(&input.bucket))
}

/// Takes the policy from a bucket.
pub(crate) async fn delete_bucket_policy(s3: &S3, _: &Ctx, input: DeleteBucketPolicyRequest) -> Result<(), Error> {
    bucket::clear::<BucketPolicy>(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await
}
