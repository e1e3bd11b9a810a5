//! A photo was put into a bucket: its thumbnail is made.

use serde_json::{Value, json};

use crate::bucket::{Buckets, S3Error};
use crate::event::Uploaded;
use crate::picture::{self, Fit, PictureError, Wish};
use crate::settings::Settings;

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// The photo cannot be had, or the thumbnail not be put.
    #[error("{key}: {source}")]
    S3 {
        /// The photo's key.
        key: String,
        /// Why.
        source: S3Error,
    },
}

/// Makes a thumbnail and puts it where thumbnails are. What is no picture, and what is a thumbnail itself, is left alone: to
/// try it again would change nothing.
///
/// # Errors
/// [`ThumbnailError`]: what another try may mend.
pub fn thumbnail(buckets: &Buckets, settings: &Settings, photo: &Uploaded) -> Result<Value, ThumbnailError> {
    let target = settings.thumbnail_bucket.as_ref().unwrap_or(&photo.bucket);
    let skipped = |reason: String| {
        println!("{}/{} is left alone: {reason}", photo.bucket, photo.key);
        Ok(json!({ "key": photo.key, "skipped": reason }))
    };
    if *target == photo.bucket && photo.key.starts_with(&settings.thumbnail_prefix) {
        return skipped("it is a thumbnail".to_owned());
    }
    let failed = |source| ThumbnailError::S3 { key: photo.key.clone(), source };
    let original = match buckets.get(&photo.bucket, &photo.key, photo.version_id.as_deref()) {
        // It was removed again, or another took its place, whose own event comes.
        Err(error @ (S3Error::TooLarge | S3Error::Key)) => return skipped(error.to_string()),
        Err(S3Error::NotFound) => return skipped("it is not there any more".to_owned()),
        found => found.map_err(failed)?,
    };
    let wish = Wish { size: settings.thumbnail, fit: Fit::Contain, ..Wish::default() };
    let made = match picture::make(&original.bytes, &wish) {
        Ok(made) => made,
        Err(error @ (PictureError::Unknown | PictureError::Malformed(_) | PictureError::TooLarge { .. })) => {
            return skipped(error.to_string());
        }
    };
    let key = format!("{}{}", settings.thumbnail_prefix, photo.key);
    buckets.put(target, &key, made.format.media_type(), &made.bytes).map_err(failed)?;
    println!(
        "{}/{} ({}×{}, {} bytes) -> {target}/{key} ({}×{}, {} bytes)",
        photo.bucket,
        photo.key,
        made.original.0,
        made.original.1,
        original.bytes.len(),
        made.width,
        made.height,
        made.bytes.len()
    );
    Ok(json!({ "bucket": target, "key": key, "width": made.width, "height": made.height, "bytes": made.bytes.len() }))
}
