//! `api.rs`: types, tables, dispatch; `ops/mod.rs`: the list of operation files.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

use super::MARKER;
use super::model::{Model, Operation};
use super::names;
use super::tables::{self, Texts, shape_number};

pub fn render(model: &Model) -> Result<String> {
    let mut texts = Texts::default();
    let types = types(model)?;
    let errors = errors(model);
    let operations = operations(model, &mut texts)?;
    let tables = tables::tables(model, &mut texts)?;
    let metadata = |key: &str| model.metadata[key].as_str().unwrap_or_default();
    let signing_name = model.metadata["signingName"].as_str().unwrap_or(metadata("endpointPrefix"));
    let protocols: Vec<_> = model.protocols()?.iter().map(|p| format!("wire::model::Protocol::{p}")).collect();
    let option = |text: &str| if text.is_empty() { "None".to_owned() } else { format!("Some({text:?})") };
    let bounds = if tables.shapes.contains("NEG") || tables.shapes.contains("POS") {
        "const NEG: f64 = f64::NEG_INFINITY;\nconst POS: f64 = f64::INFINITY;\n"
    } else {
        ""
    };
    let rows = tables.members.clone() + &tables.shapes;
    let table_uses: String = ["Location", "TimestampFormat"]
        .into_iter()
        .filter(|name| rows.contains(&format!("{name}::")))
        .map(|name| format!(", {name}"))
        .collect();
    let admits = if model.admits_anonymous { "true" } else { "false" };
    Ok(format!(
        "//! {MARKER}\n\
         #![allow(clippy::all, unused_imports, dead_code, missing_docs, unreachable_pub)]\n\
         use std::collections::BTreeMap;\n\
         use base::Timestamp;\n\
         use platform::Ctx;\n\
         use wire::Reply;\n\
         use wire::model::{{ErrorKind, Operation, ServiceModel}};\n\
         use wire::schema::{{Kind, Member, Schema, Shape, Text, flag{table_uses}}};\n\
         use wire::value::Value;\n\
         use wire::{{enumeration, events, structure}};\n\n\
         {types}\n{errors}\n\
         /// The service as the wire knows it.\n\
         pub static MODEL: ServiceModel = ServiceModel {{\n\
         name: {name:?}, title: {title:?}, api_version: {version:?}, signing_name: {signing_name:?},\n\
         target_prefix: {target}, xml_namespace: {namespace}, validation_error: {validation},\n\
         is_query_compatible: {compatible}, admits_anonymous: {admits}, protocols: &[{protocols}], schema: &SCHEMA, operations: &OPERATIONS }};\n\n\
         {dispatch}\n\
         const fn t(at: u32, length: u32) -> Text {{ Text::new(at, length) }}\n{bounds}\n\
         #[rustfmt::skip]\nstatic OPERATIONS: [Operation; {count}] = [\n{operations}];\n\n\
         #[rustfmt::skip]\nstatic SCHEMA: Schema = Schema {{\n text: TEXT,\n shapes: &[\n{shapes}],\n \
         members: &[\n{members}],\n words: &[\n{words}],\n}};\n\n\
         #[rustfmt::skip]\nconst TEXT: &str = {text};\n",
        name = model.name,
        title = metadata("serviceFullName"),
        version = metadata("apiVersion"),
        target = option(metadata("targetPrefix")),
        namespace = option(&model.xml_namespace),
        validation = option(model.validation_error.as_deref().unwrap_or_default()),
        compatible = model.is_query_compatible(),
        protocols = protocols.join(", "),
        dispatch = dispatch(model),
        count = model.operations.len(),
        shapes = tables.shapes,
        members = tables.members,
        words = tables.words,
        text = texts.literal(),
    ))
}

pub fn render_ops(model: &Model) -> String {
    let mut out = format!("//! {MARKER}\n\n");
    for operation in model.served() {
        let _ = writeln!(out, "pub(crate) mod {};", names::snake(&operation.name));
    }
    out
}

