//! One row a rule: what is changed of a definition that ECS registers, and what ECS says to it.

mod accepted;
mod attributes;
mod refused_for_containers;
mod refused_for_fargate;
mod refused_for_tasks;

use serde_json::{Value, json};
use wire::value::Modeled;

use super::admit;
use crate::api::{self, RegisterTaskDefinitionRequest};
use crate::task_definition::Refusal;

/// What a definition on instances is made from.
fn on_instances() -> Value {
    json!({"family": "web", "containerDefinitions": [{"name": "app", "image": "busybox", "memory": 64}]})
}

/// What a definition for Fargate is made from.
fn on_fargate() -> Value {
    json!({
        "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256",
        "memory": "512", "containerDefinitions": [{"name": "app", "image": "busybox"}]
    })
}

/// Lays `patch` over `base`: objects are merged, and so are the elements of arrays, by place.
fn patched(base: Value, patch: Value) -> Value {
    match (base, patch) {
        (Value::Object(mut base), Value::Object(patch)) => {
            for (key, value) in patch {
                let merged = patched(base.remove(&key).unwrap_or(Value::Null), value);
                base.insert(key, merged);
            }
            Value::Object(base)
        }
        (Value::Array(base), Value::Array(patch)) => {
            let mut base = base.into_iter();
            patch.into_iter().map(|value| patched(base.next().unwrap_or(Value::Null), value)).collect()
        }
        (_, patch) => patch,
    }
}

/// A patch of the first container.
fn app(patch: Value) -> Value {
    json!({"containerDefinitions": [patch]})
}

/// Reads a request as the wire does.
fn read(request: &Value) -> RegisterTaskDefinitionRequest {
    let text = request.to_string();
    let shape = RegisterTaskDefinitionRequest::shape();
    let value = wire::json::decode(shape, text.as_bytes(), &wire::json::Limits::REQUEST).unwrap();
    wire::validate::validate(shape, &value).unwrap();
    wire::read(value).unwrap()
}

fn admitted(request: Value) -> Result<api::TaskDefinition, Refusal> {
    admit("123456789012".parse().unwrap(), read(&request))
}

/// The definition as JSON, as the wire writes it.
fn written(definition: &api::TaskDefinition) -> Value {
    use wire::value::Shaped;
    let bytes = wire::json::encode(api::TaskDefinition::shape(), &definition.clone().into_value());
    serde_json::from_slice(&bytes).unwrap()
}

/// Every row must be refused with its message, and with it alone: the base is accepted.
fn assert_refused(base: fn() -> Value, rows: Vec<(Value, &str)>) {
    admitted(base()).unwrap();
    for (patch, message) in rows {
        let request = patched(base(), patch);
        let shown: String = request.to_string().chars().take(1000).collect();
        match admitted(request) {
            Err(refusal) => assert_eq!(refusal.to_string(), message, "{shown}"),
            Ok(_) => panic!("registered instead of: {message}\n{shown}"),
        }
    }
}

#[test]
fn sizes_are_wrong_parameters_and_everything_else_is_the_clients_fault() {
    let code =
        |patch| wire::Error::from(crate::Error::from(admitted(patched(on_instances(), patch)).unwrap_err())).code;
    assert_eq!(code(json!({"cpu": "much"})), "InvalidParameterException");
    assert_eq!(code(json!({"memory": "much"})), "InvalidParameterException");
    assert_eq!(code(json!({"family": "a b"})), "ClientException");
}
