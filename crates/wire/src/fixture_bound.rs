//! Two small services whose operations are bound to HTTP: one with the ways of S3, one in restJson1.

use std::collections::BTreeMap;

use wire::model::{Operation, Protocol, ServiceModel};
use wire::schema::{Kind, Location, Member, Schema, Shape, ShapeId, Text, flag};
use wire::{events, structure};

use super::find;

const STRING: ShapeId = 0;
const INTEGER: ShapeId = 1;
const TIME: ShapeId = 2;
const BLOB: ShapeId = 3;
const CLASS: ShapeId = 4;
const METADATA: ShapeId = 5;
const GRANTEE: ShapeId = 6;
const GRANT: ShapeId = 7;
const GRANTS: ShapeId = 8;
const TAG: ShapeId = 9;
const TAGS: ShapeId = 10;
const TAGGING: ShapeId = 11;
pub const PUT: ShapeId = 12;
pub const GET: ShapeId = 13;
const GOT: ShapeId = 14;
const PUT_TAGS: ShapeId = 15;
const LISTED: ShapeId = 16;
const LIST: ShapeId = 17;
const LOCATED: ShapeId = 18;
const NAMES: ShapeId = 19;
pub const INVOKE: ShapeId = 20;
const INVOKED: ShapeId = 21;
const COUNTED: ShapeId = 22;
pub const COUNT: ShapeId = 23;
const BOOLEAN: ShapeId = 24;
const EXTRA: ShapeId = 25;
const CHUNK: ShapeId = 26;
const DONE: ShapeId = 27;
const STREAMED: ShapeId = 28;

structure! { 6 Grantee {
    id: Option<String>,
    r#type: String,
} }

structure! { 7 Grant {
    grantee: Option<Grantee>,
} }

structure! { 9 Tag {
    key: String,
    value: String,
} }

structure! { 11 Tagging {
    grants: Option<Vec<Grant>>,
    tag_set: Vec<Tag>,
} }

structure! { 12 PutThing {
    body: Option<wire::Content>,
    bucket: String,
    content_encoding: Option<String>,
    content_length: Option<i64>,
    if_modified_since: Option<base::Timestamp>,
    key: String,
    metadata: Option<BTreeMap<String, String>>,
    storage_class: Option<String>,
} }

structure! { 13 GetThing {
    bucket: String,
    checksum_mode: Option<String>,
    key: String,
    range: Option<String>,
    version_id: Option<String>,
} }

structure! { 14 GotThing {
    body: Option<wire::Content>,
    content_length: Option<i64>,
    content_range: Option<String>,
    content_type: Option<String>,
    last_modified: Option<base::Timestamp>,
    metadata: Option<BTreeMap<String, String>>,
} }

structure! { 15 PutTags {
    bucket: String,
    key: String,
    tagging: Tagging,
} }

structure! { 17 ListThings {
    bucket: String,
    max_keys: Option<i32>,
    names: Option<Vec<String>>,
    prefix: Option<String>,
} }

structure! { 16 ListedThings {
    grants: Option<Vec<Grant>>,
    name: Option<String>,
    prefixes: Option<Vec<String>>,
} }

structure! { 18 LocatedBucket {
    place: Option<String>,
} }

structure! { 20 Invoke {
    extra: Option<BTreeMap<String, String>>,
    kind: Option<String>,
    name: String,
    payload: Option<Vec<u8>>,
} }

structure! { 21 Invoked {
    error: Option<String>,
    payload: Option<Vec<u8>>,
    status: Option<i32>,
} }

structure! { 23 CountThings {
    count: Option<i32>,
    is_dry: Option<bool>,
    name: String,
    version_id: Option<String>,
} }

structure! { 22 CountedThings {
    count: Option<i32>,
    error: Option<String>,
} }

structure! { 26 Chunk {
    payload: Option<Vec<u8>>,
} }

structure! { 27 Done {
    error: Option<String>,
} }

events! { Streamed {
    Chunk(Chunk) = 0,
    Done(Done) = 1,
} }

