//! UploadPart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{Access, Ctx};

use crate::api::{UploadPartOutput, UploadPartRequest};
use crate::content::Announced;
use crate::describe::{self, announced, encryption_unserved, set_checksum};
use crate::multipart::{self, PART_BYTES_MAX, Part};
use crate::{Error, S3, bucket, etag, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &UploadPartRequest) -> Access {
    describe::preparing(Access::to("s3:PutObject").on(names::object_arn(&input.bucket, &input.key)))
}

/// Adds a part to an upload.
pub(crate) async fn upload_part(s3: &S3, ctx: &Ctx, input: UploadPartRequest) -> Result<UploadPartOutput, Error> {
    multipart::check_number(input.part_number)?;
    if input.sse_customer_algorithm.is_some() || input.sse_customer_key.is_some() {
        return Err(encryption_unserved());
    }
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = multipart::find(s3, &bucket, &input.key, &input.upload_id).await?;
    let checksums = announced!(input);
    let asked = describe::algorithm(input.checksum_algorithm)?.or(checksums.first().map(|(algorithm, _)| *algorithm));
    let expected = upload.checksum.map(|(algorithm, _)| algorithm);
    if let (Some(asked), Some(expected)) = (asked, expected)
        && asked != expected
        // Nothing was said of a checksum when it was begun: then any may come, and the object's is made of what is computed.
        && !(upload.has_default_checksum())
    {
        return Err(Error::InvalidRequest(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.as_str().to_lowercase(),
            asked.as_str().to_lowercase()
        )));
    }
    let announced = Announced {
        md5: input.content_md5.clone(),
        algorithm: asked.or(expected),
        checksums,
        bytes_max: PART_BYTES_MAX,
    };
    let intake = s3.content.intake(announced)?.into_file();
    let received = intake.take(input.body.unwrap_or_default().into_reader()).await?;
    let data = received.data.clone();
    let unrecorded = s3.content.unrecorded(&data);
    let (answered, received) = multipart::for_upload(s3, &upload, received).await?;
    let part = Part::new(received, ctx.now);
    let mut output =
        UploadPartOutput { e_tag: describe::quoted(&etag::of_content(&part.md5)), ..UploadPartOutput::default() };
    if let Some((algorithm, sum)) = answered {
        set_checksum!(output, algorithm, STANDARD.encode(sum));
    }
    unrecorded.release();
    let put = multipart::put_part(s3, &bucket, &input.key, &input.upload_id, input.part_number, &part).await;
    if let Err(error) = &put {
        s3.content.discard_after(error, &data).await;
    }
    put.map(|()| output)
}
