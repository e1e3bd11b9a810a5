//! The credentials that `docker login`, `podman login` and `skopeo login` have stored.
//!
//! Docker's are in `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`; podman and skopeo keep theirs in
//! `$REGISTRY_AUTH_FILE` or `$XDG_RUNTIME_DIR/containers/auth.json`, in the same form. Docker's are looked at first, and
//! either may name a credential helper, a program `docker-credential-NAME` that keeps the secret elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use images::Reference;
use serde::Deserialize;

use crate::config::Secret;
use crate::control_socket::Credentials;

/// A larger file, or answer of a helper, is none.
const BYTES_MAX: u64 = 1024 * 1024;
/// The registry that names mean that name none, and what its credentials are stored under.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";
/// What a helper calls a user whose secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// A file of credentials, the members that are used.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

/// What is stored for a registry.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// User and password, joined by a colon, in base64.
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// The credentials that are stored for the registry of an image; none if nobody has logged in there.
///
/// # Errors
/// When a file is there and cannot be read, or the helper that it names fails.
pub(super) fn stored(reference: &Reference) -> Result<Option<Credentials>> {
    for path in places(|name| std::env::var_os(name).map(PathBuf::from)) {
        let Some(config) = read(&path)? else { continue };
        let found = config.find(reference, run_helper).with_context(|| format!("credentials of {}", path.display()))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Where credentials may be.
fn places(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let docker = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let runtime = || variable("XDG_RUNTIME_DIR").map(|runtime| runtime.join("containers/auth.json"));
    let containers = variable("REGISTRY_AUTH_FILE").or_else(runtime);
    docker.map(|directory| directory.join("config.json")).into_iter().chain(containers).collect()
}

fn read(path: &Path) -> Result<Option<DockerConfig>> {
    let shown = path.display();
    let file = match File::open(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        file => file.with_context(|| format!("cannot read {shown}"))?,
    };
    let mut text = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut text).with_context(|| format!("cannot read {shown}"))?;
    if text.len() as u64 > BYTES_MAX {
        bail!("{shown} has more than {BYTES_MAX} bytes");
    }
    // What serde says of a wrong value could repeat a secret.
    let config = serde_json::from_slice(&text).map_err(|error| {
        anyhow::anyhow!("{shown} is not what docker writes (line {}, column {})", error.line(), error.column())
    })?;
    Ok(Some(config))
}

impl DockerConfig {
    fn find(
        &self,
        reference: &Reference,
        helper: impl Fn(&str, &str) -> Result<Option<Credentials>>,
    ) -> Result<Option<Credentials>> {
        let registry = reference.registry();
        let named = self.cred_helpers.iter().find(|(key, _)| is_registry(key, registry)).map(|(_, name)| name);
        if let Some(name) = named.or(self.creds_store.as_ref().filter(|name| !name.is_empty())) {
            let server = if registry == DOCKER_HUB { DOCKER_HUB_SERVER } else { registry };
            if let Some(found) = helper(name, server)? {
                return Ok(Some(found));
            }
        }
        // podman keeps credentials for single repositories, too: the longest name that fits is the one.
        let mut scope = format!("{registry}/{}", reference.repository());
        loop {
            if let Some((_, entry)) = self.auths.iter().find(|(key, _)| names(key, &scope)) {
                return entry.credentials();
            }
            match scope.rfind('/') {
                Some(at) => scope.truncate(at),
                None => return Ok(None),
            }
        }
    }
}

/// Whether a key of the file is for a registry.
fn is_registry(key: &str, registry: &str) -> bool {
    names(key, registry)
}

/// Whether a key of the file is for a registry or a repository in it. Docker's may be URLs.
fn names(key: &str, scope: &str) -> bool {
    let is_url = key.contains("://");
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let key = if is_url { key.split('/').next().unwrap_or_default() } else { key.trim_end_matches('/') };
    match key {
        "index.docker.io" | "index.docker.io/v1" | "registry-1.docker.io" => scope == DOCKER_HUB,
        key => key == scope,
    }
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credentials::IdentityToken(Secret::new(token))));
        }
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credentials::RegistryToken(Secret::new(token))));
        }
        if let Some(auth) = given(&self.auth) {
            let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let Some((username, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
                bail!("an `auth` that is not a user and a password in base64");
            };
            let password = Secret::new(password.trim_end_matches('\0').to_owned());
            return Ok(Some(Credentials::Password { username: username.to_owned(), password }));
        }
        let (Some(username), Some(password)) = (given(&self.username), given(&self.password)) else { return Ok(None) };
        Ok(Some(Credentials::Password { username, password: Secret::new(password) }))
    }
}

/// Asks `docker-credential-NAME` for the credentials of a server.
fn run_helper(name: &str, server: &str) -> Result<Option<Credentials>> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        bail!("`{}` is not the name of a credential helper", name.escape_debug());
    }
    let program = format!("docker-credential-{name}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    if let Some(mut input) = child.stdin.take() {
        // One that needs no question answers all the same.
        let _ = input.write_all(server.as_bytes());
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(BYTES_MAX).read_to_end(&mut answer)?;
    }
    let status = child.wait()?;
    if !status.success() {
        // Helpers say so on standard output, and fail.
        let says_none = String::from_utf8_lossy(&answer).contains("credentials not found");
        return if says_none { Ok(None) } else { bail!("{program} failed ({status})") };
    }
    let Ok(Helped { username, secret }) = serde_json::from_slice(&answer) else {
        bail!("{program} answered what is no credentials");
    };
    Ok(Some(if username == TOKEN_USER {
        Credentials::IdentityToken(Secret::new(secret))
    } else {
        Credentials::Password { username, password: Secret::new(secret) }
    }))
}

#[cfg(test)]
mod tests;
