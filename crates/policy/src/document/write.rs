//! A document as JSON again, in one canonical form.

use serde_json::{Map, Value, json};

use super::{Condition, Document, Effect, Principals, Select, Statement, Version};

impl Document {
    /// The document as JSON. It reads back as the same document.
    pub fn to_json(&self) -> Value {
        let version = match self.version {
            Version::V2008 => "2008-10-17",
            Version::V2012 => "2012-10-17",
        };
        let mut members = Map::new();
        members.insert("Version".to_owned(), version.into());
        if let Some(id) = &self.id {
            members.insert("Id".to_owned(), id.as_str().into());
        }
        let statements: Vec<Value> = self.statements.iter().map(statement).collect();
        members.insert("Statement".to_owned(), statements.into());
        Value::Object(members)
    }
}

fn statement(statement: &Statement) -> Value {
    let effect = match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    let mut members = Map::new();
    if let Some(sid) = &statement.sid {
        members.insert("Sid".to_owned(), sid.as_str().into());
    }
    members.insert("Effect".to_owned(), effect.into());
    if let Some(element) = &statement.principals {
        select(&mut members, "Principal", element, principals);
    }
    select(&mut members, "Action", &statement.actions, |texts| json!(texts));
    if let Some(element) = &statement.resources {
        select(&mut members, "Resource", element, |texts| json!(texts));
    }
    if !statement.conditions.is_empty() {
        members.insert("Condition".to_owned(), conditions(&statement.conditions));
    }
    Value::Object(members)
}

fn select<T>(members: &mut Map<String, Value>, name: &str, element: &Select<T>, write: impl Fn(&T) -> Value) {
    match element {
        Select::Only(listed) => members.insert(name.to_owned(), write(listed)),
        Select::Except(listed) => members.insert(format!("Not{name}"), write(listed)),
    };
}

fn principals(principals: &Principals) -> Value {
    let Principals::Named(named) = principals else { return "*".into() };
    let mut by_kind = Map::new();
    for principal in named {
        append(&mut by_kind, principal.kind(), principal.value().into());
    }
    Value::Object(by_kind)
}

fn conditions(conditions: &[Condition]) -> Value {
    let mut by_operator = Map::new();
    for condition in conditions {
        let block = by_operator.entry(condition.operator.to_string()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(block) = block {
            block.insert(condition.key.clone(), json!(condition.values));
        }
    }
    Value::Object(by_operator)
}

fn append(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(values) => values.push(value),
        other => *other = value,
    }
}
