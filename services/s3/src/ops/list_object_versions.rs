//! ListObjectVersions.

use platform::{Access, Ctx};

use crate::api::{DeleteMarkerEntry, ListObjectVersionsOutput, ListObjectVersionsRequest, ObjectVersion};
use crate::bucket::Bucket;
use crate::describe::{Encoding, checksum_algorithm, checksum_type, owner, quoted, size};
use crate::listing::{self, After, Item, ListedVersion, Page, Query};
use crate::object::{self, VersionId};
use crate::{Error, S3, bucket, listed};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &ListObjectVersionsRequest) -> Access {
    listed::access(
        "s3:ListBucketVersions",
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.max_keys,
    )
}

/// Lists the versions and delete markers of a bucket.
pub(crate) async fn list_object_versions(
    s3: &S3,
    _: &Ctx,
    input: ListObjectVersionsRequest,
) -> Result<ListObjectVersionsOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let limit = listed::limit(input.max_keys, "max-keys")?;
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: after(s3, &bucket, &input).await?,
        limit,
    };
    let page = if limit == 0 { Page::empty() } else { listing::versions(s3, &bucket, &query).await? };
    let encoding = Encoding::of(input.encoding_type);
    let mut output = ListObjectVersionsOutput {
        is_truncated: Some(page.more),
        key_marker: Some(encoding.text(input.key_marker.as_deref().unwrap_or_default())),
        version_id_marker: Some(input.version_id_marker.clone().unwrap_or_default()),
        max_keys: listed::answered(limit),
        prefix: Some(encoding.text(query.prefix)),
        delimiter: (!query.delimiter.is_empty()).then(|| encoding.text(query.delimiter)),
        encoding_type: input.encoding_type,
        ..ListObjectVersionsOutput::default()
    };
    match page.items.last().filter(|_| page.more) {
        Some(Item::At(key, last)) => {
            output.next_key_marker = Some(encoding.text(key));
            output.next_version_id_marker = Some(last.version.id.to_string());
        }
        Some(Item::Prefix(prefix)) => output.next_key_marker = Some(encoding.text(prefix)),
        None => {}
    }
    output.name = Some(input.bucket.clone());
    Ok(with_versions(output, page, encoding, &bucket))
}

/// Where the list begins: after a version, whose place its id tells; after all of a key, where no version is named.
async fn after(s3: &S3, bucket: &Bucket, input: &ListObjectVersionsRequest) -> Result<After, Error> {
    let key = input.key_marker.clone().filter(|key| !key.is_empty());
    let version = input.version_id_marker.as_deref().filter(|id| !id.is_empty());
    match (key, version) {
        (None, None) => Ok(After::Start),
        (None, Some(version)) => {
            let message = "A version-id marker cannot be specified without a key marker.";
            Err(Error::argument("version-id-marker", version, message))
        }
        (Some(key), None) => Ok(After::Key(key)),
        (Some(key), Some(version)) => {
            let id = object::parse(version)?;
            let order = match &id {
                VersionId::Id(_) => id.order(),
                VersionId::Null => {
                    object::by_id(&s3.platform.store, bucket, &key, &id).await?.map(|it| it.version().order)
                }
            };
            Ok(match order {
                Some(order) => After::Version(key, order.place()),
                None => After::Key(key),
            })
        }
    }
}

fn with_versions(
    mut output: ListObjectVersionsOutput,
    page: Page<ListedVersion>,
    encoding: Encoding,
    bucket: &Bucket,
) -> ListObjectVersionsOutput {
    let (listed, prefixes) = page.into_parts();
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for (key, ListedVersion { version, is_latest }) in listed {
        let (key, version_id) = (Some(encoding.text(&key)), Some(version.id.to_string()));
        let (is_latest, last_modified) = (Some(is_latest), Some(version.modified));
        let owner = Some(owner(bucket.owner_of_what_wrote(version.writer)));
        let Some(object) = version.object else {
            markers.push(DeleteMarkerEntry { key, version_id, is_latest, last_modified, owner });
            continue;
        };
        versions.push(ObjectVersion {
            key,
            version_id,
            is_latest,
            last_modified,
            owner,
            e_tag: quoted(&object.etag),
            size: size(object.size),
            storage_class: Some(object.storage_class.as_deref().unwrap_or("STANDARD").parse().unwrap_or_default()),
            checksum_algorithm: object.checksum.map(|(algorithm, _)| vec![checksum_algorithm(algorithm)]),
            checksum_type: object.checksum.map(|(_, kind)| checksum_type(kind)),
            restore_status: None,
        });
    }
    output.versions = (!versions.is_empty()).then_some(versions);
    output.delete_markers = (!markers.is_empty()).then_some(markers);
    output.common_prefixes = listed::prefixes(&prefixes, encoding);
    output
}
