//! Property selectors: `$.user.id`, `$.users[0].name`, `$.['dotted.name']`, `$.items[*].id`.

use std::borrow::Cow;

use serde_json::Value;

use super::PatternError;
use super::condition::quoted;
use super::cursor::Cursor;

/// How many wildcards (`[*]`, `.*`) one selector may have (CloudWatch Logs' quota).
pub(super) const SELECTOR_WILDCARDS_MAX: usize = 1;

/// Names a property, or with a wildcard several, of an event that is JSON. Two are equal if they name the same.
#[derive(Debug, Clone)]
pub struct Selector {
    text: String,
    steps: Vec<Step>,
}

impl PartialEq for Selector {
    fn eq(&self, other: &Selector) -> bool {
        self.steps == other.steps
    }
}

impl Eq for Selector {}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Any,
}

impl Selector {
    /// Reads a selector that is a text of its own.
    pub fn parse(text: &str) -> Result<Selector, PatternError> {
        let mut cursor = Cursor::new(text);
        let selector = Selector::read(&mut cursor)?;
        if cursor.rest().is_empty() { Ok(selector) } else { Err(cursor.error("the selector should end here")) }
    }

    /// Reads the selector that stands at the cursor.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Selector, PatternError> {
        let source = cursor.rest();
        let start = cursor.mark();
        if !cursor.eat("$") {
            return Err(cursor.error("a property selector ($.name) was expected"));
        }
        let mut steps = vec![];
        loop {
            if cursor.eat("[") || cursor.eat(".[") {
                steps.push(bracketed(cursor)?);
            } else if cursor.eat(".") {
                steps.push(dotted(cursor)?);
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Err(cursor.error("the name of a property was expected"));
        }
        let selector = Selector { text: source[..cursor.mark() - start].to_owned(), steps };
        if selector.wildcards() > SELECTOR_WILDCARDS_MAX {
            return Err(cursor.error("a property selector has more than 1 wildcard"));
        }
        Ok(selector)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn wildcards(&self) -> usize {
        self.steps.iter().filter(|step| **step == Step::Any).count()
    }

    /// Whether one of the nodes it names passes a test.
    pub(super) fn any_node<'v>(&self, root: &'v Value, test: &mut dyn FnMut(&'v Value) -> bool) -> bool {
        walk(&self.steps, root, test)
    }

    /// The text of the first string, number or boolean that it names.
    pub(super) fn first<'v>(&self, root: &'v Value) -> Option<Cow<'v, str>> {
        let mut found = None;
        self.any_node(root, &mut |node| {
            found = scalar(node);
            found.is_some()
        });
        found
    }

    /// The last property's name that it spells out: a message that has the property contains it between quotation marks.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) | Step::Any => None,
        })
    }
}

/// The text of a value node. Arrays and objects have none, nor has null.
pub(super) fn scalar(node: &Value) -> Option<Cow<'_, str>> {
    match node {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn walk<'v>(steps: &[Step], node: &'v Value, test: &mut dyn FnMut(&'v Value) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return test(node) };
    match (step, node) {
        (Step::Key(key), Value::Object(members)) => members.get(key).is_some_and(|node| walk(rest, node, test)),
        (Step::Index(index), Value::Array(items)) => items.get(*index).is_some_and(|node| walk(rest, node, test)),
        (Step::Any, Value::Array(items)) => items.iter().any(|node| walk(rest, node, test)),
        (Step::Any, Value::Object(members)) => members.values().any(|node| walk(rest, node, test)),
        _ => false,
    }
}

fn dotted(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    if cursor.eat("*") {
        return Ok(Step::Any);
    }
    let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    if name.is_empty() {
        return Err(cursor.error("the name of a property was expected"));
    }
    Ok(Step::Key(name.to_owned()))
}

/// What stands in brackets: a number, `*`, or a name in quotation marks of either kind.
fn bracketed(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    let step = match cursor.peek() {
        Some('*') => {
            cursor.bump();
            Step::Any
        }
        Some('"') => Step::Key(unescaped(quoted(cursor)?)),
        Some('\'') => {
            cursor.bump();
            let name = cursor.take_while(|c| c != '\'');
            cursor.bump();
            Step::Key(name.to_owned())
        }
        _ => {
            let digits = cursor.take_while(|c| c.is_ascii_digit());
            Step::Index(digits.parse().map_err(|_| cursor.error("an array index was expected"))?)
        }
    };
    if cursor.eat("]") { Ok(step) } else { Err(cursor.error("']' was expected")) }
}

/// What stood between quotation marks, without the backslashes that escape a mark or another.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next_if(|next| matches!(next, '"' | '\\')) } else { None };
        out.push(escaped.unwrap_or(c));
    }
    out
}
