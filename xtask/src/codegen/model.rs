//! A condensed model, and what of it the served operations reach.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::models::ServedService;

/// One service's model.
pub struct Model {
    /// The name of the service's crate and of its command in the AWS CLI.
    pub name: String,
    /// The Rust type that serves it.
    pub rust_type: String,
    /// Whether the binary does not offer the service yet.
    pub in_preparation: bool,
    pub metadata: Value,
    /// What an error against the model's constraints is called, where not as the protocol says.
    pub validation_error: Option<String>,
    pub admits_anonymous: bool,
    /// The namespace of XML answers, empty where there is none.
    pub xml_namespace: String,
    /// Every operation of the model, sorted by name.
    pub operations: Vec<Operation>,
    /// Every shape of the model.
    pub shapes: BTreeMap<String, Value>,
    /// The shapes that served operations reach, sorted.
    pub reached: Vec<String>,
}

pub struct Operation {
    pub name: String,
    pub served: bool,
    /// Whether it is taken without a signature (`authtype: none`).
    pub unsigned: bool,
    /// How long its requests may be, in bytes, where that is more than others may have.
    pub body_bytes_max: Option<u64>,
    pub input: Option<String>,
    pub output: Option<String>,
    /// The union of the events that follow the output.
    pub events: Option<String>,
    pub result_wrapper: Option<String>,
    /// Where members are bound to HTTP.
    pub http: Option<Http>,
    pub errors: Vec<String>,
}

/// How an operation is asked for: see `wire::model::Http`.
pub struct Http {
    pub method: String,
    pub uri: String,
    pub needs: String,
    pub status: u64,
}

impl Model {
    pub fn load(root: &Path, name: &str, served: &ServedService) -> Result<Self> {
        let path = root.join("models").join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {} (run `cargo xtask models`)", path.display()))?;
        let mut document: Value = serde_json::from_str(&text)?;
        let mut shapes: BTreeMap<String, Value> = serde_json::from_value(document["shapes"].take())?;
        let table: BTreeMap<String, Value> = serde_json::from_value(document["operations"].take())?;
        for (shape, words) in &served.words {
            let shape = shapes.get_mut(shape).filter(|shape| shape["enum"].is_array());
            let shape = shape.with_context(|| format!("models/operations.toml: {name} has no such enumeration"))?;
            match (words.is_empty(), shape.as_object_mut()) {
                // Of no words: the service itself says which there are.
                (true, Some(shape)) => drop(shape.remove("enum")),
                _ => shape["enum"] = words.iter().map(String::as_str).collect(),
            }
        }
        for wanted in &served.operations {
            ensure!(table.contains_key(wanted), "models/operations.toml: {name} has no operation {wanted}");
        }
        for limited in served.body_bytes_max.keys() {
            let is_served = served.operations.contains(limited);
            ensure!(is_served, "models/operations.toml: {name} limits {limited}, which it does not serve");
        }
        for named in served.elements.keys().chain(served.statuses.keys()) {
            ensure!(table.contains_key(named), "models/operations.toml: {name} has no operation {named}");
        }
        let metadata = document["metadata"].take();
        let is_rest = is_rest(&metadata);
        let mut operations: Vec<_> = table
            .iter()
            .map(|(name, row)| Operation {
                name: name.clone(),
                served: served.operations.contains(name),
                unsigned: row["authtype"].as_str() == Some("none"),
                body_bytes_max: served.body_bytes_max.get(name).copied(),
                input: row["input"]["shape"].as_str().map(str::to_owned),
                output: row["output"]["shape"].as_str().map(str::to_owned),
                events: None,
                result_wrapper: match served.elements.get(name) {
                    Some(element) => Some(element.clone()),
                    None => row["output"]["resultWrapper"].as_str().map(str::to_owned),
                },
                http: is_rest.then(|| {
                    let http = http(&shapes, row);
                    Http { status: served.statuses.get(name).copied().unwrap_or(http.status), ..http }
                }),
                errors: row["errors"]
                    .as_array()
                    .map(|errors| errors.iter().filter_map(|e| e["shape"].as_str()).map(str::to_owned).collect())
                    .unwrap_or_default(),
            })
            .collect();
        for operation in operations.iter_mut().filter(|o| o.served) {
            operation.events = take_events(&mut shapes, operation).with_context(|| format!("in {name}"))?;
        }
        let mut reached = BTreeSet::new();
        for operation in operations.iter().filter(|o| o.served) {
            for shape in [&operation.input, &operation.output, &operation.events].into_iter().flatten() {
                reach(&shapes, shape, &mut reached)?;
            }
        }
        Ok(Self {
            name: name.to_owned(),
            rust_type: served.rust_type.clone(),
            in_preparation: served.in_preparation,
            xml_namespace: match &served.xml_namespace {
                Some(namespace) => namespace.clone(),
                None => metadata["xmlNamespace"].as_str().unwrap_or_default().to_owned(),
            },
            metadata,
            validation_error: served.validation_error.clone(),
            admits_anonymous: served.admits_anonymous,
            operations,
            shapes,
            reached: reached.into_iter().collect(),
        })
    }

