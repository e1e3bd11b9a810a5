//! The static tables of `wire::schema`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::Value;

use super::model::Model;

/// Collects names into one text; equal names share their place.
#[derive(Default)]
pub struct Texts {
    text: String,
    places: BTreeMap<String, usize>,
}

impl Texts {
    /// The Rust expression of the piece.
    pub fn piece(&mut self, name: &str) -> String {
        if name.is_empty() {
            return "Text::NONE".to_owned();
        }
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let place = self.text.len();
                self.text.push_str(name);
                self.places.insert(name.to_owned(), place);
                place
            }
        };
        format!("t({place}, {})", name.len())
    }

    /// The whole text as a Rust literal, broken into lines.
    pub fn literal(&self) -> String {
        let mut out = String::from("concat!(\n");
        let chars: Vec<char> = self.text.chars().collect();
        for line in chars.chunks(96) {
            let _ = writeln!(out, "{:?},", line.iter().collect::<String>());
        }
        out.push(')');
        out
    }
}

/// The tables' rows as Rust source.
pub struct Tables {
    pub shapes: String,
    pub members: String,
    pub words: String,
}

/// The number of a reached shape.
pub fn shape_number(model: &Model, name: &str) -> Result<usize> {
    match model.reached.binary_search_by(|reached| reached.as_str().cmp(name)) {
        Ok(number) => Ok(number),
        Err(_) => bail!("{}: shape {name} is not reached", model.name),
    }
}

pub fn tables(model: &Model, texts: &mut Texts) -> Result<Tables> {
    let mut tables = Tables { shapes: String::new(), members: String::new(), words: String::new() };
    let (mut members, mut words) = (0, 0);
    for (number, name) in model.reached.iter().enumerate() {
        let shape = model.shape(name);
        let label = texts.piece(name);
        let rows =
            |kind: &str, first: usize, count: usize| format!("Shape::rows({label}, Kind::{kind}, {first}, {count})");
        let simple = |kind: &str| format!("Shape::simple({label}, Kind::{kind})");
        let row = match model.kind(name) {
            "structure" if shape["document"] == true => simple("Document"),
            "structure" => {
                let first = members;
                for (member, reference) in model.members(name) {
                    let required = model.is_required(name, member);
                    let payload = shape["payload"] == member.as_str() || reference["eventpayload"] == true;
                    let location = location(reference, payload)?;
                    let row = member_row(model, texts, member, reference, required)?;
                    writeln!(tables.members, "{row}{location},")?;
                    members += 1;
                }
                rows(
                    if shape["union"] == true || shape["eventstream"] == true { "Union" } else { "Structure" },
                    first,
                    members - first,
                )
            }
            "list" => {
                writeln!(tables.members, "{}", member_row(model, texts, "member", &shape["member"], false)? + ",")?;
                members += 1;
                rows("List", members - 1, 1)
            }
            "map" => {
                writeln!(tables.members, "{}", member_row(model, texts, "key", &shape["key"], false)? + ",")?;
                writeln!(tables.members, "{}", member_row(model, texts, "value", &shape["value"], false)? + ",")?;
                members += 2;
                rows("Map", members - 2, 2)
            }
            "string" => match shape["enum"].as_array() {
                Some(values) => {
                    for word in values.iter().filter_map(Value::as_str) {
                        writeln!(tables.words, "{},", texts.piece(word))?;
                    }
                    words += values.len();
                    rows("Enum", words - values.len(), values.len())
                }
                None => simple("String"),
            },
            "boolean" => simple("Boolean"),
            "integer" => simple("Integer"),
            "long" => simple("Long"),
            "float" => simple("Float"),
            "double" => simple("Double"),
            "blob" => simple("Blob"),
            "timestamp" => simple("Timestamp"),
            other => bail!("{}: shape {name} is of the unknown type {other}", model.name),
        };
        writeln!(tables.shapes, "/* {number} */ {row}{},", shape_traits(shape, texts))?;
    }
    Ok(tables)
}

fn shape_traits(shape: &Value, texts: &mut Texts) -> String {
    let mut out = String::new();
    if shape["min"].is_number() || shape["max"].is_number() {
        let bound = |value: &Value, none: &str| value.as_f64().map_or(none.to_owned(), |v| format!("{v:?}"));
        let _ = write!(out, ".bounds({}, {})", bound(&shape["min"], "NEG"), bound(&shape["max"], "POS"));
    }
    if let Some(pattern) = shape["pattern"].as_str() {
        let _ = write!(out, ".pattern({})", texts.piece(pattern));
    }
    out + &flags(shape, false)
}

fn flags(row: &Value, required: bool) -> String {
    let set: Vec<&str> = [
        (required, "flag::REQUIRED"),
        (row["flattened"] == true, "flag::FLATTENED"),
        (row["sensitive"] == true, "flag::SENSITIVE"),
        (row["exception"] == true, "flag::EXCEPTION"),
        (row["idempotencyToken"] == true, "flag::IDEMPOTENCY_TOKEN"),
        (row["xmlAttribute"] == true, "flag::XML_ATTRIBUTE"),
        (row["streaming"] == true, "flag::STREAMING"),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .collect();
    if set.is_empty() { String::new() } else { format!(".flags({})", set.join(" | ")) }
}

fn member_row(model: &Model, texts: &mut Texts, name: &str, reference: &Value, required: bool) -> Result<String> {
    let shape = reference["shape"].as_str().unwrap_or_default();
    let mut out = format!("Member::new({}, {})", texts.piece(name), shape_number(model, shape)?);
    if let Some(wire_name) = reference["locationName"].as_str().filter(|wire_name| *wire_name != name) {
        let _ = write!(out, ".on_wire({})", texts.piece(wire_name));
    }
    out += &flags(reference, required);
    let format = reference["timestampFormat"].as_str().or_else(|| model.shape(shape)["timestampFormat"].as_str());
    match format {
        None => {}
        Some("unixTimestamp") => out += ".timestamp(TimestampFormat::EpochSeconds)",
        Some("iso8601") => out += ".timestamp(TimestampFormat::Iso8601)",
        Some("rfc822") => out += ".timestamp(TimestampFormat::HttpDate)",
        Some(other) => bail!("{}: member {name} has the unknown timestamp format {other}", model.name),
    }
    Ok(out)
}

/// Where a member stands in HTTP.
fn location(reference: &Value, is_payload: bool) -> Result<&'static str> {
    Ok(match reference["location"].as_str() {
        None if is_payload => ".at(Location::Payload)",
        None => "",
        Some("uri") => ".at(Location::Label)",
        Some("querystring") => ".at(Location::Query)",
        Some("header") => ".at(Location::Header)",
        Some("headers") => ".at(Location::Headers)",
        Some("statusCode") => ".at(Location::Status)",
        Some(other) => bail!("a member stands at the unknown location {other}"),
    })
}
