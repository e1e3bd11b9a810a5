//! The registry: OCI Distribution 1.1 over the same records as the API.
//!
//! A request goes one way through it: path → token → which registry ([`authenticate`]) → the matching actions of Amazon
//! ECR are asked for ([`Request::admit`]) → the records and bytes that the API's own operations use.
//!
//! - Clients are asked for `Basic` credentials, the name `AWS` and a token of [`crate::token`] as the password, which is
//!   what `docker login` is given. All clients know that without a token service, so there is none; a client that was
//!   configured to send `Bearer` and the same token is let in, too.
//! - Which account's registry is meant is told by the host name where it is one of Amazon ECR's
//!   (`<account>.dkr.ecr.<region>.amazonaws.com`), else by the token.
//! - Blobs are answered right away, from their files; no redirect is needed to spare anybody's memory.
//! - `Location` and `Link` are paths: they hold whatever the client calls the server.
//!
//! What a request asks for, where Amazon ECR tells it; deleting blobs, which Amazon ECR does not, is deleting images, and
//! whoever may send parts of an upload may see how far it is and give it up.
//!
//! | request | actions on the repository |
//! | --- | --- |
//! | `GET /v2/` | none: the token is enough |
//! | `HEAD` a blob | `ecr:BatchCheckLayerAvailability` |
//! | `GET` a blob | `ecr:GetDownloadUrlForLayer` |
//! | `POST` an upload | `ecr:InitiateLayerUpload`; with all of the blob also the two that follow |
//! | `PATCH`, `GET`, `DELETE` an upload | `ecr:UploadLayerPart` |
//! | `PUT` an upload | `ecr:CompleteLayerUpload`; with a last piece also `ecr:UploadLayerPart` |
//! | mount a blob | `ecr:InitiateLayerUpload`, and `ecr:GetDownloadUrlForLayer` on the repository that has it |
//! | `GET`, `HEAD` a manifest; referrers | `ecr:BatchGetImage` |
//! | `PUT` a manifest | `ecr:PutImage` |
//! | `DELETE` a manifest, a tag, a blob | `ecr:BatchDeleteImage` |
//! | list tags | `ecr:ListImages` |

mod answer;
mod authenticate;
mod blob;
mod body;
mod layer;
mod layer_url;
mod manifest;
mod mount;
mod places;
mod range;
mod referrers;
mod refusal;
mod route;
mod tags;
mod turns;
mod upload;

use std::borrow::Cow;
use std::sync::Arc;

use base::AccountId;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use platform::{Access, Admission, BoxFuture, Ctx};
use wire::serve::RequestBody;
use wire::serve::raw::{RawBody, RawRequest, RawResponse, Routes};

use crate::Ecr;
use crate::digest::ContentDigest;
use crate::names::RepositoryName;
use crate::repository::{self, Found};

use answer::{API_VERSION, Answer};
use places::Places;
use refusal::{Code, Refusal};
use route::{NoRoute, Route};
use turns::Turns;

pub use layer_url::LAYER_URL_LIFETIME;
pub(crate) use layer_url::LayerUrl;
pub use tags::TAGS_A_PAGE_MAX;

/// How many uploads are received at a time, of one account half as many. Each takes up to a MiB of memory; further ones wait.
pub const UPLOADS_AT_ONCE: usize = 128;
/// How many manifests are received at a time, of one account half as many. Each takes up to 4 MiB of memory; further ones
/// wait.
pub const MANIFESTS_AT_ONCE: usize = 16;

/// The registry. It is shared by all connections.
pub struct Registry {
    ecr: Ecr,
    admission: Admission,
    uploads: Places,
    manifests: Places,
    turns: Turns,
}

impl Registry {
    /// The registry of these records and bytes, which lets in whom `admission` knows.
    pub fn new(ecr: Ecr, admission: Admission) -> Self {
        let (uploads, manifests) = (Places::new(UPLOADS_AT_ONCE), Places::new(MANIFESTS_AT_ONCE));
        Self { ecr, admission, uploads, manifests, turns: Turns::default() }
    }

