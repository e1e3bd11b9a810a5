//! Certificates: authorities that sign them, and how a server is known by one, whatever address it is reached at.
//!
//! Used for the nodes' port here, and for the API's own port by the program.

mod authority;
mod fingerprint;
mod known;

pub use authority::{Authority, AuthorityError, Certificate, Issued, Purpose, Subject};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use known::{Known, client};
