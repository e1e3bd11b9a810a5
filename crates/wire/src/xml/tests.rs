use base::Timestamp;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::json;

use super::*;
use crate::fixture::{CHOICE, EMPTY, EVERYTHING, NESTED, shape, structure, text, texts};

/// What a strict parser makes of an element: its name, and either its text or its children.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String, String),
    Parent(String, Vec<Node>),
}

fn t(name: &str, text: &str) -> Node {
    Node::Text(name.to_owned(), text.to_owned())
}

fn p(name: &str, children: impl IntoIterator<Item = Node>) -> Node {
    Node::Parent(name.to_owned(), children.into_iter().collect())
}

/// Reads a document by a parser that is not ours.
fn parse(xml: &str) -> Node {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<(String, String, Vec<Node>)> = Vec::new();
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{xml}: {error}")) {
            Event::Start(start) => {
                let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                open.push((name, String::new(), Vec::new()));
            }
            Event::Text(found) => {
                if let Some((_, text, _)) = open.last_mut() {
                    text.push_str(&found.decode().unwrap());
                }
            }
            Event::GeneralRef(reference) => {
                let text = &mut open.last_mut().unwrap().1;
                match reference.resolve_char_ref().unwrap() {
                    Some(c) => text.push(c),
                    None => text.push_str(quick_xml::escape::resolve_xml_entity(&reference.decode().unwrap()).unwrap()),
                }
            }
            Event::End(_) => {
                let (name, text, children) = open.pop().unwrap();
                let node = if children.is_empty() { Node::Text(name, text) } else { Node::Parent(name, children) };
                match open.last_mut() {
                    Some((_, _, siblings)) => siblings.push(node),
                    None => return node,
                }
            }
            Event::Eof => panic!("{xml} ends early"),
            other => panic!("{xml} holds {other:?}"),
        }
    }
}