const TEXT: &str = " STRING INTEGER TIME BLOB CLASS METADATA GRANTEE GRANT GRANTS TAG TAGS TAGGING PUT GET GOT PUT_TAGS \
    LISTED LIST LOCATED NAMES INVOKE INVOKED COUNTED COUNT BOOLEAN EXTRA member key value HOT COLD \
    Grantee ID Type xsi:type Grants Grant AccessControlList Tag TagSet Tagging Key Value Body Bucket \
    ContentEncoding Content-Encoding ContentLength Content-Length IfModifiedSince If-Modified-Since Metadata x-amz-meta- \
    StorageClass x-amz-storage-class Range VersionId versionId ContentRange Content-Range ContentType Content-Type \
    ChecksumMode x-amz-checksum-mode LastModified Last-Modified MaxKeys max-keys Names names Prefix prefix Name Prefixes CommonPrefix Place ListResult \
    Extra Kind X-Amz-Kind Payload Error X-Amz-Error Status Count IsDry dry \
    AbortThing CopyThing GetThing HeadThing ListBuckets ListThings ListThingsV2 LocateThing PutPart PutTags PutThing \
    TagThing CountThings Invoke Paths \
    DELETE PUT GET HEAD POST / /{Bucket} /{Bucket}?list-type=2 /{Bucket}?location /{Bucket}/{Key+} /{Bucket}/{Key+}?tagging \
    /{Bucket}/{Key+}?acl /2020/things/{Name}/invocations /2020/things/{Name}/count/ ?partNumber ?uploadId \
    x-amz-copy-source GetAcl CHUNK DONE STREAMED Chunk Done StreamThing /2020/things/{Name}/streams ";

const fn t(name: &str) -> Text {
    find(TEXT, name)
}

const fn m(name: &str, shape: ShapeId) -> Member {
    Member::new(t(name), shape)
}

const fn label(name: &str) -> Member {
    m(name, STRING).flags(flag::REQUIRED).at(Location::Label)
}

