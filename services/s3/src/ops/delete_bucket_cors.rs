//! DeleteBucketCors.

use platform::{Access, Ctx};

use crate::api::DeleteBucketCorsRequest;
use crate::bucket;
use crate::cors::Cors;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketCorsRequest) -> Access {
    Access::to("s3:PutBucketCORS").on(names::bucket_arn(&input.bucket))
}

/// Takes the CORS rules from a bucket.
pub(crate) async fn delete_bucket_cors(s3: &S3, _: &Ctx, input: DeleteBucketCorsRequest) -> Result<(), Error> {
    bucket::clear::<Cors>(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await
}
