//! Generated types inside stored records.
//!
//! `#[serde(with = "wire::stored")]` on a field writes it by its model's own names. Members that a newer model adds are
//! absent in old records; members that it no longer has are passed over.

use serde::de::{DeserializeSeed, Error as _};
use serde::{Deserializer, Serialize, Serializer};

use crate::json::{Decode, Encode, Limits};
use crate::schema::ShapeRef;
use crate::value::Modeled;

/// A generated type, or an optional one or a list of them.
pub trait Stored: Sized {
    /// Writes it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads it.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl<T: Modeled + Clone> Stored for T {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Encode { shape: T::shape(), value: &self.clone().into_value() }.serialize(serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Decode::new(T::shape(), &Limits::STORED).deserialize(deserializer)?;
        T::from_value(value).map_err(D::Error::custom)
    }
}

impl<T: Modeled + Clone> Stored for Option<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            None => serializer.serialize_none(),
            Some(inner) => Stored::serialize(inner, serializer),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found: Option<Box<serde_json::value::RawValue>> = serde::Deserialize::deserialize(deserializer)?;
        found.map(|raw| from_raw(&raw).map_err(D::Error::custom)).transpose()
    }
}

impl<T: Modeled + Clone> Stored for Vec<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|item| Owned(T::shape(), item.clone().into_value())))
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found: Vec<Box<serde_json::value::RawValue>> = serde::Deserialize::deserialize(deserializer)?;
        found.iter().map(|raw| from_raw(raw).map_err(D::Error::custom)).collect()
    }
}

struct Owned(ShapeRef, crate::value::Value);

impl Serialize for Owned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Encode { shape: self.0, value: &self.1 }.serialize(serializer)
    }
}

fn from_raw<T: Modeled>(raw: &serde_json::value::RawValue) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    let value = Decode::new(T::shape(), &Limits::STORED).deserialize(&mut deserializer)?;
    T::from_value(value).map_err(serde_json::Error::custom)
}

/// For `#[serde(with)]`.
pub fn serialize<T: Stored, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.serialize(serializer)
}

/// For `#[serde(with)]`.
pub fn deserialize<'de, T: Stored, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}
