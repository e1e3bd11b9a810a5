use super::*;
use crate::fixture::{CHOICE, EVERYTHING, NESTED, member, shape, structure, text, texts};

fn read(form: &str) -> Value {
    attempt(form).unwrap_or_else(|error| panic!("{form}: {error}"))
}

fn attempt(form: &str) -> Result<Value, DecodeError> {
    Form::parse(form.as_bytes())?.decode(shape(EVERYTHING))
}

fn problem(form: &str) -> String {
    match attempt(form) {
        Ok(value) => panic!("{form} was read as {value:?}"),
        Err(error) => error.to_string(),
    }
}

fn reads(form: &str, name: &'static str, value: Value) {
    assert_eq!(member(EVERYTHING, &read(form), name), Some(&value), "{form}");
}

#[test]
fn every_scalar_is_read() {
    reads("String=a+b%26c%3D%F0%9F%98%80", "String", text("a b&c=\u{1f600}"));
    reads("Colour=red", "Colour", text("red"));
    reads("Bool=true", "Bool", Value::Bool(true));
    reads("Bool=False", "Bool", Value::Bool(false));
    reads("Bool=1", "Bool", Value::Bool(true));
    reads("Integer=-7", "Integer", Value::Integer(-7));
    reads("Long=9223372036854775807", "Long", Value::Integer(i64::MAX));
    reads("Double=1.5", "Double", Value::Double(1.5));
    reads("Double=-Infinity", "Double", Value::Double(f64::NEG_INFINITY));
    reads("Float=1e3", "Float", Value::Double(1000.0));
    reads("Blob=aGVsbG8%3D", "Blob", Value::Blob(b"hello".to_vec()));
    reads("renamed=x", "Renamed", text("x"));
    assert!(matches!(member(EVERYTHING, &read("Double=NaN"), "Double"), Some(Value::Double(n)) if n.is_nan()));
}

#[test]
fn each_timestamp_has_its_format() {
    let time = Value::Timestamp(Timestamp::from_secs(1_398_796_238));
    reads("Time=2014-04-29T18%3A30%3A38Z", "Time", time.clone());
    reads("Iso=2014-04-29T20%3A30%3A38%2B02%3A00", "Iso", time.clone());
    reads("Epoch=1398796238", "Epoch", time.clone());
    reads("Epoch=1398796238.25", "Epoch", Value::Timestamp(Timestamp::from_millis(1_398_796_238_250)));
    reads("HttpDate=Tue%2C+29+Apr+2014+18%3A30%3A38+GMT", "HttpDate", time);
    for form in ["Time=1398796238", "Epoch=inf", "Epoch=1e300", "HttpDate=x", "Time="] {
        assert!(problem(form).starts_with("Invalid value for parameter"), "{form}");
    }
}

#[test]
fn lists_are_numbered() {
    reads("Strings.member.1=a&Strings.member.2=b", "Strings", texts(&["a", "b"]));
    reads("Strings.member.2=b&Strings.member.1=a", "Strings", texts(&["a", "b"]));
    reads("Items.item.1=a", "Items", texts(&["a"]));
    reads("Items.member.1=a", "Items", texts(&["a"]));
    reads("Flat.1=a&Flat.2=b", "Flat", texts(&["a", "b"]));
    reads("FlatItems.1=a", "FlatItems", texts(&["a"]));
    reads(
        "Lists.member.1.member.1=a&Lists.member.2.member.1=b&Lists.member.2.member.2=c",
        "Lists",
        Value::List(vec![texts(&["a"]), texts(&["b", "c"])]),
    );
    let eleven: String = (1..=11).map(|n| format!("Strings.member.{n}={n}&")).collect();
    reads(&eleven, "Strings", texts(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]));
}

#[test]
fn structures_are_dotted() {
    let nested = structure(NESTED, [("label", text("x")), ("labels", texts(&["y"]))]);
    reads("Nested.label=x&Nested.labels.member.1=y", "Nested", nested.clone());
    reads(
        "Nested.child.label=x&Nested.child.labels.member.1=y",
        "Nested",
        structure(NESTED, [("child", nested.clone())]),
    );
    reads("Nesteds.member.1.label=x&Nesteds.member.1.labels.member.1=y", "Nesteds", Value::List(vec![nested.clone()]));
    reads("FlatNesteds.1.label=x&FlatNesteds.1.labels.member.1=y", "FlatNesteds", Value::List(vec![nested]));
    reads("Choice.text=x", "Choice", structure(CHOICE, [("text", text("x"))]));
}

#[test]
fn maps_are_numbered_entries() {
    let pair = |key: &str, value: Value| (key.to_owned(), value);
    reads(
        "Map.entry.1.key=a&Map.entry.1.value=1&Map.entry.2.key=b&Map.entry.2.value=2",
        "Map",
        Value::Map(vec![pair("a", text("1")), pair("b", text("2"))]),
    );
    reads(
        "RenamedMap.entry.1.K=a&RenamedMap.entry.1.V=1",
        "RenamedMap",
        Value::Map(vec![pair("a", Value::Integer(1))]),
    );
    reads("FlatMap.1.K=a&FlatMap.1.V=1", "FlatMap", Value::Map(vec![pair("a", Value::Integer(1))]));
    reads(
        "NestedMap.entry.1.key=a&NestedMap.entry.1.value.label=x",
        "NestedMap",
        Value::Map(vec![pair("a", structure(NESTED, [("label", text("x"))]))]),
    );
    reads(
        "ListMap.entry.1.key=a&ListMap.entry.1.value.member.1=x",
        "ListMap",
        Value::Map(vec![pair("a", texts(&["x"]))]),
    );
    reads("Map.entry.1.value=1", "Map", Value::Map(vec![pair("", text("1"))]));
}

