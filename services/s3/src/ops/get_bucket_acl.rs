//! GetBucketAcl.

use platform::{Access, Ctx};

use crate::api::{GetBucketAclOutput, GetBucketAclRequest};
use crate::bucket;
use crate::describe::{grants, owner};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketAclRequest) -> Access {
    Access::to("s3:GetBucketAcl").on(names::bucket_arn(&input.bucket))
}

/// Answers the list of grants.
pub(crate) async fn get_bucket_acl(s3: &S3, _: &Ctx, input: GetBucketAclRequest) -> Result<GetBucketAclOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(GetBucketAclOutput { grants: Some(grants(&bucket.acl())), owner: Some(owner(bucket.owner)) })
}
