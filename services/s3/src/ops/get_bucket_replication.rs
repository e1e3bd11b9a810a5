//! GetBucketReplication.

use platform::{Access, Ctx};

use crate::api::{GetBucketReplicationOutput, GetBucketReplicationRequest};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketReplicationRequest) -> Access {
    Access::to("s3:GetReplicationConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Answers that nothing is replicated.
pub(crate) async fn get_bucket_replication(
    s3: &S3,
    _: &Ctx,
    input: GetBucketReplicationRequest,
) -> Result<GetBucketReplicationOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Err(Error::NoConfiguration(Absent::Replication, bucket.value.name))
}
