//! CBOR by schema: the bodies of Smithy's RPC v2.
//!
//! Decoding goes straight from the bytes into a [`Value`], guided by the shape; members that the shape has not are passed
//! over. `null` and `undefined` mean absent, in lists and maps too. A name that comes twice means what it says last.
//! Items may be of definite or indefinite length; a number may be of any width, and a whole one may stand where a fraction
//! may. An instant is tag 1 over epoch seconds whatever the model says. Other tags say nothing here and are passed
//! over; big numbers (tags 2 and 3) are refused, as no shape holds them.
//!
//! Sources: RFC 8949; Smithy 2.0, "Smithy RPC v2 CBOR protocol".

mod encode;
mod reader;

use std::collections::BTreeMap;

use base::Timestamp;

use crate::json::Limits;
use crate::schema::{Kind, MemberRef, ShapeRef};
use crate::value::Value;

pub use encode::{encode, encode_json};
use reader::{Head, Length, Reader};

/// How deep items may be nested, as in JSON.
pub const DEPTH_MAX: usize = 128;
/// The tag of an instant.
const EPOCH: u64 = 1;
/// The tags of numbers beyond 64 bits.
const BIG: [u64; 2] = [2, 3];

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are empty or not CBOR, or their outermost item is no map.
    #[error("the body is not a CBOR map")]
    Malformed,
    /// It is CBOR, but an item is not of its member's type.
    #[error("{0}")]
    Type(String),
}

/// Reads a body by its shape.
pub fn decode(shape: ShapeRef, body: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    let mut decoder = Decoder { reader: Reader::new(body), budget: limits.values_max };
    let Head::Map(length) = decoder.untagged()? else { return Err(DecodeError::Malformed) };
    decoder.spend(1)?;
    let value = decoder.structure(shape, length, 1)?;
    if decoder.reader.is_at_end() { Ok(value) } else { Err(DecodeError::Malformed) }
}

/// Reads what JSON can say too, where no shape is known: an error, say.
pub fn decode_json(body: &[u8], limits: &Limits) -> Result<serde_json::Value, DecodeError> {
    let mut decoder = Decoder { reader: Reader::new(body), budget: limits.values_max };
    let document = decoder.inner_document(0)?;
    if decoder.reader.is_at_end() { Ok(document) } else { Err(DecodeError::Malformed) }
}

struct Decoder<'b> {
    reader: Reader<'b>,
    budget: usize,
}

