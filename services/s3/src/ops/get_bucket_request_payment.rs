//! GetBucketRequestPayment.

use platform::{Access, Ctx};

use crate::api::Payer;
use crate::api::{GetBucketRequestPaymentOutput, GetBucketRequestPaymentRequest};
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketRequestPaymentRequest) -> Access {
    Access::to("s3:GetBucketRequestPayment").on(names::bucket_arn(&input.bucket))
}

/// Answers that the owner pays.
pub(crate) async fn get_bucket_request_payment(
    s3: &S3,
    _: &Ctx,
    input: GetBucketRequestPaymentRequest,
) -> Result<GetBucketRequestPaymentOutput, Error> {
    bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(GetBucketRequestPaymentOutput { payer: Some(Payer::BucketOwner) })
}
