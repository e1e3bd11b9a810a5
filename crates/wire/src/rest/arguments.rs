//! What S3 says of an argument that cannot be what it is. It names parameters and headers, and says nothing about where in a
//! document something is wrong.

use crate::error::Error;
use crate::schema::{Kind, Location, MemberRef, ShapeRef, flag};
use crate::validate;
use crate::value::Value;

/// The largest value that is repeated in an error, in characters.
const SHOWN_MAX: usize = 256;
const COPY_SOURCE: &str = "x-amz-copy-source";

/// Checks the model's constraints on an input.
pub(super) fn check(shape: ShapeRef, input: &Value) -> Result<(), Error> {
    let Value::Structure(fields) = input else { return Ok(()) };
    for (member, field) in shape.members().zip(fields) {
        match field {
            None if member.has(flag::REQUIRED) => return Err(missing(member)),
            None => {}
            Some(value) if is_for_the_service(member) || validate::holds(member, value) => {}
            Some(value) => return Err(invalid(member, value)),
        }
    }
    Ok(())
}

/// Whether only the service can tell what a value is. The model wants a slash in a copy's source; clients may write that one
/// with an escape too (`encodeURIComponent` of bucket and key together), and the escapes are the service's to read.
fn is_for_the_service(member: MemberRef) -> bool {
    member.wire_name() == COPY_SOURCE
}

/// A document that is not what it has to be.
pub(super) fn malformed_xml() -> Error {
    Error::new(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// A parameter or header that cannot be read.
pub(super) fn unreadable(member: MemberRef, text: &str) -> Error {
    let name = member.wire_name();
    let message = match (member.shape().kind(), member.location()) {
        (Kind::Integer | Kind::Long, Location::Query) => {
            format!("Provided {name} not an integer or within integer range")
        }
        _ => format!("The value of {name} is not valid."),
    };
    argument(message, name, text)
}

fn missing(member: MemberRef) -> Error {
    let name = member.wire_name();
    match member.location() {
        Location::Payload | Location::Body => Error::new("MissingRequestBodyError", 400, "Request Body is empty"),
        Location::Header | Location::Headers => {
            Error::new("InvalidRequest", 400, format!("Missing required header for this request: {name}"))
        }
        _ => argument(format!("This operation requires the parameter {name}."), name, ""),
    }
}

fn invalid(member: MemberRef, value: &Value) -> Error {
    let name = member.wire_name();
    let text = match value {
        Value::String(text) => text.as_str(),
        _ => "",
    };
    match (member.location(), name) {
        (Location::Payload, "CreateBucketConfiguration") if !has_place(member.shape(), value) => {
            Error::new("InvalidLocationConstraint", 400, "The specified location-constraint is not valid")
        }
        (Location::Payload | Location::Body, _) => malformed_xml(),
        (_, "x-amz-storage-class") => {
            Error::new("InvalidStorageClass", 400, "The storage class you specified is not valid")
                .with("StorageClassRequested", shown(text))
        }
        (_, "encoding-type") => argument("Invalid Encoding Method specified in Request".to_owned(), name, text),
        (_, "x-amz-sdk-checksum-algorithm" | "x-amz-checksum-algorithm") => {
            Error::new("InvalidRequest", 400, format!("Value for {name} header is invalid."))
        }
        _ => argument(format!("The value of {name} is not valid."), name, text),
    }
}

/// Whether the place that a document names is one.
fn has_place(shape: ShapeRef, value: &Value) -> bool {
    let Value::Structure(fields) = value else { return true };
    let mut members = shape.members().zip(fields);
    let place = members.find(|(member, _)| member.wire_name() == "LocationConstraint");
    place
        .and_then(|(member, field)| Some((member, field.as_ref()?)))
        .is_none_or(|(member, it)| validate::holds(member, it))
}

fn argument(message: String, name: &'static str, value: &str) -> Error {
    Error::new("InvalidArgument", 400, message).with("ArgumentName", name).with("ArgumentValue", shown(value))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}