    pub fn served(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.served)
    }

    /// The error shapes that served operations name.
    pub fn errors(&self) -> BTreeSet<&str> {
        self.served().flat_map(|operation| operation.errors.iter().map(String::as_str)).collect()
    }

    pub fn shape(&self, name: &str) -> &Value {
        &self.shapes[name]
    }

    pub fn kind(&self, name: &str) -> &str {
        self.shape(name)["type"].as_str().unwrap_or_default()
    }

    /// Whether a shape is a union of events.
    pub fn is_event_stream(&self, name: &str) -> bool {
        self.shape(name)["eventstream"] == true
    }

    /// Whether clients still look for the codes of awsQuery.
    pub fn is_query_compatible(&self) -> bool {
        self.metadata["awsQueryCompatible"].is_object()
    }

    /// Whether members are bound to HTTP.
    pub fn is_rest(&self) -> bool {
        is_rest(&self.metadata)
    }

    /// Whether a member is a body that streams.
    pub fn is_content(&self, reference: &Value) -> bool {
        let target = reference["shape"].as_str().unwrap_or_default();
        let streams = reference["streaming"] == true || self.shape(target)["streaming"] == true;
        streams && self.kind(target) == "blob"
    }

    /// The members of a structure in the order in which they are numbered.
    pub fn members(&self, name: &str) -> Vec<(&String, &Value)> {
        self.shape(name)["members"].as_object().map(|members| members.iter().collect()).unwrap_or_default()
    }

    pub fn is_required(&self, structure: &str, member: &str) -> bool {
        self.shape(structure)["required"].as_array().is_some_and(|names| names.iter().any(|n| n == member))
    }

    /// Whether a value of `structure` would contain itself through its member's shape `target` without a list or map
    /// in between, so that the member must be boxed.
    pub fn contains_itself(&self, structure: &str, target: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![target];
        while let Some(name) = open.pop() {
            if name == structure {
                return true;
            }
            if self.kind(name) == "structure" && seen.insert(name) {
                open.extend(self.members(name).into_iter().filter_map(|(_, member)| member["shape"].as_str()));
            }
        }
        false
    }

    /// The wire protocols as `wire::Protocol` calls them, best first.
    pub fn protocols(&self) -> Result<Vec<&'static str>> {
        let names = self.metadata["protocols"].as_array().cloned().unwrap_or_default();
        names
            .iter()
            .map(|name| {
                Ok(match (name.as_str().unwrap_or_default(), self.metadata["jsonVersion"].as_str()) {
                    ("json", Some("1.0")) => "AwsJson10",
                    ("json", _) => "AwsJson11",
                    ("query", _) => "AwsQuery",
                    ("smithy-rpc-v2-cbor", _) => "RpcV2Cbor",
                    ("rest-xml", _) => "RestXml",
                    ("rest-json", _) => "RestJson1",
                    (other, _) => bail!("{}: protocol {other} has no codec yet", self.name),
                })
            })
            .collect()
    }
}

