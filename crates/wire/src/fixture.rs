//! A small hand-made service for tests: every kind of shape, with the traits that codecs and validation look at.
//!
//! The tables are what codegen would write; the names are found in the text at compile time instead of being counted.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "each test program uses a part of it")]

#[path = "fixture_bound.rs"]
pub mod bound;

use std::collections::BTreeMap;

use wire::model::{Operation, Protocol, ServiceModel};
use wire::schema::{Kind, Member, Schema, Shape, ShapeId, ShapeRef, Text, TimestampFormat, flag};
use wire::value::Value;
use wire::{enumeration, events, structure};

pub use bound::{REST_JSON, S3};

pub const STRING: ShapeId = 0;
pub const NAME: ShapeId = 1;
pub const COLOUR: ShapeId = 2;
pub const BOOLEAN: ShapeId = 3;
pub const INTEGER: ShapeId = 4;
pub const SMALL: ShapeId = 5;
pub const LONG: ShapeId = 6;
pub const FLOAT: ShapeId = 7;
pub const DOUBLE: ShapeId = 8;
pub const BLOB: ShapeId = 9;
pub const TIME: ShapeId = 10;
pub const DOCUMENT: ShapeId = 11;
pub const STRINGS: ShapeId = 12;
pub const ITEMS: ShapeId = 13;
pub const LISTS: ShapeId = 14;
pub const NESTEDS: ShapeId = 15;
pub const NAMES: ShapeId = 16;
pub const MAP: ShapeId = 17;
pub const RENAMED_MAP: ShapeId = 18;
pub const NESTED_MAP: ShapeId = 19;
pub const NAME_MAP: ShapeId = 20;
pub const NESTED: ShapeId = 21;
pub const CHOICE: ShapeId = 22;
pub const EMPTY: ShapeId = 23;
pub const EVERYTHING: ShapeId = 24;
pub const STRICT: ShapeId = 25;
pub const FLAT_STRINGS: ShapeId = 26;
pub const COLOURS: ShapeId = 27;
pub const LIST_MAP: ShapeId = 28;
pub const SECRET: ShapeId = 29;
pub const WATCHED: ShapeId = 30;
pub const GONE: ShapeId = 31;

enumeration! { 2 Colour {
    Red = "red",
    Green = "green",
} }

structure! { 21 Nested {
    child: Option<Box<Nested>>,
    label: Option<String>,
    labels: Option<Vec<String>>,
    options: Option<BTreeMap<String, String>>,
} }

structure! { 31 Gone {
    message: Option<String>,
} }

events! { Watched {
    Gone(Gone) = 0,
    Said(Nested) = 1,
} }

const TEXT: &str = " STRING NAME COLOUR BOOLEAN INTEGER SMALL LONG FLOAT DOUBLE BLOB TIME DOCUMENT STRINGS ITEMS LISTS \
    NESTEDS NAMES MAP RENAMED_MAP NESTED_MAP NAME_MAP NESTED CHOICE EMPTY EVERYTHING STRICT FLAT_STRINGS COLOURS \
    LIST_MAP SECRET member key value item K V child label labels options text number \
    Blob Bool Choice Colour Document Double Empty Epoch Flat FlatItems FlatMap FlatNesteds Float HttpDate Integer \
    Iso Items LabelMap ListMap Lists Long Map Nested NestedMap Nesteds RenamedMap Renamed renamed String Strings Time \
    Colours Name NameMap Names Secret Small Token red green [a-z]+ Fails Nothing Echo Opens Panics Unserved Waits \
    EchoAnswer WATCHED GONE Gone Said message Watches Weighs ";

/// The place of `name` in the text.
const fn t(name: &str) -> Text {
    find(TEXT, name)
}

/// The place of `name` in a text of names with spaces around them.
pub const fn find(text: &str, name: &str) -> Text {
    let (text, name) = (text.as_bytes(), name.as_bytes());
    let mut at = 0;
    while at + name.len() + 2 <= text.len() {
        let mut same = 0;
        while same < name.len() && text[at + 1 + same] == name[same] {
            same += 1;
        }
        if same == name.len() && text[at] == b' ' && text[at + 1 + same] == b' ' {
            return Text::new(at as u32 + 1, name.len() as u32);
        }
        at += 1;
    }
    panic!("the text lacks a name")
}

const fn m(name: &str, shape: ShapeId) -> Member {
    Member::new(t(name), shape)
}

