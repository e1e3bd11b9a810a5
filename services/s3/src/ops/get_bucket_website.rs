//! GetBucketWebsite.

use platform::{Access, Ctx};

use crate::api::{Condition, ErrorDocument, IndexDocument, Protocol, Redirect, RedirectAllRequestsTo, RoutingRule};
use crate::api::{GetBucketWebsiteOutput, GetBucketWebsiteRequest};
use crate::website::{self, Website};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketWebsiteRequest) -> Access {
    Access::to("s3:GetBucketWebsite").on(names::bucket_arn(&input.bucket))
}

/// Answers the website.
pub(crate) async fn get_bucket_website(
    s3: &S3,
    _: &Ctx,
    input: GetBucketWebsiteRequest,
) -> Result<GetBucketWebsiteOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let site: Website = bucket::required(&s3.platform.store, &bucket, Absent::Website).await?;
    let rules: Vec<RoutingRule> = site.routing_rules.iter().map(described).collect();
    Ok(GetBucketWebsiteOutput {
        index_document: site.index_suffix.map(|suffix| IndexDocument { suffix }),
        error_document: site.error_key.map(|key| ErrorDocument { key }),
        redirect_all_requests_to: site.redirect_all.map(|all| RedirectAllRequestsTo {
            host_name: all.host,
            protocol: all.protocol.as_deref().and_then(protocol),
        }),
        routing_rules: (!rules.is_empty()).then_some(rules),
    })
}

fn described(rule: &website::RoutingRule) -> RoutingRule {
    let condition = Condition {
        http_error_code_returned_equals: rule.error_code.clone(),
        key_prefix_equals: rule.key_prefix.clone(),
    };
    RoutingRule {
        condition: (condition != Condition::default()).then_some(condition),
        redirect: Redirect {
            host_name: rule.host.clone(),
            http_redirect_code: rule.redirect_code.clone(),
            protocol: rule.protocol.as_deref().and_then(protocol),
            replace_key_prefix_with: rule.replace_prefix.clone(),
            replace_key_with: rule.replace_key.clone(),
        },
    }
}

fn protocol(name: &str) -> Option<Protocol> {
    [Protocol::Http, Protocol::Https].into_iter().find(|known| known.as_str() == name)
}
