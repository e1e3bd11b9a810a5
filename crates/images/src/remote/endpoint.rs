//! A registry or a mirror, as the place of one repository.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderValue, Method, StatusCode, header};
use tokio::sync::OnceCell;

use super::address::{Address, Origin};
use super::connect::Connections;
use super::exchange::{Answer, Ask};
use super::login::Login;
use super::{Config, ConfigError, Credentials, Mirror, Quoted, RemoteError};
use crate::Reference;

/// What `docker.io` is reached by.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");
/// How often a request is sent with something else after it was refused: a token may end while others are asked for.
const RENEWALS_MAX: u32 = 2;

/// Where one repository is.
#[derive(Debug)]
pub(super) struct Endpoint {
    connections: Arc<Connections>,
    /// Host, and port if one was named.
    host: String,
    plain: bool,
    /// Found out when it is first asked.
    origin: OnceCell<Origin>,
    /// The repository's name there.
    repository: String,
    /// For a mirror: the registry that is mirrored, which one that mirrors several must be told (as containerd does it).
    mirrored: Option<String>,
    login: Login,
    /// Whether it could not be reached.
    is_down: AtomicBool,
}

/// What is wanted of a repository.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) method: Method,
    /// Behind the repository's name: `manifests/latest`.
    pub(super) path: String,
    pub(super) accept: Option<&'static str>,
    /// The first byte that is wanted.
    pub(super) from: u64,
    /// For a message.
    pub(super) what: &'a str,
}

impl Endpoint {
    /// The registry of a reference.
    ///
    /// # Errors
    /// [`ConfigError::Reference`] if it is no host.
    pub(super) fn registry(
        connections: &Arc<Connections>,
        reference: &Reference,
        credentials: Option<Credentials>,
    ) -> Result<Self, ConfigError> {
        let (short, hub) = DOCKER_HUB;
        let host = if reference.registry() == short { hub } else { reference.registry() };
        if Origin::of_host(host, true).is_none() {
            return Err(ConfigError::Reference { reference: Box::new(reference.clone()) });
        }
        let plain = connections.rules.is_plain(host);
        Ok(Self::new(connections, host, plain, reference.repository().to_owned(), credentials))
    }

    /// A mirror of the registry of a reference.
    pub(super) fn mirror(connections: &Arc<Connections>, mirror: &Mirror, reference: &Reference) -> Self {
        let slash = if mirror.prefix.is_empty() { "" } else { "/" };
        let repository = format!("{}{slash}{}", mirror.prefix, reference.repository());
        let plain = mirror.plain || connections.rules.is_plain(&mirror.host);
        let endpoint = Self::new(connections, &mirror.host, plain, repository, mirror.credentials.clone());
        Self { mirrored: Some(reference.registry().to_owned()), ..endpoint }
    }

    fn new(
        connections: &Arc<Connections>,
        host: &str,
        plain: bool,
        repository: String,
        credentials: Option<Credentials>,
    ) -> Self {
        Self {
            connections: connections.clone(),
            host: host.to_owned(),
            plain,
            origin: OnceCell::new(),
            login: Login::new(credentials, &repository),
            repository,
            mirrored: None,
            is_down: AtomicBool::new(false),
        }
    }

    pub(super) fn is_mirror(&self) -> bool {
        self.mirrored.is_some()
    }

    /// For a message.
    pub(super) fn quoted(&self) -> Quoted {
        Quoted::new(&self.host)
    }

    pub(super) fn config(&self) -> &Config {
        &self.connections.config
    }

    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Whether it is of no use to ask again, for now.
    pub(super) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    pub(super) fn set_down(&self) {
        self.is_down.store(true, Ordering::Relaxed);
    }

    /// Asks for something, logging in if that is wanted. Every answer is a success: 200 or 206.
    pub(super) async fn ask(&self, wanted: &Wanted<'_>) -> Result<Answer, RemoteError> {
        let origin = self.origin().await?;
        let mut pass = self.login.pass().await;
        let mut renewals = 0;
        loop {
            let ask = self.request(origin, wanted, pass.value.clone());
            let answer = self.connections.exchange(&ask).await?;
            match answer.response.status() {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(answer),
                // What others than the registry want to know is not told.
                StatusCode::UNAUTHORIZED if answer.origin == *origin && renewals < RENEWALS_MAX => {
                    pass = self.login.renew(&self.connections, origin, &pass, answer).await?;
                    renewals += 1;
                }
                _ => return Err(self.login.refused_again(self.connections.complaint(answer, wanted.what).await)),
            }
        }
    }

    fn request(&self, origin: &Origin, wanted: &Wanted<'_>, authorization: Option<HeaderValue>) -> Ask {
        let query = self.mirrored.as_ref().map(|mirrored| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            format!("?{}", query.append_pair("ns", mirrored).finish())
        });
        let address: Address =
            origin.at(format!("/v2/{}/{}{}", self.repository, wanted.path, query.unwrap_or_default()));
        let mut ask = Ask::get(address);
        ask.method = wanted.method.clone();
        ask.authorization = authorization;
        if let Some(accept) = wanted.accept {
            ask.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        ask.start_at(wanted.from);
        ask
    }

    /// Where it is: what this machine has may or may not speak TLS; all others do unless it was said that they do not.
    pub(super) async fn origin(&self) -> Result<&Origin, RemoteError> {
        self.origin.get_or_try_init(|| self.find_origin()).await
    }

    async fn find_origin(&self) -> Result<Origin, RemoteError> {
        let wrong = || RemoteError::Address { url: self.quoted() };
        let encrypted = Origin::of_host(&self.host, true).ok_or_else(wrong)?;
        let plain = Origin::of_host(&self.host, false).ok_or_else(wrong)?;
        if self.plain {
            return Ok(plain);
        }
        // One without a port is asked where it would be asked without TLS, too.
        let may_be_either = plain.says_loopback() && plain.port != 443;
        if !may_be_either {
            return Ok(encrypted);
        }
        match self.connections.speaks_tls(&encrypted).await {
            Ok(true) => Ok(encrypted),
            Ok(false) => Ok(plain),
            Err(_) if plain.port != encrypted.port => Ok(plain),
            Err(error) => Err(error),
        }
    }
}
