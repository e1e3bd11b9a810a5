//! GetBucketPolicy.

use platform::{Access, Ctx};

use crate::api::{GetBucketPolicyOutput, GetBucketPolicyRequest};
use crate::policy_setting::{BucketPolicy, of_owners_account};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketPolicyRequest) -> Access {
    Access::to("s3:GetBucketPolicy").on(names::bucket_arn(&input.bucket))
}

/// Answers the policy, as it was given.
pub(crate) async fn get_bucket_policy(
    s3: &S3,
    ctx: &Ctx,
    input: GetBucketPolicyRequest,
) -> Result<GetBucketPolicyOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    of_owners_account(ctx.account(), &bucket)?;
    let policy: BucketPolicy = bucket::required(&s3.platform.store, &bucket, Absent::Policy).await?;
    Ok(GetBucketPolicyOutput { policy: Some(policy.text) })
}
