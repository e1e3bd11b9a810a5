//! Function URLs: functions that answer HTTP at an address of their own, `<id>.lambda-url.<region>.<host>`, or, for clients
//! that cannot resolve such a name, below `/_lambda/url/<id>` at any host.
//!
//! Source: developer guide, "Invoking Lambda function URLs" and "Control access to Lambda function URLs".

mod answer;
mod cors;
mod event;
mod sender;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use platform::{Access, Admission, BoxFuture, Ctx, Facts};
use store::Scope;
use tokio::sync::Semaphore;
use wire::serve::raw::{RawRequest, RawResponse, Routes};
use wire::sigv4::{self, SigningKeyCache};

use crate::executor::Invocation;
use crate::function::{Found, resolve};
use crate::invoke::{self, Call, Way};
use crate::names::Target;
use crate::url::{FunctionUrl, UrlName};
use crate::{Error, Lambda, limits};
use answer::Refusal;
use event::Asked;
use sender::Head;

/// What the paths begin with at hosts that name no function. No operation's path does.
pub const PREFIX: &str = "/_lambda/url/";
/// How many letters and digits an address's own label has.
const ID_CHARS: usize = 32;
/// The label that follows it.
const LABEL: &str = "lambda-url";
/// What the bodies of all requests together may take of memory, in KiB, beside the first 64 KiB of each.
const BODIES_KIB_MAX: usize = 128 * 1024;
/// The largest body, in bytes: with what the event says besides it could not be sent.
const BODY_BYTES_MAX: usize = limits::PAYLOAD_BYTES_MAX;

/// What answers at functions' addresses.
pub struct FunctionUrls {
    lambda: Lambda,
    admission: Admission,
    keys: SigningKeyCache,
    bodies: Semaphore,
}

impl fmt::Debug for FunctionUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionUrls").field("lambda", &self.lambda).finish_non_exhaustive()
    }
}

/// Where a request goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place<'a> {
    /// The address's own label.
    id: String,
    /// The region that the host names, if the host names the function.
    region: Option<String>,
    /// The path, as the function sees it.
    path: &'a str,
}

/// An address that was found.
struct Door {
    url: FunctionUrl,
    target: Target,
    found: Found,
}

impl FunctionUrls {
    /// The addresses of a service's functions.
    pub fn new(lambda: Lambda, admission: Admission) -> Self {
        Self { lambda, admission, keys: SigningKeyCache::new(), bodies: Semaphore::new(BODIES_KIB_MAX) }
    }

    async fn serve(&self, request: RawRequest) -> Result<RawResponse, Refusal> {
        let place = Place::of(&request.parts).ok_or(Refusal::NoSuchAddress)?;
        let door = self.find(&place).await?;
        let origin = cors::origin(&request.parts.headers).map(str::to_owned);
        if let Some(rules) = door.url.cors.as_ref().filter(|_| cors::is_preflight(&request.parts)) {
            return Ok(answer::nothing(cors::preflight(rules, &request.parts.headers)));
        }
        let is_head = request.parts.method == Method::HEAD;
        let mut answer = self.call(&door, request).await?;
        if let Some((rules, origin)) = door.url.cors.as_ref().zip(origin) {
            // What the function itself says stays: a header may be there twice then, as it is at AWS.
            cors::share(rules, &origin, &mut answer.headers);
        }
        Ok(if is_head { answer::without_body(answer) } else { answer })
    }

    async fn find(&self, place: &Place<'_>) -> Result<Door, Refusal> {
        let name = self.lambda.platform.store.read::<UrlName>(&Scope::system(), &[&place.id]).await;
        let name = name.map_err(Error::Store)?.ok_or(Refusal::NoSuchAddress)?;
        if place.region.as_deref().is_some_and(|region| region != name.region.as_str()) {
            return Err(Refusal::NoSuchAddress);
        }
        let target = name.target();
        let found = match resolve(&self.lambda, &target).await {
            Ok(found) if found.function.uid == name.uid => found,
            Ok(_) | Err(Error::FunctionNotFound(_)) => return Err(Refusal::NoSuchAddress),
            Err(error) => return Err(error.into()),
        };
        match found.attached().url.clone().filter(|url| url.id == place.id) {
            Some(url) => Ok(Door { url, target, found }),
            None => Err(Refusal::NoSuchAddress),
        }
    }

    /// Lets the sender in, and hands the request to the function.
    async fn call(&self, door: &Door, request: RawRequest) -> Result<RawResponse, Refusal> {
        let RawRequest { parts, mut body, request_id, now, source_ip } = request;
        let head = Head { parts: &parts, request_id: &request_id, now, source_ip };
        // The body's place is held as long as anything of it is.
        let (ctx, bytes, _place) = match door.url.is_signed {
            true => self.signed(door, head, &mut body).await?,
            false => {
                let ctx = self.anybody(door, head).await?;
                authorize(&ctx, door)?;
                let (bytes, place) = self.body(&mut body).await?;
                (ctx, bytes, place)
            }
        };
        let place = Place::of(&parts).ok_or(Refusal::NoSuchAddress)?;
        let trace = event::trace(&parts.headers, now, &*self.lambda.platform.rng);
        let asked = Asked {
            parts: &parts,
            path: place.path,
            body: &bytes,
            url: &door.url,
            target: &door.target,
            ctx: &ctx,
            trace: &trace,
            host: &self.lambda.settings.url_host,
        };
        let payload = asked.event().to_string().into_bytes();
        let mut invocation = self.admit(&ctx, door, payload).await?;
        drop(bytes);
        invocation.trace = Some(trace.clone());
        let executor = &self.lambda.neighbours.executor;
        let answer = match door.url.streams {
            true => answer::streamed(executor.invoke_streaming(invocation).await.map_err(Error::Refused)?).await,
            false => answer::buffered(&executor.invoke(invocation).await.map_err(Error::Refused)?),
        };
        Ok(answer::traced(answer, &trace))
    }

