//! `[ … ]`: conditions on the fields of an event, by position.

use std::collections::BTreeMap;

use super::PatternError;
use super::condition::Comparison;
use super::cursor::Cursor;
use super::message::Message;
use super::tree::Tree;

/// A pattern of columns. Without an ellipsis a message has exactly as many fields.
#[derive(Debug, Clone)]
pub(super) struct Delimited {
    /// The columns from the message's start.
    head: Vec<Column>,
    /// Those that count from its end, behind an ellipsis, which stands for any number of fields.
    tail: Option<Vec<Column>>,
}

#[derive(Debug, Clone, Default)]
struct Column {
    /// Nothing where the pattern only leaves room.
    name: Option<String>,
    test: Option<Tree<Comparison>>,
}

impl Delimited {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Delimited, PatternError> {
        if !cursor.rest().trim_end().ends_with(']') {
            return Err(PatternError::Unclosed { open: '[', close: ']' });
        }
        cursor.eat("[");
        let mut delimited = Delimited { head: vec![], tail: None };
        loop {
            cursor.skip_space();
            if cursor.eat("...") || cursor.eat("…") {
                if delimited.tail.replace(vec![]).is_some() {
                    return Err(cursor.error("there is more than 1 ellipsis"));
                }
            } else {
                let column = column(cursor)?;
                delimited.tail.as_mut().unwrap_or(&mut delimited.head).push(column);
            }
            cursor.skip_space();
            if cursor.eat("]") {
                break;
            }
            if !cursor.eat(",") {
                return Err(cursor.error("',' or ']' was expected"));
            }
        }
        cursor.skip_space();
        if !cursor.rest().is_empty() {
            return Err(cursor.error("the pattern should end here"));
        }
        if delimited.columns().count() == 1 && delimited.tail.is_none() && delimited.head[0].name.is_none() {
            return Err(cursor.error("a field was expected"));
        }
        Ok(delimited)
    }

    pub(super) fn matches(&self, message: &Message<'_>) -> bool {
        let fields = message.fields();
        self.fits(fields.len())
            && self.placed(fields.len()).all(|(index, column)| match &column.test {
                Some(test) => test.holds(&mut |comparison| comparison.holds(fields[index])),
                None => true,
            })
    }

    /// All fields of a message that matches, by name or by number from 1.
    pub(super) fn extract(&self, message: &Message<'_>) -> BTreeMap<String, String> {
        let fields = message.fields();
        let mut names: Vec<Option<&str>> = vec![None; fields.len()];
        for (index, column) in self.placed(fields.len()) {
            names[index] = column.name.as_deref();
        }
        let named = |(index, value): (usize, &&str)| match names[index] {
            Some(name) => (format!("${name}"), (*value).to_owned()),
            None => (format!("${}", index + 1), (*value).to_owned()),
        };
        fields.iter().enumerate().map(named).collect()
    }

    /// The field under a name, in a message that matches.
    pub(super) fn named<'m>(&self, message: &Message<'m>, name: &str) -> Option<&'m str> {
        let count = message.fields().len();
        if !self.fits(count) {
            return None;
        }
        let (index, _) = self.placed(count).find(|(_, column)| column.name.as_deref() == Some(name))?;
        message.field(index)
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.columns().any(|column| column.name.as_deref() == Some(name))
    }

    fn columns(&self) -> impl Iterator<Item = &Column> {
        self.head.iter().chain(self.tail.iter().flatten())
    }

    fn fits(&self, count: usize) -> bool {
        match &self.tail {
            Some(tail) => count >= self.head.len() + tail.len(),
            None => count == self.head.len(),
        }
    }

    /// The columns with the index of each one's field, in a message of so many fields as [`Delimited::fits`] allows.
    fn placed(&self, count: usize) -> impl Iterator<Item = (usize, &Column)> {
        let tail = self.tail.as_deref().unwrap_or_default();
        let from_end = count.saturating_sub(tail.len());
        self.head.iter().enumerate().chain(tail.iter().enumerate().map(move |(i, column)| (from_end + i, column)))
    }
}

/// A name, a compound of conditions on one name, or (before a comma or the end) nothing.
fn column(cursor: &mut Cursor<'_>) -> Result<Column, PatternError> {
    if ends(cursor) {
        return Ok(Column::default());
    }
    let start = cursor.mark();
    let plain = name(cursor).to_owned();
    cursor.skip_space();
    if !plain.is_empty() && ends(cursor) {
        return Ok(Column { name: Some(plain), test: None });
    }
    cursor.rewind(start);
    let mut named: Option<String> = None;
    let test = Tree::parse(cursor, &mut |cursor: &mut Cursor<'_>| {
        let name = name(cursor);
        let known = named.get_or_insert_with(|| name.to_owned());
        // The guide's own example compares `w1` and `W1` as one.
        if name.is_empty() || !known.eq_ignore_ascii_case(name) {
            return Err(cursor.error("the conditions of a field must all name that field"));
        }
        Comparison::parse(cursor)
    })?;
    Ok(Column { name: named, test: Some(test) })
}

fn name<'p>(cursor: &mut Cursor<'p>) -> &'p str {
    cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn ends(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek(), Some(',' | ']'))
}