#[test]
fn absent_and_empty_differ() {
    assert_eq!(read(""), structure(EVERYTHING, []));
    assert_eq!(read("Action=Echo&Version=2010-05-08&Nope.member.1=x&&"), structure(EVERYTHING, []));
    reads("String=", "String", text(""));
    reads("String", "String", text(""));
    reads("Strings=", "Strings", texts(&[]));
    reads("Flat=", "Flat", texts(&[]));
    reads("Map=", "Map", Value::Map(Vec::new()));
    reads("Nested=", "Nested", structure(NESTED, []));
    reads("Strings.member.1=", "Strings", texts(&[""]));
}

#[test]
fn of_a_parameter_that_comes_twice_the_first_counts() {
    let form = Form::parse(b"Action=A&Action=B&String=1&String=2").unwrap();
    assert_eq!(form.get("Action"), Some("A"));
    reads("String=1&String=2", "String", text("1"));
    reads("Strings.member.1=a&Strings.member.1=b", "Strings", texts(&["a"]));
}

#[test]
fn a_small_gap_in_a_list_is_filled_and_a_wide_one_refused() {
    reads("Strings.member.1=a&Strings.member.3=c", "Strings", texts(&["a", "", "c"]));
    reads("Strings.member.3=c", "Strings", texts(&["", "", "c"]));
    let nested = |name: &'static str| structure(NESTED, [("label", text(name))]);
    reads("Nesteds.member.2.label=x", "Nesteds", Value::List(vec![structure(NESTED, []), nested("x")]));
    for (form, sentence) in [
        ("Flat.1=a&Flat.2=a&Flat.3=a&Flat.14=a", "Excessively sparse input would skip 11 list elements"),
        ("Flat.1=a&Flat.1500=a", "Excessively sparse input would skip 1,499 list elements"),
        ("Flat.1500=a", "Excessively sparse input would skip 1,499 list elements"),
        ("Flat.214748369=a", "Excessively sparse input would skip 214,748,368 list elements"),
        ("Flat.214748370=a", "Index 214748370 is illegal"),
        ("Flat.1000000000=a", "Index 1000000000 is illegal"),
        ("Flat.99999999999999999999999999=a", "Index 99999999999999999999 is illegal"),
        ("Flat.0=a", "0 is not a valid index"),
        ("Flat.01=a", "Value found where not expected"),
        ("Flat.x=a", "Start of list found where not expected"),
        ("Flat.-1=a", "Start of list found where not expected"),
        ("Flat.=a", "Start of list found where not expected"),
        ("Flat.%D9%A1=a", "Start of list found where not expected"),
        ("Map.entry.x.key=a", "Start of list found where not expected"),
    ] {
        assert_eq!(problem(form), sentence, "{form}");
    }
    reads("Flat.1=a&Flat.11=b", "Flat", texts(&["a", "", "", "", "", "", "", "", "", "", "b"]));
}

#[test]
fn a_value_of_another_type_is_refused() {
    for (form, sentence) in [
        ("Integer=abc", "Invalid value for parameter Integer: abc"),
        ("Integer=99999999999", "Invalid value for parameter Integer: 99999999999"),
        ("Integer=1.5", "Invalid value for parameter Integer: 1.5"),
        ("Integer=", "missing value for decimal type"),
        ("Long=", "missing value for decimal type"),
        ("Double=inf", "Invalid value for parameter Double: inf"),
        ("Double=1e999", "Invalid value for parameter Double: 1e999"),
        ("Bool=yes", "Invalid value for parameter Bool: yes"),
        ("Blob=%25", "Invalid value for parameter Blob: %"),
        ("String.x=a", "Start of structure or map found where not expected."),
    ] {
        assert_eq!(problem(form), sentence, "{form}");
    }
    let long = format!("Integer={}", "x".repeat(100_000));
    assert!(problem(&long).len() < 200);
}

#[test]
fn a_form_is_bounded_in_parameters_depth_and_nodes() {
    let parameters = |count: usize| (0..count).map(|n| format!("p{n}=&")).collect::<String>();
    assert!(Form::parse(parameters(10_000).as_bytes()).is_ok());
    assert_eq!(Form::parse(parameters(10_001).as_bytes()).unwrap_err(), DecodeError::TooLarge);
    let deep = |segments: usize| format!("{}=x", vec!["a"; segments].join("."));
    assert!(Form::parse(deep(32).as_bytes()).is_ok());
    assert_eq!(Form::parse(deep(33).as_bytes()).unwrap_err(), DecodeError::TooLarge);
    assert_eq!(Form::parse(".".repeat(6_000_000).as_bytes()).unwrap_err(), DecodeError::TooLarge);
    let wide: String = (0..1000).map(|n| format!("{n}{}=x&", ".a".repeat(30))).collect();
    assert_eq!(Form::parse(wide.as_bytes()).unwrap_err(), DecodeError::TooLarge);
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    reads("String=%FF%FEa", "String", text("\u{fffd}\u{fffd}a"));
    let form = Form::parse(b"String=\xffa%").unwrap().decode(shape(EVERYTHING)).unwrap();
    assert_eq!(member(EVERYTHING, &form, "String"), Some(&text("\u{fffd}a%")));
}
