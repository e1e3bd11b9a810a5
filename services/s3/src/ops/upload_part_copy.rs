//! UploadPartCopy.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{Access, Ctx};

use crate::api::{CopyPartResult, UploadPartCopyOutput, UploadPartCopyRequest};
use crate::content::{Announced, ByteRange, Span};
use crate::copy::{Source, source_conditions};
use crate::describe::{self, set_checksum};
use crate::multipart::{self, PART_BYTES_MAX, Part};
use crate::object::beside;
use crate::{Error, S3, bucket, etag, names};

/// How often a source is looked for whose files have gone since its record was read.
const ATTEMPTS_MAX: u32 = 16;

/// Who may.
pub(crate) fn access(_: &Ctx, input: &UploadPartCopyRequest) -> Access {
    let access = describe::preparing(Access::to("s3:PutObject").on(names::object_arn(&input.bucket, &input.key)));
    let access = Source::told(&input.copy_source, access);
    match Source::read(&input.copy_source) {
        Ok(source) => access.and(source.access()),
        // The handler says what is wrong with it.
        Err(_) => access,
    }
}

/// Adds a part to an upload that is an object, or a range of one.
pub(crate) async fn upload_part_copy(
    s3: &S3,
    ctx: &Ctx,
    input: UploadPartCopyRequest,
) -> Result<UploadPartCopyOutput, Error> {
    multipart::check_number(input.part_number)?;
    if input.sse_customer_algorithm.is_some() || input.copy_source_sse_customer_algorithm.is_some() {
        return Err(describe::encryption_unserved());
    }
    let source = Source::read(&input.copy_source)?;
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = multipart::find(s3, &bucket, &input.key, &input.upload_id).await?;
    let conditions = source_conditions!(input);
    for _ in 0..ATTEMPTS_MAX {
        let found = source.find(s3, ctx, input.expected_source_bucket_owner.as_deref(), conditions).await?;
        let object = found.object()?;
        let span = span(input.copy_source_range.as_deref(), object.size)?;
        let Some(data) = beside::data_of(s3, &found.bucket, &source.key, &found.version).await? else { continue };
        let Some(bytes) = s3.content.give(&data, span).await? else { continue };
        let algorithm = upload.checksum.map(|(algorithm, _)| algorithm);
        let announced = Announced { algorithm, bytes_max: PART_BYTES_MAX, ..Announced::default() };
        let received = s3.content.intake(announced)?.into_file().take(bytes.into_reader()).await?;
        let data = received.data.clone();
        let part = Part::new(received, ctx.now);
        let put = multipart::put_part(s3, &bucket, &input.key, &input.upload_id, input.part_number, &part).await;
        if let Err(error) = &put {
            s3.content.discard_after(error, &data).await;
        }
        put?;
        return Ok(UploadPartCopyOutput {
            copy_part_result: Some(result(&part)),
            copy_source_version_id: found.answered_id(),
            ..UploadPartCopyOutput::default()
        });
    }
    Err(Error::Internal(format!("the files of {} are not there", input.copy_source)))
}

fn result(part: &Part) -> CopyPartResult {
    let mut result = CopyPartResult {
        e_tag: describe::quoted(&etag::of_content(&part.md5)),
        last_modified: Some(part.modified),
        ..CopyPartResult::default()
    };
    if let Some((algorithm, sum)) = &part.checksum {
        set_checksum!(result, *algorithm, STANDARD.encode(sum));
    }
    result
}

/// The bytes that are copied: a range here names both of its ends, and they are there.
fn span(range: Option<&str>, size: u64) -> Result<Span, Error> {
    let Some(text) = range else { return Ok(Span::all(size)) };
    let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                   zero-based offsets of the first and last bytes to copy";
    let refused = || Error::argument("x-amz-copy-source-range", text, message);
    match ByteRange::read(text) {
        Some(ByteRange::From(first, Some(last))) if last < size => Ok(Span { start: first, length: last - first + 1 }),
        Some(ByteRange::From(_, Some(_))) => Err(Error::argument(
            "x-amz-copy-source-range",
            text,
            format!("Range specified is not valid for source object of size: {size}"),
        )),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_a_source_is_there_from_end_to_end() {
        assert_eq!(span(None, 10).unwrap(), Span::all(10));
        assert_eq!(span(Some("bytes=2-9"), 10).unwrap(), Span { start: 2, length: 8 });
        for wrong in ["bytes=2-10", "bytes=2-", "bytes=-2", "2-3"] {
            assert!(span(Some(wrong), 10).is_err(), "{wrong}");
        }
    }
}
