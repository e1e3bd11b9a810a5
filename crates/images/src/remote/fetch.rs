//! Images on their way: their documents one after the other, their layers side by side.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::address::Address;
use super::blob::{Download, sink_error};
use super::endpoint::{Endpoint, Wanted};
use super::exchange::{Answer, declared_length};
use super::plan::{Plan, Source};
use super::{Arrival, Fetched, Inner, Progress, RemoteError, Sink};
use crate::bounded::{self, DOCUMENT_BYTES_MAX, List};
use crate::media::MediaType;
use crate::{Algorithm, BlobSource, Descriptor, Digest, Error, Image, Platform};

/// The documents that are asked for: images and indexes of OCI and Docker.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.docker.distribution.manifest.v2+json";
/// The header that a registry tells a manifest's digest by.
const DIGEST_HEADER: &str = "docker-content-digest";
/// The most documents of one image: indexes in indexes, a manifest, a configuration.
const DOCUMENTS_MAX: usize = 8;
/// How many addresses of one layer are tried.
const URLS_MAX: usize = 4;

/// One image that is fetched.
pub(super) struct Fetch {
    pub(super) repository: Arc<Inner>,
    pub(super) root: Descriptor,
    pub(super) platform: Platform,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) moved_bytes: AtomicU64,
}

impl Fetch {
    pub(super) async fn run(self) -> Result<Fetched, RemoteError> {
        let fetch = Arc::new(self);
        let (image, documents) = fetch.documents().await?;
        let find = |digest: Digest| documents.iter().find(|it| it.digest == digest).cloned();
        let unread = |digest| RemoteError::Image(Error::NotFound { digest });
        let manifest = find(image.manifest).ok_or_else(|| unread(image.manifest))?;
        let config = find(image.config).ok_or_else(|| unread(image.config))?;
        let layers: Vec<Descriptor> = image.layers.into_iter().map(|layer| layer.blob).collect();
        let wanted = once_each(layers.iter());
        fetch.layers(&manifest, &wanted).await?;
        let blobs = once_each(documents.iter().chain(&layers));
        let moved_bytes = fetch.moved_bytes.load(Ordering::Relaxed);
        Ok(Fetched { root: fetch.root.clone(), manifest, config, layers, blobs, moved_bytes })
    }

    /// Fetches documents until nothing that the image needs is missing. Answers what they say, and those that were read.
    async fn documents(self: &Arc<Self>) -> Result<(Image, Vec<Descriptor>), RemoteError> {
        for _ in 0..=DOCUMENTS_MAX {
            let fetch = self.clone();
            let resolve = move || {
                let read = Documents { sink: fetch.sink.as_ref(), opened: Mutex::default() };
                let resolved = Image::resolve(&read, &fetch.root, &fetch.platform);
                (resolved, read.opened.into_inner().unwrap_or_else(PoisonError::into_inner))
            };
            let (resolved, opened) = tokio::task::spawn_blocking(resolve).await.map_err(|_| RemoteError::Stopped)?;
            let missing = match resolved {
                Ok(image) => return Ok((image, opened)),
                // It was the last that was looked for.
                Err(Error::NotFound { digest }) => opened.into_iter().next_back().filter(|it| it.digest == digest),
                Err(Error::Read { digest, source }) => return Err(sink_error(digest, source)),
                Err(error) => return Err(error.into()),
            };
            let missing = missing.ok_or(Error::NotFound { digest: self.root.digest })?;
            self.document(&missing).await?;
        }
        Err(Error::NotFound { digest: self.root.digest }.into())
    }

    /// Fetches a document and keeps it.
    async fn document(self: &Arc<Self>, descriptor: &Descriptor) -> Result<(), RemoteError> {
        self.progress.planned(descriptor);
        let bytes = self.repository.document(descriptor, self.progress.as_ref()).await?;
        self.moved_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let (fetch, blob) = (self.clone(), descriptor.clone());
        let keep = move || {
            let mut partial = fetch.sink.begin(&blob)?;
            let mut there = Vec::new();
            partial.reread()?.take(DOCUMENT_BYTES_MAX).read_to_end(&mut there)?;
            // What was kept of it, or another has fetched meanwhile, may be all of it.
            if there != bytes {
                partial.clear()?;
                partial.append(&bytes)?;
            }
            partial.finish(&blob.digest)
        };
        let kept = tokio::task::spawn_blocking(keep).await.map_err(|_| RemoteError::Stopped)?;
        kept.map_err(|error| sink_error(descriptor.digest, error))?;
        self.progress.advanced(descriptor, descriptor.size);
        self.progress.finished(descriptor, Arrival::Fetched { resumed_bytes: 0 });
        Ok(())
    }

