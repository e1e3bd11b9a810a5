//! What the function is called with: a bucket's notification, or a request to its URL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::address;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Photos have been put into buckets.
    Uploaded(Vec<Uploaded>),
    /// Somebody wants a picture.
    Asked(Request),
}

/// A photo that was put into a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// Which version, where the bucket keeps several.
    pub version_id: Option<String>,
}

/// A request to the function's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// As it was sent, escapes and all.
    pub path: String,
    /// The same, without the `?`.
    pub query: String,
    /// What the client has already.
    pub if_none_match: Option<String>,
}

/// An event that is none of these.
#[derive(Debug, thiserror::Error)]
pub enum UnknownEvent {
    /// It is neither.
    #[error("the event is neither a notification of S3 nor a request to a function URL")]
    Neither,
    /// It looks like one and is not.
    #[error("the event cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<NotificationRecord>,
}

#[derive(Deserialize)]
struct NotificationRecord {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: BucketEntity,
    object: ObjectEntity,
}

#[derive(Deserialize)]
struct BucketEntity {
    name: String,
}

#[derive(Deserialize)]
struct ObjectEntity {
    key: String,
    #[serde(rename = "versionId")]
    version_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlEvent {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: std::collections::HashMap<String, String>,
    request_context: RequestContext,
}

#[derive(Deserialize)]
struct RequestContext {
    http: HttpContext,
}

#[derive(Deserialize)]
struct HttpContext {
    method: String,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// [`UnknownEvent`]
    pub fn read(event: Value) -> Result<Self, UnknownEvent> {
        if event.get("Records").is_some() {
            let notification: Notification = serde_json::from_value(event)?;
            return Ok(Self::Uploaded(notification.records.into_iter().filter_map(Uploaded::of).collect()));
        }
        if event.get("requestContext").is_some_and(|context| context.get("http").is_some()) {
            let event: UrlEvent = serde_json::from_value(event)?;
            let named = |name: &str| event.headers.get(name).cloned();
            return Ok(Self::Asked(Request {
                if_none_match: named("if-none-match"),
                method: event.request_context.http.method,
                path: event.raw_path,
                query: event.raw_query_string,
            }));
        }
        Err(UnknownEvent::Neither)
    }
}

impl Uploaded {
    /// None of what is only removed or tagged, and of the message that a bucket sends to try its configuration.
    fn of(record: NotificationRecord) -> Option<Self> {
        let is_created = record.event_name.starts_with("ObjectCreated:");
        is_created.then(|| Self {
            bucket: record.s3.bucket.name,
            // Keys come as forms are written: a space is a plus.
            key: address::decoded(&record.s3.object.key.replace('+', " ")),
            version_id: record.s3.object.version_id,
        })
    }
}

/// The body of an answer, as a function URL takes bytes.
pub fn encoded_body(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, key: &str) -> Value {
        json!({ "eventName": name, "s3": { "bucket": { "name": "photos" }, "object": { "key": key, "size": 1 } } })
    }

    #[test]
    fn photos_that_were_put_are_read_with_their_keys_decoded_and_other_news_is_passed_over() {
        let event = json!({ "Records": [
            record("ObjectCreated:Put", "summer+2026/%C3%A4%2B1.jpg"),
            record("ObjectRemoved:Delete", "a.jpg"),
        ] });
        let expected = Uploaded { bucket: "photos".into(), key: "summer 2026/ä+1.jpg".into(), version_id: None };
        assert_eq!(Event::read(event).unwrap(), Event::Uploaded(vec![expected]));
    }

    #[test]
    fn a_request_to_the_url_is_read() {
        let event = json!({
            "version": "2.0", "rawPath": "/300x200/a.jpg", "rawQueryString": "format=png",
            "headers": { "if-none-match": "\"a\"" }, "requestContext": { "http": { "method": "GET", "path": "/" } },
        });
        let Event::Asked(request) = Event::read(event).unwrap() else { panic!("that is a request") };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/300x200/a.jpg"));
        assert_eq!((request.query.as_str(), request.if_none_match.as_deref()), ("format=png", Some("\"a\"")));
    }

    #[test]
    fn other_events_are_refused() {
        for event in [json!({}), json!([]), json!({ "Records": 1 }), json!({ "requestContext": { "http": {} } })] {
            assert!(Event::read(event.clone()).is_err(), "{event}");
        }
    }
}
