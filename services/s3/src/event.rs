//! Events: what has happened to an object, as those are told who asked for it.
//!
//! Source: user guide, "Event message structure" and "EventBridge event message structure".

use base::{AccountId, Region, Timestamp};
use platform::Ctx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::acl::canonical_id;
use crate::object::{Order, Version, What};

/// The version of the messages' form. What has come since 2.1 adds to it.
const VERSION: &str = "2.1";
/// Since when lifecycle, tagging and ACLs have events.
const VERSION_OF_LATER_TYPES: &str = "2.3";

/// What has caused a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum By {
    /// PutObject.
    Put,
    /// A form.
    Post,
    /// CopyObject.
    Copy,
    /// CompleteMultipartUpload.
    CompleteMultipartUpload,
    /// DeleteObject, DeleteObjects.
    Delete,
    /// The bucket's lifecycle rules.
    Lifecycle,
    /// PutObjectTagging.
    PutTagging,
    /// DeleteObjectTagging.
    DeleteTagging,
    /// PutObjectAcl.
    PutAcl,
}

/// What has caused a change, by whom, from where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What.
    pub by: By,
    /// When.
    pub now: Timestamp,
    /// Whose unique id, as events have it.
    pub principal: String,
    /// Whose account.
    pub account: Option<AccountId>,
    /// From where.
    pub source_ip: String,
    /// The request's id.
    pub request_id: String,
}

impl Cause {
    /// A request.
    pub fn of(ctx: &Ctx, by: By) -> Self {
        let anonymous = ctx.account() == AccountId::NOBODY;
        Self {
            by,
            now: ctx.now,
            principal: if anonymous { "Anonymous".to_owned() } else { format!("AWS:{}", ctx.principal.user_id) },
            account: (!anonymous).then(|| ctx.account()),
            source_ip: ctx.source_ip.map(|ip| ip.to_canonical().to_string()).unwrap_or_default(),
            request_id: ctx.request_id.clone(),
        }
    }

    /// An object's upload: as a request, or as a browser's form.
    pub fn of_upload(ctx: &Ctx) -> Self {
        Self::of(ctx, if ctx.is_form { By::Post } else { By::Put })
    }

    /// The bucket's own rules.
    pub fn lifecycle(now: Timestamp, request_id: String) -> Self {
        let principal = "s3.amazonaws.com".to_owned();
        let source_ip = principal.clone();
        Self { by: By::Lifecycle, now, principal, account: None, source_ip, request_id }
    }
}

/// What a change has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What has become of the version.
    pub kind: ChangeKind,
    /// The version's id; none for the null version.
    pub version_id: Option<String>,
    /// The object's size, in bytes, and tag, where it is there.
    pub object: Option<(u64, String)>,
    /// Tells which of two events of a key is later.
    pub order: Order,
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was written.
    Written,
    /// It was written, and is a delete marker.
    Marked,
    /// It is gone for good.
    Erased,
    /// What belongs to it has changed.
    Changed,
}

impl Change {
    /// A version was written.
    pub(crate) fn written(version: &Version) -> Self {
        let kind = match version.what {
            What::Object(_) => ChangeKind::Written,
            What::Marker => ChangeKind::Marked,
        };
        Self::new(kind, version)
    }

    /// A version is gone for good.
    pub(crate) fn erased(version: &Version, order: Order) -> Self {
        Self { object: None, order, ..Self::new(ChangeKind::Erased, version) }
    }

    /// What belongs to a version has changed.
    pub(crate) fn changed(version: &Version, order: Order) -> Self {
        Self { order, ..Self::new(ChangeKind::Changed, version) }
    }

    fn new(kind: ChangeKind, version: &Version) -> Self {
        let version_id = (!version.id.is_null()).then(|| version.id.to_string());
        let object = version.object().map(|object| (object.size, object.etag.clone()));
        Self { kind, version_id, object, order: version.order }
    }
}

