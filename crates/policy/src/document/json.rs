//! JSON as a policy needs it: members in their order, none of them twice, and no deeper than a policy can be.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep a document may nest. The deepest place in a valid one is a value in
/// `{Statement: [{Condition: {operator: {key: [value]}}}]}`, six levels down.
const DEPTH_MAX: u8 = 12;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As the number is written canonically.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A text that is no JSON, nests too deep or has a member twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidJson;

pub(super) fn parse(text: &str) -> Result<Json, InvalidJson> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let json = Reader { depth: DEPTH_MAX }.deserialize(&mut deserializer).map_err(|_| InvalidJson)?;
    deserializer.end().map_err(|_| InvalidJson)?;
    Ok(json)
}

#[derive(Clone, Copy)]
struct Reader {
    depth: u8,
}

impl Reader {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let (mut object, mut seen) = (Vec::new(), HashSet::new());
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a member is there twice"));
            }
            object.push((name, members.next_value_seed(below)?));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_there_twice_is_refused() {
        assert_eq!(parse(r#"{"a": 1, "b": {"a": 2}}"#).map(|_| ()), Ok(()));
        assert_eq!(parse(r#"{"a": 1, "a": 1}"#), Err(InvalidJson));
        assert_eq!(parse(r#"[{"b": {"a": 1, "\u0061": 2}}]"#), Err(InvalidJson));
    }

    #[test]
    fn what_follows_the_document_is_refused() {
        assert_eq!(parse("{} {}"), Err(InvalidJson));
        assert_eq!(parse(" {} "), Ok(Json::Object(Vec::new())));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(usize::from(DEPTH_MAX))).is_ok());
        assert_eq!(parse(&nested(usize::from(DEPTH_MAX) + 1)), Err(InvalidJson));
        assert_eq!(parse(&"[".repeat(100_000)), Err(InvalidJson));
    }

    #[test]
    fn numbers_keep_their_value() {
        for (text, kept) in
            [("1", "1"), ("-7", "-7"), ("1.50", "1.5"), ("18446744073709551615", "18446744073709551615")]
        {
            assert_eq!(parse(text), Ok(Json::Number(kept.to_owned())));
        }
    }
}
