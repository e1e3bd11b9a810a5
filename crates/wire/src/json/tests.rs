use serde_json::json;

use super::*;
use crate::fixture::{EVERYTHING, NESTED, member, shape, structure, text, texts};

fn read(body: &str) -> Value {
    decode(shape(EVERYTHING), body.as_bytes(), &Limits::REQUEST).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn refusal(body: &str) -> DecodeError {
    match decode(shape(EVERYTHING), body.as_bytes(), &Limits::REQUEST) {
        Ok(value) => panic!("{body} was read as {value:?}"),
        Err(error) => error,
    }
}

fn problem(body: &str) -> String {
    match refusal(body) {
        DecodeError::Type(problem) => problem,
        DecodeError::Malformed => panic!("{body} counts as malformed"),
    }
}

fn written(members: impl IntoIterator<Item = (&'static str, Value)>) -> serde_json::Value {
    let body = encode(shape(EVERYTHING), &structure(EVERYTHING, members));
    serde_json::from_slice(&body).unwrap()
}

/// Reads one member, and writes it to the same JSON again.
fn both_ways(name: &'static str, json: serde_json::Value, value: Value) {
    let wire_name = shape(EVERYTHING).members().find(|m| m.name() == name).unwrap().wire_name();
    let body = json!({ wire_name: json });
    assert_eq!(member(EVERYTHING, &read(&body.to_string()), name), Some(&value), "reading {body}");
    assert_eq!(written([(name, value)]), body, "writing {body}");
}

#[test]
fn every_kind_is_read_and_written() {
    both_ways("String", json!("a \"b\" \u{1f600} \n"), text("a \"b\" \u{1f600} \n"));
    both_ways("Colour", json!("red"), text("red"));
    both_ways("Bool", json!(true), Value::Bool(true));
    both_ways("Integer", json!(-7), Value::Integer(-7));
    both_ways("Long", json!(i64::MIN), Value::Integer(i64::MIN));
    both_ways("Double", json!(1.5), Value::Double(1.5));
    both_ways("Float", json!(-0.25), Value::Double(-0.25));
    both_ways("Blob", json!("aGVsbG8="), Value::Blob(b"hello".to_vec()));
    both_ways("Document", json!({"a": [1, null, {"b": true}]}), Value::Document(json!({"a": [1, null, {"b": true}]})));
    both_ways("Strings", json!(["a", ""]), texts(&["a", ""]));
    both_ways(
        "Lists",
        json!([["a"], [], ["b", "c"]]),
        Value::List(vec![texts(&["a"]), texts(&[]), texts(&["b", "c"])]),
    );
    both_ways("Map", json!({"a": "1", "b": "2"}), Value::Map(vec![("a".into(), text("1")), ("b".into(), text("2"))]));
    both_ways("ListMap", json!({"a": ["1"]}), Value::Map(vec![("a".into(), texts(&["1"]))]));
    both_ways("Empty", json!({}), structure(crate::fixture::EMPTY, []));
    both_ways("Choice", json!({"text": "x"}), structure(crate::fixture::CHOICE, [("text", text("x"))]));
}

#[test]
fn a_structure_may_contain_itself() {
    let inner = structure(NESTED, [("label", text("inner"))]);
    let outer = structure(NESTED, [("child", inner.clone()), ("labels", texts(&["x"]))]);
    both_ways("Nested", json!({"child": {"label": "inner"}, "labels": ["x"]}), outer);
    both_ways("Nesteds", json!([{"label": "inner"}]), Value::List(vec![inner.clone()]));
    both_ways("NestedMap", json!({"k": {"label": "inner"}}), Value::Map(vec![("k".into(), inner)]));
}

#[test]
fn renamed_members_go_by_their_name_on_the_wire() {
    both_ways("Renamed", json!("x"), text("x"));
    assert_eq!(member(EVERYTHING, &read(r#"{"Renamed":"x"}"#), "Renamed"), None);
}

#[test]
fn each_timestamp_has_its_format_and_takes_no_other() {
    let time = Timestamp::from_millis(1_398_796_238_123);
    both_ways("Time", json!(1_398_796_238), Value::Timestamp(Timestamp::from_secs(1_398_796_238)));
    both_ways("Epoch", json!(1_398_796_238.123), Value::Timestamp(time));
    both_ways("Iso", json!("2014-04-29T18:30:38.123Z"), Value::Timestamp(time));
    both_ways(
        "HttpDate",
        json!("Tue, 29 Apr 2014 18:30:38 GMT"),
        Value::Timestamp(Timestamp::from_secs(1_398_796_238)),
    );
    both_ways("Time", json!(-1.5), Value::Timestamp(Timestamp::from_millis(-1500)));
    assert_eq!(
        member(EVERYTHING, &read(r#"{"Time":1.398796238E9}"#), "Time"),
        Some(&Value::Timestamp(Timestamp::from_secs(1_398_796_238)))
    );
    assert_eq!(
        problem(r#"{"Time":"2014-04-29T18:30:38Z"}"#),
        "STRING_VALUE can not be converted to milliseconds since epoch"
    );
    assert_eq!(problem(r#"{"Iso":1398796238}"#), "NUMBER_VALUE can not be converted to milliseconds since epoch");
    assert_eq!(problem(r#"{"Time":1e300}"#), "NUMBER_VALUE can not be converted to milliseconds since epoch");
    assert_eq!(problem(r#"{"Iso":"yesterday"}"#), "STRING_VALUE can not be converted to milliseconds since epoch");
}

#[test]
fn numbers_that_json_has_not_are_words() {
    for (word, number) in [("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)] {
        both_ways("Double", json!(word), Value::Double(number));
        both_ways("Float", json!(word), Value::Double(number));
    }
    let read = read(r#"{"Double":"NaN"}"#);
    assert!(matches!(member(EVERYTHING, &read, "Double"), Some(Value::Double(number)) if number.is_nan()));
    assert_eq!(written([("Double", Value::Double(f64::NAN))]), json!({"Double": "NaN"}));
    assert_eq!(problem(r#"{"Double":"1.5"}"#), "STRING_VALUE can not be converted to a Double");
    assert_eq!(refusal(r#"{"Double":NaN}"#), DecodeError::Malformed);
}

#[test]
fn an_integer_is_cut_to_what_its_type_holds() {
    for (body, number) in [
        (r#"{"Integer":1.9}"#, 1),
        (r#"{"Integer":-1.9}"#, -1),
        (r#"{"Integer":99999999999}"#, i64::from(i32::MAX)),
        (r#"{"Integer":-99999999999}"#, i64::from(i32::MIN)),
        (r#"{"Integer":1e300}"#, i64::from(i32::MAX)),
        (r#"{"Integer":18446744073709551615}"#, i64::from(i32::MAX)),
    ] {
        assert_eq!(member(EVERYTHING, &read(body), "Integer"), Some(&Value::Integer(number)), "{body}");
    }
    let long = read(r#"{"Long":18446744073709551615}"#);
    assert_eq!(member(EVERYTHING, &long, "Long"), Some(&Value::Integer(i64::MAX)));
}

#[test]
fn null_means_absent_everywhere() {
    assert_eq!(read(r#"{"String":null,"Nested":null,"Strings":null,"Document":null}"#), structure(EVERYTHING, []));
    assert_eq!(read(r#"{"String":"a","String":null}"#), structure(EVERYTHING, []));
    assert_eq!(member(EVERYTHING, &read(r#"{"Strings":["a",null,"b"]}"#), "Strings"), Some(&texts(&["a", "b"])));
    assert_eq!(
        member(EVERYTHING, &read(r#"{"Map":{"a":null,"b":"2"}}"#), "Map"),
        Some(&Value::Map(vec![("b".into(), text("2"))]))
    );
}

#[test]
fn absent_and_empty_differ() {
    let value = read(r#"{"String":"","Strings":[],"Map":{},"Nested":{},"Blob":""}"#);
    assert_eq!(member(EVERYTHING, &value, "String"), Some(&text("")));
    assert_eq!(member(EVERYTHING, &value, "Strings"), Some(&texts(&[])));
    assert_eq!(member(EVERYTHING, &value, "Map"), Some(&Value::Map(Vec::new())));
    assert_eq!(member(EVERYTHING, &value, "Nested"), Some(&structure(NESTED, [])));
    assert_eq!(member(EVERYTHING, &value, "Blob"), Some(&Value::Blob(Vec::new())));
    assert_eq!(member(EVERYTHING, &value, "Items"), None);
}

#[test]
fn members_that_the_shape_has_not_are_passed_over() {
    let body = r#"{"__type":"x","Nope":{"deep":[1,{"a":[null,true]}],"s":"\ud83d\ude00"},"String":"a"}"#;
    assert_eq!(read(body), structure(EVERYTHING, [("String", text("a"))]));
}

#[test]
fn what_comes_twice_means_what_it_says_last() {
    assert_eq!(member(EVERYTHING, &read(r#"{"Integer":1,"Integer":2}"#), "Integer"), Some(&Value::Integer(2)));
    assert_eq!(
        member(EVERYTHING, &read(r#"{"Map":{"a":"1","b":"2","a":"3"}}"#), "Map"),
        Some(&Value::Map(vec![("a".into(), text("3")), ("b".into(), text("2"))]))
    );
}

#[test]
fn a_value_of_another_type_is_refused_in_the_words_of_aws() {
    for (body, sentence) in [
        (r#"{"Integer":"1"}"#, "STRING_VALUE can not be converted to an Integer"),
        (r#"{"Integer":true}"#, "TRUE_VALUE can not be converted to an Integer"),
        (r#"{"Integer":[1]}"#, "Start of list found where not expected"),
        (r#"{"Integer":{"a":1}}"#, "Start of structure or map found where not expected."),
        (r#"{"String":1}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"String":1.5}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"String":false}"#, "FALSE_VALUE can not be converted to a String"),
        (r#"{"Colour":1}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"Bool":1}"#, "NUMBER_VALUE can not be converted to a Boolean"),
        (r#"{"Long":"x"}"#, "STRING_VALUE can not be converted to a Long"),
        (r#"{"Blob":"no base64!"}"#, "STRING_VALUE can not be converted to a Blob"),
        (r#"{"Strings":"x"}"#, "Expected list or null"),
        (r#"{"Strings":1}"#, "Expected list or null"),
        (r#"{"Strings":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"Strings":[1]}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"Map":"x"}"#, "Expected map or null"),
        (r#"{"Map":[]}"#, "Start of list found where not expected"),
        (r#"{"Nested":"x"}"#, "Expected null"),
        (r#"{"Nested":1}"#, "Expected null"),
        (r#"{"Nested":["a","b"]}"#, "Start of list found where not expected"),
        (r#"{"Nesteds":["a"]}"#, "Expected null"),
        ("[]", "Start of list found where not expected"),
    ] {
        assert_eq!(problem(body), sentence, "{body}");
    }
}

#[test]
fn what_is_no_json_object_is_malformed() {
    for body in [
        "",
        "  ",
        "{",
        "}",
        "null",
        "\"x\"",
        "1",
        "true",
        "{\"Integer\":1,}",
        "{\"Integer\" 1}",
        "{}{}",
        "{} x",
        "{'a':1}",
        "{\"String\":\"\\ud800\"}",
        "{\"String\":\"a\nb\"}",
        "{\"Integer\":01}",
        "{\"Integer\":1e999}",
        "\u{feff}{}",
    ] {
        assert_eq!(refusal(body), DecodeError::Malformed, "{body:?}");
    }
    for body in [&b"{\"String\":\"\xff\"}"[..], b"\xff\xfe", b"{\"\xff\":1}", b"\0"] {
        assert_eq!(decode(shape(EVERYTHING), body, &Limits::REQUEST), Err(DecodeError::Malformed), "{body:?}");
    }
}

#[test]
fn nesting_ends_before_the_stack_does() {
    for open in ["[", "{\"Nested\":", "{\"Nope\":[", "{\"Document\":["] {
        let _ = refusal(&open.repeat(500_000));
    }
    let deep = |levels: usize| format!("{}{{}}{}", "{\"Nested\":{\"child\":".repeat(levels), "}}".repeat(levels));
    read(&format!("{{\"Nested\":{}{{}}{}}}", "{\"child\":".repeat(100), "}".repeat(100)));
    assert_eq!(
        refusal(&format!("{{\"Nested\":{}{{}}{}}}", "{\"child\":".repeat(200), "}".repeat(200))),
        DecodeError::Malformed
    );
    let _ = decode(shape(EVERYTHING), deep(1000).as_bytes(), &Limits::REQUEST);
}

#[test]
fn values_are_counted_with_the_places_of_absent_members() {
    let limits = Limits { values_max: 100 };
    let read = |body: String| decode(shape(EVERYTHING), body.as_bytes(), &limits);
    let list = |item: &str, count: usize| vec![item; count].join(",");
    let too_many = Err(DecodeError::Type("The request holds too many values.".to_owned()));
    assert!(read(format!("{{\"Strings\":[{}]}}", list("\"\"", 60))).is_ok());
    assert_eq!(read(format!("{{\"Strings\":[{}]}}", list("\"\"", 100))), too_many);
    assert_eq!(read(format!("{{\"Nesteds\":[{}]}}", list("{}", 20))), too_many);
    assert_eq!(read(format!("{{\"Document\":[{}]}}", list("0", 100))), too_many);
    assert!(read(format!("{{\"Nope\":[{}]}}", list("0", 10_000))).is_ok(), "what is not kept costs nothing");
    assert_eq!(
        decode(
            shape(EVERYTHING),
            format!("{{\"Strings\":[{}]}}", list("\"\"", 1_000_000)).as_bytes(),
            &Limits::REQUEST
        ),
        too_many
    );
}
