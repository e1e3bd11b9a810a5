use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::*;
use crate::fixture::{EVERYTHING, NESTED, find, member, shape, structure, text, texts};
use crate::schema::{Member, Schema, Shape, Text};

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn json_of(hex: &str) -> Result<serde_json::Value, DecodeError> {
    decode_json(&bytes(hex), &Limits::REQUEST)
}

/// The member `name` of Everything, out of a map with this one item.
fn one(name: &str, item: &str) -> Result<Option<Value>, DecodeError> {
    let mut body = vec![0xa1, 0x60 | u8::try_from(name.len()).unwrap()];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&bytes(item));
    let value = decode(shape(EVERYTHING), &body, &Limits::REQUEST)?;
    Ok(member(EVERYTHING, &value, name).cloned())
}

fn type_error(name: &str, item: &str) -> String {
    match one(name, item) {
        Err(DecodeError::Type(problem)) => problem,
        other => panic!("{name} {item}: {other:?}"),
    }
}

/// RFC 8949, appendix A.
#[test]
fn items_are_read_as_the_standards_examples_say() {
    for (item, expected) in [
        ("00", json!(0)),
        ("17", json!(23)),
        ("1818", json!(24)),
        ("1864", json!(100)),
        ("1903e8", json!(1000)),
        ("1a000f4240", json!(1_000_000)),
        ("1b000000e8d4a51000", json!(1_000_000_000_000_i64)),
        ("1bffffffffffffffff", json!(u64::MAX)),
        ("20", json!(-1)),
        ("3863", json!(-100)),
        ("3903e7", json!(-1000)),
        ("f90000", json!(0.0)),
        ("f98000", json!(-0.0)),
        ("f93c00", json!(1.0)),
        ("f93e00", json!(1.5)),
        ("f97bff", json!(65504.0)),
        ("f90001", json!(5.960_464_477_539_063e-8)),
        ("f90400", json!(0.000_061_035_156_25)),
        ("f9c400", json!(-4.0)),
        ("fa47c35000", json!(100_000.0)),
        ("fa7f7fffff", json!(3.402_823_466_385_288_6e38)),
        ("fb3ff199999999999a", json!(1.1)),
        ("fb7e37e43c8800759c", json!(1e300)),
        ("fbc010666666666666", json!(-4.1)),
        ("f4", json!(false)),
        ("f5", json!(true)),
        ("f6", json!(null)),
        ("f7", json!(null)),
        ("60", json!("")),
        ("6449455446", json!("IETF")),
        ("62c3bc", json!("ü")),
        ("63e6b0b4", json!("水")),
        ("64f0908591", json!("𐅑")),
        ("80", json!([])),
        ("8301820203820405", json!([1, [2, 3], [4, 5]])),
        ("a26161016162820203", json!({"a": 1, "b": [2, 3]})),
        ("826161a161626163", json!(["a", {"b": "c"}])),
        ("7f657374726561646d696e67ff", json!("streaming")),
        ("9fff", json!([])),
        ("9f018202039f0405ffff", json!([1, [2, 3], [4, 5]])),
        ("83018202039f0405ff", json!([1, [2, 3], [4, 5]])),
        ("bf61610161629f0203ffff", json!({"a": 1, "b": [2, 3]})),
        ("bf6346756ef563416d7421ff", json!({"Fun": true, "Amt": -2})),
        ("d9d9f700", json!(0)),
    ] {
        assert_eq!(json_of(item), Ok(expected), "{item}");
    }
    for (item, expected) in [("f97c00", f64::INFINITY), ("f9fc00", f64::NEG_INFINITY), ("fa7f800000", f64::INFINITY)] {
        assert_eq!(one("Double", item), Ok(Some(Value::Double(expected))), "{item}");
    }
    assert!(matches!(one("Double", "f97e00"), Ok(Some(Value::Double(number))) if number.is_nan()));
    assert_eq!(one("Blob", "5f42010243030405ff"), Ok(Some(Value::Blob(vec![1, 2, 3, 4, 5]))));
}

