//! The data directory: its layout, its preparation and its lock.
//!
//! ```text
//! DIR/                 0700, the owner's alone
//!   audit/             denials, with the statements that decided
//!   blobs/             content-addressed files that the state refers to
//!   downloads/         parts of blobs that are pulled from elsewhere
//!   logs/              the events of log groups
//!   lock               held by the supervisor
//!   keys/root.json     the root key, 0600
//!   keys/sealing.json  the key that secrets in the state are sealed with, 0600
//!   objects/           the bytes of S3's objects
//!   run/door.sock      where the node hands over workloads' connections to the API, 0600
//!   run/control.sock   where commands ask the server for what no AWS operation does, 0600
//!   run/node-port.json the port where nodes joined last
//!   run/up.json        the running supervisor
//!   run/server.json    the running server: endpoint, region, account
//!   run/server.lock    held by the server
//!   state/             the store
//!   tls/               the generated certificate authority and certificate
//!   uploads/           blobs that are on their way
//! ```

mod lock;
mod prepare;
mod private_file;

use std::path::{Path, PathBuf};

pub(crate) use lock::{Holder, Lock};
pub(crate) use prepare::{Prepared, prepare};
pub(crate) use private_file::{make_private_dir, write_private};

/// The places within a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The data directory at an absolute path.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The supervisor's lock; its presence marks a data directory.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Where keys are.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The root key.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.keys().join("root.json")
    }

    /// The key that secrets in the state are sealed with.
    pub(crate) fn sealing_key(&self) -> PathBuf {
        self.keys().join("sealing.json")
    }

    /// The content-addressed files' directory.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    /// Where denials are written down.
    pub(crate) fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }

    /// The events of log groups.
    pub(crate) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The bytes of S3's objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    /// The store's directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// What runs now.
    pub(crate) fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// The running supervisor's record.
    pub(crate) fn up_record(&self) -> PathBuf {
        self.run().join("up.json")
    }

    /// The running server's record.
    pub(crate) fn server_record(&self) -> PathBuf {
        self.run().join("server.json")
    }

    /// The server's lock: two servers never have one directory, not even while a dying one lingers.
    pub(crate) fn server_lock(&self) -> PathBuf {
        self.run().join("server.lock")
    }

    /// Blobs that are on their way.
    pub(crate) fn uploads(&self) -> PathBuf {
        self.0.join("uploads")
    }

    /// Where commands ask the server for what no AWS operation does.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.run().join("control.sock")
    }

    /// Where the node hands over workloads' connections to the API.
    pub(crate) fn door_socket(&self) -> PathBuf {
        self.run().join("door.sock")
    }

    /// The port where nodes joined last.
    pub(crate) fn node_port(&self) -> PathBuf {
        self.run().join("node-port.json")
    }

    /// The authority that joined nodes are known by.
    pub(crate) fn node_authority(&self) -> PathBuf {
        self.tls().join("nodes.json")
    }

    /// Parts of blobs that are pulled from elsewhere.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }

    /// The generated certificates.
    pub(crate) fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }
}
