//! Objects for other services that are told to take one, with the rights of whoever tells them: a function's code.

use platform::ports::{ObjectName, ObjectReader, ReadObject};
use platform::{BoxFuture, Ctx};
use wire::model::Protocol;

use crate::condition::ReadConditions;
use crate::{Error, S3, bucket, read};

impl ObjectReader for S3 {
    fn read<'a>(&'a self, ctx: &'a Ctx, object: ObjectName<'a>) -> BoxFuture<'a, Result<ReadObject, wire::Error>> {
        Box::pin(async move {
            // What is refused is told in S3's words, whatever the service speaks that asks.
            let ctx = Ctx { protocol: Protocol::RestXml, is_form: false, signing: None, ..ctx.clone() };
            ctx.admit(self, &read::access(object.bucket, object.key, object.version)).await?;
            Ok(open(self, &ctx, object).await?)
        })
    }
}

async fn open(s3: &S3, ctx: &Ctx, object: ObjectName<'_>) -> Result<ReadObject, Error> {
    let bucket = bucket::find(s3, object.bucket).await?;
    if bucket.region != ctx.region {
        let told = wire::Error::new("PermanentRedirect", 301, elsewhere(bucket.region.as_str()));
        return Err(Error::Body(told));
    }
    let asked = read::Asked {
        bucket: object.bucket,
        owner: None,
        key: object.key,
        version_id: object.version,
        conditions: ReadConditions::default(),
        range: None,
        part: None,
        wants_checksum: false,
        decrypts: false,
        method: "GET",
    };
    let (found, content) = read::open(s3, ctx, asked).await?;
    Ok(ReadObject { content, size: found.span.length })
}

/// Code has to lie where its function does. (Lambda API reference, FunctionCode: "An Amazon S3 bucket in the same AWS Region as
/// your function".)
fn elsewhere(region: &str) -> String {
    format!("The bucket is in this region: {region}. Please use this region to retry the request")
}
