//! Random values, such as fit a shape and such as do not.

use std::collections::BTreeMap;

use base::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use wire::schema::{Kind, MemberRef, ShapeRef, TimestampFormat};
use wire::value::Value;

/// How deep structures that contain themselves go.
const DEPTH: u32 = 3;

/// A value in the form of `shape`. `default` is the protocol's format of timestamps.
pub(crate) fn value(shape: ShapeRef, default: TimestampFormat) -> BoxedStrategy<Value> {
    inner(shape, default, default, DEPTH)
}

fn member(member: MemberRef, default: TimestampFormat, depth: u32) -> BoxedStrategy<Value> {
    inner(member.shape(), member.timestamp_format(default), default, depth)
}

fn inner(shape: ShapeRef, format: TimestampFormat, default: TimestampFormat, depth: u32) -> BoxedStrategy<Value> {
    match shape.kind() {
        Kind::Structure => structure(shape, default, depth),
        Kind::Union => {
            let one_of = (0..shape.len()).prop_flat_map(move |place| {
                let value = member(shape.member(place), default, depth.saturating_sub(1));
                value.prop_map(move |value| {
                    Value::Structure((0..shape.len()).map(|n| (n == place).then(|| value.clone())).collect())
                })
            });
            one_of.boxed()
        }
        Kind::List => {
            prop::collection::vec(member(shape.member(0), default, depth), 0..4).prop_map(Value::List).boxed()
        }
        Kind::Map => prop::collection::btree_map(text(), member(shape.member(1), default, depth), 0..4)
            .prop_map(|entries: BTreeMap<_, _>| Value::Map(entries.into_iter().collect()))
            .boxed(),
        Kind::String => text().prop_map(Value::String).boxed(),
        Kind::Enum => select(shape.words().collect::<Vec<_>>()).prop_map(|w| Value::String(w.to_owned())).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Integer => any::<i32>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::Long => any::<i64>().prop_map(Value::Integer).boxed(),
        Kind::Float | Kind::Double => number().prop_map(Value::Double).boxed(),
        Kind::Blob => any::<Vec<u8>>().prop_map(Value::Blob).boxed(),
        Kind::Timestamp => time(format).prop_map(Value::Timestamp).boxed(),
        Kind::Document => document().prop_filter("null is absent", |d| !d.is_null()).prop_map(Value::Document).boxed(),
    }
}

fn structure(shape: ShapeRef, default: TimestampFormat, depth: u32) -> BoxedStrategy<Value> {
    let mut fields = Just(Vec::new()).boxed();
    for field in shape.members() {
        let contains_structures = !matches!(
            field.shape().kind(),
            Kind::String | Kind::Enum | Kind::Boolean | Kind::Integer | Kind::Long | Kind::Blob | Kind::Timestamp
        );
        let next = if depth == 0 && contains_structures {
            Just(None).boxed()
        } else {
            prop::option::of(member(field, default, depth.saturating_sub(1))).boxed()
        };
        fields = (fields, next)
            .prop_map(|(mut fields, next)| {
                fields.push(next);
                fields
            })
            .boxed();
    }
    fields.prop_map(Value::Structure).boxed()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-z0-9 .+&=%/-]{0,12}", any::<String>()]
}

fn number() -> impl Strategy<Value = f64> {
    use prop::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    NORMAL | SUBNORMAL | ZERO | INFINITE | NEGATIVE | POSITIVE
}

fn time(format: TimestampFormat) -> BoxedStrategy<Timestamp> {
    let millis = Timestamp::MIN.as_millis()..=Timestamp::MAX.as_millis();
    match format {
        TimestampFormat::HttpDate => {
            millis.prop_map(|millis| Timestamp::from_secs(Timestamp::from_millis(millis).as_secs())).boxed()
        }
        _ => millis.prop_map(Timestamp::from_millis).boxed(),
    }
}

/// Any JSON.
pub(crate) fn document() -> impl Strategy<Value = serde_json::Value> {
    json_of(text().boxed())
}

/// Any JSON whose objects use `names`, so that it comes close to a shape without fitting it.
pub(crate) fn json_with(names: Vec<String>) -> impl Strategy<Value = serde_json::Value> {
    json_of(select(names).boxed())
}

fn json_of(names: BoxedStrategy<String>) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        (-5i64..50).prop_map(|n| json!(n)),
        prop::num::f64::NORMAL.prop_map(|n| json!(n)),
        text().prop_map(|s| json!(s)),
        select(vec!["red", "abc", "NaN", "2014-04-29T18:30:38Z", "aGVsbG8="]).prop_map(|s| json!(s)),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| json!(items)),
            prop::collection::btree_map(names.clone(), inner, 0..6).prop_map(|members| json!(members)),
        ]
    })
}

/// A tree that fits no shape in particular.
pub(crate) fn misfit() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Double),
        text().prop_map(Value::String),
        any::<Vec<u8>>().prop_map(Value::Blob),
        document().prop_map(Value::Document),
        Just(Value::Timestamp(Timestamp::MAX)),
    ];
    leaf.prop_recursive(5, 80, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::List),
            prop::collection::vec((text(), inner.clone()), 0..6).prop_map(Value::Map),
            prop::collection::vec(prop::option::of(inner), 0..12).prop_map(Value::Structure),
        ]
    })
}