#[test]
fn what_is_not_cbor_is_malformed() {
    for item in [
        "",
        "18",
        "19ff",
        "1c",
        "1f",
        "3f",
        "5c",
        "61",
        "62c3",
        "61ff",
        "7f6161",
        "7f01ff",
        "7f7f6161ffff",
        "5f6161ff",
        "81",
        "9f",
        "9f01",
        "a1",
        "a161",
        "a16161",
        "bf",
        "bf6161ff",
        "bf616101",
        "c1",
        "df00",
        "f8",
        "f800",
        "f8ff",
        "fc",
        "ff",
        "81ff",
        "0000",
        "80ff",
        "9bffffffffffffffff",
        "7bffffffffffffffff",
        "bbffffffffffffffff",
    ] {
        assert!(json_of(item).is_err(), "{item}");
        assert_eq!(decode(shape(EVERYTHING), &bytes(item), &Limits::REQUEST), Err(DecodeError::Malformed), "{item}");
    }
    assert_eq!(decode(shape(EVERYTHING), &bytes("a000"), &Limits::REQUEST), Err(DecodeError::Malformed), "a rest");
    assert_eq!(one("Unknown", "ff"), Err(DecodeError::Malformed));
}

#[test]
fn an_outermost_item_is_a_map_of_either_length() {
    for body in ["a0", "bfff", "d9d9f7a0"] {
        assert_eq!(decode(shape(NESTED), &bytes(body), &Limits::REQUEST), Ok(structure(NESTED, [])), "{body}");
    }
    for body in ["80", "00", "f6", "60"] {
        assert_eq!(decode(shape(NESTED), &bytes(body), &Limits::REQUEST), Err(DecodeError::Malformed), "{body}");
    }
}

#[test]
fn unknown_members_are_passed_over_and_null_ones_absent() {
    // {"label": "a", "other": [_ {"x": h'00'}, (_ "s"), 1("t"), 1.5, big], "labels": null, "label2": undefined}
    let body = "bf656c6162656c6161656f746865729fa161784100\
        7f6173ffc16174f93e00c24101ff666c6162656c73f6666c6162656c32f7ff";
    let expected = structure(NESTED, [("label", text("a"))]);
    assert_eq!(decode(shape(NESTED), &bytes(body), &Limits::REQUEST), Ok(expected));
    assert_eq!(one("Strings", "836161f66162"), Ok(Some(texts(&["a", "b"]))));
    assert_eq!(one("Map", "a26161f661626163"), Ok(Some(Value::Map(vec![("b".to_owned(), text("c"))]))));
    assert_eq!(one("String", "f7"), Ok(None));
    assert_eq!(one("Document", "f6"), Ok(None));
}

#[test]
fn a_name_that_comes_twice_means_what_it_says_last() {
    let body = bytes("a2656c6162656c6161656c6162656c6162");
    assert_eq!(decode(shape(NESTED), &body, &Limits::REQUEST), Ok(structure(NESTED, [("label", text("b"))])));
}

#[test]
fn members_go_by_their_names_in_the_model() {
    assert_eq!(one("Renamed", "6161"), Ok(Some(text("a"))));
    let value = structure(EVERYTHING, [("Renamed", text("a"))]);
    assert_eq!(hex::encode(encode(shape(EVERYTHING), &value)), "a16752656e616d65646161");
}

#[test]
fn numbers_are_taken_in_every_width_that_holds_them() {
    for item in ["05", "1805", "190005", "1a00000005", "1b0000000000000005"] {
        assert_eq!(one("Integer", item), Ok(Some(Value::Integer(5))));
        assert_eq!(one("Long", item), Ok(Some(Value::Integer(5))));
        assert_eq!(one("Double", item), Ok(Some(Value::Double(5.0))));
        assert_eq!(one("Float", item), Ok(Some(Value::Double(5.0))));
    }
    assert_eq!(one("Long", "1b7fffffffffffffff"), Ok(Some(Value::Integer(i64::MAX))));
    assert_eq!(one("Long", "3b7fffffffffffffff"), Ok(Some(Value::Integer(i64::MIN))));
    assert_eq!(one("Integer", "3a7fffffff"), Ok(Some(Value::Integer(i32::MIN.into()))));
}

