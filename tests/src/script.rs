//! Scripts of other languages: boto3 under Python, the AWS SDK for JavaScript under Node.js.

use std::process::Command;

use serde_json::Value;
use wire::sigv4::Credentials;

use crate::aws::environment;
use crate::program::{self, Running};
use crate::server::without_settings;
use crate::{Folder, Followed, REGION, Server, place};

/// A script and what it is given. What it finds wrong it says by failing; what it prints is JSON.
#[derive(Debug)]
pub struct Script {
    command: Command,
    _home: Folder,
}

impl Script {
    /// A file of `tests/python`.
    pub fn python(name: &str, server: &Server, credentials: &Credentials) -> Self {
        let mut python = without_settings(&place::clients("bin/python"));
        python.arg("-B").arg(place::source("tests/python").join(name));
        Self::with(python, server, credentials)
    }

    /// A file of `tests/node`.
    pub fn node(name: &str, server: &Server, credentials: &Credentials) -> Self {
        let mut node = without_settings(&place::clients("bin/node"));
        node.arg(place::source("tests/node").join(name)).env("NODE_PATH", place::clients("node/node_modules"));
        Self::with(node, server, credentials)
    }

    fn with(mut command: Command, server: &Server, credentials: &Credentials) -> Self {
        let home = Folder::new();
        let bundle = server.ca_bundle().map(|path| path.display().to_string());
        environment(&mut command, server.endpoint(), bundle.as_deref(), credentials, REGION, &home);
        Self { command, _home: home }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Runs it to its end; what it printed.
    #[track_caller]
    pub fn run(mut self) -> Value {
        program::run(&mut self.command).json()
    }

    /// Runs it to its end, however that is.
    #[track_caller]
    pub fn answer(mut self) -> program::Answer {
        program::run(&mut self.command)
    }

    /// Starts it; the folder that is its home lives as long as the first part.
    #[track_caller]
    pub fn start(mut self) -> (Self, Running) {
        let running = Running::start(&mut self.command);
        (self, running)
    }

    /// Starts it, its lines to be seen while it runs; the folder that is its home lives as long as the first part.
    #[track_caller]
    pub fn follow(mut self) -> (Self, Followed) {
        let followed = Followed::start(&mut self.command);
        (self, followed)
    }
}
