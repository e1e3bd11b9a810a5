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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use crate::fixture::Nested;

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Record {
        #[serde(with = "crate::stored")]
        one: Nested,
        #[serde(with = "crate::stored", default)]
        maybe: Option<Nested>,
        #[serde(with = "crate::stored", default)]
        many: Vec<Nested>,
    }

    fn nested(label: &str) -> Nested {
        Nested {
            child: Some(Box::new(Nested { label: Some(label.to_owned()), ..Nested::default() })),
            options: Some(BTreeMap::from([("a".to_owned(), "\u{1f600}\n".to_owned())])),
            labels: Some(Vec::new()),
            ..Nested::default()
        }
    }

    fn record() -> Record {
        Record { one: nested("one"), maybe: Some(nested("maybe")), many: vec![nested("first"), Nested::default()] }
    }

    #[test]
    fn a_record_is_written_by_the_names_of_the_model() {
        assert_eq!(
            serde_json::to_value(Record { one: nested("x"), maybe: None, many: vec![] }).unwrap(),
            json!({
                "one": {"child": {"label": "x"}, "labels": [], "options": {"a": "\u{1f600}\n"}},
                "maybe": null,
                "many": [],
            })
        );
    }

    #[test]
    fn a_record_reads_back_from_every_kind_of_json() {
        let text = serde_json::to_string_pretty(&record()).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record());
        assert_eq!(serde_json::from_slice::<Record>(text.as_bytes()).unwrap(), record());
        assert_eq!(serde_json::from_reader::<_, Record>(text.as_bytes()).unwrap(), record());
        assert_eq!(serde_json::from_value::<Record>(serde_json::to_value(record()).unwrap()).unwrap(), record());
    }

    #[test]
    fn a_record_of_another_model_reads_as_far_as_the_models_agree() {
        let old = json!({"one": {"label": "x", "gone": {"deep": [1, 2]}}});
        let read: Record = serde_json::from_value(old).unwrap();
        let one = Nested { label: Some("x".to_owned()), ..Nested::default() };
        assert_eq!(read, Record { one, maybe: None, many: vec![] });
    }

    #[test]
    fn a_record_that_does_not_fit_is_refused() {
        for wrong in [
            json!({"one": 1}),
            json!({"one": {"label": 1}}),
            json!({"one": null}),
            json!({"one": {}, "many": {}}),
            json!({"one": {}, "maybe": []}),
            json!({}),
        ] {
            assert!(serde_json::from_value::<Record>(wrong.clone()).is_err(), "{wrong}");
            assert!(serde_json::from_str::<Record>(&wrong.to_string()).is_err(), "{wrong}");
        }
    }
}