fn types(model: &Model) -> Result<String> {
    let mut out = String::new();
    let mut taken = BTreeSet::new();
    for (number, shape) in model.reached.iter().enumerate() {
        let name = names::type_name(shape);
        let body = match model.kind(shape) {
            "structure" if model.shape(shape)["document"] == true => continue,
            "structure" if model.is_event_stream(shape) => {
                writeln!(out, "events! {{ {name} {{\n{}}} }}\n", events(model, shape))?;
                continue;
            }
            "structure" => fields(model, shape)?,
            "string" if model.shape(shape)["enum"].is_array() => variants(model, shape),
            _ => continue,
        };
        ensure!(taken.insert(name.clone()), "{}: two shapes would be called {name}", model.name);
        let keyword = if model.kind(shape) == "structure" { "structure" } else { "enumeration" };
        writeln!(out, "{keyword}! {{ {number} {name} {{\n{body}}} }}\n")?;
    }
    Ok(out)
}

fn fields(model: &Model, shape: &str) -> Result<String> {
    let mut out = String::new();
    for (member, reference) in model.members(shape) {
        let target = reference["shape"].as_str().unwrap_or_default();
        let mut rust = match model.is_content(reference) {
            true => "wire::Content".to_owned(),
            false => rust_type(model, target)?,
        };
        if model.kind(target) == "structure" && model.contains_itself(shape, target) {
            rust = format!("Box<{rust}>");
        }
        if !model.is_required(shape, member) {
            rust = format!("Option<{rust}>");
        }
        writeln!(out, "    {}: {rust},", names::field(member))?;
    }
    Ok(out)
}

fn events(model: &Model, shape: &str) -> String {
    let mut out = String::new();
    for (place, (member, reference)) in model.members(shape).into_iter().enumerate() {
        let event = names::type_name(reference["shape"].as_str().unwrap_or_default());
        let _ = writeln!(out, "    {}({event}) = {place},", names::type_name(member));
    }
    out
}

fn variants(model: &Model, shape: &str) -> String {
    let mut taken = BTreeSet::new();
    let mut out = String::new();
    for word in model.shape(shape)["enum"].as_array().into_iter().flatten().filter_map(|word| word.as_str()) {
        let mut variant = names::variant(word);
        while !taken.insert(variant.clone()) {
            variant.push('_');
        }
        let _ = writeln!(out, "    {variant} = {word:?},");
    }
    out
}

fn rust_type(model: &Model, shape: &str) -> Result<String> {
    let row = model.shape(shape);
    let inner = |key: &str| rust_type(model, row[key]["shape"].as_str().unwrap_or_default());
    Ok(match model.kind(shape) {
        "structure" if row["document"] == true => "serde_json::Value".to_owned(),
        "structure" => names::type_name(shape),
        "string" if row["enum"].is_array() => names::type_name(shape),
        "string" => "String".to_owned(),
        "list" => format!("Vec<{}>", inner("member")?),
        "map" => format!("BTreeMap<String, {}>", inner("value")?),
        "boolean" => "bool".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "float" | "double" => "f64".to_owned(),
        "blob" => "Vec<u8>".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        other => bail!("{}: shape {shape} is of the unknown type {other}", model.name),
    })
}

/// Constants for the errors that served operations may answer, with the code and status of the model.
fn errors(model: &Model) -> String {
    let compatible = model.is_query_compatible();
    let json = model.metadata["protocol"] != "query" && !compatible;
    let is_exact = |protocol: &&str| matches!(*protocol, "RpcV2Cbor" | "RestJson1");
    let names_members = model.protocols().is_ok_and(|protocols| protocols.iter().any(is_exact));
    let mut out =
        String::from("/// The errors of the served operations.\npub mod errors {\nuse wire::model::ErrorKind;\n");
    let mut taken = BTreeSet::new();
    for name in model.errors() {
        let shape = model.shape(name);
        let mut constant = names::error_constant(name);
        if !taken.insert(constant.clone()) {
            // A model may have both ResourceNotFound and ResourceNotFoundException: the second keeps its whole name.
            constant = names::snake(name).to_ascii_uppercase();
        }
        let fault = shape["fault"] == true;
        let query_code = shape["error"]["code"].as_str().unwrap_or(name);
        // awsQuery names an error by the code that the model gives; the other protocols by its shape.
        let code = if json || compatible { name } else { query_code };
        let status = match shape["error"]["httpStatusCode"].as_u64() {
            Some(status) if !json || model.is_rest() => status,
            _ if fault => 500,
            _ => 400,
        };
        let _ = write!(out, "/// `{code}`\npub const {constant}: ErrorKind = ErrorKind::new({code:?}, {status})");
        if compatible && query_code != code {
            let _ = write!(out, ".in_query({query_code:?})");
        }
        // Clients of CBOR take a member's name by the letter, and services of restJson1 send it by the letter.
        if names_members && model.members(name).iter().any(|(member, _)| *member == "Message") {
            out.push_str(".message_in(\"Message\")");
        }
        out.push_str(";\n");
    }
    out + "}\n"
}

