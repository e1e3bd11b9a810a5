//! Who sends a request to a function's address, and its body.

use std::net::IpAddr;

use base::{Principal, Timestamp};
use bytes::Bytes;
use http::header::{HOST, REFERER, USER_AGENT};
use http::request::Parts;
use platform::identity::Caller;
use platform::{Arrival, Ctx};
use wire::model::Protocol;
use wire::serve::{BodyError, CredentialError, RequestBody};
use wire::sigv4::{self, AuthError, PayloadHash};

use super::{BODIES_KIB_MAX, BODY_BYTES_MAX, Door, FunctionUrls, Held, Received, Refusal, authorize};
use crate::Error;

/// The name by which requests are signed.
const SIGNING_NAME: &str = "lambda";
/// What each body may have without asking for room, in bytes.
const BYTES_FREE: u64 = 64 * 1024;

/// A request but for its body.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) parts: &'a Parts,
    pub(super) request_id: &'a str,
    pub(super) now: Timestamp,
    pub(super) source_ip: Option<IpAddr>,
}

impl FunctionUrls {
    /// Nobody in particular.
    ///
    /// # Errors
    /// What the store answers.
    pub(super) async fn anybody(&self, door: &Door, head: Head<'_>) -> Result<Ctx, Refusal> {
        let nobody = Caller { access_key_id: String::new(), principal: Principal::anonymous(), session: None };
        self.arrived(door, head, nobody).await
    }

    /// Whoever has signed the request, if they may, and its body.
    ///
    /// # Errors
    /// What is wrong with the signature; [`Refusal::Forbidden`]; what is wrong with the body.
    pub(super) async fn signed(
        &self,
        door: &Door,
        head: Head<'_>,
        body: &mut RequestBody,
    ) -> Result<Received<'_>, Refusal> {
        let signature = sigv4::parse(head.parts)?;
        signature.check(head.now, SIGNING_NAME)?;
        let found = self.admission.identities.credential(signature.access_key_id(), signature.session_token()).await;
        let found = found.map_err(|error| match error {
            CredentialError::Unknown => AuthError::UnknownKey.into(),
            CredentialError::InvalidToken => AuthError::InvalidToken.into(),
            CredentialError::ExpiredToken => AuthError::ExpiredToken.into(),
            CredentialError::Unavailable => Refusal::Told(wire::Error::internal()),
        })?;
        let verify =
            |hash| signature.verify_cached(&self.keys, head.parts, &found.secret, head.now, SIGNING_NAME, hash);
        // Nothing is held for somebody who only knows the name of a key, where that can be told before the body.
        let is_declared = !signature.body_rule().needs_body();
        if is_declared {
            verify(PayloadHash::Unread)?;
        }
        let (bytes, place) = self.body(body).await?;
        match PayloadHash::of(&bytes) {
            PayloadHash::Computed(hash) if is_declared => {
                if !signature.body_rule().admits(hash) {
                    return Err(AuthError::ContentSha256Mismatch.into());
                }
            }
            hash => verify(hash)?,
        }
        let ctx = self.arrived(door, head, found.caller).await?;
        self.lambda.platform.keys.note_use(&ctx, SIGNING_NAME);
        authorize(&ctx, door)?;
        Ok((ctx, bytes, place))
    }

    /// The whole body, and the place that it takes.
    ///
    /// # Errors
    /// That it is too large, did not come, or that there is no room for it.
    pub(super) async fn body(&self, body: &mut RequestBody) -> Result<(Bytes, Held<'_>), Refusal> {
        let length = body.declared_length().unwrap_or(BODY_BYTES_MAX as u64);
        if length > BODY_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let place = match length {
            0..=BYTES_FREE => None,
            more => {
                let kib = usize::try_from(more.div_ceil(1024)).unwrap_or(BODIES_KIB_MAX).min(BODIES_KIB_MAX);
                let permits = u32::try_from(kib).unwrap_or(u32::MAX);
                Some(self.bodies.try_acquire_many(permits).map_err(|_| Refusal::NoRoom)?)
            }
        };
        match body.read(BODY_BYTES_MAX).await {
            Ok(bytes) => Ok((bytes, place)),
            Err(BodyError::TooLarge) => Err(too_large()),
            Err(BodyError::TimedOut) => Err(Refusal::Told(wire::Error::new("RequestTimeout", 408, TIMED_OUT))),
            Err(BodyError::Incomplete) => Err(Refusal::Told(wire::Error::new("IncompleteBody", 400, INCOMPLETE))),
        }
    }

    async fn arrived(&self, door: &Door, head: Head<'_>, caller: Caller) -> Result<Ctx, Refusal> {
        let said = |name| head.parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let arrival = Arrival {
            request_id: head.request_id.to_owned(),
            region: door.target.function.region.clone(),
            host: sigv4::host(head.parts).ok().flatten().map(str::to_owned).or_else(|| said(HOST)).unwrap_or_default(),
            now: head.now,
            source_ip: head.source_ip,
            user_agent: said(USER_AGENT),
            referer: said(REFERER),
            protocol: Protocol::RestJson1,
            is_form: false,
            signing: None,
        };
        Ok(self.admission.signed(caller, arrival).await.map_err(Error::Store)?)
    }
}

const TIMED_OUT: &str = "The request's body did not come in time.";
const INCOMPLETE: &str = "The request's body is shorter than its Content-Length.";

fn too_large() -> Refusal {
    Error::TooLarge(format!("Request must be smaller than {BODY_BYTES_MAX} bytes for the InvokeFunction operation"))
        .into()
}
