//! XML bodies by schema.
//!
//! Elements that the shape has not are passed over; one that comes twice where one is wanted is an error, since which of the
//! two another reader would take is anybody's guess.

use std::borrow::Cow;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::reader::{Event, Malformed, Reader};
use super::{ENTRY, element_name};
use crate::json::Limits;
use crate::schema::{Kind, MemberRef, ShapeRef, TimestampFormat, flag};
use crate::value::{Value, double};

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not well-formed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is, and has not the form of its shape, or more values than it may have.
    #[error("the XML has not the form of its shape")]
    Form,
}

/// Reads a document whose outermost element is called `root` and has the form of `member`.
///
/// # Errors
/// [`DecodeError`]
pub fn decode(member: MemberRef, root: &str, document: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    whole(root, document, limits, |decode, attributes| decode.value(member, attributes))
}

/// The same for a structure that is no member.
///
/// # Errors
/// [`DecodeError`]
pub fn decode_structure(shape: ShapeRef, root: &str, document: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    whole(root, document, limits, |decode, attributes| decode.structure(shape, attributes))
}

fn whole<'x>(
    root: &str,
    document: &'x [u8],
    limits: &Limits,
    read: impl FnOnce(&mut Decode<'x>, &Attributes<'x>) -> Result<Value, DecodeError>,
) -> Result<Value, DecodeError> {
    let mut decode = Decode { reader: Reader::new(document)?, values_left: limits.values_max };
    let value = match decode.reader.read()?.ok_or(Malformed)? {
        Event::Start { name, attributes } if name == root => read(&mut decode, &attributes)?,
        _ => return Err(DecodeError::Form),
    };
    match decode.reader.read()? {
        None => Ok(value),
        Some(_) => Err(Malformed.into()),
    }
}

struct Decode<'x> {
    reader: Reader<'x>,
    values_left: usize,
}

type Attributes<'x> = [(&'x str, Cow<'x, str>)];

impl<'x> Decode<'x> {
    /// The value of an element that has begun, read to its end.
    fn value(&mut self, member: MemberRef, attributes: &Attributes<'x>) -> Result<Value, DecodeError> {
        let shape = member.shape();
        self.spend(1)?;
        match shape.kind() {
            Kind::Structure | Kind::Union => self.structure(shape, attributes),
            Kind::List => self.list(shape),
            Kind::Map => self.map(shape),
            _ => {
                let text = self.text()?;
                scalar(member, &text).ok_or(DecodeError::Form)
            }
        }
    }

    fn structure(&mut self, shape: ShapeRef, attributes: &Attributes<'x>) -> Result<Value, DecodeError> {
        self.spend(shape.len())?;
        let mut fields = vec![None; shape.len()];
        for (place, member) in shape.members().enumerate().filter(|(_, member)| member.has(flag::XML_ATTRIBUTE)) {
            let wanted = local(member.wire_name());
            let found = attributes.iter().find(|(name, _)| local(name) == wanted);
            fields[place] = found.map(|(_, text)| scalar(member, text).ok_or(DecodeError::Form)).transpose()?;
        }
        while let Some((name, attributes)) = self.child()? {
            match child_member(shape, name) {
                Some((place, member)) => self.field(&mut fields[place], member, &attributes)?,
                None => self.reader.skip()?,
            }
        }
        Ok(Value::Structure(fields))
    }

    /// One element that belongs to a member of a structure.
    fn field(
        &mut self,
        field: &mut Option<Value>,
        member: MemberRef,
        attributes: &Attributes<'x>,
    ) -> Result<(), DecodeError> {
        let shape = member.shape();
        match (shape.kind(), member.has(flag::FLATTENED)) {
            (Kind::List, true) => {
                let item = self.value(shape.member(0), attributes)?;
                match field.get_or_insert_with(|| Value::List(Vec::new())) {
                    Value::List(items) => items.push(item),
                    _ => return Err(DecodeError::Form),
                }
            }
            (Kind::Map, true) => {
                let entry = self.entry(shape)?;
                match field.get_or_insert_with(|| Value::Map(Vec::new())) {
                    Value::Map(entries) => insert(entries, entry)?,
                    _ => return Err(DecodeError::Form),
                }
            }
            _ if field.is_some() => return Err(DecodeError::Form),
            _ => *field = Some(self.value(member, attributes)?),
        }
        Ok(())
    }

