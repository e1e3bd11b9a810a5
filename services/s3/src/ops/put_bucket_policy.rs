//! PutBucketPolicy.

use platform::{Access, Ctx};

use crate::api::PutBucketPolicyRequest;
use crate::bucket;
use crate::policy_setting::{BucketPolicy, of_owners_account};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketPolicyRequest) -> Access {
    Access::to("s3:PutBucketPolicy").on(names::bucket_arn(&input.bucket))
}

/// Gives a bucket a policy in place of the one that it has.
pub(crate) async fn put_bucket_policy(s3: &S3, ctx: &Ctx, input: PutBucketPolicyRequest) -> Result<(), Error> {
    let policy = BucketPolicy::new(&input.policy, &input.bucket)?;
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = bucket::expected(s3, &input.bucket, owner).await?;
    of_owners_account(ctx.account(), &bucket)?;
    if policy.is_public() && bucket.public_access().block_public_policy {
        // (User guide, "Troubleshoot access denied (403 Forbidden) errors".)
        return Err(Error::AccessDenied(format!(
            "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"{}\" because public policies are \
             prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            ctx.principal.arn,
            bucket.arn()
        )));
    }
    bucket::store_setting(s3, &input.bucket, owner, &policy).await
}