/// An event's name, without `s3:`.
pub fn name(by: By, kind: ChangeKind) -> &'static str {
    match (by, kind) {
        (By::Lifecycle, ChangeKind::Marked) => "LifecycleExpiration:DeleteMarkerCreated",
        (By::Lifecycle, _) => "LifecycleExpiration:Delete",
        (_, ChangeKind::Marked) => "ObjectRemoved:DeleteMarkerCreated",
        (By::Delete, _) | (_, ChangeKind::Erased) => "ObjectRemoved:Delete",
        (By::Put, _) => "ObjectCreated:Put",
        (By::Post, _) => "ObjectCreated:Post",
        (By::Copy, _) => "ObjectCreated:Copy",
        (By::CompleteMultipartUpload, _) => "ObjectCreated:CompleteMultipartUpload",
        (By::PutTagging, _) => "ObjectTagging:Put",
        (By::DeleteTagging, _) => "ObjectTagging:Delete",
        (By::PutAcl, _) => "ObjectAcl:Put",
    }
}

/// Where something has happened.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// Its owner.
    pub owner: AccountId,
    /// Its region.
    pub region: &'a Region,
    /// The object's key.
    pub key: &'a str,
}

/// The message for functions, queues and topics: `{"Records": […]}` with one record.
pub fn message(place: Place<'_>, cause: &Cause, change: &Change, configuration_id: &str) -> Value {
    let event_name = name(cause.by, change.kind);
    let is_early = event_name.starts_with("ObjectCreated") || event_name.starts_with("ObjectRemoved");
    let mut object = json!({ "key": encoded_key(place.key), "sequencer": sequencer(change.order) });
    if let Some((size, etag)) = change.object.as_ref().filter(|_| change.kind != ChangeKind::Marked) {
        object["size"] = json!(size);
        object["eTag"] = json!(etag);
    }
    if let Some(version_id) = &change.version_id {
        object["versionId"] = json!(version_id);
    }
    json!({ "Records": [{
        "eventVersion": if is_early { VERSION } else { VERSION_OF_LATER_TYPES },
        "eventSource": "aws:s3",
        "awsRegion": place.region.as_str(),
        "eventTime": millis(cause.now),
        "eventName": event_name,
        "userIdentity": { "principalId": cause.principal },
        "requestParameters": { "sourceIPAddress": cause.source_ip },
        "responseElements": { "x-amz-request-id": cause.request_id, "x-amz-id-2": cause.request_id },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": place.bucket,
                "ownerIdentity": { "principalId": canonical_id(place.owner) },
                "arn": crate::names::bucket_arn(place.bucket),
            },
            "object": object,
        },
    }]})
}

/// The message that a queue or topic is sent when it is made a destination.
pub fn test_message(bucket: &str, now: Timestamp, request_id: &str) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": millis(now),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": request_id,
    })
}

/// The event for EventBridge.
pub fn bus_event(place: Place<'_>, cause: &Cause, change: &Change, id: &str) -> Value {
    let mut object = json!({ "key": place.key, "sequencer": sequencer(change.order) });
    if let Some((size, etag)) = &change.object {
        object["size"] = json!(size);
        object["etag"] = json!(etag);
    }
    if let Some(version_id) = &change.version_id {
        object["version-id"] = json!(version_id);
    }
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": place.bucket },
        "object": object,
        "request-id": cause.request_id,
        "requester": cause.account.map_or_else(|| cause.principal.clone(), |account| account.to_string()),
        "source-ip-address": cause.source_ip,
    });
    if let Some(reason) = reason(cause.by) {
        detail["reason"] = json!(reason);
    }
    if let Some(deletion) = deletion_type(change.kind) {
        detail["deletion-type"] = json!(deletion);
    }
    json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type(cause.by, change.kind),
        "source": "aws.s3",
        "account": place.owner,
        "time": Timestamp::from_secs(cause.now.as_secs()).iso8601(),
        "region": place.region,
        "resources": [crate::names::bucket_arn(place.bucket)],
        "detail": detail,
    })
}

