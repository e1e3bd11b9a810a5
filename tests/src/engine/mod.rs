//! Unmodified clients of registries, each with a home of its own: nothing of the machine's own settings reaches them.

mod docker;
mod podman;
mod skopeo;

use std::process::Command;

use crate::{Aws, Folder, Server, program};

pub use docker::Docker;
pub use podman::Podman;
pub use skopeo::Skopeo;

/// Where a server's registry is, and how its certificates are told to a client.
#[derive(Debug)]
struct Place {
    /// `127.0.0.1:4566`
    host: String,
    is_secure: bool,
    home: Folder,
}

impl Place {
    fn of(server: &Server) -> Self {
        let home = Folder::new();
        let (scheme, host) = server.endpoint().split_once("://").expect("an endpoint is a URL");
        if let Some(authority) = server.ca_bundle() {
            let certificates = home.file("certificates");
            std::fs::create_dir(&certificates).expect("the folder is writable");
            std::fs::copy(authority, certificates.join("ca.crt")).expect("the authority can be read");
        }
        Self { host: host.to_owned(), is_secure: scheme == "https", home }
    }

    /// The option by which skopeo and podman are told how to talk to the registry, `side` being `src-` or `dest-`.
    fn trust(&self, side: &str) -> [String; 2] {
        if self.is_secure {
            [format!("--{side}cert-dir"), self.home.file("certificates").display().to_string()]
        } else {
            [format!("--{side}tls-verify=false"), String::new()]
        }
    }

    fn add_trust(&self, command: &mut Command, side: &str) {
        command.args(self.trust(side).iter().filter(|word| !word.is_empty()));
    }
}

/// `aws ecr get-login-password | CLIENT login --username AWS --password-stdin HOST`; what the client said.
#[track_caller]
fn log_in(aws: &Aws, client: &mut Command, host: &str) -> program::Answer {
    client.args(["--username", "AWS", "--password-stdin", host]);
    program::piped(&mut aws.command(&["ecr", "get-login-password"]), client)
}
