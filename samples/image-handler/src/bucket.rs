//! S3: objects got and put by requests that are signed in their addresses, as SDKs sign presigned ones.

use std::io::Read;
use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use ureq::Agent;
use ureq::http::{Response, StatusCode};

/// How long a signature is good for.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest object that is read, in bytes.
pub const OBJECT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The buckets of the function's account.
#[derive(Debug)]
pub struct Buckets {
    agent: Agent,
    endpoint: url::Url,
    style: UrlStyle,
    region: String,
    credentials: Credentials,
}

/// An object.
#[derive(Debug)]
pub struct Object {
    /// All of it.
    pub bytes: Vec<u8>,
    /// By which it is told from another that had its key.
    pub etag: String,
}

/// Why an object was not got or put.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// It is not there, or nobody may know that it is.
    #[error("there is no such object")]
    NotFound,
    /// It is larger than [`OBJECT_BYTES_MAX`].
    #[error("the object is larger than {OBJECT_BYTES_MAX} bytes")]
    TooLarge,
    /// S3 refused.
    #[error("S3 answers {0}")]
    Refused(StatusCode),
    /// S3 was not reached.
    #[error(transparent)]
    Unreachable(#[from] Box<ureq::Error>),
    /// The connection broke off.
    #[error(transparent)]
    Broken(#[from] std::io::Error),
    /// No bucket can have such a name.
    #[error("a bucket cannot have this name")]
    Name,
    /// In an address it would mean another object: `a/../b` is `b`.
    #[error("no address can name this key")]
    Key,
}

/// A variable that is missing in the environment, or has no meaning.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not set as it has to be")]
pub struct Misconfigured(&'static str);

impl Buckets {
    /// By the variables that every function has, and `AWS_ENDPOINT_URL`, where S3 is not AWS's own.
    ///
    /// # Errors
    /// [`Misconfigured`]
    pub fn from_env() -> Result<Self, Misconfigured> {
        let required = |name: &'static str| std::env::var(name).map_err(|_| Misconfigured(name));
        let optional = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = required("AWS_REGION")?;
        let elsewhere = optional("AWS_ENDPOINT_URL_S3").or_else(|| optional("AWS_ENDPOINT_URL"));
        let (endpoint, style) = match elsewhere {
            Some(endpoint) => (endpoint, UrlStyle::Path),
            None => (format!("https://s3.{region}.amazonaws.com"), UrlStyle::VirtualHost),
        };
        let (key, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        Ok(Self {
            agent: config.into(),
            endpoint: endpoint.parse().map_err(|_| Misconfigured("AWS_ENDPOINT_URL"))?,
            style,
            region,
            credentials: match optional("AWS_SESSION_TOKEN") {
                Some(token) => Credentials::new_with_token(key, secret, token),
                None => Credentials::new(key, secret),
            },
        })
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`S3Error`]
    pub fn get(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Object, S3Error> {
        check(key)?;
        let bucket = self.bucket(bucket)?;
        let mut action = bucket.get_object(Some(&self.credentials), key);
        if let Some(id) = version_id {
            action.query_mut().insert("versionId", id.to_owned());
        }
        let answer = self.agent.get(action.sign(SIGNED_FOR).as_str()).call().map_err(Box::new)?;
        let answer = accepted(answer)?;
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        answer.into_body().into_reader().take(OBJECT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > OBJECT_BYTES_MAX { Err(S3Error::TooLarge) } else { Ok(Object { bytes, etag }) }
    }

    /// Writes an object.
    ///
    /// # Errors
    /// [`S3Error`]
    pub fn put(&self, bucket: &str, key: &str, media_type: &str, bytes: &[u8]) -> Result<(), S3Error> {
        check(key)?;
        let bucket = self.bucket(bucket)?;
        let mut action = bucket.put_object(Some(&self.credentials), key);
        action.headers_mut().insert("content-type", media_type.to_owned());
        let request = self.agent.put(action.sign(SIGNED_FOR).as_str()).content_type(media_type);
        accepted(request.send(bytes).map_err(Box::new)?).map(drop)
    }

    fn bucket(&self, name: &str) -> Result<Bucket, S3Error> {
        Bucket::new(self.endpoint.clone(), self.style, name.to_owned(), self.region.clone()).map_err(|_| S3Error::Name)
    }
}

/// Addresses are walked like paths of a file system: with a step upwards a key could lead into another bucket.
fn check(key: &str) -> Result<(), S3Error> {
    let is_step = |segment: &str| matches!(segment, "." | "..");
    if key.is_empty() || key.split(['/', '\\']).any(is_step) { Err(S3Error::Key) } else { Ok(()) }
}

fn accepted<B>(answer: Response<B>) -> Result<Response<B>, S3Error> {
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(S3Error::NotFound),
        status => Err(S3Error::Refused(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_leads_elsewhere_is_asked_for_from_nobody() {
        for key in ["", "..", "../other/secret", "a/../../other/secret", "a/./b", "a\\..\\b"] {
            assert!(matches!(check(key), Err(S3Error::Key)), "{key}");
        }
        for key in ["a", "a/b.jpg", "...", "a..b", ".a/b.", "a//b"] {
            assert!(check(key).is_ok(), "{key}");
        }
    }
}
