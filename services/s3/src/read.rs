//! Reading an object: what GetObject and HeadObject share.

use base::Timestamp;
use platform::{Access, Ctx};
use store::Versioned;

use crate::bucket::{self, Bucket, setting};
use crate::checksum::Checksum;
use crate::condition::ReadConditions;
use crate::content::{Span, resolve_range};
use crate::facts::VERSION_ID;
use crate::lifecycle::{Lifecycle, Subject};
use crate::object::{Object, Version, beside, select};
use crate::{Error, S3, describe, facts, names};

/// How often an object is looked for whose bytes have gone since its record was read: each time it was written over.
const ATTEMPTS_MAX: u32 = 16;

/// Which object is read, under which conditions, and which part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) owner: Option<&'a str>,
    pub(crate) key: &'a str,
    pub(crate) version_id: Option<&'a str>,
    pub(crate) conditions: ReadConditions<'a>,
    pub(crate) range: Option<&'a str>,
    pub(crate) part: Option<i32>,
    pub(crate) wants_checksum: bool,
    /// Whether it comes with a key to decrypt with.
    pub(crate) decrypts: bool,
    pub(crate) method: &'static str,
}

/// What is read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) bucket: Versioned<Bucket>,
    pub(crate) version: Version,
    /// Its id, where the bucket has versions.
    pub(crate) version_id: Option<String>,
    pub(crate) span: Span,
    /// None for all of it.
    pub(crate) content_range: Option<String>,
    pub(crate) parts_count: Option<i32>,
    pub(crate) expiration: Option<String>,
    pub(crate) checksum: Option<Checksum>,
}

impl Found {
    /// The object.
    ///
    /// # Errors
    /// Never: what is selected to be read is one.
    pub(crate) fn object(&self) -> Result<&Object, Error> {
        self.version.object().ok_or_else(|| Error::Internal("a delete marker was selected".to_owned()))
    }
}

/// Who may read an object.
pub(crate) fn access(bucket: &str, key: &str, version_id: Option<&str>) -> Access {
    let arn = names::object_arn(bucket, key);
    match version_id {
        Some(id) => Access::to("s3:GetObjectVersion").on(arn).key(VERSION_ID, id),
        None => Access::to("s3:GetObject").on(arn),
    }
}

/// Finds what is asked for.
///
/// # Errors
/// That it is not there, that a condition does not hold, that the range has nothing.
pub(crate) async fn find(s3: &S3, ctx: &Ctx, asked: Asked<'_>) -> Result<Found, Error> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(found) = try_find(s3, ctx, asked).await? {
            return Ok(found);
        }
    }
    Err(Error::Internal(format!("the parts of {}/{} are not there", asked.bucket, asked.key)))
}

/// The same; none if what lies beside it has gone since it was read.
async fn try_find(s3: &S3, ctx: &Ctx, asked: Asked<'_>) -> Result<Option<Found>, Error> {
    names::check_key(asked.key)?;
    let bucket = bucket::expected(s3, asked.bucket, asked.owner).await?;
    let store = &s3.platform.store;
    let selected = match select(store, &bucket, asked.key, asked.version_id, asked.method).await {
        Ok(selected) => selected,
        Err(error) => return Err(facts::hidden(s3, ctx, &bucket, error).await),
    };
    let version = selected.version().clone();
    let (Some(seen), Some(object)) = (version.seen(), version.object()) else {
        return Err(Error::Internal("a delete marker was selected".to_owned()));
    };
    facts::admit(s3, ctx, &bucket, &version, &access(asked.bucket, asked.key, asked.version_id)).await?;
    asked.conditions.check(seen)?;
    if asked.decrypts {
        return Err(Error::InvalidRequest("The encryption parameters are not applicable to this object.".to_owned()));
    }
    let span = match asked.part {
        None => resolve_range(asked.range, object.size)?,
        Some(part) => match span_of_part(s3, &bucket, &version, asked, part).await? {
            // No range of nothing can be named.
            Some(span) => (span.length > 0).then_some(span),
            None => return Ok(None),
        },
    };
    let expiration = expiration(s3, &bucket, asked.key, object, version.modified).await?;
    Ok(Some(Found {
        version_id: (bucket.versioning != bucket::Versioning::Never).then(|| version.id.to_string()),
        span: span.unwrap_or(Span::all(object.size)),
        content_range: span.map(|span| span.content_range(object.size)),
        parts_count: (asked.part.is_some() && !object.parts.is_none())
            .then(|| i32::try_from(object.parts.count()).unwrap_or(i32::MAX)),
        expiration,
        checksum: object.checksum.clone().filter(|_| asked.wants_checksum && span.is_none()),
        version,
        bucket,
    }))
}

/// Finds what is asked for, and its bytes.
///
/// # Errors
/// Those of [`find`].
pub(crate) async fn open(s3: &S3, ctx: &Ctx, asked: Asked<'_>) -> Result<(Found, wire::Content), Error> {
    for _ in 0..ATTEMPTS_MAX {
        let found = find(s3, ctx, asked).await?;
        let Some(data) = beside::data_of(s3, &found.bucket, asked.key, &found.version).await? else { continue };
        if let Some(bytes) = s3.content.give(&data, found.span).await? {
            return Ok((found, bytes));
        }
    }
    Err(Error::Internal(format!("the bytes of {}/{} are not there", asked.bucket, asked.key)))
}

