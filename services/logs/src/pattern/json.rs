//! `{ … }`: conditions on the properties of an event that is JSON.

use std::collections::BTreeMap;

use serde_json::Value;

use super::PatternError;
use super::condition::Comparison;
use super::cursor::Cursor;
use super::message::Message;
use super::needed::Needed;
use super::selector::{Selector, scalar};
use super::tree::Tree;

/// How many wildcard selectors one pattern may have in all (CloudWatch Logs' quota).
pub(super) const PATTERN_WILDCARDS_MAX: usize = 3;

/// A pattern of conditions on properties.
#[derive(Debug, Clone)]
pub(super) struct Json {
    tree: Tree<Condition>,
    needed: Needed,
}

#[derive(Debug, Clone)]
struct Condition {
    selector: Selector,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Compare(Comparison),
    IsNull,
    Is(bool),
    NotExists,
}

impl Json {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Json, PatternError> {
        if !cursor.rest().trim_end().ends_with('}') {
            return Err(PatternError::Unclosed { open: '{', close: '}' });
        }
        cursor.eat("{");
        let tree = Tree::parse(cursor, &mut condition)?;
        cursor.skip_space();
        if !cursor.eat("}") {
            return Err(cursor.error("'&&', '||' or '}' was expected"));
        }
        cursor.skip_space();
        if !cursor.rest().is_empty() {
            return Err(cursor.error("the pattern should end here"));
        }
        let mut wildcards = 0;
        tree.for_each(&mut |condition: &Condition| wildcards += condition.selector.wildcards());
        if wildcards > PATTERN_WILDCARDS_MAX {
            return Err(cursor.error("there are more than 3 wildcard selectors"));
        }
        let needed = needed(&tree);
        Ok(Json { tree, needed })
    }

    pub(super) fn matches(&self, message: &Message<'_>) -> bool {
        if !message.text().trim_start().starts_with(['{', '[']) || !self.needed.may_be_in(message.text()) {
            return false;
        }
        message.json().is_some_and(|root| self.tree.holds(&mut |condition| condition.holds(root)))
    }

    /// The values of the properties that the pattern names, under the names as they are written.
    pub(super) fn extract(&self, message: &Message<'_>) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let Some(root) = message.json() else { return values };
        self.tree.for_each(&mut |condition: &Condition| {
            if let Some(value) = condition.selector.first(root) {
                values.insert(condition.selector.text().to_owned(), value.into_owned());
            }
        });
        values
    }

    pub(super) fn names(&self, selector: &Selector) -> bool {
        let mut named = false;
        self.tree.for_each(&mut |condition: &Condition| named |= condition.selector == *selector);
        named
    }
}

impl Condition {
    fn holds(&self, root: &Value) -> bool {
        match &self.test {
            Test::Compare(comparison) => {
                self.selector.any_node(root, &mut |node| scalar(node).is_some_and(|value| comparison.holds(&value)))
            }
            Test::IsNull => self.selector.any_node(root, &mut |node| node.is_null()),
            Test::Is(wanted) => self.selector.any_node(root, &mut |node| node.as_bool() == Some(*wanted)),
            Test::NotExists => !self.selector.any_node(root, &mut |_| true),
        }
    }
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Condition, PatternError> {
    let selector = Selector::read(cursor)?;
    cursor.skip_space();
    let test = if cursor.eat_word("IS") {
        cursor.skip_space();
        if cursor.eat_word("NULL") {
            Test::IsNull
        } else if cursor.eat_word("TRUE") {
            Test::Is(true)
        } else if cursor.eat_word("FALSE") {
            Test::Is(false)
        } else {
            return Err(cursor.error("NULL, TRUE or FALSE was expected"));
        }
    } else if cursor.eat_word("NOT") {
        cursor.skip_space();
        if !cursor.eat_word("EXISTS") {
            return Err(cursor.error("EXISTS was expected"));
        }
        Test::NotExists
    } else {
        Test::Compare(Comparison::parse(cursor)?)
    };
    Ok(Condition { selector, test })
}

fn needed(tree: &Tree<Condition>) -> Needed {
    match tree {
        Tree::Leaf(condition) => needed_by(condition),
        Tree::All(branches) => Needed::All(branches.iter().map(needed).collect()),
        Tree::Any(branches) => Needed::Any(branches.iter().map(needed).collect()),
    }
}

fn needed_by(condition: &Condition) -> Needed {
    let value = match &condition.test {
        Test::NotExists => return Needed::Nothing,
        Test::Compare(comparison) => comparison.required_text(),
        Test::IsNull => "null",
        Test::Is(true) => "true",
        Test::Is(false) => "false",
    };
    let name = condition.selector.last_key().map_or(Needed::Nothing, Needed::name);
    Needed::All(vec![name, Needed::value(value)])
}
