//! The AWS CLI v2.

use std::process::Command;

use serde_json::Value;
use wire::sigv4::Credentials;

use crate::program::{self, Answer};
use crate::server::without_settings;
use crate::{Folder, REGION, Server, place};

/// Who calls, and where; one call after the other.
#[derive(Debug)]
pub struct Aws {
    endpoint: String,
    ca_bundle: Option<String>,
    credentials: Credentials,
    region: String,
    /// The CLI keeps files in its user's home.
    home: Folder,
}

/// What the CLI prints of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error's code.
    pub code: String,
    /// The operation that was called.
    pub operation: String,
    /// The error's message.
    pub message: String,
}

impl Aws {
    /// Calls of a key's owner.
    pub fn new(server: &Server, credentials: &Credentials) -> Self {
        Self {
            endpoint: server.endpoint().to_owned(),
            ca_bundle: server.ca_bundle().map(|path| path.display().to_string()),
            credentials: credentials.clone(),
            region: REGION.to_owned(),
            home: Folder::new(),
        }
    }

    /// Calls in another region.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// A call that succeeds; its answer, null when it has none.
    #[track_caller]
    pub fn call(&self, arguments: &[&str]) -> Value {
        self.run(arguments).json()
    }

    /// A call that is refused.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> Refusal {
        let said = self.run(arguments).failure();
        Refusal::read(&said).unwrap_or_else(|| panic!("{arguments:?} failed without an error of the service:\n{said}"))
    }

    /// Any call.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Answer {
        program::run(&mut self.command(arguments))
    }

    /// The command of a call, which runs at the repository's root so that `file://samples/…` is found.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut aws = without_settings(&place::clients("bin/aws"));
        aws.args(["--output", "json", "--no-cli-pager"]).args(arguments).current_dir(place::source("."));
        aws.env("AWS_MAX_ATTEMPTS", "1").env("AWS_CLI_AUTO_PROMPT", "off");
        // Names before the host's own, as live tails have them at AWS, lead nowhere here.
        aws.env("AWS_DISABLE_HOST_PREFIX_INJECTION", "true");
        environment(&mut aws, &self.endpoint, self.ca_bundle.as_deref(), &self.credentials, &self.region, &self.home);
        aws
    }
}

impl Refusal {
    /// Finds `An error occurred (CODE) when calling the OPERATION operation: MESSAGE`.
    fn read(text: &str) -> Option<Self> {
        let (code, rest) = text.split_once("An error occurred (")?.1.split_once(')')?;
        let (operation, rest) = rest.split_once("when calling the ")?.1.split_once(" operation")?;
        // A client that may not try again says so here.
        let rest = rest.strip_prefix(" (reached max retries: 0)").unwrap_or(rest);
        let message = rest.strip_prefix(": ").unwrap_or_default();
        Some(Self { code: code.to_owned(), operation: operation.to_owned(), message: message.trim().to_owned() })
    }
}

/// Gives a client everything that it goes by, so that nothing of the machine's own settings is left.
pub(crate) fn environment(
    command: &mut Command,
    endpoint: &str,
    ca_bundle: Option<&str>,
    credentials: &Credentials,
    region: &str,
    home: &Folder,
) {
    command
        .env("HOME", home.path())
        .env("AWS_CONFIG_FILE", home.file("none"))
        .env("AWS_SHARED_CREDENTIALS_FILE", home.file("none"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", region)
        .env("AWS_DEFAULT_REGION", region)
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose());
    if let Some(token) = &credentials.session_token {
        command.env("AWS_SESSION_TOKEN", token);
    }
    if let Some(bundle) = ca_bundle {
        command.env("AWS_CA_BUNDLE", bundle).env("NODE_EXTRA_CA_CERTS", bundle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_with_and_without_a_message() {
        let read = |text| Refusal::read(text).unwrap();
        let full = read("\naws: [ERROR]: An error occurred (A) when calling the DoIt operation: Not: now.\n");
        assert_eq!((full.code.as_str(), full.operation.as_str(), full.message.as_str()), ("A", "DoIt", "Not: now."));
        assert_eq!(
            read("An error occurred (A) when calling the DoIt operation (reached max retries: 0): x").message,
            "x"
        );
        assert_eq!(Refusal::read("usage: aws"), None);
    }
}
