//! GetObject.

use platform::{Access, Ctx};

use crate::api::{GetObjectOutput, GetObjectRequest};
use crate::{Error, S3, read};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetObjectRequest) -> Access {
    read::access(&input.bucket, &input.key, input.version_id.as_deref())
}

/// Answers an object, or a part of it.
pub(crate) async fn get_object(s3: &S3, ctx: &Ctx, input: GetObjectRequest) -> Result<GetObjectOutput, Error> {
    let (found, bytes) = read::open(s3, ctx, read::asked!(input, "GET")).await?;
    let mut output = read::fill!(GetObjectOutput, &found);
    read::override_answer!(ctx, input, output);
    output.body = Some(bytes);
    Ok(output)
}