impl Decoder<'_> {
    fn spend(&mut self, values: usize) -> Result<(), DecodeError> {
        let left = self.budget.checked_sub(values);
        self.budget = left.ok_or_else(|| DecodeError::Type("The request holds too many values.".to_owned()))?;
        Ok(())
    }

    /// The next head that is no tag.
    fn untagged(&mut self) -> Result<Head, DecodeError> {
        loop {
            match self.reader.head()? {
                Head::Tag(_) => {}
                head => return Ok(head),
            }
        }
    }

    fn structure(&mut self, shape: ShapeRef, length: Length, depth: usize) -> Result<Value, DecodeError> {
        self.spend(shape.len())?;
        let mut fields = vec![None; shape.len()];
        self.entries(length, |decoder, name| {
            match shape.members().enumerate().find(|(_, member)| member.name() == name) {
                Some((index, member)) => fields[index] = decoder.value(member, depth)?,
                None => decoder.reader.skip(depth)?,
            }
            Ok(())
        })?;
        Ok(Value::Structure(fields))
    }

    fn map(&mut self, value: MemberRef, length: Length, depth: usize) -> Result<Value, DecodeError> {
        let mut entries = BTreeMap::new();
        self.entries(length, |decoder, name| {
            match decoder.value(value, depth)? {
                Some(value) => entries.insert(name, value),
                None => entries.remove(&name),
            };
            Ok(())
        })?;
        Ok(Value::Map(entries.into_iter().collect()))
    }

    fn list(&mut self, element: MemberRef, mut length: Length, depth: usize) -> Result<Value, DecodeError> {
        let mut items = Vec::new();
        while self.reader.more(&mut length)? {
            items.extend(self.value(element, depth)?);
        }
        Ok(Value::List(items))
    }

    /// Reads a map's keys, and what belongs to each by `read`.
    fn entries(
        &mut self,
        mut length: Length,
        mut read: impl FnMut(&mut Self, String) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        while self.reader.more(&mut length)? {
            let Head::Text(key) = self.untagged()? else {
                return Err(DecodeError::Type("The keys of a map must be text.".to_owned()));
            };
            let key = self.reader.text(key)?;
            read(self, key)?;
        }
        Ok(())
    }

    /// Reads what belongs to `member`; `None` where there is nothing. `depth` is the number of items around it.
    fn value(&mut self, member: MemberRef, depth: usize) -> Result<Option<Value>, DecodeError> {
        if depth >= DEPTH_MAX {
            return Err(DecodeError::Malformed);
        }
        self.spend(1)?;
        let shape = member.shape();
        let (mut head, mut is_instant) = (self.reader.head()?, false);
        while let Head::Tag(tag) = head {
            if BIG.contains(&tag) {
                return Err(DecodeError::Type(format!("A number beyond 64 bits is no {:?}.", shape.kind())));
            }
            is_instant = tag == EPOCH;
            head = self.reader.head()?;
        }
        if shape.kind() == Kind::Document && head != Head::Null {
            return self.document(head, depth).map(|document| Some(Value::Document(document)));
        }
        let unexpected = || DecodeError::Type(format!("{} can not be converted to {:?}", head.name(), shape.kind()));
        let value = match (shape.kind(), head) {
            (_, Head::Null) => return Ok(None),
            (_, Head::Break) => return Err(DecodeError::Malformed),
            (Kind::Structure | Kind::Union, Head::Map(length)) => self.structure(shape, length, depth + 1)?,
            (Kind::Map, Head::Map(length)) => self.map(shape.member(1), length, depth + 1)?,
            (Kind::List, Head::Array(length)) => self.list(shape.member(0), length, depth + 1)?,
            (Kind::String | Kind::Enum, Head::Text(length)) => Value::String(self.reader.text(length)?),
            (Kind::Blob, Head::Bytes(length)) => Value::Blob(self.reader.bytes(length)?),
            (Kind::Boolean, Head::Bool(value)) => Value::Bool(value),
            (Kind::Integer, Head::Integer(number)) => {
                Value::Integer(i32::try_from(number).map_err(|_| unexpected())?.into())
            }
            (Kind::Long, Head::Integer(number)) => Value::Integer(i64::try_from(number).map_err(|_| unexpected())?),
            (Kind::Float | Kind::Double, Head::Float(number)) => Value::Double(number),
            (Kind::Float | Kind::Double, Head::Integer(number)) => Value::Double(number as f64),
            (Kind::Timestamp, Head::Float(seconds)) if is_instant => instant(seconds).ok_or_else(unexpected)?,
            (Kind::Timestamp, Head::Integer(seconds)) if is_instant => {
                instant(seconds as f64).ok_or_else(unexpected)?
            }
            _ => return Err(unexpected()),
        };
        Ok(Some(value))
    }

    /// Reads what JSON can say too.
    fn document(&mut self, head: Head, depth: usize) -> Result<serde_json::Value, DecodeError> {
        use serde_json::{Number, Value as Json};
        let unexpected = || DecodeError::Type(format!("{} can not be converted to Document", head.name()));
        Ok(match head {
            Head::Null => Json::Null,
            Head::Bool(value) => value.into(),
            Head::Integer(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => return Err(unexpected()),
            },
            Head::Float(number) => Json::Number(Number::from_f64(number).ok_or_else(unexpected)?),
            Head::Text(length) => self.reader.text(length)?.into(),
            Head::Array(mut length) => {
                let mut items = Vec::new();
                while self.reader.more(&mut length)? {
                    items.push(self.inner_document(depth)?);
                }
                Json::Array(items)
            }
            Head::Map(length) => {
                let mut members = serde_json::Map::new();
                self.entries(length, |decoder, name| {
                    members.insert(name, decoder.inner_document(depth)?);
                    Ok(())
                })?;
                Json::Object(members)
            }
            Head::Break => return Err(DecodeError::Malformed),
            Head::Bytes(_) | Head::Tag(_) => return Err(unexpected()),
        })
    }

    fn inner_document(&mut self, depth: usize) -> Result<serde_json::Value, DecodeError> {
        if depth + 1 >= DEPTH_MAX {
            return Err(DecodeError::Malformed);
        }
        self.spend(1)?;
        let head = self.untagged()?;
        self.document(head, depth + 1)
    }
}

fn instant(seconds: f64) -> Option<Value> {
    Timestamp::from_epoch_seconds(seconds).ok().map(Value::Timestamp)
}

#[cfg(test)]
mod tests;
