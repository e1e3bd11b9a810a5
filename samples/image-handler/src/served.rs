//! Somebody asks for a picture over the function's URL.

use serde_json::{Value, json};

use crate::address::Address;
use crate::bucket::{Buckets, S3Error};
use crate::event::{Request, encoded_body};
use crate::picture::{self, PictureError};
use crate::settings::Settings;

/// The largest answer of a function, in bytes; base64 takes four for three, and the rest of the answer a little.
/// (Lambda quotas: 6 MB.)
const BODY_BYTES_MAX: usize = 6 * 1024 * 1024 / 4 * 3 - 4096;
/// How long a picture may be kept by whoever gets it, in seconds.
const KEPT_S: u32 = 86_400;

/// Answers a request.
pub fn answer(buckets: &Buckets, settings: &Settings, request: &Request) -> Value {
    let Some(bucket) = &settings.source_bucket else {
        return refused(404, "no bucket is served: SOURCE_BUCKET is not set");
    };
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return refused(405, "pictures can only be read");
    }
    let address = match Address::parse(&request.path, &request.query) {
        Ok(address) => address,
        Err(error) => return refused(400, &error.to_string()),
    };
    let original = match buckets.get(bucket, &address.key, None) {
        Ok(original) => original,
        Err(S3Error::NotFound | S3Error::Key) => return refused(404, "there is no such picture"),
        Err(error @ S3Error::TooLarge) => return refused(413, &error.to_string()),
        Err(error) => {
            println!("{bucket}/{}: {error}", address.key);
            return refused(502, "the picture cannot be had");
        }
    };
    let etag = tag(&original.etag, &address);
    if request.if_none_match.as_deref() == Some(etag.as_str()) {
        return json!({ "statusCode": 304, "headers": { "etag": etag } });
    }
    match picture::make(&original.bytes, &address.wish) {
        Ok(made) if made.bytes.len() > BODY_BYTES_MAX => refused(413, "the picture is too large to be answered"),
        Ok(made) => json!({
            "statusCode": 200,
            "headers": {
                "content-type": made.format.media_type(),
                "cache-control": format!("public, max-age={KEPT_S}"),
                "etag": etag,
                // What somebody put into a bucket is shown as what it is, and as nothing else.
                "x-content-type-options": "nosniff",
            },
            "body": encoded_body(&made.bytes),
            "isBase64Encoded": true,
        }),
        Err(PictureError::Unknown | PictureError::Malformed(_)) => refused(415, "that is no picture"),
        Err(error @ PictureError::TooLarge { .. }) => refused(413, &error.to_string()),
    }
}

/// What of a photo and a wish makes the same picture again.
fn tag(etag: &str, address: &Address) -> String {
    format!("\"{}-{}\"", etag.trim_matches('"'), address.wish)
}

fn refused(status: u16, message: &str) -> Value {
    json!({
        "statusCode": status,
        "headers": { "content-type": "text/plain; charset=utf-8" },
        "body": format!("{message}\n"),
    })
}