    /// Fetches layers, several at a time, the largest first: what is left at the end is small.
    async fn layers(self: &Arc<Self>, manifest: &Descriptor, layers: &[Descriptor]) -> Result<(), RemoteError> {
        let addresses = self.addresses(manifest, layers).await?;
        let mut layers: Vec<Descriptor> = layers.to_vec();
        layers.iter().for_each(|layer| self.progress.planned(layer));
        layers.sort_by_key(|layer| std::cmp::Reverse(layer.size));
        let at_once = Arc::new(Semaphore::new(self.repository.config().limits.downloads_of_image.max(1)));
        let mut tasks = JoinSet::new();
        for layer in layers {
            let (fetch, at_once) = (self.clone(), at_once.clone());
            let elsewhere = addresses.iter().filter(|(digest, _)| *digest == layer.digest);
            let elsewhere: Vec<Address> = elsewhere.map(|(_, address)| address.clone()).take(URLS_MAX).collect();
            tasks.spawn(async move {
                let _permit = at_once.acquire_owned().await.map_err(|_| RemoteError::Stopped)?;
                fetch.layer(&layer, &elsewhere).await
            });
        }
        // The first that fails ends the others, which keep what they have.
        while let Some(done) = tasks.join_next().await {
            done.map_err(|_| RemoteError::Stopped)??;
        }
        Ok(())
    }

    async fn layer(&self, layer: &Descriptor, elsewhere: &[Address]) -> Result<(), RemoteError> {
        let limit = self.repository.config().limits.blob_bytes;
        if layer.size > limit {
            return Err(RemoteError::TooLarge { digest: layer.digest, size: layer.size, size_max: limit });
        }
        let registries = &self.repository.registries;
        // What another image is fetching is waited for, without taking a place.
        let _turn = registries.turn(layer.digest).await;
        let _place = registries.place().await?;
        let download = Download {
            endpoints: &self.repository.endpoints,
            blob: layer,
            elsewhere,
            sink: &self.sink,
            progress: &self.progress,
            moved_bytes: &self.moved_bytes,
        };
        let arrival = download.run().await?;
        self.progress.finished(layer, arrival);
        Ok(())
    }

    /// The addresses that the manifest names for those layers that registries need not have.
    async fn addresses(
        self: &Arc<Self>,
        manifest: &Descriptor,
        layers: &[Descriptor],
    ) -> Result<Vec<(Digest, Address)>, RemoteError> {
        let is_foreign = |it: &Descriptor| MediaType::named(&it.media_type) == Some(MediaType::ForeignLayer);
        if !layers.iter().any(is_foreign) {
            return Ok(Vec::new());
        }
        let (fetch, manifest) = (self.clone(), manifest.clone());
        let read = move || {
            let mut bytes = Vec::new();
            if let Some(blob) = fetch.sink.open(&manifest)? {
                blob.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes)?;
            }
            io::Result::Ok(bytes)
        };
        let digest = self.root.digest;
        let read = tokio::task::spawn_blocking(read).await.map_err(|_| RemoteError::Stopped)?;
        let bytes = read.map_err(|error| sink_error(digest, error))?;
        Ok(foreign(&bytes))
    }
}

/// What a manifest says of layers that are elsewhere. What is no address is left out.
fn foreign(manifest: &[u8]) -> Vec<(Digest, Address)> {
    #[derive(Deserialize)]
    struct Manifest {
        layers: List<Layer>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Layer {
        media_type: String,
        digest: Digest,
        #[serde(default)]
        urls: List<String>,
    }
    let Ok(manifest) = bounded::parse::<Manifest>(manifest) else { return Vec::new() };
    let layers = manifest.layers.0.into_iter();
    let foreign = layers.filter(|it| MediaType::named(&it.media_type) == Some(MediaType::ForeignLayer));
    let urls = foreign.flat_map(|it| it.urls.0.into_iter().take(URLS_MAX).map(move |url| (it.digest, url)));
    urls.filter_map(|(digest, url)| Some((digest, Address::parse(&url).ok()?))).collect()
}

/// A sink's documents, and which of them were looked for.
struct Documents<'a> {
    sink: &'a dyn Sink,
    opened: Mutex<Vec<Descriptor>>,
}

impl BlobSource for Documents<'_> {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(blob.clone());
        if !self.sink.has(blob)? {
            return Ok(None);
        }
        self.sink.open(blob)
    }
}

impl Inner {
    /// What the reference means.
    pub(super) async fn resolve(&self) -> Result<Descriptor, RemoteError> {
        let mut plan = Plan::new(&self.endpoints, &[], &());
        loop {
            let Source::Repository(endpoint) = plan.source() else { return Err(RemoteError::Stopped) };
            match self.resolve_at(endpoint).await {
                Ok(descriptor) => return Ok(descriptor),
                Err(error) => plan.failed(error).await?,
            }
        }
    }

