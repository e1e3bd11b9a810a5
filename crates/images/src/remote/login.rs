//! Who asks a registry, and the tokens that were given for it.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::address::{Address, Origin};
use super::challenge::{Challenge, challenges};
use super::connect::Connections;
use super::exchange::{Answer, Ask};
use super::{Credentials, RemoteError};
use crate::bounded;

/// The largest answer of a token endpoint, in bytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// The longest token, in bytes: it must fit into a header that registries take.
const TOKEN_LENGTH_MAX: usize = 48 * 1024;
/// Who asks, to token endpoints (the token specification's `client_id`).
const CLIENT_ID: &str = "pilvi";

/// Who asks one registry or mirror for one repository.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Option<Credentials>,
    /// What is asked for where the registry does not say: `repository:<name>:pull`.
    scope: String,
    known: Mutex<Known>,
}

/// What is sent by now. Each attempt has a number, so that of several who were refused at once one alone asks anew.
#[derive(Default)]
struct Known {
    number: u64,
    value: Option<HeaderValue>,
}

/// What was sent with a request.
#[derive(Clone)]
pub(super) struct Pass {
    number: u64,
    pub(super) value: Option<HeaderValue>,
}

impl Login {
    pub(super) fn new(credentials: Option<Credentials>, repository: &str) -> Self {
        let value = match &credentials {
            Some(Credentials::Bearer(token)) => sensitive(&Zeroizing::new(format!("Bearer {}", token.as_str()))),
            _ => None,
        };
        let known = Mutex::new(Known { number: 0, value });
        Self { credentials, scope: format!("repository:{repository}:pull"), known }
    }

    /// What to send.
    pub(super) async fn pass(&self) -> Pass {
        let known = self.known.lock().await;
        Pass { number: known.number, value: known.value.clone() }
    }

    /// Something else to send, after a registry refused `pass` with `answer`.
    ///
    /// # Errors
    /// [`RemoteError::Unauthorized`] if there is nothing else.
    pub(super) async fn renew(
        &self,
        connections: &Arc<Connections>,
        registry: &Origin,
        pass: &Pass,
        answer: Answer,
    ) -> Result<Pass, RemoteError> {
        let challenges = challenges(answer.response.headers());
        // Held while the token is asked for: the others who were refused wait for it, and use it.
        let mut known = self.known.lock().await;
        if known.number == pass.number {
            let value = self.meet(connections, registry, &challenges).await?;
            let Some(value) = value else {
                return Err(self.refused(connections.complaint(answer, "it").await));
            };
            *known = Known { number: known.number + 1, value: Some(value) };
        }
        Ok(Pass { number: known.number, value: known.value.clone() })
    }

    /// What meets the first of the challenges that can be met.
    async fn meet(
        &self,
        connections: &Arc<Connections>,
        registry: &Origin,
        challenges: &[Challenge],
    ) -> Result<Option<HeaderValue>, RemoteError> {
        for challenge in challenges {
            match (challenge, &self.credentials) {
                (Challenge::Basic, Some(Credentials::Password { username, password })) => {
                    return Ok(sensitive(&basic(username, password)));
                }
                // One that was given as it is cannot be renewed.
                (Challenge::Bearer { .. }, Some(Credentials::Bearer(_))) | (Challenge::Basic, _) => {}
                (Challenge::Bearer { realm, service, scope }, _) => {
                    let realm = Address::parse(realm)?;
                    if !connections.rules.may_lead(registry, &realm.origin) {
                        return Err(RemoteError::Address { url: realm.origin.quoted() });
                    }
                    let wanted = Wanted { service: service.as_deref(), scope: scope.as_deref().unwrap_or(&self.scope) };
                    return self.token(connections, realm, &wanted).await.map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Asks a token endpoint, as the distribution project's specifications of token and OAuth2 authentication say.
    async fn token(
        &self,
        connections: &Arc<Connections>,
        realm: Address,
        wanted: &Wanted<'_>,
    ) -> Result<HeaderValue, RemoteError> {
        let host = realm.origin.quoted();
        let ask = self.token_request(realm, wanted);
        let answer = connections.exchange(&ask).await?;
        if !answer.response.status().is_success() {
            return Err(self.refused(connections.complaint(answer, "a token").await));
        }
        let body = connections.read(answer, ANSWER_BYTES_MAX).await?;
        let wrong = |what| RemoteError::Answer { host: host.clone(), what };
        let found: TokenAnswer = bounded::parse(&body).map_err(|_| wrong("it should hold a token"))?;
        let token = found.token.filter(|it| !it.is_empty()).or(found.access_token.filter(|it| !it.is_empty()));
        let token = token.ok_or_else(|| wrong("it holds no token"))?;
        let value = (token.len() <= TOKEN_LENGTH_MAX).then(|| sensitive(&format!("Bearer {}", token.as_str())));
        value.flatten().ok_or_else(|| wrong("its token cannot be sent"))
    }

    fn token_request(&self, realm: Address, wanted: &Wanted<'_>) -> Ask {
        let mut form = form_urlencoded::Serializer::new(String::new());
        if let Some(service) = wanted.service {
            form.append_pair("service", service);
        }
        if let Some(Credentials::IdentityToken(token)) = &self.credentials {
            let fixed = [("scope", wanted.scope), ("grant_type", "refresh_token"), ("client_id", CLIENT_ID)];
            form.extend_pairs(fixed).append_pair("refresh_token", token);
            let mut ask = Ask::get(realm);
            ask.method = Method::POST;
            let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            ask.headers.insert(header::CONTENT_TYPE, media_type);
            ask.body = form.finish().into();
            return ask;
        }
        form.extend_pairs(wanted.scope.split(' ').filter(|it| !it.is_empty()).map(|scope| ("scope", scope)));
        let join = if realm.target.contains('?') { '&' } else { '?' };
        let mut ask = Ask::get(realm.origin.at(format!("{}{join}{}", realm.target, form.finish())));
        if let Some(Credentials::Password { username, password }) = &self.credentials {
            ask.authorization = sensitive(&basic(username, password));
        }
        ask
    }

    /// Tells whether it was somebody who was refused, or nobody.
    fn refused(&self, error: RemoteError) -> RemoteError {
        let with = |host, message| {
            let credentials = if self.credentials.is_some() { "these credentials" } else { "no credentials" };
            RemoteError::Unauthorized { host, credentials, message }
        };
        match error {
            RemoteError::Unauthorized { host, message, .. } => with(host, message),
            // What token endpoints say to a wrong password.
            RemoteError::Denied { host, message } => with(host, message),
            other => other,
        }
    }

    /// The error for an answer that refuses what was just obtained.
    pub(super) fn refused_again(&self, error: RemoteError) -> RemoteError {
        match error {
            RemoteError::Unauthorized { host, message, .. } => {
                let credentials = if self.credentials.is_some() { "these credentials" } else { "no credentials" };
                RemoteError::Unauthorized { host, credentials, message }
            }
            other => other,
        }
    }
}

/// What a token is for.
struct Wanted<'a> {
    service: Option<&'a str>,
    scope: &'a str,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<Zeroizing<String>>,
    access_token: Option<Zeroizing<String>>,
}

fn basic(username: &str, password: &str) -> Zeroizing<String> {
    let plain = Zeroizing::new(format!("{username}:{password}"));
    Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(plain.as_bytes())))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({}, ***)", self.number)
    }
}