fn operations(model: &Model, texts: &mut Texts) -> Result<String> {
    let mut out = String::new();
    for (number, operation) in model.operations.iter().enumerate() {
        let name = texts.piece(&operation.name);
        write!(out, "/* {number} */ Operation::new({name})")?;
        if let Some(http) = &operation.http {
            let (method, uri, needs) = (texts.piece(&http.method), texts.piece(&http.uri), texts.piece(&http.needs));
            write!(out, ".http({method}, {uri}, {needs})")?;
            if http.status != 200 {
                write!(out, ".status({})", http.status)?;
            }
        }
        if operation.served {
            write!(out, ".served()")?;
            if operation.unsigned {
                write!(out, ".unsigned()")?;
            }
            if let Some(bytes) = operation.body_bytes_max {
                write!(out, ".body_bytes_max({bytes})")?;
            }
            if let Some(input) = &operation.input {
                write!(out, ".input({})", shape_number(model, input)?)?;
            }
            if let Some(output) = &operation.output {
                write!(out, ".output({})", shape_number(model, output)?)?;
            }
            if let Some(events) = &operation.events {
                write!(out, ".events({})", shape_number(model, events)?)?;
            }
            if let Some(wrapper) = &operation.result_wrapper {
                write!(out, ".wrapper({})", texts.piece(wrapper))?;
            }
        }
        writeln!(out, ",")?;
    }
    Ok(out)
}

fn dispatch(model: &Model) -> String {
    let mut arms = String::new();
    for (number, operation) in model.operations.iter().enumerate().filter(|(_, operation)| operation.served) {
        let _ = writeln!(arms, "{number} => {}", arm(model, operation));
    }
    format!(
        "impl platform::Service for crate::{rust_type} {{\n\
         fn model(&self) -> &'static ServiceModel {{ &MODEL }}\n\n\
         fn facts<'a>(&'a self, ctx: &'a Ctx, asked: platform::Asked<'a>, resource: &'a str) \
         -> platform::BoxFuture<'a, Result<platform::Facts, wire::Error>> {{\n\
         Box::pin(async move {{ Ok(crate::facts::facts(self, ctx, asked, resource).await?) }})\n}}\n\n\
         fn call<'a>(&'a self, ctx: &'a Ctx, operation: usize, input: Value) -> platform::Answer<'a> {{\n\
         Box::pin(async move {{\nmatch operation {{\n{arms}\
         _ => Err(wire::Error::not_served(&MODEL, operation)),\n}}\n}})\n}}\n}}\n",
        rust_type = model.rust_type,
    )
}

fn arm(model: &Model, operation: &Operation) -> String {
    let name = names::snake(&operation.name);
    let (read, asked, given) = match operation.input {
        Some(_) => ("let input = wire::read(input)?;\n", "ctx, &input", "self, ctx, input"),
        None => ("", "ctx", "self, ctx"),
    };
    let admit = format!("ctx.admit(self, &crate::ops::{name}::access({asked})).await?;");
    let call = format!("crate::ops::{name}::{name}({given}).await?");
    let has_members = operation.output.as_deref().is_some_and(|output| !model.members(output).is_empty());
    let answer = match (&operation.events, &operation.output) {
        (Some(_), Some(_)) if has_members => format!(
            "let (initial, events) = {call};\nOk(Reply::Stream {{ initial: wire::write(initial), events: events.into() }})"
        ),
        (Some(_), _) => format!("Ok(Reply::events({call}))"),
        (None, Some(_)) => format!("Ok(Reply::of({call}))"),
        (None, None) => format!("{call};\nOk(Reply::nothing())"),
    };
    format!("{{\n{read}{admit}\n{answer}\n}}")
}