    async fn admit(&self, ctx: &Ctx, door: &Door, payload: Vec<u8>) -> Result<Invocation, Refusal> {
        let call = Call {
            function_name: door.target.arn(),
            qualifier: None,
            payload,
            client_context: None,
            wants_log_tail: false,
            way: Way::Waiting,
        };
        Ok(invoke::admit(&self.lambda, ctx, call).await?)
    }
}

/// Whether the sender may: call the address, and by it the function. (Developer guide: "Starting in October 2025, new function
/// URLs will require both lambda:InvokeFunctionUrl and lambda:InvokeFunction permissions".)
fn authorize(ctx: &Ctx, door: &Door) -> Result<(), Refusal> {
    let (arn, auth_type) = (door.target.arn(), door.url.auth_type());
    let on = |action| {
        Access::to(action)
            .on(arn.as_str())
            .key("lambda:FunctionArn", arn.as_str())
            .key("lambda:FunctionUrlAuthType", auth_type.as_str())
    };
    let access =
        on("lambda:InvokeFunctionUrl").and(on("lambda:InvokeFunction").key("lambda:InvokedViaFunctionUrl", "true"));
    let facts = Facts {
        owner: Some(door.target.function.account),
        tags: door.found.function.tags.clone().into_iter().collect(),
        policy: door.found.attached().policy.compiled(),
        ..Facts::default()
    };
    ctx.authorize_with(&access, &facts).map_err(|_| Refusal::Forbidden)
}

impl Routes for FunctionUrls {
    fn service(&self) -> &'static str {
        "lambda"
    }

    fn takes(&self, parts: &Parts) -> bool {
        Place::of(parts).is_some()
    }

    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, RawResponse> {
        Box::pin(async move { self.serve(request).await.unwrap_or_else(Refusal::into_response) })
    }
}

impl<'a> Place<'a> {
    fn of(parts: &'a Parts) -> Option<Self> {
        let path = parts.uri.path();
        let host = sigv4::host(parts).ok().flatten().unwrap_or_default().to_ascii_lowercase();
        let mut labels = without_port(&host).split('.');
        if let (Some(id), Some(LABEL), Some(region)) = (labels.next(), labels.next(), labels.next()) {
            return is_id(id).then(|| Self { id: id.to_owned(), region: Some(region.to_owned()), path });
        }
        let rest = path.strip_prefix(PREFIX)?;
        let (id, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        is_id(id).then(|| Self { id: id.to_owned(), region: None, path })
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What a body in memory holds a place by.
type Held<'a> = Option<tokio::sync::SemaphorePermit<'a>>;

/// Whoever was let in, and what was sent.
type Received<'a> = (Ctx, Bytes, Held<'a>);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "abcdefghijklmnopqrstuvwxyz234567";

    fn parts(host: &str, path: &str) -> Parts {
        http::Request::builder().uri(path).header("host", host).body(()).unwrap().into_parts().0
    }

    fn place(host: &str, path: &str) -> Option<(String, Option<String>, String)> {
        let parts = parts(host, path);
        Place::of(&parts).map(|place| (place.id, place.region, place.path.to_owned()))
    }

    #[test]
    fn a_function_is_named_by_the_host_or_below_a_path_of_its_own() {
        for host in ["lambda-url.eu-north-1.localhost:4566", "LAMBDA-URL.eu-north-1.on.aws"] {
            let found = place(&format!("{ID}.{host}"), "/a/b%20c?x=1").unwrap();
            assert_eq!(found, (ID.to_owned(), Some("eu-north-1".to_owned()), "/a/b%20c".to_owned()));
        }
        for (path, seen) in [("", "/"), ("/", "/"), ("/a//b", "/a//b")] {
            let found = place("127.0.0.1:4566", &format!("{PREFIX}{ID}{path}")).unwrap();
            assert_eq!(found, (ID.to_owned(), None, seen.to_owned()));
        }
        let by_host = place(&format!("{ID}.lambda-url.us-east-1.localhost"), &format!("{PREFIX}{ID}/x")).unwrap();
        assert_eq!(by_host.2, format!("{PREFIX}{ID}/x"), "of two the host counts");
    }

    #[test]
    fn what_names_no_function_is_left_to_others() {
        for (host, path) in [
            ("short.lambda-url.us-east-1.localhost".to_owned(), "/".to_owned()),
            (format!("{ID}.other.us-east-1.localhost"), "/".to_owned()),
            ("localhost".to_owned(), format!("{PREFIX}short/")),
            ("localhost".to_owned(), "/2015-03-31/functions".to_owned()),
        ] {
            assert_eq!(place(&host, &path), None, "{host}{path}");
        }
    }
}