const MEMBERS: &[Member] = &[
    /*  0 STRINGS */ m("member", STRING),
    /*  1 ITEMS */ m("member", STRING).on_wire(t("item")),
    /*  2 LISTS */ m("member", STRINGS),
    /*  3 NESTEDS */ m("member", NESTED),
    /*  4 NAMES */ m("member", NAME),
    /*  5 MAP */ m("key", STRING),
    m("value", STRING),
    /*  7 RENAMED_MAP */ m("key", STRING).on_wire(t("K")),
    m("value", INTEGER).on_wire(t("V")),
    /*  9 NESTED_MAP */ m("key", STRING),
    m("value", NESTED),
    /* 11 NAME_MAP */ m("key", NAME),
    m("value", COLOUR),
    /* 13 NESTED */ m("child", NESTED),
    m("label", STRING),
    m("labels", STRINGS),
    m("options", MAP),
    /* 17 CHOICE */ m("number", INTEGER),
    m("text", STRING),
    /* 19 EVERYTHING */ m("Blob", BLOB),
    m("Bool", BOOLEAN),
    m("Choice", CHOICE),
    m("Colour", COLOUR),
    m("Document", DOCUMENT),
    m("Double", DOUBLE),
    m("Empty", EMPTY),
    m("Epoch", TIME).timestamp(TimestampFormat::EpochSeconds),
    m("Flat", FLAT_STRINGS),
    m("FlatItems", ITEMS).flags(flag::FLATTENED),
    m("FlatMap", RENAMED_MAP).flags(flag::FLATTENED),
    m("FlatNesteds", NESTEDS).flags(flag::FLATTENED),
    m("Float", FLOAT),
    m("HttpDate", TIME).timestamp(TimestampFormat::HttpDate),
    m("Integer", INTEGER),
    m("Iso", TIME).timestamp(TimestampFormat::Iso8601),
    m("Items", ITEMS),
    m("ListMap", LIST_MAP),
    m("Lists", LISTS),
    m("Long", LONG),
    m("Map", MAP),
    m("Nested", NESTED),
    m("NestedMap", NESTED_MAP),
    m("Nesteds", NESTEDS),
    m("Renamed", STRING).on_wire(t("renamed")),
    m("RenamedMap", RENAMED_MAP),
    m("String", STRING),
    m("Strings", STRINGS),
    m("Time", TIME),
    m("Token", STRING).flags(flag::IDEMPOTENCY_TOKEN),
    /* 49 STRICT */ m("Choice", CHOICE),
    m("Colours", COLOURS),
    m("Name", NAME).flags(flag::REQUIRED),
    m("NameMap", NAME_MAP),
    m("Names", NAMES),
    m("Nesteds", NESTEDS),
    m("Secret", SECRET),
    m("Small", SMALL),
    /* 57 FLAT_STRINGS */ m("member", STRING),
    /* 58 COLOURS */ m("member", COLOUR),
    /* 59 LIST_MAP */ m("key", STRING),
    m("value", STRINGS),
    /* 61 WATCHED */ m("Gone", GONE),
    m("Said", NESTED),
    /* 63 GONE */ m("message", STRING),
];

pub static SCHEMA: Schema = Schema {
    text: TEXT,
    shapes: &[
        Shape::simple(t("STRING"), Kind::String),
        Shape::simple(t("NAME"), Kind::String).bounds(2.0, 8.0).pattern(t("[a-z]+")),
        Shape::rows(t("COLOUR"), Kind::Enum, 0, 2),
        Shape::simple(t("BOOLEAN"), Kind::Boolean),
        Shape::simple(t("INTEGER"), Kind::Integer),
        Shape::simple(t("SMALL"), Kind::Integer).bounds(1.0, 10.0),
        Shape::simple(t("LONG"), Kind::Long),
        Shape::simple(t("FLOAT"), Kind::Float),
        Shape::simple(t("DOUBLE"), Kind::Double),
        Shape::simple(t("BLOB"), Kind::Blob),
        Shape::simple(t("TIME"), Kind::Timestamp),
        Shape::simple(t("DOCUMENT"), Kind::Document),
        Shape::rows(t("STRINGS"), Kind::List, 0, 1),
        Shape::rows(t("ITEMS"), Kind::List, 1, 1),
        Shape::rows(t("LISTS"), Kind::List, 2, 1),
        Shape::rows(t("NESTEDS"), Kind::List, 3, 1),
        Shape::rows(t("NAMES"), Kind::List, 4, 1).bounds(f64::NEG_INFINITY, 3.0),
        Shape::rows(t("MAP"), Kind::Map, 5, 2),
        Shape::rows(t("RENAMED_MAP"), Kind::Map, 7, 2),
        Shape::rows(t("NESTED_MAP"), Kind::Map, 9, 2),
        Shape::rows(t("NAME_MAP"), Kind::Map, 11, 2),
        Shape::rows(t("NESTED"), Kind::Structure, 13, 4),
        Shape::rows(t("CHOICE"), Kind::Union, 17, 2),
        Shape::rows(t("EMPTY"), Kind::Structure, 0, 0),
        Shape::rows(t("EVERYTHING"), Kind::Structure, 19, 30),
        Shape::rows(t("STRICT"), Kind::Structure, 49, 8),
        Shape::rows(t("FLAT_STRINGS"), Kind::List, 57, 1).flags(flag::FLATTENED),
        Shape::rows(t("COLOURS"), Kind::List, 58, 1),
        Shape::rows(t("LIST_MAP"), Kind::Map, 59, 2),
        Shape::simple(t("SECRET"), Kind::String).bounds(8.0, f64::INFINITY).flags(flag::SENSITIVE),
        Shape::rows(t("WATCHED"), Kind::Union, 61, 2),
        Shape::rows(t("GONE"), Kind::Structure, 63, 1).flags(flag::EXCEPTION),
    ],
    members: MEMBERS,
    words: &[t("red"), t("green")],
};