#[test]
fn numbers_that_no_member_can_hold_are_refused_by_name() {
    assert_eq!(type_error("Integer", "1a80000000"), "INTEGER can not be converted to Integer");
    assert_eq!(type_error("Long", "1b8000000000000000"), "INTEGER can not be converted to Long");
    assert_eq!(type_error("Long", "c249010000000000000000"), "A number beyond 64 bits is no Long.");
    assert_eq!(type_error("Double", "c349010000000000000000"), "A number beyond 64 bits is no Double.");
    assert_eq!(type_error("Integer", "f93e00"), "FLOAT can not be converted to Integer");
}

#[test]
fn an_item_of_another_type_is_refused_by_what_it_is() {
    assert_eq!(type_error("String", "01"), "INTEGER can not be converted to String");
    assert_eq!(type_error("String", "4161"), "BYTE_STRING can not be converted to String");
    assert_eq!(type_error("Blob", "6161"), "TEXT_STRING can not be converted to Blob");
    assert_eq!(type_error("Bool", "00"), "INTEGER can not be converted to Boolean");
    assert_eq!(type_error("Strings", "a0"), "MAP can not be converted to List");
    assert_eq!(type_error("Map", "80"), "ARRAY can not be converted to Map");
    assert_eq!(type_error("Nested", "f5"), "BOOLEAN can not be converted to Structure");
    assert_eq!(type_error("Nested", "a10101"), "The keys of a map must be text.");
    assert_eq!(type_error("Document", "4161"), "BYTE_STRING can not be converted to Document");
    assert_eq!(type_error("Document", "f97e00"), "FLOAT can not be converted to Document");
}

#[test]
fn an_instant_is_a_tagged_number_whatever_the_model_says() {
    let epoch = Some(Value::Timestamp(Timestamp::from_secs(1_363_896_240)));
    for name in ["Time", "Epoch", "Iso", "HttpDate"] {
        assert_eq!(one(name, "c11a514b67b0"), Ok(epoch.clone()), "{name}");
        assert_eq!(one(name, "c1fb41d452d9ec000000"), Ok(epoch.clone()), "{name}");
    }
    assert_eq!(one("Time", "c120"), Ok(Some(Value::Timestamp(Timestamp::from_secs(-1)))));
    assert_eq!(one("Time", "c1f93c00"), Ok(Some(Value::Timestamp(Timestamp::from_secs(1)))));
    let half = Value::Timestamp(Timestamp::from_millis(1500));
    assert_eq!(
        hex::encode(encode(shape(EVERYTHING), &structure(EVERYTHING, [("Iso", half)]))),
        "a16349736fc1fa3fc00000"
    );
    assert_eq!(type_error("Time", "1a514b67b0"), "INTEGER can not be converted to Timestamp");
    assert_eq!(type_error("Time", "c11b7fffffffffffffff"), "INTEGER can not be converted to Timestamp");
    assert_eq!(type_error("Time", "c1f97e00"), "FLOAT can not be converted to Timestamp");
    assert_eq!(type_error("Time", "c16161"), "TEXT_STRING can not be converted to Timestamp");
}

#[test]
fn nesting_and_the_number_of_values_are_bounded() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0x80]].concat();
    assert!(decode_json(&nested(DEPTH_MAX - 2), &Limits::REQUEST).is_ok());
    for depth in [DEPTH_MAX, 100_000] {
        assert!(decode_json(&nested(depth), &Limits::REQUEST).is_err());
        let unknown = [&b"\xa1\x61x"[..], &nested(depth)].concat();
        assert_eq!(decode(shape(NESTED), &unknown, &Limits::REQUEST), Err(DecodeError::Malformed));
        let children: Vec<u8> = b"\xa1\x65child".repeat(depth);
        assert!(decode(shape(NESTED), &children, &Limits::REQUEST).is_err());
    }
    let tags = [vec![0xc6; 1_000_000], vec![0x00]].concat();
    assert_eq!(decode_json(&tags, &Limits::REQUEST), Ok(json!(0)), "a row of tags is no nesting");
    let many = [&b"\xa1\x67Strings\x9f"[..], &b"\x60".repeat(1000), b"\xff"].concat();
    let limits = Limits { values_max: 500 };
    let too_many = DecodeError::Type("The request holds too many values.".to_owned());
    assert_eq!(decode(shape(EVERYTHING), &many, &limits), Err(too_many));
    assert!(decode(shape(EVERYTHING), &many, &Limits::REQUEST).is_ok());
}

