//! Skopeo.

use std::process::Command;

use super::{Place, log_in};
use crate::program::{self, Answer};
use crate::server::without_settings;
use crate::{Aws, Server};

/// Skopeo, as one who is logged in, or is not yet.
#[derive(Debug)]
pub struct Skopeo(Place);

impl Skopeo {
    /// One who is not logged in.
    pub fn new(server: &Server) -> Self {
        Self(Place::of(server))
    }

    /// Logs in by what the AWS CLI prints.
    #[track_caller]
    pub fn log_in(&self, aws: &Aws) {
        let mut login = self.command("login");
        self.0.add_trust(&mut login, "");
        let said = log_in(aws, &mut login, &self.0.host).success();
        assert!(said.contains("Login Succeeded"), "{said}");
    }

    /// The name of an image in the registry: `docker://127.0.0.1:4566/web:1`.
    pub fn reference(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.0.host)
    }

    /// Copies from a layout to the registry.
    #[track_caller]
    pub fn push(&self, from: &str, name: &str, options: &[&str]) {
        program::run(&mut self.pushing(from, name, options)).success();
    }

    /// The command that does so.
    pub fn pushing(&self, from: &str, name: &str, options: &[&str]) -> Command {
        let mut copy = self.command("copy");
        self.0.add_trust(&mut copy, "dest-");
        copy.args(options).args([from, &self.reference(name)]);
        copy
    }

    /// Copies from the registry to a layout.
    #[track_caller]
    pub fn pull(&self, name: &str, to: &str, options: &[&str]) {
        program::run(&mut self.pulling(name, to, options)).success();
    }

    /// The command that does so.
    pub fn pulling(&self, name: &str, to: &str, options: &[&str]) -> Command {
        let mut copy = self.command("copy");
        self.0.add_trust(&mut copy, "src-");
        copy.args(options).args([&self.reference(name), to]);
        copy
    }

    /// Another command of its about an image in the registry: `inspect`, `delete`, `list-tags`.
    #[track_caller]
    pub fn ask(&self, what: &str, options: &[&str], name: &str) -> Answer {
        let mut command = self.command(what);
        self.0.add_trust(&mut command, "");
        program::run(command.args(options).arg(self.reference(name)))
    }

    fn command(&self, what: &str) -> Command {
        let mut skopeo = without_settings("skopeo".as_ref());
        skopeo.arg(what).env("HOME", self.0.home.path()).env("XDG_RUNTIME_DIR", self.0.home.path());
        skopeo.env("REGISTRY_AUTH_FILE", self.0.home.file("auth.json")).env("TMPDIR", self.0.home.path());
        skopeo
    }
}
