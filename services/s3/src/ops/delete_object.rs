//! DeleteObject.

use platform::{Access, Ctx};

use crate::api::{DeleteObjectOutput, DeleteObjectRequest};
use crate::condition::WriteCondition;
use crate::event::{By, Cause};
use crate::facts::VERSION_ID;
use crate::object::commit::Write;
use crate::object::parse;
use crate::{Error, S3, bucket, facts, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteObjectRequest) -> Access {
    let arn = names::object_arn(&input.bucket, &input.key);
    match &input.version_id {
        Some(id) => Access::to("s3:DeleteObjectVersion").on(arn).key(VERSION_ID, id.as_str()),
        None => Access::to("s3:DeleteObject").on(arn),
    }
}

/// Deletes an object: with versioning it leaves a delete marker, and a version that is named goes for good. What is not there
/// is deleted already.
pub(crate) async fn delete_object(s3: &S3, ctx: &Ctx, input: DeleteObjectRequest) -> Result<DeleteObjectOutput, Error> {
    names::check_key(&input.key)?;
    if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
        return Err(Error::NotImplemented("Only directory buckets have these conditions.".to_owned()));
    }
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let cause = Cause::of(ctx, By::Delete);
    let condition = WriteCondition::of_delete(input.if_match.as_deref());
    let write = Write { bucket: &bucket, key: &input.key, condition, cause: &cause };
    let Some(version_id) = &input.version_id else {
        let committed = write.delete(s3, facts::writer(ctx, &bucket)).await?;
        let marker = committed.filter(|committed| committed.is_marker);
        return Ok(DeleteObjectOutput {
            delete_marker: marker.is_some().then_some(true),
            version_id: marker.and_then(|marker| marker.answered_id(bucket.versioning)),
            request_charged: None,
        });
    };
    let erased = write.erase(s3, &parse(version_id)?).await?;
    Ok(DeleteObjectOutput {
        delete_marker: erased.is_some_and(|erased| erased.is_marker).then_some(true),
        version_id: Some(version_id.clone()),
        request_charged: None,
    })
}
