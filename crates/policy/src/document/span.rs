//! Where in its text each statement of a policy stands, as `iam:SimulateCustomPolicy` tells it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// Where a statement begins and ends.
///
/// AWS tells where its reader stood: before the statement's first token, which is right behind the bracket or the
/// statement before it, and behind its last. A statement that stands alone, without brackets, begins behind its brace.
/// (So the service answers for texts whose positions are published.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where the reader stood before the statement.
    pub start: Position,
    /// Where it stood after it.
    pub end: Position,
}

/// The spans of a policy's statements in their order; none when the text is no policy.
pub fn spans(text: &str) -> Vec<Span> {
    offsets(text).unwrap_or_default().into_iter().map(|(start, end)| span(text, start, end)).collect()
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

/// Where each statement starts and ends, in bytes.
fn offsets(text: &str) -> Option<Vec<(usize, usize)>> {
    let element = serde_json::from_str::<Source<'_>>(text).ok()?.statement.get();
    let offset = |part: &str| (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    let start = offset(element)?;
    if !element.starts_with('[') {
        return Some(vec![(start + 1, start + element.len())]);
    }
    let mut before = start + 1;
    let mut found = Vec::new();
    for statement in serde_json::from_str::<Vec<&RawValue>>(element).ok()? {
        let end = offset(statement.get())? + statement.get().len();
        found.push((before, end));
        before = end;
    }
    Some(found)
}

fn span(text: &str, start: usize, end: usize) -> Span {
    Span { start: position(text, start), end: position(text, end) }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Vec<(usize, usize)> {
        spans(text).iter().map(|span| (span.start.column, span.end.column)).collect()
    }

    #[test]
    fn a_statement_alone_is_where_aws_says_in_its_own_example() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}"#;
        assert_eq!(columns(text), [(38, 167)]);
    }

    #[test]
    fn listed_statements_begin_where_the_one_before_ends() {
        assert_eq!(columns(r#"{"Version":"2012-10-17","Statement":[{"a":1},{"b":2}]}"#), [(38, 45), (45, 53)]);
        assert_eq!(columns(r#"{"Version": "2012-10-17", "Statement": [{}]}"#), [(41, 43)]);
    }

    #[test]
    fn lines_are_counted() {
        let position = |line, column| Position { line, column };
        let text = "{\n  \"Statement\": [\n    {\"é\": 1\n    }\n  ]\n}";
        assert_eq!(spans(text), [Span { start: position(2, 17), end: position(4, 6) }]);
    }

    #[test]
    fn what_is_no_policy_has_no_statements() {
        for text in ["", "{", "{}", "[]", "{\"Statement\": [}"] {
            assert_eq!(spans(text), [], "{text}");
        }
    }
}
