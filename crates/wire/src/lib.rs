//! AWS's wire: protocols, signatures, routing, error envelopes.
//!
//! A request comes in by [`serve`], is routed by signature scope, target, action, host or path, its signature is verified
//! ([`sigv4`]), its body is decoded by its [`protocol`] into a [`value::Value`] that fits the operation's
//! [`schema`], the model's constraints are checked ([`validate`]), and a handler outside this crate answers it. Nothing here
//! knows a service, a policy or a record.

pub mod cbor;
pub mod chunked;
pub mod content;
pub mod error;
pub mod eventstream;
#[cfg(test)]
mod fixture;
pub mod json;
pub mod model;
pub mod protocol;
pub mod query;
pub mod reply;
pub mod rest;
pub mod schema;
pub mod serve;
pub mod sigv4;
pub mod stored;
pub mod validate;
pub mod value;
pub mod xml;

#[cfg(test)]
extern crate self as wire;

pub use content::{Content, ContentError, ContentReader};
pub use error::Error;
pub use eventstream::EventStream;
pub use reply::Reply;
use value::{Shaped, Value};

/// Reads an operation's input. The decoder and the validation have made sure that it fits.
pub fn read<T: Shaped>(input: Value) -> Result<T, Error> {
    T::from_value(input).map_err(|mismatch| {
        tracing::error!(%mismatch, "a validated input does not fit its type");
        Error::internal()
    })
}

/// An operation's output.
pub fn write<T: Shaped>(output: T) -> Value {
    output.into_value()
}

/// The output of an operation that answers none.
pub fn nothing() -> Value {
    Value::Structure(Vec::new())
}