fn detail_type(by: By, kind: ChangeKind) -> &'static str {
    match (by, kind) {
        (_, ChangeKind::Marked | ChangeKind::Erased) => "Object Deleted",
        (By::PutTagging, _) => "Object Tags Added",
        (By::DeleteTagging, _) => "Object Tags Deleted",
        (By::PutAcl, _) => "Object ACL Updated",
        _ => "Object Created",
    }
}

fn reason(by: By) -> Option<&'static str> {
    match by {
        By::Put => Some("PutObject"),
        By::Post => Some("POST Object"),
        By::Copy => Some("CopyObject"),
        By::CompleteMultipartUpload => Some("CompleteMultipartUpload"),
        By::Delete => Some("DeleteObject"),
        By::Lifecycle => Some("Lifecycle Expiration"),
        By::PutTagging | By::DeleteTagging | By::PutAcl => None,
    }
}

fn deletion_type(kind: ChangeKind) -> Option<&'static str> {
    match kind {
        ChangeKind::Marked => Some("Delete Marker Created"),
        ChangeKind::Erased => Some("Permanently Deleted"),
        ChangeKind::Written | ChangeKind::Changed => None,
    }
}

/// A key as messages have it: encoded as a form's values are, but for slashes.
fn encoded_key(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}

/// Hexadecimal digits that grow with each event of a key.
fn sequencer(order: Order) -> String {
    format!("00{order:X}")
}

/// An instant with its milliseconds, even if there are none.
fn millis(instant: Timestamp) -> String {
    let text = instant.iso8601();
    match text.strip_suffix('Z') {
        Some(seconds) if !text.contains('.') => format!("{seconds}.000Z"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(by: By) -> Cause {
        Cause {
            by,
            now: Timestamp::from_secs(1_767_225_600),
            principal: "AWS:AIDAALICE".to_owned(),
            account: Some(AccountId::DEFAULT),
            source_ip: "127.0.0.1".to_owned(),
            request_id: "r".to_owned(),
        }
    }

    fn change(kind: ChangeKind) -> Change {
        let order = Order::next(Timestamp::from_secs(1_767_225_600), 7, None);
        Change { kind, version_id: None, object: Some((3, "abc".to_owned())), order }
    }

    #[test]
    fn a_message_has_the_form_that_consumers_know() {
        let region = Region::default();
        let place = Place { bucket: "photos", owner: AccountId::DEFAULT, region: &region, key: "a b/é+c.jpg" };
        let message = message(place, &cause(By::Put), &change(ChangeKind::Written), "thumbnails");
        let record = &message["Records"][0];
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        assert_eq!(record["eventVersion"], "2.1");
        assert_eq!(record["eventTime"], "2026-01-01T00:00:00.000Z");
        assert_eq!(record["s3"]["object"]["key"], "a+b/%C3%A9%2Bc.jpg");
        assert_eq!(record["s3"]["object"]["size"], 3);
        assert_eq!(record["s3"]["bucket"]["arn"], "arn:aws:s3:::photos");
        assert!(record["s3"]["object"]["sequencer"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_hexdigit()));
        let bus = bus_event(place, &cause(By::Delete), &change(ChangeKind::Marked), "id");
        assert_eq!(
            (&bus["detail-type"], &bus["detail"]["object"]["key"]),
            (&json!("Object Deleted"), &json!("a b/é+c.jpg"))
        );
        assert_eq!(bus["detail"]["deletion-type"], "Delete Marker Created");
    }

    #[test]
    fn names_say_what_has_happened() {
        assert_eq!(name(By::Delete, ChangeKind::Marked), "ObjectRemoved:DeleteMarkerCreated");
        assert_eq!(name(By::Delete, ChangeKind::Erased), "ObjectRemoved:Delete");
        assert_eq!(name(By::Lifecycle, ChangeKind::Erased), "LifecycleExpiration:Delete");
        assert_eq!(name(By::CompleteMultipartUpload, ChangeKind::Written), "ObjectCreated:CompleteMultipartUpload");
    }
}
