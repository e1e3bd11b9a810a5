//! DeleteObjects.

use std::sync::Arc;

use platform::{Access, Ctx};
use store::Versioned;
use tokio::task::JoinSet;

use crate::api::{self, DeleteObjectsOutput, DeleteObjectsRequest, DeletedObject, ObjectIdentifier};
use crate::bucket::{self, Bucket};
use crate::condition::WriteCondition;
use crate::event::{By, Cause};
use crate::facts::VERSION_ID;
use crate::object::commit::Write;
use crate::object::parse;
use crate::{Error, S3, facts, names};

/// The most keys of one request. (API reference.)
const KEYS_MAX: usize = 1000;
/// How many are deleted at once: commits that wait together are made durable together.
const AT_ONCE: usize = 32;

/// Who may: each key is asked for by itself, and refused by itself.
pub(crate) fn access(_: &Ctx, _: &DeleteObjectsRequest) -> Access {
    Access::open()
}

/// Deletes many objects, each as DeleteObject does, and says what has become of each.
pub(crate) async fn delete_objects(
    s3: &S3,
    ctx: &Ctx,
    input: DeleteObjectsRequest,
) -> Result<DeleteObjectsOutput, Error> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > KEYS_MAX {
        return Err(Error::MalformedXml);
    }
    let bucket = Arc::new(bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?);
    let mut running = JoinSet::new();
    let mut outcomes: Vec<Option<Result<DeletedObject, api::Error>>> = Vec::new();
    outcomes.resize_with(input.delete.objects.len(), || None);
    for (position, asked) in input.delete.objects.into_iter().enumerate() {
        if running.len() >= AT_ONCE
            && let Some(done) = running.join_next().await
        {
            place(&mut outcomes, done)?;
        }
        let (s3, ctx, bucket) = (s3.clone(), ctx.clone(), bucket.clone());
        running.spawn(async move { (position, delete(&s3, &ctx, &bucket, asked).await) });
    }
    while let Some(done) = running.join_next().await {
        place(&mut outcomes, done)?;
    }
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for outcome in outcomes.into_iter().flatten() {
        match outcome {
            Ok(object) => deleted.push(object),
            Err(error) => errors.push(error),
        }
    }
    let is_quiet = input.delete.quiet == Some(true);
    Ok(DeleteObjectsOutput {
        deleted: (!deleted.is_empty() && !is_quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    })
}

type Outcome = (usize, Result<DeletedObject, api::Error>);

fn place(
    outcomes: &mut [Option<Result<DeletedObject, api::Error>>],
    done: Result<Outcome, tokio::task::JoinError>,
) -> Result<(), Error> {
    let (position, outcome) = done.map_err(|error| Error::Internal(format!("a deletion broke off: {error}")))?;
    outcomes[position] = Some(outcome);
    Ok(())
}

async fn delete(
    s3: &S3,
    ctx: &Ctx,
    bucket: &Versioned<Bucket>,
    asked: ObjectIdentifier,
) -> Result<DeletedObject, api::Error> {
    let (key, version_id) = (asked.key.clone(), asked.version_id.clone());
    try_delete(s3, ctx, bucket, asked).await.map_err(|error| api::Error {
        code: Some(error.code.into_owned()),
        message: Some(error.message),
        key: Some(key),
        version_id,
    })
}

async fn try_delete(
    s3: &S3,
    ctx: &Ctx,
    bucket: &Versioned<Bucket>,
    asked: ObjectIdentifier,
) -> Result<DeletedObject, wire::Error> {
    names::check_key(&asked.key)?;
    let arn = names::object_arn(&bucket.name, &asked.key);
    let access = match &asked.version_id {
        Some(id) => Access::to("s3:DeleteObjectVersion").on(arn).key(VERSION_ID, id.as_str()),
        None => Access::to("s3:DeleteObject").on(arn),
    };
    ctx.admit(s3, &access).await?;
    let cause = Cause::of(ctx, By::Delete);
    let condition = WriteCondition::of_delete(asked.e_tag.as_deref());
    let write = Write { bucket, key: &asked.key, condition, cause: &cause };
    let mut deleted = DeletedObject {
        key: Some(asked.key.clone()),
        version_id: asked.version_id.clone(),
        ..DeletedObject::default()
    };
    let committed = match &asked.version_id {
        Some(id) => write.erase(s3, &parse(id)?).await?,
        None => write.delete(s3, facts::writer(ctx, bucket)).await?,
    };
    if let Some(marker) = committed.filter(|committed| committed.is_marker) {
        deleted.delete_marker = Some(true);
        deleted.delete_marker_version_id = Some(marker.id.to_string());
    }
    Ok(deleted)
}