    async fn handle(&self, raw: RawRequest) -> Result<RawResponse, Refusal> {
        if layer::is_layer_url(&raw.parts) {
            return layer::answer(self, &raw).await;
        }
        let (ctx, registry) = authenticate::context(self, &raw).await?;
        let path = raw.parts.uri.path().to_owned();
        let route = Route::of(&path).map_err(no_route)?;
        let request = Request { registry: self, parts: raw.parts, body: raw.body, ctx, account: registry };
        request.dispatch(route).await
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Routes for Registry {
    fn service(&self) -> &'static str {
        "ecr"
    }

    fn takes(&self, parts: &Parts) -> bool {
        route::is_registry(parts.uri.path())
    }

    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, RawResponse> {
        Box::pin(async move {
            let operation = operation(&request.parts);
            let is_head = request.parts.method == Method::HEAD;
            let mut answer = self.handle(request).await.unwrap_or_else(|refusal| refusal.answer(operation));
            answer.headers.insert(API_VERSION.0, API_VERSION.1);
            // Whatever somebody has pushed, no browser is to take it for a page.
            answer.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            if is_head {
                without_body(&mut answer);
            }
            answer
        })
    }
}

/// Takes the body from an answer to HEAD, and says how long it is instead.
fn without_body(answer: &mut RawResponse) {
    let length = match std::mem::replace(&mut answer.body, RawBody::Empty) {
        RawBody::Empty => return,
        RawBody::Bytes(bytes) => bytes.len() as u64,
        RawBody::File { range, .. } => range.end - range.start,
        RawBody::Content(content) => match content.length() {
            Some(length) => length,
            None => return,
        },
    };
    answer.headers.insert(CONTENT_LENGTH, length.into());
}

/// What a request is called in logs and metrics.
fn operation(parts: &Parts) -> &'static str {
    let method = &parts.method;
    let named = |get, head, put, delete| match *method {
        Method::GET => get,
        Method::HEAD => head,
        Method::PUT => put,
        Method::DELETE => delete,
        _ => "Unsupported",
    };
    match Route::of(parts.uri.path()) {
        Ok(Route::Version) => "CheckVersion",
        Ok(Route::Blob(..)) => named("GetBlob", "HeadBlob", "Unsupported", "DeleteBlob"),
        Ok(Route::Manifest(..)) => named("GetManifest", "HeadManifest", "PutManifest", "DeleteManifest"),
        Ok(Route::Uploads(_)) => "StartBlobUpload",
        Ok(Route::Upload(..)) if *method == Method::PATCH => "AppendBlobUpload",
        Ok(Route::Upload(..)) => named("GetBlobUpload", "GetBlobUpload", "FinishBlobUpload", "CancelBlobUpload"),
        Ok(Route::Tags(_)) => "ListTags",
        Ok(Route::Referrers(..)) => "ListReferrers",
        Err(_) if layer::is_layer_url(parts) => "GetLayer",
        Err(_) => "Unknown",
    }
}

fn no_route(problem: NoRoute) -> Refusal {
    match problem {
        NoRoute::Unknown => {
            Refusal::new(Code::Unsupported, "The registry has no such endpoint.").status(StatusCode::NOT_FOUND)
        }
        NoRoute::Name => Refusal::new(
            Code::NameInvalid,
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
             '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''",
        ),
    }
}

/// A request whose sender is known.
struct Request<'r> {
    registry: &'r Registry,
    parts: Parts,
    body: RequestBody,
    ctx: Ctx,
    /// Whose registry is asked.
    account: AccountId,
}