/// How long the requests of `Weighs` may be.
pub const WEIGHED_BYTES_MAX: usize = 40_000;

static OPERATIONS: [Operation; 9] = [
    Operation::new(t("Echo")).served().input(EVERYTHING).output(EVERYTHING).wrapper(t("EchoAnswer")),
    Operation::new(t("Fails")).served().input(STRICT).output(STRICT),
    Operation::new(t("Nothing")).served(),
    Operation::new(t("Opens")).served().unsigned(),
    Operation::new(t("Panics")).served(),
    Operation::new(t("Unserved")),
    Operation::new(t("Waits")).served(),
    Operation::new(t("Watches")).served().input(EVERYTHING).output(NESTED).events(WATCHED),
    Operation::new(t("Weighs")).served().body_bytes_max(WEIGHED_BYTES_MAX).input(EVERYTHING),
];

/// A service that speaks awsJson.
pub static JSON: ServiceModel = ServiceModel {
    name: "things",
    title: "Things in JSON",
    api_version: "2020-01-01",
    signing_name: "things",
    target_prefix: Some("Things_2020"),
    xml_namespace: None,
    validation_error: Some("InvalidThing"),
    is_query_compatible: false,
    admits_anonymous: false,
    protocols: &[Protocol::AwsJson11],
    schema: &SCHEMA,
    operations: &OPERATIONS,
};

/// A service that speaks awsQuery.
pub static QUERY: ServiceModel = ServiceModel {
    name: "forms",
    title: "Things in forms",
    api_version: "2010-05-08",
    signing_name: "forms",
    target_prefix: None,
    xml_namespace: Some("https://forms.example.com/doc/2010-05-08/"),
    validation_error: None,
    is_query_compatible: false,
    admits_anonymous: false,
    protocols: &[Protocol::AwsQuery],
    schema: &SCHEMA,
    operations: &OPERATIONS,
};

/// A service that once spoke awsQuery alone and has learnt two protocols since.
pub static METERS: ServiceModel = ServiceModel {
    name: "meters",
    title: "Things in three protocols",
    api_version: "2010-08-01",
    signing_name: "meters",
    target_prefix: Some("Meters_2010"),
    xml_namespace: Some("http://meters.example.com/doc/2010-08-01/"),
    validation_error: None,
    is_query_compatible: true,
    admits_anonymous: false,
    protocols: &[Protocol::RpcV2Cbor, Protocol::AwsJson10, Protocol::AwsQuery],
    schema: &SCHEMA,
    operations: &OPERATIONS,
};

/// The shape numbered `id`.
pub fn shape(id: ShapeId) -> ShapeRef {
    SCHEMA.shape(id)
}

/// A structure of `id` with the members named so.
pub fn structure(id: ShapeId, members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let shape = shape(id);
    let mut fields = vec![None; shape.len()];
    for (name, value) in members {
        let place = shape.members().position(|member| member.name() == name);
        fields[place.unwrap_or_else(|| panic!("{} has no member {name}", shape.name()))] = Some(value);
    }
    Value::Structure(fields)
}

/// The member `name` of a structure of `id`.
pub fn member<'v>(id: ShapeId, value: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Structure(fields) = value else { panic!("no structure: {value:?}") };
    let place = shape(id).members().position(|member| member.name() == name);
    fields[place.unwrap_or_else(|| panic!("no member {name}"))].as_ref()
}

pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub fn texts(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| text(item)).collect())
}
