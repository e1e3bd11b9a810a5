//! Values and documents as CBOR. Lengths are definite; numbers are written in the least width that holds them exactly.

use crate::schema::{Kind, ShapeRef};
use crate::value::Value;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const SINGLE: u8 = 0xfa;
const DOUBLE: u8 = 0xfb;

/// Writes a value by its shape.
pub fn encode(shape: ShapeRef, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, shape, value);
    out
}

/// Writes what JSON can say.
pub fn encode_json(document: &serde_json::Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(&mut out, document);
    out
}

fn write(out: &mut Vec<u8>, shape: ShapeRef, value: &Value) {
    match value {
        Value::Bool(inner) => out.push(if *inner { TRUE } else { FALSE }),
        Value::Integer(inner) => integer(out, *inner),
        Value::Double(inner) => float(out, *inner),
        Value::String(inner) => text(out, inner),
        Value::Blob(inner) => {
            head(out, BYTES, inner.len() as u64);
            out.extend_from_slice(inner);
        }
        Value::Timestamp(inner) => {
            head(out, TAG, super::EPOCH);
            match inner.as_millis() {
                millis if millis % 1000 == 0 => integer(out, inner.as_secs()),
                millis => float(out, millis as f64 / 1000.0),
            }
        }
        Value::List(items) => {
            head(out, ARRAY, items.len() as u64);
            let element = (shape.kind() == Kind::List).then(|| shape.member(0).shape());
            items.iter().for_each(|item| write(out, element.unwrap_or(shape), item));
        }
        Value::Map(entries) => {
            head(out, MAP, entries.len() as u64);
            let of_value = (shape.kind() == Kind::Map).then(|| shape.member(1).shape());
            for (key, inner) in entries {
                text(out, key);
                write(out, of_value.unwrap_or(shape), inner);
            }
        }
        Value::Structure(fields) => {
            let present = || shape.members().zip(fields).filter_map(|(member, field)| Some((member, field.as_ref()?)));
            head(out, MAP, present().count() as u64);
            for (member, inner) in present() {
                text(out, member.name());
                write(out, member.shape(), inner);
            }
        }
        Value::Document(inner) => write_json(out, inner),
        // No protocol in CBOR has a member that streams beside others.
        Value::Content(_) => out.push(NULL),
    }
}

fn write_json(out: &mut Vec<u8>, document: &serde_json::Value) {
    use serde_json::Value as Json;
    match document {
        Json::Null => out.push(NULL),
        Json::Bool(inner) => out.push(if *inner { TRUE } else { FALSE }),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => integer(out, whole),
            (None, Some(whole)) => head(out, UNSIGNED, whole),
            (None, None) => float(out, number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(inner) => text(out, inner),
        Json::Array(items) => {
            head(out, ARRAY, items.len() as u64);
            items.iter().for_each(|item| write_json(out, item));
        }
        Json::Object(members) => {
            head(out, MAP, members.len() as u64);
            for (name, inner) in members {
                text(out, name);
                write_json(out, inner);
            }
        }
    }
}

fn integer(out: &mut Vec<u8>, number: i64) {
    match u64::try_from(number) {
        Ok(number) => head(out, UNSIGNED, number),
        Err(_) => head(out, NEGATIVE, !(number as u64)),
    }
}

fn float(out: &mut Vec<u8>, number: f64) {
    let single = number as f32;
    if f64::from(single).to_bits() == number.to_bits() {
        out.push(SINGLE);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(DOUBLE);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A major type and its argument in the least width.
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}
