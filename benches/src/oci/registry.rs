//! Pushes to a registry and pulls from one, as Docker's client does, without looking at what is moved.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::blob::{Blob, Image, MANIFEST, name};
use super::connection::{Answer, Connection};
use crate::client;
use crate::signed::{Caller, Plain};

/// How many blobs are moved at once: what Docker's and Podman's clients do lies around it.
pub(crate) const CONNECTIONS: usize = 3;

/// Where images go to and come from.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    /// The value of the header `Authorization`.
    authorization: Option<String>,
}

/// Whether pulled bytes are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// They are counted: the price of the client stays out of the measurement.
    Length,
    /// They are what their digest says.
    Digest,
}

impl Registry {
    /// A registry that lets everyone in.
    pub(crate) fn open_to_all(address: SocketAddr) -> Self {
        Self { address, authorization: None }
    }

    /// Pilvi's, with a token of this caller.
    pub(crate) fn of_pilvi(caller: &Caller) -> Result<Self> {
        let answer = ecr(caller, "GetAuthorizationToken", "{}")?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str().context("no token in the answer")?;
        Ok(Self { address: caller.address, authorization: Some(format!("Basic {token}")) })
    }

    /// A request's head, with its last empty line. `more` are header lines, each with its end.
    pub(crate) fn head(&self, method: &str, path: &str, more: &str) -> String {
        let authorization =
            self.authorization.as_ref().map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{authorization}{more}\r\n", self.address)
    }

    /// GET of a manifest by tag or digest.
    pub(crate) fn manifest_request(&self, repository: &str, reference: &str) -> String {
        self.head("GET", &format!("/v2/{repository}/manifests/{reference}"), &format!("Accept: {MANIFEST}\r\n"))
    }

    /// GET of a blob.
    pub(crate) fn blob_request(&self, repository: &str, digest: &str) -> String {
        self.head("GET", &format!("/v2/{repository}/blobs/{digest}"), "")
    }

    /// Pushes the blobs that are not there, over [`CONNECTIONS`], then the manifest.
    ///
    /// # Errors
    /// When the registry refuses anything.
    pub(crate) fn push(&self, repository: &str, tag: &str, image: &Image) -> Result<()> {
        let blobs: Vec<&Blob> = image.blobs().collect();
        each_over_connections(self.address, &blobs, |connection, blob| {
            self.push_blob(connection, repository, blob).with_context(|| format!("pushing {}", blob.digest))
        })?;
        self.tag(&mut Connection::open(self.address)?, repository, tag, image)
    }

    /// Puts the manifest under a tag.
    pub(crate) fn tag(&self, connection: &mut Connection, repository: &str, tag: &str, image: &Image) -> Result<()> {
        let manifest = &image.manifest;
        let more = format!("Content-Type: {MANIFEST}\r\nContent-Length: {}\r\n", manifest.size);
        let head = self.head("PUT", &format!("/v2/{repository}/manifests/{tag}"), &more);
        expect(connection.exchange(&head, &manifest.parts)?, 201).context("pushing a manifest").map(drop)
    }

    fn push_blob(&self, connection: &mut Connection, repository: &str, blob: &Blob) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{}", blob.digest);
        match connection.exchange(&self.head("HEAD", &path, ""), &[])?.head.status {
            200 => return Ok(()),
            404 => {}
            status => bail!("HTTP {status} to a look for a blob"),
        }
        let empty = "Content-Length: 0\r\n";
        let begin = self.head("POST", &format!("/v2/{repository}/blobs/uploads/"), empty);
        let upload = location(&expect(connection.exchange(&begin, &[])?, 202)?)?;
        let more = format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", blob.size);
        let send = self.head("PATCH", &upload, &more);
        let upload = location(&expect(connection.exchange(&send, &blob.parts)?, 202)?)?;
        let joint = if upload.contains('?') { '&' } else { '?' };
        let end = self.head("PUT", &format!("{upload}{joint}digest={}", blob.digest), empty);
        expect(connection.exchange(&end, &[])?, 201).map(drop)
    }

    /// Pulls manifest and blobs, over [`CONNECTIONS`], and drops them.
    ///
    /// # Errors
    /// When the registry refuses anything, or answers other bytes than were pushed.
    pub(crate) fn pull(&self, repository: &str, tag: &str, image: &Image, check: Check) -> Result<()> {
        let request = self.manifest_request(repository, tag);
        let manifest = expect(Connection::open(self.address)?.exchange(&request, &[])?, 200)?;
        ensure!(manifest.body == image.manifest.parts.concat(), "another manifest than was pushed");
        let blobs: Vec<&Blob> = image.blobs().collect();
        each_over_connections(self.address, &blobs, |connection, blob| {
            self.pull_blob(connection, repository, blob, check).with_context(|| format!("pulling {}", blob.digest))
        })
    }

    fn pull_blob(&self, connection: &mut Connection, repository: &str, blob: &Blob, check: Check) -> Result<()> {
        let (mut length, mut hash) = (0, Sha256::new());
        let head = connection.download(&self.blob_request(repository, &blob.digest), &mut |bytes| {
            length += bytes.len() as u64;
            if check == Check::Digest {
                hash.update(bytes);
            }
            Ok(())
        })?;
        ensure!(head.status == 200, "HTTP {}", head.status);
        ensure!(length == blob.size, "{length} bytes of {}", blob.size);
        let is_right = check == Check::Length || name(hash.finalize().as_slice()) == blob.digest;
        ensure!(is_right, "other bytes than were pushed");
        Ok(())
    }
}

/// Makes a repository in Pilvi's registry, which makes none by itself.
pub(crate) fn create_repository(caller: &Caller, repository: &str) -> Result<()> {
    ecr(caller, "CreateRepository", &format!(r#"{{"repositoryName":"{repository}"}}"#)).map(drop)
}

fn ecr(caller: &Caller, operation: &'static str, input: &str) -> Result<Value> {
    let target = match operation {
        "GetAuthorizationToken" => "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
        _ => "AmazonEC2ContainerRegistry_V20150921.CreateRepository",
    };
    let content_type = "application/x-amz-json-1.1";
    let plain = Plain { service: "ecr", target: Some(target), content_type, body: input.to_owned() };
    let (status, body) = client::ask(caller.address, &caller.sign(&plain)?)?;
    ensure!(status == 200, "{operation} was refused: HTTP {status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).with_context(|| format!("the answer to {operation}"))
}

/// The threads take the items in their order, each the next when it is done with one.
fn each_over_connections<T: Sync>(
    address: SocketAddr,
    items: &[T],
    work: impl Fn(&mut Connection, &T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<()> {
        let mut connection = Connection::open(address)?;
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(&mut connection, item)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS.min(items.len())).map(|_| scope.spawn(worker)).collect();
        let ends = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| bail!("a thread panicked")));
        ends.collect::<Vec<_>>().into_iter().collect()
    })
}

fn expect(answer: Answer, status: u16) -> Result<Answer> {
    let text = || String::from_utf8_lossy(&answer.body);
    ensure!(answer.head.status == status, "HTTP {} instead of {status}: {}", answer.head.status, text());
    Ok(answer)
}

/// Where an upload goes on: the path of its address, which may name the host, too.
fn location(answer: &Answer) -> Result<String> {
    let location = answer.head.header("location").context("no Location in the answer")?;
    let path = location.split_once("://").map_or(Some(location), |(_, rest)| rest.find('/').map(|at| &rest[at..]));
    path.map(str::to_owned).with_context(|| format!("an upload at {location}"))
}
