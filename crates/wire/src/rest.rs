//! The protocols that bind members to HTTP: restXml and restJson1.
//!
//! An operation is found by method, path and query ([`route`]); its members are read from path, query, headers and body and
//! written to headers and body, each where the schema says it stands. What is S3's alone is in the module of its name: hosts
//! that name buckets, its error document, its words for what is wrong with an argument.

mod answer;
mod arguments;
mod bind;
mod checksum;
mod encoded_word;
mod fault;
pub mod form;
pub mod host;
pub mod parameters;
pub mod route;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::content::Content;
use crate::error::Error;
use crate::model::{Protocol, ServiceModel};
use crate::value::Value;

pub(crate) use answer::{DECLARATION, encode};
pub(crate) use checksum::verify as verify_checksums;
pub(crate) use fault::{Told, fault, host_id};
pub use parameters::Parameters;

/// A request as these protocols read it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as it was sent, with the bucket in front where the host named one.
    pub path: String,
    /// The query, decoded.
    pub parameters: Parameters,
    /// The headers. Of a body in chunks they say what is true of the bytes within: their length, their encoding.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub enum Body {
    /// It is there.
    Whole(Bytes),
    /// It streams.
    Content(Content),
}

/// Whether a service's requests and answers are those of S3, which has words of its own for much.
pub(crate) fn is_s3(model: &ServiceModel) -> bool {
    model.protocols == [Protocol::RestXml] && model.signing_name == "s3"
}

/// Whether the body of an operation's requests is a stream.
pub(crate) fn takes_content(model: &ServiceModel, operation: usize) -> bool {
    use crate::schema::{Location, flag};
    let streams =
        |member: crate::schema::MemberRef| member.location() == Location::Payload && member.has(flag::STREAMING);
    model.input(operation).is_some_and(|shape| shape.members().any(streams))
}

/// Whether a header says something of what an operation is about: it is bound to a member of its input.
pub(crate) fn is_member(model: &ServiceModel, operation: usize, header: &str) -> bool {
    let is_bound = |member: crate::schema::MemberRef| {
        member.location() == crate::schema::Location::Header && member.wire_name().eq_ignore_ascii_case(header)
    };
    model.input(operation).is_some_and(|shape| shape.members().any(is_bound))
}

/// Reads an operation's input and checks the model's constraints on it.
///
/// # Errors
/// What the client is told.
pub fn decode(protocol: Protocol, model: &ServiceModel, operation: usize, request: &Request) -> Result<Value, Error> {
    let Some(shape) = model.input(operation) else { return Ok(crate::nothing()) };
    let uri = model.http(operation).map_or("/", |http| http.uri);
    let input = bind::Binding { protocol, is_s3: is_s3(model), request, uri }.structure(shape)?;
    match is_s3(model) {
        true => arguments::check(shape, &input)?,
        false => {
            crate::validate::validate(shape, &input).map_err(|problem| protocol.validation_error(model, problem))?
        }
    }
    Ok(input)
}

#[cfg(test)]
mod tests;
