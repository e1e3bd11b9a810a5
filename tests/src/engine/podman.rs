//! Podman, with a store of its own.

use std::process::Command;

use super::{Place, log_in};
use crate::program;
use crate::server::without_settings;
use crate::{Aws, Server};

/// Podman, as one who is logged in, or is not yet.
#[derive(Debug)]
pub struct Podman(Place);

impl Podman {
    /// One who is not logged in, with no images.
    pub fn new(server: &Server) -> Self {
        Self(Place::of(server))
    }

    /// Logs in by what the AWS CLI prints.
    #[track_caller]
    pub fn log_in(&self, aws: &Aws) {
        let mut login = self.command(&["login"]);
        self.0.add_trust(&mut login, "");
        let said = log_in(aws, &mut login, &self.0.host).success();
        assert!(said.contains("Login Succeeded"), "{said}");
    }

    /// The name of an image in the registry: `127.0.0.1:4566/web:1`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.0.host)
    }

    /// Does something with the registry: `push`, `pull`.
    #[track_caller]
    pub fn ask(&self, what: &str, options: &[&str], name: &str) -> String {
        let mut command = self.command(&[what]);
        self.0.add_trust(&mut command, "");
        program::run(command.args(options).arg(self.reference(name))).success()
    }

    /// Does something with its own images.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        program::run(&mut self.command(arguments)).success()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut podman = without_settings("podman".as_ref());
        podman.env("HOME", self.0.home.path()).env("XDG_RUNTIME_DIR", self.0.home.path());
        podman.env("REGISTRY_AUTH_FILE", self.0.home.file("auth.json")).env("TMPDIR", self.0.home.path());
        // Plain copies of files: the one way of storing that works on every file system and leaves no mount behind.
        podman.args(["--storage-driver", "vfs", "--events-backend", "none"]);
        for (option, folder) in [("--root", "images"), ("--runroot", "run"), ("--tmpdir", "libpod")] {
            podman.arg(option).arg(self.0.home.file(folder));
        }
        podman.args(arguments);
        podman
    }
}