    fn list(&mut self, shape: ShapeRef) -> Result<Value, DecodeError> {
        let element = shape.member(0);
        let mut items = Vec::new();
        while let Some((name, attributes)) = self.child()? {
            match name == local(element.wire_name()) {
                true => items.push(self.value(element, &attributes)?),
                false => self.reader.skip()?,
            }
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, shape: ShapeRef) -> Result<Value, DecodeError> {
        let mut entries = Vec::new();
        while let Some((name, _)) = self.child()? {
            match name == ENTRY {
                true => {
                    let entry = self.entry(shape)?;
                    insert(&mut entries, entry)?;
                }
                false => self.reader.skip()?,
            }
        }
        Ok(Value::Map(entries))
    }

    fn entry(&mut self, shape: ShapeRef) -> Result<(String, Value), DecodeError> {
        self.spend(1)?;
        let (key_member, value_member) = (shape.member(0), shape.member(1));
        let (mut key, mut value) = (None, None);
        while let Some((name, attributes)) = self.child()? {
            if name == local(key_member.wire_name()) && key.is_none() {
                key = Some(self.text()?);
            } else if name == local(value_member.wire_name()) && value.is_none() {
                value = Some(self.value(value_member, &attributes)?);
            } else {
                return Err(DecodeError::Form);
            }
        }
        key.zip(value).ok_or(DecodeError::Form)
    }

    /// The next element in the one that was begun last; none when that ends. Text between elements is nothing if it is blank.
    fn child(&mut self) -> Result<Option<Child<'x>>, DecodeError> {
        loop {
            match self.reader.read()?.ok_or(Malformed)? {
                Event::Start { name, attributes } => return Ok(Some((name, attributes))),
                Event::End => return Ok(None),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Text(_) => return Err(DecodeError::Form),
            }
        }
    }

    /// The text of the element that was begun last, which holds nothing else.
    fn text(&mut self) -> Result<String, DecodeError> {
        let mut whole = String::new();
        loop {
            match self.reader.read()?.ok_or(Malformed)? {
                Event::Text(text) => whole.push_str(&text),
                Event::End => return Ok(whole),
                Event::Start { .. } => return Err(DecodeError::Form),
            }
        }
    }

    fn spend(&mut self, values: usize) -> Result<(), DecodeError> {
        self.values_left = self.values_left.checked_sub(values).ok_or(DecodeError::Form)?;
        Ok(())
    }
}

type Child<'x> = (&'x str, Vec<(&'x str, Cow<'x, str>)>);

/// The member of a structure that an element belongs to.
fn child_member(shape: ShapeRef, name: &str) -> Option<(usize, MemberRef)> {
    let is_called = |member: MemberRef| local(element_name(member)) == name && !member.has(flag::XML_ATTRIBUTE);
    shape.members().enumerate().find(|(_, member)| is_called(*member))
}

fn insert(entries: &mut Vec<(String, Value)>, (key, value): (String, Value)) -> Result<(), DecodeError> {
    if entries.iter().any(|(taken, _)| *taken == key) {
        return Err(DecodeError::Form);
    }
    entries.push((key, value));
    Ok(())
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// A value that is written as text.
fn scalar(member: MemberRef, text: &str) -> Option<Value> {
    let trimmed = text.trim_ascii();
    match member.shape().kind() {
        Kind::String | Kind::Enum => Some(Value::String(text.to_owned())),
        Kind::Boolean => match trimmed {
            "true" | "TRUE" | "True" | "1" => Some(Value::Bool(true)),
            "false" | "FALSE" | "False" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Integer => trimmed.parse::<i32>().ok().map(|number| Value::Integer(number.into())),
        Kind::Long => trimmed.parse().ok().map(Value::Integer),
        Kind::Float | Kind::Double => double(trimmed).map(Value::Double),
        Kind::Blob => BASE64.decode(trimmed).ok().map(Value::Blob),
        Kind::Timestamp => match member.timestamp_format(TimestampFormat::Iso8601) {
            TimestampFormat::EpochSeconds => Timestamp::from_epoch_seconds(double(trimmed)?).ok(),
            TimestampFormat::HttpDate => Timestamp::parse_http_date(trimmed).ok(),
            _ => Timestamp::parse_iso8601(trimmed).ok(),
        }
        .map(Value::Timestamp),
        Kind::Document | Kind::Structure | Kind::Union | Kind::List | Kind::Map => None,
    }
}

#[cfg(test)]
mod tests;