const MEMBERS: &[Member] = &[
    /*  0 METADATA */ m("key", STRING),
    m("value", STRING),
    /*  2 GRANTEE */ m("ID", STRING),
    m("Type", STRING).on_wire(t("xsi:type")).flags(flag::REQUIRED | flag::XML_ATTRIBUTE),
    /*  4 GRANT */ m("Grantee", GRANTEE),
    /*  5 GRANTS */ m("member", GRANT).on_wire(t("Grant")),
    /*  6 TAG */ m("Key", STRING).flags(flag::REQUIRED),
    m("Value", STRING).flags(flag::REQUIRED),
    /*  8 TAGS */ m("member", TAG).on_wire(t("Tag")),
    /*  9 TAGGING */ m("Grants", GRANTS).on_wire(t("AccessControlList")),
    m("TagSet", TAGS).flags(flag::REQUIRED),
    /* 11 PUT */ m("Body", BLOB).flags(flag::STREAMING).at(Location::Payload),
    label("Bucket"),
    m("ContentEncoding", STRING).on_wire(t("Content-Encoding")).at(Location::Header),
    m("ContentLength", INTEGER).on_wire(t("Content-Length")).at(Location::Header),
    m("IfModifiedSince", TIME).on_wire(t("If-Modified-Since")).at(Location::Header),
    label("Key"),
    m("Metadata", METADATA).on_wire(t("x-amz-meta-")).at(Location::Headers),
    m("StorageClass", CLASS).on_wire(t("x-amz-storage-class")).at(Location::Header),
    /* 19 GET */ label("Bucket"),
    m("ChecksumMode", CLASS).on_wire(t("x-amz-checksum-mode")).at(Location::Header),
    label("Key"),
    m("Range", STRING).at(Location::Header),
    m("VersionId", STRING).on_wire(t("versionId")).at(Location::Query),
    /* 24 GOT */ m("Body", BLOB).flags(flag::STREAMING).at(Location::Payload),
    m("ContentLength", INTEGER).on_wire(t("Content-Length")).at(Location::Header),
    m("ContentRange", STRING).on_wire(t("Content-Range")).at(Location::Header),
    m("ContentType", STRING).on_wire(t("Content-Type")).at(Location::Header),
    m("LastModified", TIME).on_wire(t("Last-Modified")).at(Location::Header),
    m("Metadata", METADATA).on_wire(t("x-amz-meta-")).at(Location::Headers),
    /* 30 PUT_TAGS */ label("Bucket"),
    label("Key"),
    m("Tagging", TAGGING).flags(flag::REQUIRED).at(Location::Payload),
    /* 33 LISTED */ m("Grants", GRANTS).on_wire(t("AccessControlList")),
    m("Name", STRING),
    m("Prefixes", NAMES).on_wire(t("CommonPrefix")).flags(flag::FLATTENED),
    /* 36 LIST */ label("Bucket"),
    m("MaxKeys", INTEGER).on_wire(t("max-keys")).at(Location::Query),
    m("Names", NAMES).on_wire(t("names")).at(Location::Query),
    m("Prefix", STRING).on_wire(t("prefix")).at(Location::Query),
    /* 40 LOCATED */ m("Place", STRING),
    /* 41 NAMES */ m("member", STRING),
    /* 42 INVOKE */ m("Extra", EXTRA).at(Location::Query),
    m("Kind", STRING).on_wire(t("X-Amz-Kind")).at(Location::Header),
    label("Name"),
    m("Payload", BLOB).at(Location::Payload),
    /* 46 INVOKED */ m("Error", STRING).on_wire(t("X-Amz-Error")).at(Location::Header),
    m("Payload", BLOB).at(Location::Payload),
    m("Status", INTEGER).at(Location::Status),
    /* 49 COUNTED */ m("Count", INTEGER),
    m("Error", STRING).on_wire(t("X-Amz-Error")).at(Location::Header),
    /* 51 COUNT */ m("Count", INTEGER),
    m("IsDry", BOOLEAN).on_wire(t("dry")).at(Location::Query),
    label("Name"),
    m("VersionId", STRING).on_wire(t("versionId")).at(Location::Query),
    /* 55 EXTRA */ m("key", STRING),
    m("value", STRING),
    /* 57 CHUNK */ m("Payload", BLOB).at(Location::Payload),
    /* 58 DONE */ m("Error", STRING),
    /* 59 STREAMED */ m("Chunk", CHUNK),
    m("Done", DONE),
];

static SCHEMA: Schema = Schema {
    text: TEXT,
    shapes: &[
        Shape::simple(t("STRING"), Kind::String),
        Shape::simple(t("INTEGER"), Kind::Integer),
        Shape::simple(t("TIME"), Kind::Timestamp),
        Shape::simple(t("BLOB"), Kind::Blob),
        Shape::rows(t("CLASS"), Kind::Enum, 0, 2),
        Shape::rows(t("METADATA"), Kind::Map, 0, 2),
        Shape::rows(t("GRANTEE"), Kind::Structure, 2, 2),
        Shape::rows(t("GRANT"), Kind::Structure, 4, 1),
        Shape::rows(t("GRANTS"), Kind::List, 5, 1),
        Shape::rows(t("TAG"), Kind::Structure, 6, 2),
        Shape::rows(t("TAGS"), Kind::List, 8, 1),
        Shape::rows(t("TAGGING"), Kind::Structure, 9, 2),
        Shape::rows(t("PUT"), Kind::Structure, 11, 8),
        Shape::rows(t("GET"), Kind::Structure, 19, 5),
        Shape::rows(t("GOT"), Kind::Structure, 24, 6),
        Shape::rows(t("PUT_TAGS"), Kind::Structure, 30, 3),
        Shape::rows(t("LISTED"), Kind::Structure, 33, 3),
        Shape::rows(t("LIST"), Kind::Structure, 36, 4),
        Shape::rows(t("LOCATED"), Kind::Structure, 40, 1),
        Shape::rows(t("NAMES"), Kind::List, 41, 1),
        Shape::rows(t("INVOKE"), Kind::Structure, 42, 4),
        Shape::rows(t("INVOKED"), Kind::Structure, 46, 3),
        Shape::rows(t("COUNTED"), Kind::Structure, 49, 2),
        Shape::rows(t("COUNT"), Kind::Structure, 51, 4),
        Shape::simple(t("BOOLEAN"), Kind::Boolean),
        Shape::rows(t("EXTRA"), Kind::Map, 55, 2),
        Shape::rows(t("CHUNK"), Kind::Structure, 57, 1),
        Shape::rows(t("DONE"), Kind::Structure, 58, 1),
        Shape::rows(t("STREAMED"), Kind::Union, 59, 2),
    ],
    members: MEMBERS,
    words: &[t("HOT"), t("COLD")],
};

