//! GetBucketOwnershipControls.

use platform::{Access, Ctx};

use crate::acl::Ownership;
use crate::api::{GetBucketOwnershipControlsOutput, GetBucketOwnershipControlsRequest};
use crate::api::{ObjectOwnership, OwnershipControls, OwnershipControlsRule};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketOwnershipControlsRequest) -> Access {
    Access::to("s3:GetBucketOwnershipControls").on(names::bucket_arn(&input.bucket))
}

/// Answers whose objects are.
pub(crate) async fn get_bucket_ownership_controls(
    s3: &S3,
    _: &Ctx,
    input: GetBucketOwnershipControlsRequest,
) -> Result<GetBucketOwnershipControlsOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let missing = || Error::NoConfiguration(Absent::OwnershipControls, input.bucket.clone());
    let object_ownership = match bucket.ownership.ok_or_else(missing)? {
        Ownership::BucketOwnerEnforced => ObjectOwnership::BucketOwnerEnforced,
        Ownership::BucketOwnerPreferred => ObjectOwnership::BucketOwnerPreferred,
        Ownership::ObjectWriter => ObjectOwnership::ObjectWriter,
    };
    let rules = vec![OwnershipControlsRule { object_ownership }];
    Ok(GetBucketOwnershipControlsOutput { ownership_controls: Some(OwnershipControls { rules }) })
}
