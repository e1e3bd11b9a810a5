//! `cargo xtask models`: botocore's interface models, condensed to what codegen reads.
//!
//! The models come from the botocore release that the test clients are pinned to. Prose is left out: what remains is
//! facts (names, types, constraints, bindings, errors).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

/// `models/operations.toml`.
pub type Served = BTreeMap<String, ServedService>;

/// One service's table in `models/operations.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedService {
    /// The folder below botocore's `data`.
    pub source: String,
    /// The Rust type that serves it.
    #[serde(rename = "type")]
    pub rust_type: String,
    /// The code of a constraint violation, where the protocol's own is not used.
    pub validation_error: Option<String>,
    /// Whether the binary does not offer the service yet.
    #[serde(default)]
    pub in_preparation: bool,
    /// Enumerations whose words on the wire are others than the model says.
    #[serde(default)]
    pub words: BTreeMap<String, Vec<String>>,
    /// Operations whose requests may be longer than others', in bytes.
    #[serde(default)]
    pub body_bytes_max: BTreeMap<String, u64>,
    /// Whether requests that nobody has signed come to its operations too.
    #[serde(default)]
    pub admits_anonymous: bool,
    /// The namespace of its XML, where the model says none.
    pub xml_namespace: Option<String>,
    /// What the elements of outputs are called in restXml, where not as their shapes.
    #[serde(default)]
    pub elements: BTreeMap<String, String>,
    /// The statuses of operations that answer with another one than the model says.
    #[serde(default)]
    pub statuses: BTreeMap<String, u64>,
    /// The operations that are served, sorted.
    pub operations: Vec<String>,
}

/// Reads `models/operations.toml` below `root`.
pub fn served(root: &Path) -> Result<Served> {
    let path = root.join("models/operations.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let served: Served = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    for (name, service) in &served {
        ensure!(service.operations.is_sorted(), "models/operations.toml: [{name}] operations are not sorted");
    }
    Ok(served)
}

/// Writes `models/<service>.json` for each service in `models/operations.toml` from botocore's `data` folder.
pub fn condense(root: &Path, botocore_data: &Path, botocore_version: &str) -> Result<()> {
    for (name, service) in served(root)? {
        let path = botocore_data.join(&service.source).join("service-2.json.gz");
        let file = std::fs::File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let mut text = String::new();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .with_context(|| format!("inflating {}", path.display()))?;
        let model: Value = serde_json::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        let target = root.join("models").join(format!("{name}.json"));
        std::fs::write(&target, condensed(&model, botocore_version))
            .with_context(|| format!("writing {}", target.display()))?;
        println!("models/{name}.json from botocore {botocore_version}");
    }
    Ok(())
}

/// The condensed model: sorted, one operation or shape a line, so that a new release shows as a readable diff.
fn condensed(model: &Value, botocore_version: &str) -> String {
    let empty = Map::new();
    let section = |name: &str| model[name].as_object().unwrap_or(&empty);
    let mut out = String::from("{\n");
    let _ = writeln!(out, " \"source\": \"botocore {botocore_version}\",");
    let _ = writeln!(out, " \"metadata\": {},", sorted(&Value::Object(section("metadata").clone())));
    for (name, last) in [("operations", false), ("shapes", true)] {
        let _ = writeln!(out, " \"{name}\": {{");
        let rows: BTreeMap<_, _> = section(name).iter().collect();
        let count = rows.len();
        for (index, (key, value)) in rows.into_iter().enumerate() {
            let comma = if index + 1 < count { "," } else { "" };
            let _ = writeln!(out, "  \"{key}\": {}{comma}", sorted(&without_prose(value)));
        }
        let _ = writeln!(out, " }}{}", if last { "" } else { "," });
    }
    out.push_str("}\n");
    out
}

fn without_prose(value: &Value) -> Value {
    const PROSE: [&str; 12] = [
        "documentation",
        "documentationUrl",
        "deprecatedMessage",
        "deprecatedSince",
        "deprecated",
        "synopsis",
        "examples",
        "endpoint",
        "staticContextParams",
        // What clients make of an endpoint.
        "contextParam",
        "endpointdiscovery",
        "hostLabel",
    ];
    match value {
        Value::Object(object) => {
            // A member may itself be called `documentation`: below `members` every key is a name.
            let strip = |(key, inner): (&String, &Value)| {
                let kept = match (key.as_str(), inner) {
                    ("members", Value::Object(members)) => {
                        Value::Object(members.iter().map(|(k, v)| (k.clone(), without_prose(v))).collect())
                    }
                    _ => without_prose(inner),
                };
                (!PROSE.contains(&key.as_str())).then(|| (key.clone(), kept))
            };
            Value::Object(object.iter().filter_map(strip).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_prose).collect()),
        other => other.clone(),
    }
}

fn sorted(value: &Value) -> String {
    // serde_json's map is ordered by key.
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_goes_and_a_member_called_documentation_stays() {
        let shape = serde_json::json!({
            "type": "structure",
            "documentation": "prose",
            "members": { "documentation": { "shape": "String", "documentation": "prose" } },
        });
        let expected = serde_json::json!({
            "type": "structure",
            "members": { "documentation": { "shape": "String" } },
        });
        assert_eq!(without_prose(&shape), expected);
    }
}
