//! GetObject.

use platform::{Access, Ctx};

use crate::api::{GetObjectOutput, GetObjectRequest};
use crate::{Error, S3, read};

/// How often an object is looked for whose files have gone since its record was read: each time it was written over.
const ATTEMPTS_MAX: u32 = 16;

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetObjectRequest) -> Access {
    read::access(&input.bucket, &input.key, input.version_id.as_deref())
}

/// Answers an object, or a part of it.
pub(crate) async fn get_object(s3: &S3, ctx: &Ctx, input: GetObjectRequest) -> Result<GetObjectOutput, Error> {
    for _ in 0..ATTEMPTS_MAX {
        let found = read::find(s3, ctx, read::asked!(input, "GET")).await?;
        let mut output = read::fill!(GetObjectOutput, &found);
        read::override_answer!(ctx, input, output);
        output.body = s3.content.give(&found.object()?.data, found.span).await?;
        if output.body.is_some() {
            return Ok(output);
        }
    }
    Err(Error::Internal(format!("the files of {}/{} are not there", input.bucket, input.key)))
}