#[test]
fn a_value_is_written_in_the_least_form() {
    let value = structure(
        EVERYTHING,
        [
            ("Bool", Value::Bool(true)),
            ("Double", Value::Double(1.1)),
            ("Float", Value::Double(1.5)),
            ("Long", Value::Integer(-500)),
            ("Map", Value::Map(vec![("k".to_owned(), text("v"))])),
            ("Strings", texts(&["a"])),
        ],
    );
    let expected = "a664426f6f6cf566446f75626c65fb3ff199999999999a65466c6f6174fa3fc00000644c6f6e673901f3\
        634d6170a1616b617667537472696e6773816161";
    assert_eq!(hex::encode(encode(shape(EVERYTHING), &value)), expected);
    assert_eq!(hex::encode(encode(shape(NESTED), &structure(NESTED, []))), "a0");
    for (number, item) in [(23, "17"), (24, "1818"), (255, "18ff"), (256, "190100"), (65536, "1a00010000")] {
        assert_eq!(hex::encode(encode_json(&json!(number))), item);
    }
    assert_eq!(
        hex::encode(encode_json(&json!([u64::MAX, -1, i64::MIN, null]))),
        "841bffffffffffffffff203b7ffffffffffffffff6"
    );
}

const TEXT: &str = " RpcV2 blobValue byteValue datetime doubleValue falseBooleanValue floatValue integerValue longValue \
    shortValue stringValue trueBooleanValue ";

const fn m(name: &str, shape: u16) -> Member {
    Member::new(find(TEXT, name), shape)
}

/// What the protocol's own tests send.
static PUBLISHED: Schema = Schema {
    text: TEXT,
    shapes: &[
        Shape::rows(find(TEXT, "RpcV2"), Kind::Structure, 0, 11),
        Shape::simple(Text::NONE, Kind::Blob),
        Shape::simple(Text::NONE, Kind::Integer),
        Shape::simple(Text::NONE, Kind::Timestamp),
        Shape::simple(Text::NONE, Kind::Double),
        Shape::simple(Text::NONE, Kind::Boolean),
        Shape::simple(Text::NONE, Kind::Float),
        Shape::simple(Text::NONE, Kind::Long),
        Shape::simple(Text::NONE, Kind::String),
    ],
    members: &[
        m("blobValue", 1),
        m("byteValue", 2),
        m("datetime", 3),
        m("doubleValue", 4),
        m("falseBooleanValue", 5),
        m("floatValue", 6),
        m("integerValue", 2),
        m("longValue", 7),
        m("shortValue", 2),
        m("stringValue", 8),
        m("trueBooleanValue", 5),
    ],
    words: &[],
};

/// Smithy's protocol tests: RpcV2CborSimpleScalarProperties, RpcV2CborDateTimeWithFractionalSeconds.
#[test]
fn the_protocols_published_bodies_are_read() {
    let read = |body: &str| decode(PUBLISHED.shape(0), &BASE64.decode(body).unwrap(), &Limits::REQUEST).unwrap();
    let scalars = read(
        "v2lieXRlVmFsdWUFa2RvdWJsZVZhbHVl+z/+OVgQYk3TcWZhbHNlQm9vbGVhblZhbHVl9GpmbG9hdFZhbHVl+kD0AABsaW50ZWdlclZhbHVlGQEAaWxv\
         bmdWYWx1ZRkmkWpzaG9ydFZhbHVlGSaqa3N0cmluZ1ZhbHVlZnNpbXBsZXB0cnVlQm9vbGVhblZhbHVl9WlibG9iVmFsdWVDZm9v/w==",
    );
    let expected = Value::Structure(vec![
        Some(Value::Blob(b"foo".to_vec())),
        Some(Value::Integer(5)),
        None,
        Some(Value::Double(1.889)),
        Some(Value::Bool(false)),
        Some(Value::Double(7.625)),
        Some(Value::Integer(256)),
        Some(Value::Integer(9873)),
        Some(Value::Integer(9898)),
        Some(text("simple")),
        Some(Value::Bool(true)),
    ]);
    assert_eq!(scalars, expected);
    let Value::Structure(fields) = read("v2hkYXRldGltZcH7Qcw32zgPvnf/") else { panic!("a structure") };
    assert_eq!(fields[2], Some(Value::Timestamp(Timestamp::from_millis(946_845_296_123))));
}