impl Request<'_> {
    async fn dispatch(self, route: Route<'_>) -> Result<RawResponse, Refusal> {
        match (self.parts.method.clone(), route) {
            (Method::GET | Method::HEAD, Route::Version) => Ok(version()),
            (Method::GET, Route::Blob(name, digest)) => blob::get(&self, name, &digest).await,
            (Method::HEAD, Route::Blob(name, digest)) => blob::head(&self, name, &digest).await,
            (Method::DELETE, Route::Blob(name, digest)) => blob::delete(&self, name, &digest).await,
            (Method::POST, Route::Uploads(name)) => upload::start(self, name).await,
            (Method::PATCH, Route::Upload(name, id)) => upload::append(self, name, id).await,
            (Method::PUT, Route::Upload(name, id)) => upload::finish(self, name, id).await,
            (Method::GET | Method::HEAD, Route::Upload(name, id)) => upload::status(&self, name, id).await,
            (Method::DELETE, Route::Upload(name, id)) => upload::cancel(&self, name, id).await,
            (Method::GET, Route::Manifest(name, reference)) => manifest::get(&self, name, &reference).await,
            (Method::HEAD, Route::Manifest(name, reference)) => manifest::head(&self, name, &reference).await,
            (Method::PUT, Route::Manifest(name, reference)) => manifest::put(self, name, &reference).await,
            (Method::DELETE, Route::Manifest(name, reference)) => manifest::delete(&self, name, &reference).await,
            (Method::GET | Method::HEAD, Route::Tags(name)) => tags::list(&self, name).await,
            (Method::GET | Method::HEAD, Route::Referrers(name, digest)) => referrers::list(&self, name, &digest).await,
            (_, Route::Version | Route::Tags(_) | Route::Referrers(..)) => Err(Refusal::method("GET, HEAD")),
            (_, Route::Blob(..)) => Err(Refusal::method("GET, HEAD, DELETE")),
            (_, Route::Uploads(_)) => Err(Refusal::method("POST")),
            (_, Route::Upload(..)) => Err(Refusal::method("GET, HEAD, PATCH, PUT, DELETE")),
            (_, Route::Manifest(..)) => Err(Refusal::method("GET, HEAD, PUT, DELETE")),
        }
    }

    fn ecr(&self) -> &Ecr {
        &self.registry.ecr
    }

    /// The repository of this name in the registry that is asked.
    fn named(&self, name: &str) -> RepositoryName {
        RepositoryName { registry: self.account, region: self.ctx.region.clone(), name: name.to_owned() }
    }

    /// Asks for actions on a repository, be it there or not.
    async fn allow(&self, name: &str, actions: &[&'static str]) -> Result<RepositoryName, Refusal> {
        let name = self.named(name);
        let arn = name.arn();
        let demands = actions.iter().map(|action| Access::to(action).on(&*arn));
        let access = demands.reduce(Access::and).unwrap_or_default();
        self.ctx.admit(self.ecr(), &access).await.map_err(|error| Refusal::of_gate(&error))?;
        Ok(name)
    }

    /// The same, and finds it: whoever may do nothing with it does not learn whether it is there.
    async fn admit(&self, name: &str, actions: &[&'static str]) -> Result<Found, Refusal> {
        let name = self.allow(name, actions).await?;
        Ok(repository::look_up(self.ecr(), &name).await?)
    }

    /// The first value of a parameter of the query.
    fn parameter<'q>(&'q self, name: &'q str) -> Option<Cow<'q, str>> {
        self.parameters(name).next()
    }

    /// All values of a parameter of the query.
    fn parameters<'q>(&'q self, name: &'q str) -> impl Iterator<Item = Cow<'q, str>> {
        let query = self.parts.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).filter(move |(key, _)| key == name).map(|(_, value)| value)
    }
}

/// The text of a header, if it has one alone.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok()
}

/// A digest of a path or a query.
fn digest(text: &str) -> Result<ContentDigest, Refusal> {
    text.parse().map_err(|_| Refusal::digest())
}

/// `GET /v2/`: the registry is one, and the credentials are good.
fn version() -> RawResponse {
    Answer::new(StatusCode::OK)
        .content_type("application/json")
        .body(RawBody::Bytes(bytes::Bytes::from_static(b"{}")))
        .done("CheckVersion")
}
