//! PutBucketWebsite.

use platform::{Access, Ctx};

use crate::api::PutBucketWebsiteRequest;
use crate::website::{RedirectAll, RoutingRule, Website};
use crate::{Error, S3, names};
use crate::{api, bucket};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketWebsiteRequest) -> Access {
    Access::to("s3:PutBucketWebsite").on(names::bucket_arn(&input.bucket))
}

/// Makes a bucket a website.
pub(crate) async fn put_bucket_website(s3: &S3, _: &Ctx, input: PutBucketWebsiteRequest) -> Result<(), Error> {
    let said = input.website_configuration;
    let site = Website {
        index_suffix: said.index_document.map(|index| index.suffix),
        error_key: said.error_document.map(|error| error.key),
        redirect_all: said.redirect_all_requests_to.map(|all| RedirectAll {
            host: all.host_name,
            protocol: all.protocol.map(|protocol| protocol.as_str().to_owned()),
        }),
        routing_rules: said.routing_rules.into_iter().flatten().map(rule_of).collect(),
    };
    site.check()?;
    bucket::store_setting(s3, &input.bucket, input.expected_bucket_owner.as_deref(), &site).await
}

fn rule_of(rule: api::RoutingRule) -> RoutingRule {
    let condition = rule.condition.unwrap_or_default();
    RoutingRule {
        key_prefix: condition.key_prefix_equals,
        error_code: condition.http_error_code_returned_equals,
        host: rule.redirect.host_name,
        redirect_code: rule.redirect.http_redirect_code,
        protocol: rule.redirect.protocol.map(|protocol| protocol.as_str().to_owned()),
        replace_prefix: rule.redirect.replace_key_prefix_with,
        replace_key: rule.redirect.replace_key_with,
    }
}
