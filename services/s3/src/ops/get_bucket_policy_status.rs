//! GetBucketPolicyStatus.

use platform::{Access, Ctx};

use crate::api::PolicyStatus;
use crate::api::{GetBucketPolicyStatusOutput, GetBucketPolicyStatusRequest};
use crate::policy_setting::BucketPolicy;
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketPolicyStatusRequest) -> Access {
    Access::to("s3:GetBucketPolicyStatus").on(names::bucket_arn(&input.bucket))
}

/// Answers whether the policy lets the public in.
pub(crate) async fn get_bucket_policy_status(
    s3: &S3,
    _: &Ctx,
    input: GetBucketPolicyStatusRequest,
) -> Result<GetBucketPolicyStatusOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let policy: BucketPolicy = bucket::required(&s3.platform.store, &bucket, Absent::Policy).await?;
    Ok(GetBucketPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public: Some(policy.is_public()) }) })
}
