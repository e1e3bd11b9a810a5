//! JSON by schema: awsJson bodies and stored records.
//!
//! Decoding streams from the text straight into a [`Value`], guided by the shape; members that the shape has not are
//! passed over unread. `null` means absent, in lists and maps too. A name that comes twice means what it says last.
//! Nesting is bounded by serde_json (128), the number of values by [`Limits`].

mod document;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use crate::schema::{Kind, MemberRef, ShapeRef, TimestampFormat};
use crate::value::Value;

/// How large a message may grow in memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The number of values, nested ones included. An absent member counts too: its place takes as much memory.
    pub values_max: usize,
}

impl Limits {
    /// For requests: a full RegisterTaskDefinition has about a thousand values and as many absent members.
    pub const REQUEST: Self = Self { values_max: 100_000 };
    /// For records that we wrote ourselves.
    pub const STORED: Self = Self { values_max: 1_000_000 };
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is empty or not JSON, or its outermost value is no object.
    #[error("the body is not a JSON object")]
    Malformed,
    /// It is JSON, but a value is not of its member's type.
    #[error("{0}")]
    Type(String),
}

/// Reads a body by its shape. AWS takes no empty body for `{}`, nor any other outermost value than an object.
pub fn decode(shape: ShapeRef, body: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => {}
        _ => return Err(DecodeError::Malformed),
    }
    let decode = Decode::new(shape, limits);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let outcome = (&decode).deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    outcome.map_err(|error| match decode.problem.take() {
        Some(problem) if error.is_data() => DecodeError::Type(problem),
        _ => DecodeError::Malformed,
    })
}

/// Writes a value by its shape.
pub fn encode(shape: ShapeRef, value: &Value) -> Vec<u8> {
    serde_json::to_vec(&Encode { shape, value })
        .expect("map keys are strings and the writer is memory: serde_json has no other way to fail")
}

/// A seed that reads one value of a shape from any serde format.
pub struct Decode {
    shape: ShapeRef,
    budget: Cell<usize>,
    problem: RefCell<Option<String>>,
}

impl Decode {
    /// Reads a value of `shape`.
    pub fn new(shape: ShapeRef, limits: &Limits) -> Self {
        Self { shape, budget: Cell::new(limits.values_max), problem: RefCell::new(None) }
    }

    fn fail<E: serde::de::Error>(&self, problem: impl Into<String>) -> E {
        let problem = problem.into();
        let error = E::custom(&problem);
        self.problem.borrow_mut().get_or_insert(problem);
        error
    }

