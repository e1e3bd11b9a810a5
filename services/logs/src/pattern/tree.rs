//! Conditions joined by `&&`, `||` and parentheses, for both forms that have them.

use super::cursor::Cursor;
use super::{NESTING_MAX, PatternError};

/// A compound expression over conditions of type `C`. `&&` binds closer than `||`.
#[derive(Debug, Clone)]
pub(super) enum Tree<C> {
    Leaf(C),
    All(Vec<Tree<C>>),
    Any(Vec<Tree<C>>),
}

impl<C> Tree<C> {
    /// Reads an expression; `leaf` reads one condition.
    pub(super) fn parse<F>(cursor: &mut Cursor<'_>, leaf: &mut F) -> Result<Tree<C>, PatternError>
    where
        F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    {
        any(cursor, NESTING_MAX, leaf)
    }

    pub(super) fn holds(&self, test: &mut impl FnMut(&C) -> bool) -> bool {
        match self {
            Tree::Leaf(condition) => test(condition),
            Tree::All(branches) => branches.iter().all(|branch| branch.holds(test)),
            Tree::Any(branches) => branches.iter().any(|branch| branch.holds(test)),
        }
    }

    pub(super) fn for_each<'t>(&'t self, visit: &mut impl FnMut(&'t C)) {
        match self {
            Tree::Leaf(condition) => visit(condition),
            Tree::All(branches) | Tree::Any(branches) => branches.iter().for_each(|branch| branch.for_each(visit)),
        }
    }
}

fn any<C, F>(cursor: &mut Cursor<'_>, depth: usize, leaf: &mut F) -> Result<Tree<C>, PatternError>
where
    F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
{
    let first = all(cursor, depth, leaf)?;
    let mut branches = vec![];
    cursor.skip_space();
    while cursor.eat("||") {
        branches.push(all(cursor, depth, leaf)?);
        cursor.skip_space();
    }
    Ok(join(first, branches, Tree::Any))
}

fn all<C, F>(cursor: &mut Cursor<'_>, depth: usize, leaf: &mut F) -> Result<Tree<C>, PatternError>
where
    F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
{
    let first = one(cursor, depth, leaf)?;
    let mut branches = vec![];
    cursor.skip_space();
    while cursor.eat("&&") {
        branches.push(one(cursor, depth, leaf)?);
        cursor.skip_space();
    }
    Ok(join(first, branches, Tree::All))
}

fn one<C, F>(cursor: &mut Cursor<'_>, depth: usize, leaf: &mut F) -> Result<Tree<C>, PatternError>
where
    F: FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
{
    cursor.skip_space();
    if !cursor.eat("(") {
        return leaf(cursor).map(Tree::Leaf);
    }
    let depth = depth.checked_sub(1).ok_or_else(|| cursor.error("parentheses nest too deeply"))?;
    let inner = any(cursor, depth, leaf)?;
    cursor.skip_space();
    if cursor.eat(")") { Ok(inner) } else { Err(cursor.error("')' was expected")) }
}

fn join<C>(first: Tree<C>, mut rest: Vec<Tree<C>>, joined: fn(Vec<Tree<C>>) -> Tree<C>) -> Tree<C> {
    if rest.is_empty() {
        return first;
    }
    rest.insert(0, first);
    joined(rest)
}