    async fn resolve_at(&self, endpoint: &Endpoint) -> Result<Descriptor, RemoteError> {
        let named = match (self.reference.digest(), self.reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or_default().to_owned(),
        };
        let what = self.reference.to_string();
        let mut wanted = manifest(named, &what);
        wanted.method = Method::HEAD;
        // A registry counts what is read, and not what is looked at.
        match endpoint.ask(&wanted).await {
            Ok(answer) => {
                if let Some(descriptor) = self.described(answer.response.headers()) {
                    return Ok(descriptor);
                }
            }
            // Some take no HEAD; and what is wrong can be told in an answer with a body only.
            Err(
                RemoteError::Status { .. }
                | RemoteError::NotFound { .. }
                | RemoteError::Denied { .. }
                | RemoteError::Unauthorized { .. },
            ) => {}
            Err(error) => return Err(error),
        }
        wanted.method = Method::GET;
        let answer = endpoint.ask(&wanted).await?;
        let headers = answer.response.headers().clone();
        let host = answer.origin.quoted();
        let bytes = endpoint.connections().read(answer, DOCUMENT_BYTES_MAX).await?;
        let media_type = media_type(&headers).or_else(|| own_media_type(&bytes));
        let media_type = media_type.ok_or(RemoteError::Answer { host: host.clone(), what: "it has no media type" })?;
        let digest = match self.reference.digest() {
            None => Digest::of(Algorithm::Sha256, &bytes),
            Some(expected) => {
                let found = Digest::of(expected.algorithm(), &bytes);
                if found != *expected {
                    return Err(RemoteError::Mismatch { host, expected: *expected, found: Box::new(found) });
                }
                found
            }
        };
        Ok(Descriptor { media_type, digest, size: bytes.len() as u64, platform: None })
    }

    /// What the head of an answer says of a manifest, if it says all. A digest that was named decides, whatever it says.
    fn described(&self, headers: &HeaderMap) -> Option<Descriptor> {
        let said: Option<Digest> = headers.get(DIGEST_HEADER).and_then(|it| it.to_str().ok()?.parse().ok());
        let digest = self.reference.digest().copied().or(said)?;
        let size = declared_length(headers).filter(|size| (1..=DOCUMENT_BYTES_MAX).contains(size))?;
        let media_type = media_type(headers)?;
        MediaType::named(&media_type)?;
        Some(Descriptor { media_type, digest, size, platform: None })
    }

    /// Fetches a document, and compares it with its digest.
    async fn document(&self, descriptor: &Descriptor, progress: &dyn Progress) -> Result<Bytes, RemoteError> {
        let mut plan = Plan::new(&self.endpoints, &[], progress);
        loop {
            let Source::Repository(endpoint) = plan.source() else { return Err(RemoteError::Stopped) };
            match document_at(endpoint, descriptor).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => plan.failed(error).await?,
            }
        }
    }
}

async fn document_at(endpoint: &Endpoint, descriptor: &Descriptor) -> Result<Bytes, RemoteError> {
    let digest = descriptor.digest;
    let what = format!("the document {digest}");
    let wanted = match MediaType::named(&descriptor.media_type) {
        Some(MediaType::Config) => {
            Wanted { method: Method::GET, path: format!("blobs/{digest}"), accept: None, from: 0, what: &what }
        }
        _ => manifest(digest.to_string(), &what),
    };
    let answer: Answer = endpoint.ask(&wanted).await?;
    let host = answer.origin.quoted();
    let bytes = endpoint.connections().read(answer, descriptor.size.min(DOCUMENT_BYTES_MAX)).await?;
    let found = Digest::of(digest.algorithm(), &bytes);
    if found != digest {
        return Err(RemoteError::Mismatch { host, expected: digest, found: Box::new(found) });
    }
    if bytes.len() as u64 != descriptor.size {
        return Err(RemoteError::Length { host, what: "a document of another length than it is said to have" });
    }
    Ok(bytes)
}

fn manifest(named: String, what: &str) -> Wanted<'_> {
    Wanted { method: Method::GET, path: format!("manifests/{named}"), accept: Some(ACCEPT), from: 0, what }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let value = value.split(';').next().unwrap_or_default().trim();
    MediaType::named(value).map(|_| value.to_owned())
}

/// What a document says to be, where the answer does not.
fn own_media_type(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: String,
    }
    let typed: Typed = bounded::parse(bytes).ok()?;
    MediaType::named(&typed.media_type).map(|_| typed.media_type)
}

/// Each digest's first.
fn once_each<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Vec<Descriptor> {
    let mut seen = std::collections::HashSet::new();
    descriptors.filter(|it| seen.insert(it.digest)).cloned().collect()
}
