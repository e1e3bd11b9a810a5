//! The codecs on random values, random bytes and what lies between.

use proptest::prelude::*;
use proptest::sample::select;
use quick_xml::Reader;
use quick_xml::events::Event;
use wire::cbor;
use wire::json::{self, Limits};
use wire::query::Form;
use wire::schema::TimestampFormat;
use wire::validate::validate;
use wire::value::{Shaped, Value};
use wire::{query, xml};

use crate::arbitrary;
use crate::fixture::{EVERYTHING, NESTED, Nested, SCHEMA, STRICT, shape};
use crate::{form, loose};

/// Ten violations, each with a path, a list of words and a pattern.
const MESSAGE_MAX: usize = 40_000;

fn everything(default: TimestampFormat) -> BoxedStrategy<Value> {
    arbitrary::value(shape(EVERYTHING), default)
}

/// Every name of the fixture.
fn names() -> Vec<String> {
    SCHEMA.text.split_whitespace().map(str::to_owned).collect()
}

/// Reads and goes on with whatever could be read, as a server would.
fn read_json(body: &[u8]) {
    let limits = Limits { values_max: 5_000 };
    for id in [EVERYTHING, STRICT, NESTED] {
        if let Ok(value) = json::decode(shape(id), body, &limits) {
            assert!(size(&value) <= limits.values_max, "{} values", size(&value));
            if let Err(message) = validate(shape(id), &value) {
                assert!(message.len() < MESSAGE_MAX, "{message}");
            }
            json::encode(shape(id), &value);
            if id == NESTED {
                Nested::from_value(value).unwrap();
            }
        }
    }
}

/// The same of CBOR.
fn read_cbor(body: &[u8]) {
    let limits = Limits { values_max: 5_000 };
    let _ = cbor::decode_json(body, &limits).map(|document| cbor::encode_json(&document));
    for id in [EVERYTHING, STRICT, NESTED] {
        if let Ok(value) = cbor::decode(shape(id), body, &limits) {
            assert!(size(&value) <= limits.values_max, "{} values", size(&value));
            let _ = validate(shape(id), &value);
            let once = cbor::encode(shape(id), &value);
            let again = cbor::decode(shape(id), &once, &Limits::STORED).expect("what was written can be read");
            // No number equals itself where it is none.
            assert_eq!(cbor::encode(shape(id), &again), once);
        }
    }
}

fn read_form(body: &[u8]) -> Result<(), query::DecodeError> {
    let form = Form::parse(body)?;
    for id in [EVERYTHING, STRICT, NESTED] {
        let value = form.decode(shape(id))?;
        let _ = validate(shape(id), &value);
        let mut writer = xml::Writer::default();
        writer.members(shape(id), &value);
    }
    Ok(())
}

