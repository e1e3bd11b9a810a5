//! What a joined host and the gate say to each other, over HTTP/1.1 within TLS.
//!
//! ```text
//! POST /join    no certificate: a token           → a certificate
//! POST /renew   a certificate, a new public key   → a certificate
//! POST /lease   a certificate                     → for how long
//! GET  /blobs/sha256:…                            → a blob of an image that the host prepares
//! GET  /link    Upgrade: pilvi-link               → the server asks over it what it asks a node's socket
//! GET  /door    Upgrade: pilvi-door               → bytes from a workload to the server's API
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use workload::NodeId;

/// The name in the gate's certificate, whatever address it is reached at: a host knows it by its authority alone.
pub(crate) const GATE_NAME: &str = "gate.pilvi.internal";

/// For a token.
pub(crate) const JOIN: &str = "/join";
/// For a certificate.
pub(crate) const RENEW: &str = "/renew";
/// For more time.
pub(crate) const LEASE: &str = "/lease";
/// Below it, by digest.
pub(crate) const BLOBS: &str = "/blobs/";
/// The server's way to the host.
pub(crate) const LINK: &str = "/link";
/// A workload's way to the server.
pub(crate) const DOOR: &str = "/door";
/// What a connection to [`LINK`] becomes.
pub(crate) const LINK_PROTOCOL: &str = "pilvi-link";
/// What a connection to [`DOOR`] becomes.
pub(crate) const DOOR_PROTOCOL: &str = "pilvi-door";

/// The longest body of a request or of an answer that is JSON, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;
/// The longest head of a request or of an answer, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// To [`JOIN`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinRequest {
    /// The token's name.
    pub(crate) token: String,
    /// The token's secret, base64.
    pub(crate) secret: String,
    /// What the host wants to be called.
    pub(crate) name: NodeId,
    /// Its public key: a point of P-256, uncompressed, base64.
    pub(crate) public_key: String,
}

/// To [`RENEW`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenewRequest {
    /// The public key that the new certificate is for, base64.
    pub(crate) public_key: String,
}

/// From [`JOIN`] and [`RENEW`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certified {
    /// The certificate, PEM.
    pub(crate) certificate: String,
    /// For how long it is good, in seconds.
    pub(crate) valid_s: u64,
    /// What the server tells its hosts about itself.
    #[serde(default)]
    pub(crate) facts: BTreeMap<String, String>,
}

/// From [`LEASE`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leased {
    /// So long after it sent its request the host's workloads may live, in milliseconds.
    pub(crate) fence_after_ms: u64,
    /// So often it is to ask, in milliseconds.
    pub(crate) renew_every_ms: u64,
    /// Whether it is time for a new certificate in place of the one that was shown: the server's clock is the one that its end
    /// is seen by.
    #[serde(default)]
    pub(crate) renew_certificate: bool,
}

/// What is said where something is refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// Which of the reasons that a host can act upon.
    pub(crate) kind: RefusalKind,
    /// For a person.
    pub(crate) message: String,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RefusalKind {
    /// The token is not known, has run out or was used.
    Token,
    /// The name belongs to another host.
    Name,
    /// The certificate is none of a host that is known.
    Unknown,
    /// The certificate is of a host that is known, and its time is over.
    Expired,
    /// What was asked for is not given to this host.
    Denied,
    /// There is as much going on as there may be.
    Busy,
    /// It cannot be read. So is what a newer server says and this program does not know.
    #[serde(other)]
    Wrong,
}
