//! PutBucketOwnershipControls.

use platform::{Access, Ctx};

use crate::acl::Ownership;
use crate::api::PutBucketOwnershipControlsRequest;
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketOwnershipControlsRequest) -> Access {
    Access::to("s3:PutBucketOwnershipControls").on(names::bucket_arn(&input.bucket))
}

/// Says whose objects are, and whether ACLs count.
pub(crate) async fn put_bucket_ownership_controls(
    s3: &S3,
    _: &Ctx,
    input: PutBucketOwnershipControlsRequest,
) -> Result<(), Error> {
    let [rule] = input.ownership_controls.rules.as_slice() else { return Err(Error::MalformedXml) };
    let ownership = bucket::ownership_of(rule.object_ownership);
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        let grants = bucket.acl.as_ref().is_some_and(|acl| !acl.is_only_of(bucket.owner));
        if ownership == Ownership::BucketOwnerEnforced && grants {
            return Err(Error::InvalidBucketAcl);
        }
        bucket.ownership = Some(ownership);
        Ok(())
    })
    .await
    .map(drop)
}