const OBJECT: Text = t("/{Bucket}/{Key+}");
/// Two names with the blank between them.
const PART: Text = find(TEXT, "?partNumber ?uploadId");
const BUCKET: Text = t("/{Bucket}");

const fn op(name: &str, method: &str, uri: Text, needs: Text) -> Operation {
    Operation::new(t(name)).http(t(method), uri, needs)
}

static S3_OPERATIONS: [Operation; 13] = [
    op("AbortThing", "DELETE", OBJECT, t("?uploadId")).status(204).served().input(GET),
    op("CopyThing", "PUT", OBJECT, t("x-amz-copy-source")),
    op("GetAcl", "GET", t("/{Bucket}/{Key+}?acl"), Text::NONE),
    op("GetThing", "GET", OBJECT, Text::NONE).served().input(GET).output(GOT),
    op("HeadThing", "HEAD", OBJECT, Text::NONE).served().input(GET).output(GOT),
    op("ListBuckets", "GET", t("/"), Text::NONE).served(),
    op("ListThings", "GET", BUCKET, Text::NONE).served().input(LIST).output(LISTED).wrapper(t("ListResult")),
    op("ListThingsV2", "GET", t("/{Bucket}?list-type=2"), Text::NONE),
    op("LocateThing", "GET", t("/{Bucket}?location"), Text::NONE).served().output(LOCATED).wrapper(t("Place")),
    op("PutPart", "PUT", OBJECT, PART),
    op("PutTags", "PUT", t("/{Bucket}/{Key+}?tagging"), Text::NONE).served().input(PUT_TAGS),
    op("PutThing", "PUT", OBJECT, Text::NONE).served().input(PUT).output(GOT),
    op("TagThing", "GET", t("/{Bucket}/{Key+}?tagging"), Text::NONE),
];

/// How long the requests of `StreamThing` may be.
pub const STREAMED_BYTES_MAX: usize = 7 * 1024 * 1024;

static PATHS_OPERATIONS: [Operation; 3] = [
    op("CountThings", "POST", t("/2020/things/{Name}/count/"), Text::NONE)
        .status(202)
        .served()
        .input(COUNT)
        .output(COUNTED),
    op("Invoke", "POST", t("/2020/things/{Name}/invocations"), Text::NONE).served().input(INVOKE).output(INVOKED),
    op("StreamThing", "POST", t("/2020/things/{Name}/streams"), Text::NONE)
        .served()
        .body_bytes_max(STREAMED_BYTES_MAX)
        .input(INVOKE)
        .output(INVOKED)
        .events(STREAMED),
];

/// A service with the ways of S3.
pub static S3: ServiceModel = ServiceModel {
    name: "s3",
    title: "Things in paths and XML",
    api_version: "2006-03-01",
    signing_name: "s3",
    target_prefix: None,
    xml_namespace: Some("http://things.example.com/doc/2006-03-01/"),
    validation_error: None,
    is_query_compatible: false,
    admits_anonymous: true,
    protocols: &[Protocol::RestXml],
    schema: &SCHEMA,
    operations: &S3_OPERATIONS,
};

/// A service in restJson1.
pub static REST_JSON: ServiceModel = ServiceModel {
    name: "paths",
    title: "Things in paths and JSON",
    api_version: "2020-01-01",
    signing_name: "paths",
    target_prefix: None,
    xml_namespace: None,
    validation_error: None,
    is_query_compatible: false,
    admits_anonymous: false,
    protocols: &[Protocol::RestJson1],
    schema: &SCHEMA,
    operations: &PATHS_OPERATIONS,
};
