//! ListBuckets.

use base::AccountId;
use platform::{Access, Ctx};
use store::{Key, ListOptions, Range, Scope, Versioned, first_beyond};

use crate::api::{self, ListBucketsOutput, ListBucketsRequest};
use crate::bucket::Bucket;
use crate::{Error, S3, describe};

/// Who may.
pub(crate) fn access(_: &Ctx, _: &ListBucketsRequest) -> Access {
    Access::to("s3:ListAllMyBuckets")
}

/// Lists the caller's buckets of all regions, by their names.
pub(crate) async fn list_buckets(s3: &S3, ctx: &Ctx, input: ListBucketsRequest) -> Result<ListBucketsOutput, Error> {
    if ctx.account() == AccountId::NOBODY {
        return Err(Error::AccessDenied("Access Denied".to_owned()));
    }
    let after = match input.continuation_token.as_deref() {
        Some(token) => Some(s3.platform.open_page_token(ctx, "s3:ListBuckets", token).map_err(|_| {
            Error::argument("continuation-token", token, "The continuation token provided is incorrect")
        })?),
        None => None,
    };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let mut buckets = of_account(s3, ctx.account()).await?;
    buckets.retain(|bucket| {
        bucket.name.starts_with(prefix)
            && input.bucket_region.as_deref().is_none_or(|region| bucket.region.as_str() == region)
            && after.as_deref().is_none_or(|after| bucket.name.as_str() > after)
    });
    buckets.sort_by(|one, other| one.name.cmp(&other.name));
    let limit = input.max_buckets.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX).max(1);
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let last = buckets.last().filter(|_| more);
    Ok(ListBucketsOutput {
        continuation_token: last.map(|last| s3.platform.page_token(ctx, "s3:ListBuckets", &last.name)),
        buckets: Some(buckets.iter().map(|bucket| described(bucket)).collect()),
        owner: Some(describe::owner(ctx.account())),
        prefix: input.prefix,
    })
}

fn described(bucket: &Bucket) -> api::Bucket {
    api::Bucket {
        name: Some(bucket.name.clone()),
        creation_date: Some(bucket.created),
        bucket_region: Some(bucket.region.to_string()),
        bucket_arn: Some(bucket.arn()),
    }
}

/// An account's buckets in all regions. In each they are few: see [`crate::bucket::BUCKETS_MAX`].
async fn of_account(s3: &S3, account: AccountId) -> Result<Vec<Versioned<Bucket>>, Error> {
    let store = &s3.platform.store;
    let mut found = Vec::new();
    // Each round finds the next region in which the account has anything at all, and leaps over the rest of it.
    let mut seek = Range::prefix(&Key::new([account.as_str()])).limit(1);
    while let Some(first) = store.range(seek.clone()).await?.entries.pop() {
        let Some(region) = first.key.segments().nth(1) else {
            seek = seek.after(&first.key);
            continue;
        };
        if let Ok(region) = region.parse() {
            found.extend(of_region(s3, &Scope::new(account, region)).await?);
        }
        let region = Key::new([account.as_str(), &region]);
        let Some(beyond) = first_beyond(&format!("{region}/")) else { break };
        seek = seek.not_before(beyond);
    }
    Ok(found)
}

async fn of_region(s3: &S3, scope: &Scope) -> Result<Vec<Versioned<Bucket>>, Error> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = s3.platform.store.list::<Bucket>(scope, options).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}
