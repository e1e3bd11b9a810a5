//! HTTP/1.1 as bytes: requests that no client would send.

mod answer;
mod connection;
mod request;

pub use answer::{Answer, Failure};
pub use connection::Connection;
pub(crate) use connection::read_head;
pub use request::{Request, form};
