//! A message between its wire form and its Rust type: a tree that follows a [`crate::schema::Schema`].
//!
//! Decoders build a [`Value`] whose form fits the shape, [`crate::validate`] checks the model's constraints on it, and
//! the generated types are read out of it; answers go the other way. So each protocol and each check is written once.

use std::collections::BTreeMap;

use base::Timestamp;

use crate::content::Content;
use crate::schema::{Schema, ShapeId, ShapeRef};

/// One value. A structure is a row of optional members in the order of its shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Integer and Long.
    Integer(i64),
    /// Float and Double.
    Double(f64),
    /// String and Enum.
    String(String),
    /// Blob, decoded.
    Blob(Vec<u8>),
    /// Timestamp.
    Timestamp(Timestamp),
    /// List.
    List(Vec<Value>),
    /// Map, each key once.
    Map(Vec<(String, Value)>),
    /// Structure and Union.
    Structure(Vec<Option<Value>>),
    /// Document.
    Document(serde_json::Value),
    /// A Blob that streams.
    Content(Content),
}

/// A value that has not the form of the type it is read into. Decoded requests cannot cause one (they have been
/// validated); stored records of another version can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another kind of value was found.
    #[error("a {expected} is expected")]
    Kind {
        /// The Rust type that was wanted.
        expected: &'static str,
    },
    /// A required member is absent.
    #[error("a required member is absent")]
    Absent,
    /// A text is none of the enum's words.
    #[error("`{word}` is not one of the values of {name}")]
    Word {
        /// The enum.
        name: &'static str,
        /// The text.
        word: String,
    },
}

/// A Rust type that a [`Value`] can be made of and read into.
pub trait Shaped: Sized {
    /// The value.
    fn into_value(self) -> Value;
    /// Reads the value.
    fn from_value(value: Value) -> Result<Self, Mismatch>;
}

/// A generated type: it knows its shape.
pub trait Modeled: Shaped {
    /// The tables that [`Modeled::SHAPE`] counts in.
    const SCHEMA: &'static Schema;
    /// Its shape's number.
    const SHAPE: ShapeId;

    /// Its shape.
    fn shape() -> ShapeRef {
        Self::SCHEMA.shape(Self::SHAPE)
    }
}

/// A member of a structure: a required one is the type itself, any other an `Option`.
pub trait Field: Sized {
    /// The member's place in the row.
    fn into_field(self) -> Option<Value>;
    /// Reads the member's place.
    fn from_field(field: Option<Value>) -> Result<Self, Mismatch>;
}

impl<T: Shaped> Field for T {
    fn into_field(self) -> Option<Value> {
        Some(self.into_value())
    }

    fn from_field(field: Option<Value>) -> Result<Self, Mismatch> {
        field.ok_or(Mismatch::Absent).and_then(T::from_value)
    }
}

impl<T: Shaped> Field for Option<T> {
    fn into_field(self) -> Option<Value> {
        self.map(T::into_value)
    }

    fn from_field(field: Option<Value>) -> Result<Self, Mismatch> {
        field.map(T::from_value).transpose()
    }
}

macro_rules! scalar {
    ($type:ty, $variant:ident) => {
        impl Shaped for $type {
            fn into_value(self) -> Value {
                Value::$variant(self.into())
            }

            fn from_value(value: Value) -> Result<Self, Mismatch> {
                match value {
                    Value::$variant(inner) => {
                        inner.try_into().map_err(|_| Mismatch::Kind { expected: stringify!($type) })
                    }
                    _ => Err(Mismatch::Kind { expected: stringify!($type) }),
                }
            }
        }
    };
}

scalar!(bool, Bool);
scalar!(i32, Integer);
scalar!(i64, Integer);
scalar!(f64, Double);
scalar!(String, String);
scalar!(Vec<u8>, Blob);
scalar!(Timestamp, Timestamp);
scalar!(serde_json::Value, Document);
scalar!(Content, Content);

impl<T: Modeled> Shaped for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn from_value(value: Value) -> Result<Self, Mismatch> {
        list(value)
    }
}

impl<T: Modeled> Shaped for Vec<Vec<T>> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Vec::into_value).collect())
    }

    fn from_value(value: Value) -> Result<Self, Mismatch> {
        list(value)
    }
}

macro_rules! list_of {
    ($type:ty) => {
        impl Shaped for Vec<$type> {
            fn into_value(self) -> Value {
                Value::List(self.into_iter().map(<$type>::into_value).collect())
            }

            fn from_value(value: Value) -> Result<Self, Mismatch> {
                list(value)
            }
        }
    };
}

list_of!(String);
list_of!(i32);
list_of!(i64);
list_of!(f64);
list_of!(bool);
list_of!(Timestamp);
list_of!(Vec<u8>);
list_of!(Vec<String>);
list_of!(BTreeMap<String, String>);

fn list<T: Shaped>(value: Value) -> Result<Vec<T>, Mismatch> {
    match value {
        Value::List(items) => items.into_iter().map(T::from_value).collect(),
        _ => Err(Mismatch::Kind { expected: "list" }),
    }
}

impl<T: Shaped> Shaped for BTreeMap<String, T> {
    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, value)| (key, value.into_value())).collect())
    }

    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Map(entries) => entries.into_iter().map(|(key, value)| Ok((key, T::from_value(value)?))).collect(),
            _ => Err(Mismatch::Kind { expected: "map" }),
        }
    }
}

