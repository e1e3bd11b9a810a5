//! GetBucketCors.

use platform::{Access, Ctx};

use crate::api::CORSRule;
use crate::api::{GetBucketCorsOutput, GetBucketCorsRequest};
use crate::cors::Cors;
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketCorsRequest) -> Access {
    Access::to("s3:GetBucketCORS").on(names::bucket_arn(&input.bucket))
}

/// Answers the CORS rules.
pub(crate) async fn get_bucket_cors(
    s3: &S3,
    _: &Ctx,
    input: GetBucketCorsRequest,
) -> Result<GetBucketCorsOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let cors: Cors = bucket::required(&s3.platform.store, &bucket, Absent::Cors).await?;
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let described = |rule: crate::cors::CorsRule| CORSRule {
        id: rule.id,
        allowed_headers: some(rule.allowed_headers),
        allowed_methods: rule.allowed_methods,
        allowed_origins: rule.allowed_origins,
        expose_headers: some(rule.expose_headers),
        max_age_seconds: rule.max_age_s,
    };
    Ok(GetBucketCorsOutput { cors_rules: Some(cors.rules.into_iter().map(described).collect()) })
}
