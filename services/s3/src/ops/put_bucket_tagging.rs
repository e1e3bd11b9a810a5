//! PutBucketTagging.

use platform::{Access, Ctx};

use crate::api::PutBucketTaggingRequest;
use crate::bucket;
use crate::describe::tags_of;
use crate::tags::{self, BUCKET_TAGS_MAX};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketTaggingRequest) -> Access {
    Access::to("s3:PutBucketTagging").on(names::bucket_arn(&input.bucket))
}

/// Gives a bucket tags in place of those that it has.
pub(crate) async fn put_bucket_tagging(s3: &S3, _: &Ctx, input: PutBucketTaggingRequest) -> Result<(), Error> {
    let tags = tags::check(tags_of(input.tagging.tag_set), BUCKET_TAGS_MAX)?;
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        bucket.tags.clone_from(&tags);
        Ok(())
    })
    .await
    .map(drop)
}
