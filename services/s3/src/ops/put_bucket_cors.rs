//! PutBucketCors.

use platform::{Access, Ctx};

use crate::api::PutBucketCorsRequest;
use crate::bucket;
use crate::cors::{Cors, CorsRule};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketCorsRequest) -> Access {
    Access::to("s3:PutBucketCORS").on(names::bucket_arn(&input.bucket))
}

/// Gives a bucket CORS rules in place of those that it has.
pub(crate) async fn put_bucket_cors(s3: &S3, _: &Ctx, input: PutBucketCorsRequest) -> Result<(), Error> {
    let rules = input.cors_configuration.cors_rules.into_iter().map(|rule| CorsRule {
        id: rule.id,
        allowed_origins: rule.allowed_origins,
        allowed_methods: rule.allowed_methods,
        allowed_headers: rule.allowed_headers.unwrap_or_default(),
        expose_headers: rule.expose_headers.unwrap_or_default(),
        max_age_s: rule.max_age_seconds,
    });
    let cors = Cors { rules: rules.collect() };
    cors.check()?;
    bucket::store_setting(s3, &input.bucket, input.expected_bucket_owner.as_deref(), &cors).await
}
