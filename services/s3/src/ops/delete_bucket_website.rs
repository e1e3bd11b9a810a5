//! DeleteBucketWebsite.

use platform::{Access, Ctx};

use crate::api::DeleteBucketWebsiteRequest;
use crate::bucket;
use crate::website::Website;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketWebsiteRequest) -> Access {
    Access::to("s3:DeleteBucketWebsite").on(names::bucket_arn(&input.bucket))
}

/// Takes the website from a bucket.
pub(crate) async fn delete_bucket_website(s3: &S3, _: &Ctx, input: DeleteBucketWebsiteRequest) -> Result<(), Error> {
    bucket::clear::<Website>(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await
}