/// The bytes of a part; none if nothing tells any more where they are. What came in one piece is its only part.
async fn span_of_part(
    s3: &S3,
    bucket: &Versioned<Bucket>,
    version: &Version,
    asked: Asked<'_>,
    part: i32,
) -> Result<Option<Span>, Error> {
    if asked.range.is_some() {
        return Err(Error::InvalidRequest(
            "Cannot specify both Range header and partNumber query parameter".to_owned(),
        ));
    }
    crate::multipart::check_number(part)?;
    let (size, count) = version.object().map_or((0, 0), |object| (object.size, object.parts.count()));
    let index = usize::try_from(part - 1).unwrap_or(usize::MAX);
    if index >= count.max(1) {
        return Err(Error::InvalidPartNumber { part, parts: count.max(1) });
    }
    if count == 0 {
        return Ok(Some(Span::all(size)));
    }
    let parts = beside::parts_of(s3, bucket, asked.key, version, 0..index + 1).await?;
    let sizes: Option<Vec<u64>> = parts.map(|parts| parts.iter().map(|part| part.size).collect());
    Ok(sizes.and_then(|sizes| Span::of_piece(&sizes, index)))
}

/// When an object that was written at an instant expires, as a header says it; none if no rule of the bucket's has it expire.
///
/// # Errors
/// [`Error::Store`]
pub(crate) async fn expiration(
    s3: &S3,
    bucket: &Versioned<Bucket>,
    key: &str,
    object: &Object,
    modified: Timestamp,
) -> Result<Option<String>, Error> {
    let Some(lifecycle) = setting::<Lifecycle>(&s3.platform.store, bucket).await? else { return Ok(None) };
    let subject = Subject { key, size: object.size, tags: &object.tags };
    Ok(lifecycle.expiry(subject, modified).map(|(due, rule)| describe::expiration(due, rule)))
}

/// Fills the output of GetObject or HeadObject.
macro_rules! fill {
    ($output:ident, $found:expr) => {{
        let found = $found;
        let object = found.object()?;
        let said = object.attributes.clone();
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            content_length: $crate::describe::size(found.span.length),
            content_range: found.content_range.clone(),
            content_type: Some(said.content_type.unwrap_or_else(|| $crate::describe::CONTENT_TYPE_DEFAULT.to_owned())),
            cache_control: said.cache_control,
            content_disposition: said.content_disposition,
            content_encoding: said.content_encoding,
            content_language: said.content_language,
            expires: said.expires,
            website_redirect_location: said.website_redirect,
            metadata: (!said.metadata.is_empty()).then_some(said.metadata),
            e_tag: $crate::describe::quoted(&object.etag),
            last_modified: Some(found.version.modified),
            expiration: found.expiration.clone(),
            parts_count: found.parts_count,
            storage_class: $crate::describe::storage_class_header(object.storage_class.as_deref()),
            tag_count: (!object.tags.is_empty()).then(|| i32::try_from(object.tags.len()).unwrap_or(i32::MAX)),
            version_id: found.version_id.clone(),
            ..$output::default()
        };
        $crate::describe::set_object_checksum!(output, &found.checksum);
        output
    }};
}

/// What a request says of what is read, and what it wants answered in place of what the object says.
macro_rules! asked {
    ($input:expr, $method:literal) => {
        $crate::read::Asked {
            bucket: &$input.bucket,
            owner: $input.expected_bucket_owner.as_deref(),
            key: &$input.key,
            version_id: $input.version_id.as_deref(),
            conditions: $crate::condition::ReadConditions {
                if_match: $input.if_match.as_deref(),
                if_none_match: $input.if_none_match.as_deref(),
                if_modified_since: $input.if_modified_since,
                if_unmodified_since: $input.if_unmodified_since,
            },
            range: $input.range.as_deref(),
            part: $input.part_number,
            wants_checksum: $input.checksum_mode.is_some(),
            decrypts: $input.sse_customer_algorithm.is_some() || $input.sse_customer_key.is_some(),
            method: $method,
        }
    };
}

/// Has the answer say what the request wants it to.
macro_rules! override_answer {
    ($ctx:expr, $input:expr, $output:expr) => {{
        let said = [
            (&$input.response_cache_control, &mut $output.cache_control),
            (&$input.response_content_disposition, &mut $output.content_disposition),
            (&$input.response_content_encoding, &mut $output.content_encoding),
            (&$input.response_content_language, &mut $output.content_language),
            (&$input.response_content_type, &mut $output.content_type),
        ];
        let mut overrides = $input.response_expires.is_some();
        for (wanted, place) in said {
            if let Some(wanted) = wanted {
                *place = Some(wanted.clone());
                overrides = true;
            }
        }
        if let Some(expires) = $input.response_expires {
            $output.expires = Some(expires.http_date());
        }
        if overrides && $ctx.account() == base::AccountId::NOBODY {
            return Err($crate::Error::InvalidRequest(
                "Request specific response headers cannot be used for anonymous GET requests.".to_owned(),
            ));
        }
    }};
}

pub(crate) use {asked, fill, override_answer};