fn written(members: impl IntoIterator<Item = (&'static str, Value)>) -> String {
    let mut writer = Writer::default();
    writer.element("R", None, |w| w.members(shape(EVERYTHING), &structure(EVERYTHING, members)));
    writer.finish()
}

fn writes(name: &'static str, value: Value, nodes: impl IntoIterator<Item = Node>) {
    assert_eq!(parse(&written([(name, value)])), p("R", nodes), "{name}");
}

#[test]
fn every_scalar_is_written() {
    writes("String", text("a"), [t("String", "a")]);
    writes("String", text(""), [t("String", "")]);
    writes("Renamed", text("a"), [t("renamed", "a")]);
    writes("Colour", text("red"), [t("Colour", "red")]);
    writes("Bool", Value::Bool(false), [t("Bool", "false")]);
    writes("Long", Value::Integer(i64::MIN), [t("Long", "-9223372036854775808")]);
    writes("Double", Value::Double(1.5), [t("Double", "1.5")]);
    writes("Double", Value::Double(f64::NAN), [t("Double", "NaN")]);
    writes("Double", Value::Double(f64::INFINITY), [t("Double", "Infinity")]);
    writes("Float", Value::Double(f64::NEG_INFINITY), [t("Float", "-Infinity")]);
    writes("Blob", Value::Blob(b"hello".to_vec()), [t("Blob", "aGVsbG8=")]);
    writes("Document", Value::Document(json!({"a": "<"})), [t("Document", "{\"a\":\"<\"}")]);
}

#[test]
fn each_timestamp_has_its_format() {
    let time = |millis| Value::Timestamp(Timestamp::from_millis(millis));
    writes("Time", time(1_398_796_238_000), [t("Time", "2014-04-29T18:30:38Z")]);
    writes("Iso", time(1_398_796_238_123), [t("Iso", "2014-04-29T18:30:38.123Z")]);
    writes("HttpDate", time(1_398_796_238_000), [t("HttpDate", "Tue, 29 Apr 2014 18:30:38 GMT")]);
    writes("Epoch", time(1_398_796_238_000), [t("Epoch", "1398796238")]);
    writes("Epoch", time(-1_500), [t("Epoch", "-1.5")]);
}

#[test]
fn lists_are_wrapped_unless_they_are_flattened() {
    writes("Strings", texts(&["a", "b"]), [p("Strings", [t("member", "a"), t("member", "b")])]);
    writes("Strings", texts(&[]), [t("Strings", "")]);
    writes("Items", texts(&["a"]), [p("Items", [t("item", "a")])]);
    writes("Flat", texts(&["a", "b"]), [t("Flat", "a"), t("Flat", "b")]);
    writes("FlatItems", texts(&["a"]), [t("item", "a")]);
    writes(
        "FlatNesteds",
        Value::List(vec![label("x"), label("y")]),
        [p("FlatNesteds", [t("label", "x")]), p("FlatNesteds", [t("label", "y")])],
    );
    writes(
        "Lists",
        Value::List(vec![texts(&["a"]), texts(&[])]),
        [p("Lists", [p("member", [t("member", "a")]), t("member", "")])],
    );
    assert_eq!(parse(&written([("Flat", texts(&[]))])), t("R", ""));
}

#[test]
fn maps_are_entries() {
    let map = |value: Value| Value::Map(vec![("a<b".to_owned(), value)]);
    writes("Map", map(text("1")), [p("Map", [p("entry", [t("key", "a<b"), t("value", "1")])])]);
    writes("Map", Value::Map(Vec::new()), [t("Map", "")]);
    writes("RenamedMap", map(Value::Integer(1)), [p("RenamedMap", [p("entry", [t("K", "a<b"), t("V", "1")])])]);
    writes("FlatMap", map(Value::Integer(1)), [p("FlatMap", [t("K", "a<b"), t("V", "1")])]);
    writes(
        "NestedMap",
        map(label("x")),
        [p("NestedMap", [p("entry", [t("key", "a<b"), p("value", [t("label", "x")])])])],
    );
    writes(
        "ListMap",
        map(texts(&["x"])),
        [p("ListMap", [p("entry", [t("key", "a<b"), p("value", [t("member", "x")])])])],
    );
}

#[test]
fn structures_and_unions_nest() {
    let outer = structure(NESTED, [("child", label("inner")), ("label", text("outer"))]);
    writes("Nested", outer, [p("Nested", [p("child", [t("label", "inner")]), t("label", "outer")])]);
    writes("Empty", structure(EMPTY, []), [t("Empty", "")]);
    writes("Choice", structure(CHOICE, [("number", Value::Integer(1))]), [p("Choice", [t("number", "1")])]);
}

#[test]
fn the_namespace_is_an_attribute_of_the_outermost_element() {
    let mut writer = Writer::default();
    writer.element("A", Some("urn:\"x\"&y"), |w| w.text("B", "c"));
    assert_eq!(writer.finish(), "<A xmlns=\"urn:&quot;x&quot;&amp;y\"><B>c</B></A>");
}

#[test]
fn what_xml_cannot_carry_does_not_break_the_document() {
    for (found, read_back) in [
        ("<a>&amp;\"'</a>", "<a>&amp;\"'</a>"),
        ("]]>", "]]>"),
        ("a\r\nb\tc", "a\r\nb\tc"),
        ("\0\u{1}\u{b}\u{1f}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ("\u{ffff}\u{fffe}\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}"),
        ("\u{1f600}\u{10ffff}\u{85}\u{2028}", "\u{1f600}\u{10ffff}\u{85}\u{2028}"),
        ("  spaces  ", "  spaces  "),
    ] {
        writes("String", text(found), [t("String", read_back)]);
    }
}

fn label(label: &str) -> Value {
    structure(NESTED, [("label", text(label))])
}

proptest::proptest! {
    #[test]
    fn any_text_reads_back_but_for_characters_that_xml_has_not(found in ".{0,60}") {
        let kept: String = found.chars().map(|c| if is_xml_char(c) { c } else { '\u{fffd}' }).collect();
        writes("String", text(&found), [t("String", &kept)]);
    }
}