    fn spend<E: serde::de::Error>(&self, values: usize) -> Result<(), E> {
        match self.budget.get().checked_sub(values) {
            Some(left) => {
                self.budget.set(left);
                Ok(())
            }
            None => Err(self.fail("The request holds too many values.")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Decode {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        (&self).deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for &Decode {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Seed { decode: self, shape: self.shape, format: TimestampFormat::EpochSeconds }.deserialize(deserializer)
    }
}

#[derive(Clone, Copy)]
struct Seed<'c> {
    decode: &'c Decode,
    shape: ShapeRef,
    format: TimestampFormat,
}

impl<'c> Seed<'c> {
    fn member(decode: &'c Decode, member: MemberRef) -> Self {
        Self { decode, shape: member.shape(), format: member.timestamp_format(TimestampFormat::EpochSeconds) }
    }

    /// The sentences of AWS's JSON reader.
    fn unexpected<E: serde::de::Error>(&self, found: Found) -> E {
        let problem = match (found, self.shape.kind()) {
            (Found::List, _) => "Start of list found where not expected".to_owned(),
            (Found::Object, _) => "Start of structure or map found where not expected.".to_owned(),
            (_, Kind::Structure | Kind::Union) => "Expected null".to_owned(),
            (_, Kind::List) => "Expected list or null".to_owned(),
            (_, Kind::Map) => "Expected map or null".to_owned(),
            (Found::Scalar(token), kind) => format!("{token} can not be converted to {}", java_type(kind)),
        };
        self.decode.fail(problem)
    }

    fn structure<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.decode.spend(self.shape.len())?;
        let mut fields = vec![None; self.shape.len()];
        while let Some(member) = map.next_key_seed(MemberName(self.shape))? {
            match member {
                Some((index, member)) => {
                    fields[index] = map.next_value_seed(Nullable(Self::member(self.decode, member)))?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Structure(fields))
    }

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let value = Self::member(self.decode, self.shape.member(1));
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            match map.next_value_seed(Nullable(value))? {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
        Ok(Value::Map(entries.into_iter().collect()))
    }
}

/// Reads a name and finds the member that is called so, without keeping the name.
struct MemberName(ShapeRef);

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Option<(usize, MemberRef)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberName {
    type Value = Option<(usize, MemberRef)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the name of a member of {}", self.0.name())
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.member_on_wire(name))
    }
}

/// What stands where something else was wanted, in the words of AWS's JSON reader.
#[derive(Clone, Copy)]
enum Found {
    Scalar(&'static str),
    List,
    Object,
}

const NUMBER: Found = Found::Scalar("NUMBER_VALUE");
const STRING: Found = Found::Scalar("STRING_VALUE");

fn java_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "a Boolean",
        Kind::Integer => "an Integer",
        Kind::Long => "a Long",
        Kind::Float => "a Float",
        Kind::Double => "a Double",
        Kind::Blob => "a Blob",
        Kind::Timestamp => "milliseconds since epoch",
        _ => "a String",
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.decode.spend(1)?;
        if self.shape.kind() == Kind::Document {
            return document::Document(self.decode).deserialize(deserializer).map(Value::Document);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.shape.kind(), self.shape.name())
    }

    fn visit_bool<E: serde::de::Error>(self, found: bool) -> Result<Value, E> {
        match self.shape.kind() {
            Kind::Boolean => Ok(Value::Bool(found)),
            _ => Err(self.unexpected(Found::Scalar(if found { "TRUE_VALUE" } else { "FALSE_VALUE" }))),
        }
    }

    /// AWS's reader keeps a number within its type, so that a number beyond it breaks the model's bounds, not the form.
    fn visit_i64<E: serde::de::Error>(self, found: i64) -> Result<Value, E> {
        match self.shape.kind() {
            Kind::Integer => Ok(Value::Integer(found.clamp(i32::MIN.into(), i32::MAX.into()))),
            Kind::Long => Ok(Value::Integer(found)),
            _ => self.visit_f64(found as f64),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, found: u64) -> Result<Value, E> {
        match i64::try_from(found) {
            Ok(found) => self.visit_i64(found),
            Err(_) => self.visit_f64(found as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, found: f64) -> Result<Value, E> {
        match self.shape.kind() {
            Kind::Float | Kind::Double => Ok(Value::Double(found)),
            // AWS's reader cuts a fraction off.
            Kind::Integer | Kind::Long => self.visit_i64(found as i64),
            Kind::Timestamp if self.format == TimestampFormat::EpochSeconds => {
                Timestamp::from_epoch_seconds(found).map(Value::Timestamp).map_err(|_| self.unexpected(NUMBER))
            }
            _ => Err(self.unexpected(NUMBER)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, found: &str) -> Result<Value, E> {
        match self.shape.kind() {
            Kind::String | Kind::Enum => Ok(Value::String(found.to_owned())),
            Kind::Blob => BASE64.decode(found).map(Value::Blob).map_err(|_| self.unexpected(STRING)),
            Kind::Timestamp => {
                let parsed = match self.format {
                    TimestampFormat::Iso8601 => Timestamp::parse_iso8601(found).ok(),
                    TimestampFormat::HttpDate => Timestamp::parse_http_date(found).ok(),
                    _ => None,
                };
                parsed.map(Value::Timestamp).ok_or_else(|| self.unexpected(STRING))
            }
            Kind::Float | Kind::Double => match found {
                "NaN" => Ok(Value::Double(f64::NAN)),
                "Infinity" => Ok(Value::Double(f64::INFINITY)),
                "-Infinity" => Ok(Value::Double(f64::NEG_INFINITY)),
                _ => Err(self.unexpected(STRING)),
            },
            _ => Err(self.unexpected(STRING)),
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Err(self.decode.fail("null is not a value here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if self.shape.kind() != Kind::List {
            return Err(self.unexpected(Found::List));
        }
        let item = Nullable(Self::member(self.decode, self.shape.member(0)));
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(item)? {
            values.extend(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        match self.shape.kind() {
            Kind::Structure | Kind::Union => self.structure(map),
            Kind::Map => self.map(map),
            _ => Err(self.unexpected(Found::Object)),
        }
    }
}

#[derive(Clone, Copy)]
struct Nullable<'c>(Seed<'c>);

impl<'de> DeserializeSeed<'de> for Nullable<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Nullable<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// Writes one value of a shape to any serde format.
pub struct Encode<'v> {
    /// The value's shape.
    pub shape: ShapeRef,
    /// The value.
    pub value: &'v Value,
}

impl Serialize for Encode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_value(self.shape, TimestampFormat::EpochSeconds, self.value, serializer)
    }
}

struct EncodeMember<'v>(MemberRef, &'v Value);

impl Serialize for EncodeMember<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let format = self.0.timestamp_format(TimestampFormat::EpochSeconds);
        write_value(self.0.shape(), format, self.1, serializer)
    }
}

fn write_value<S: Serializer>(
    shape: ShapeRef,
    format: TimestampFormat,
    value: &Value,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Value::Bool(inner) => serializer.serialize_bool(*inner),
        Value::Integer(inner) => serializer.serialize_i64(*inner),
        Value::Double(inner) if inner.is_nan() => serializer.serialize_str("NaN"),
        Value::Double(inner) if inner.is_infinite() => {
            serializer.serialize_str(if *inner > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Value::Double(inner) => serializer.serialize_f64(*inner),
        Value::String(inner) => serializer.serialize_str(inner),
        Value::Blob(inner) => serializer.serialize_str(&BASE64.encode(inner)),
        Value::Timestamp(inner) => match format {
            TimestampFormat::Iso8601 => serializer.serialize_str(&inner.iso8601()),
            TimestampFormat::HttpDate => serializer.serialize_str(&inner.http_date()),
            _ if inner.as_millis() % 1000 == 0 => serializer.serialize_i64(inner.as_secs()),
            _ => serializer.serialize_f64(inner.as_millis() as f64 / 1000.0),
        },
        Value::Document(inner) => inner.serialize(serializer),
        Value::List(items) if shape.kind() == Kind::List => {
            let element = shape.member(0);
            serializer.collect_seq(items.iter().map(|item| EncodeMember(element, item)))
        }
        Value::Map(entries) if shape.kind() == Kind::Map => {
            let value = shape.member(1);
            serializer.collect_map(entries.iter().map(|(key, inner)| (key, EncodeMember(value, inner))))
        }
        Value::Structure(fields) => {
            let mut map = serializer.serialize_map(None)?;
            for (member, field) in shape.members().zip(fields) {
                if let Some(inner) = field {
                    map.serialize_entry(member.wire_name(), &EncodeMember(member, inner))?;
                }
            }
            map.end()
        }
        Value::List(_) | Value::Map(_) | Value::Content(_) => {
            Err(S::Error::custom("the value has not the form of its shape"))
        }
    }
}

#[cfg(test)]
mod tests;