fn is_rest(metadata: &Value) -> bool {
    metadata["protocol"].as_str().is_some_and(|protocol| protocol.starts_with("rest-"))
}

fn http(shapes: &BTreeMap<String, Value>, row: &Value) -> Http {
    let input = row["input"]["shape"].as_str().unwrap_or_default();
    let mut needs: Vec<String> = members(shapes, input)
        .filter(|(member, _)| {
            let required = shapes[input]["required"].as_array();
            required.is_some_and(|names| names.iter().any(|name| name == member.as_str()))
        })
        .filter_map(|(member, reference)| {
            let wire_name = reference["locationName"].as_str().unwrap_or(member);
            match reference["location"].as_str() {
                Some("querystring") => Some(format!("?{wire_name}")),
                Some("header") => Some(wire_name.to_ascii_lowercase()),
                _ => None,
            }
        })
        .collect();
    needs.sort_unstable();
    Http {
        method: row["http"]["method"].as_str().unwrap_or_default().to_owned(),
        uri: row["http"]["requestUri"].as_str().unwrap_or_default().to_owned(),
        needs: needs.join(" "),
        status: row["http"]["responseCode"].as_u64().unwrap_or(200),
    }
}

/// Takes the stream of events out of an operation's output, which then is what comes before the events.
fn take_events(shapes: &mut BTreeMap<String, Value>, operation: &Operation) -> Result<Option<String>> {
    let input = operation.input.as_deref().and_then(|input| stream_member(shapes, input));
    ensure!(input.is_none(), "{}: a stream of events as input has no codec yet", operation.name);
    let Some(output) = &operation.output else { return Ok(None) };
    let Some((member, events)) = stream_member(shapes, output) else { return Ok(None) };
    for (event, reference) in members(shapes, &events) {
        for (_, inner) in members(shapes, reference["shape"].as_str().unwrap_or_default()) {
            let kind = &shapes[inner["shape"].as_str().unwrap_or_default()]["type"];
            let has_codec = inner["eventheader"] != true && (inner["eventpayload"] != true || kind == "blob");
            ensure!(has_codec, "{}: the payload or header of event {event} has no codec yet", operation.name);
        }
    }
    if let Some(members) = shapes.get_mut(output).and_then(|output| output["members"].as_object_mut()) {
        members.remove(&member);
    }
    Ok(Some(events))
}

/// The member of a structure that is a stream of events, and its shape.
fn stream_member(shapes: &BTreeMap<String, Value>, structure: &str) -> Option<(String, String)> {
    members(shapes, structure).find_map(|(name, reference)| {
        let shape = reference["shape"].as_str()?;
        (shapes.get(shape)?["eventstream"] == true).then(|| (name.clone(), shape.to_owned()))
    })
}

fn members<'s>(
    shapes: &'s BTreeMap<String, Value>,
    structure: &str,
) -> impl Iterator<Item = (&'s String, &'s Value)> + use<'s> {
    shapes.get(structure).and_then(|shape| shape["members"].as_object()).into_iter().flatten()
}

fn reach(shapes: &BTreeMap<String, Value>, name: &str, reached: &mut BTreeSet<String>) -> Result<()> {
    let shape = shapes.get(name).with_context(|| format!("shape {name} is named but not there"))?;
    if !reached.insert(name.to_owned()) {
        return Ok(());
    }
    for row in ["member", "key", "value"] {
        if let Some(inner) = shape[row]["shape"].as_str() {
            reach(shapes, inner, reached)?;
        }
    }
    for member in shape["members"].as_object().into_iter().flat_map(|members| members.values()) {
        let inner = member["shape"].as_str().with_context(|| format!("a member of {name} has no shape"))?;
        reach(shapes, inner, reached)?;
    }
    Ok(())
}
