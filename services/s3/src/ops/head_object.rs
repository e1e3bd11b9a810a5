//! HeadObject.

use platform::{Access, Ctx};

use crate::api::{HeadObjectOutput, HeadObjectRequest};
use crate::{Error, S3, read};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &HeadObjectRequest) -> Access {
    read::access(&input.bucket, &input.key, input.version_id.as_deref())
}

/// Answers what GetObject does, without the bytes.
pub(crate) async fn head_object(s3: &S3, ctx: &Ctx, input: HeadObjectRequest) -> Result<HeadObjectOutput, Error> {
    let found = read::find(s3, ctx, read::asked!(input, "HEAD")).await?;
    let mut output = read::fill!(HeadObjectOutput, &found);
    read::override_answer!(ctx, input, output);
    Ok(output)
}