impl<T: Shaped> Shaped for Box<T> {
    fn into_value(self) -> Value {
        (*self).into_value()
    }

    fn from_value(value: Value) -> Result<Self, Mismatch> {
        T::from_value(value).map(Box::new)
    }
}

/// Defines a structure and its way to and from a [`Value`]. Used by generated code only.
#[macro_export]
macro_rules! structure {
    ($shape:literal $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[doc = concat!("The model's `", stringify!($name), "`.")]
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $(#[doc = concat!("The model's `", stringify!($field), "`.")] pub $field: $type,)*
        }

        impl $crate::value::Shaped for $name {
            fn into_value(self) -> $crate::value::Value {
                $crate::value::Value::Structure(vec![$($crate::value::Field::into_field(self.$field),)*])
            }

            fn from_value(value: $crate::value::Value) -> Result<Self, $crate::value::Mismatch> {
                let $crate::value::Value::Structure(fields) = value else {
                    return Err($crate::value::Mismatch::Kind { expected: stringify!($name) });
                };
                #[allow(unused_mut, unused_variables)]
                let mut fields = fields.into_iter();
                Ok(Self { $($field: $crate::value::Field::from_field(fields.next().flatten())?,)* })
            }
        }

        impl $crate::value::Modeled for $name {
            const SCHEMA: &'static $crate::schema::Schema = &SCHEMA;
            const SHAPE: $crate::schema::ShapeId = $shape;
        }
    };
}

/// Defines an enum of words and its way to and from a [`Value`]. Used by generated code only.
#[macro_export]
macro_rules! enumeration {
    ($shape:literal $name:ident { $first:ident = $first_word:literal $(, $variant:ident = $word:literal)* $(,)? }) => {
        #[doc = concat!("The model's `", stringify!($name), "`.")]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            #[doc = concat!("`", $first_word, "`")]
            #[default]
            $first,
            $(#[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl $name {
            /// Every value, in the model's order.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::value::Mismatch;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $first_word => Ok(Self::$first),
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::value::Mismatch::Word { name: stringify!($name), word: word.to_owned() }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::value::Shaped for $name {
            fn into_value(self) -> $crate::value::Value {
                $crate::value::Value::String(self.as_str().to_owned())
            }

            fn from_value(value: $crate::value::Value) -> Result<Self, $crate::value::Mismatch> {
                String::from_value(value)?.parse()
            }
        }

        impl $crate::value::Modeled for $name {
            const SCHEMA: &'static $crate::schema::Schema = &SCHEMA;
            const SHAPE: $crate::schema::ShapeId = $shape;
        }
    };
}

/// A number as every text protocol writes it. Rust reads more words as numbers (`inf`, `nan`) than they have.
pub(crate) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Colour, Nested, structure, text, texts};

    #[test]
    fn a_structure_is_a_row_in_the_order_of_its_shape() {
        let nested = Nested {
            child: Some(Box::new(Nested::default())),
            labels: Some(vec!["a".to_owned()]),
            ..Nested::default()
        };
        let row = Value::Structure(vec![Some(Value::Structure(vec![None; 4])), None, Some(texts(&["a"])), None]);
        assert_eq!(nested.clone().into_value(), row);
        assert_eq!(Nested::from_value(row), Ok(nested));
        assert_eq!(Nested::shape().name(), "NESTED");
    }

    #[test]
    fn members_that_a_row_lacks_are_absent() {
        assert_eq!(Nested::from_value(Value::Structure(Vec::new())), Ok(Nested::default()));
    }

    #[test]
    fn a_value_of_another_form_is_refused_by_what_was_wanted() {
        let kind = |expected| Err(Mismatch::Kind { expected });
        assert_eq!(Nested::from_value(text("x")), kind("Nested").map(|()| Nested::default()));
        assert_eq!(i32::from_value(Value::Integer(1 << 40)), kind("i32").map(|()| 0));
        assert_eq!(Vec::<String>::from_value(text("x")), kind("list").map(|()| Vec::new()));
        assert_eq!(BTreeMap::<String, i32>::from_value(text("x")), kind("map").map(|()| BTreeMap::new()));
        let inner = structure(crate::fixture::NESTED, [("label", Value::Bool(true))]);
        assert_eq!(Nested::from_value(inner), kind("String").map(|()| Nested::default()));
        assert_eq!(<String as Field>::from_field(None), Err(Mismatch::Absent));
        assert_eq!(<Option<String> as Field>::from_field(None), Ok(None));
    }

    #[test]
    fn a_word_is_read_and_written_as_it_stands_on_the_wire() {
        assert_eq!(Colour::ALL.iter().map(|colour| colour.as_str()).collect::<Vec<_>>(), ["red", "green"]);
        assert_eq!("green".parse(), Ok(Colour::Green));
        assert_eq!(Colour::from_value(Colour::Red.into_value()), Ok(Colour::Red));
        let unknown = Mismatch::Word { name: "Colour", word: "blue".to_owned() };
        assert_eq!("blue".parse::<Colour>(), Err(unknown.clone()));
        assert_eq!(unknown.to_string(), "`blue` is not one of the values of Colour");
    }
}