/// The number of values in a tree.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, value)| size(value)).sum(),
        Value::Structure(fields) => fields.iter().flatten().map(size).sum(),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn json_reads_back_what_it_wrote(value in everything(TimestampFormat::EpochSeconds)) {
        let body = json::encode(shape(EVERYTHING), &value);
        let read = json::decode(shape(EVERYTHING), &body, &Limits::REQUEST);
        prop_assert_eq!(read, Ok(value), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn cbor_reads_back_what_it_wrote(value in everything(TimestampFormat::EpochSeconds)) {
        let body = cbor::encode(shape(EVERYTHING), &value);
        let read = cbor::decode(shape(EVERYTHING), &body, &Limits::REQUEST);
        prop_assert_eq!(read, Ok(value), "{:02x?}", body);
    }

    #[test]
    fn cbor_says_whatever_json_says(document in arbitrary::document()) {
        let body = cbor::encode_json(&document);
        prop_assert_eq!(cbor::decode_json(&body, &Limits::REQUEST), Ok(document));
        read_cbor(&body);
    }

    #[test]
    fn cbor_means_the_same_in_every_form(document in arbitrary::document(), choices in any::<Vec<u8>>()) {
        let body = loose::cbor(&document, &choices);
        prop_assert_eq!(cbor::decode_json(&body, &Limits::REQUEST), Ok(document), "{:02x?}", body);
        read_cbor(&body);
    }

    #[test]
    fn cbor_that_almost_fits_is_read_or_refused(document in arbitrary::json_with(names()), choices in any::<Vec<u8>>()) {
        read_cbor(&loose::cbor(&document, &choices));
    }

    #[test]
    fn cbor_with_a_broken_place_is_read_or_refused(
        value in everything(TimestampFormat::EpochSeconds),
        at in any::<prop::sample::Index>(),
        with in any::<Vec<u8>>(),
    ) {
        let mut body = cbor::encode(shape(EVERYTHING), &value);
        let at = at.index(body.len());
        body.splice(at..(at + 1).min(body.len()), with);
        read_cbor(&body);
    }

    #[test]
    fn cbor_is_written_of_any_value_of_any_shape(value in arbitrary::misfit()) {
        for id in 0..SCHEMA.shapes.len() as u16 {
            cbor::encode(shape(id), &value);
        }
    }

    #[test]
    fn a_form_reads_back_what_a_client_wrote(value in everything(TimestampFormat::Iso8601)) {
        let body = form::encode(shape(EVERYTHING), &value);
        let read = Form::parse(body.as_bytes()).and_then(|form| form.decode(shape(EVERYTHING)));
        prop_assert_eq!(read, Ok(value), "{}", body);
    }

    #[test]
    fn xml_is_always_well_formed(value in everything(TimestampFormat::Iso8601)) {
        let mut writer = xml::Writer::default();
        writer.element("Answer", Some("urn:x"), |w| w.members(shape(EVERYTHING), &value));
        let document = writer.finish();
        let mut reader = Reader::from_str(&document);
        reader.config_mut().check_end_names = true;
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(_) => {}
                Err(error) => return Err(TestCaseError::fail(format!("{error}: {document}"))),
            }
        }
    }

    #[test]
    fn a_type_reads_back_from_its_value(value in arbitrary::value(shape(NESTED), TimestampFormat::EpochSeconds)) {
        let nested = Nested::from_value(value.clone()).unwrap();
        prop_assert_eq!(nested.into_value(), value);
    }

    #[test]
    fn a_stored_type_reads_back(value in arbitrary::value(shape(NESTED), TimestampFormat::EpochSeconds)) {
        let nested = Nested::from_value(value).unwrap();
        let mut text = Vec::new();
        wire::stored::serialize(&nested, &mut serde_json::Serializer::new(&mut text)).unwrap();
        let read: Nested = wire::stored::deserialize(&mut serde_json::Deserializer::from_slice(&text)).unwrap();
        prop_assert_eq!(&read, &nested);
        let list = vec![nested.clone(), Nested::default()];
        let json = wire::stored::serialize(&list, serde_json::value::Serializer).unwrap();
        prop_assert_eq!(wire::stored::deserialize::<Vec<Nested>, _>(json).unwrap(), list);
    }

    #[test]
    fn no_bytes_are_too_wild_for_a_reader(body in any::<Vec<u8>>()) {
        read_json(&body);
        read_cbor(&body);
        let _ = read_form(&body);
    }

    #[test]
    fn json_that_almost_fits_is_read_or_refused(document in arbitrary::json_with(names())) {
        read_json(document.to_string().as_bytes());
    }

    #[test]
    fn json_with_a_broken_place_is_read_or_refused(
        value in everything(TimestampFormat::EpochSeconds),
        at in any::<prop::sample::Index>(),
        with in any::<Vec<u8>>(),
    ) {
        let mut body = json::encode(shape(EVERYTHING), &value);
        let at = at.index(body.len());
        body.splice(at..(at + 1).min(body.len()), with);
        read_json(&body);
    }

    #[test]
    fn a_form_that_almost_fits_is_read_or_refused(
        parameters in prop::collection::vec(
            (prop::collection::vec(select([names(), (0..14).map(|n| n.to_string()).collect()].concat()), 1..7), ".{0,9}"),
            0..40,
        )
    ) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (key, value) in parameters {
            form.append_pair(&key.join("."), &value);
        }
        let _ = read_form(form.finish().as_bytes());
    }

    #[test]
    fn validation_judges_any_value_of_any_shape(value in arbitrary::misfit()) {
        for id in 0..SCHEMA.shapes.len() as u16 {
            if let Err(message) = validate(shape(id), &value) {
                prop_assert!(message.len() < MESSAGE_MAX, "{}", message);
            }
        }
    }
}

#[test]
fn what_grows_without_end_is_refused_at_its_limit() {
    let long_number = "9".repeat(100_000);
    for body in [
        "[".repeat(1_000_000),
        "{\"Nested\":".repeat(1_000_000),
        format!("{{\"Strings\":[{}\"\"]}}", "\"\",".repeat(1_000_000)),
        format!("{{\"Nesteds\":[{}{{}}]}}", "{},".repeat(1_000_000)),
        format!("{{\"Map\":{{{}\"\":\"\"}}}}", (0..200_000).map(|n| format!("\"{n}\":\"\",")).collect::<String>()),
        format!("{{\"Integer\":{long_number},\"Double\":{long_number}.{long_number}}}"),
        format!("{{\"Integer\":-{long_number},\"Long\":1e-{long_number}}}"),
    ] {
        let _ = json::decode(shape(EVERYTHING), body.as_bytes(), &Limits::REQUEST);
        read_json(body.as_bytes());
    }
    for form in [
        "Strings.member.1000000000=a".to_owned(),
        format!("Strings.member.{long_number}=a"),
        format!("{}=a", "Nested.child.".repeat(100_000)),
        "&".repeat(6_000_000),
        "a=&".repeat(100_000),
        (0..9_000).map(|n| format!("Nesteds.member.{}.label=&", n * 11 + 1)).collect(),
        format!("Integer={long_number}"),
    ] {
        let _ = read_form(form.as_bytes());
    }
}

#[test]
fn a_message_about_many_violations_stays_short() {
    let deep = (0..60).fold(r#"{"options":{"a":1}}"#.to_owned(), |inner, _| format!("{{\"child\":{inner}}}"));
    read_json(deep.as_bytes());
    let key = "k".repeat(100_000);
    let body = format!("{{\"Name\":\"\",\"NameMap\":{{\"{key}\":\"x\"}},\"Names\":[\"{key}\"],\"Small\":0}}");
    let value = json::decode(shape(STRICT), body.as_bytes(), &Limits::REQUEST).unwrap();
    let message = validate(shape(STRICT), &value).unwrap_err();
    assert!(message.starts_with("6 validation errors detected: "), "{message}");
    assert!(message.len() < 5_000, "{}", message.len());
}
