//! What a query says, as the parser hands it to the plan.

use regex::Regex;

use super::function::Function;
use super::glob::Glob;
use super::time::Period;
use super::value::Value;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value<'static>),
    /// A field, of the event or made by an earlier command.
    Field(String),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    Like(Box<Expression>, Matcher),
    In(Box<Expression>, Vec<Expression>),
    /// Whether an array, such as a field holds, has an element.
    InArray(Box<Expression>, Box<Expression>),
    Call(Function, Vec<Expression>),
    /// `bin(5m)`, `datefloor(t, 1h)`, `dateceil(t, 1h)`.
    Round {
        instant: Box<Expression>,
        period: Period,
        up: bool,
    },
    /// The result of the command's nth aggregate, in `stats` alone.
    Aggregate(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// What stands behind `like` and `=~`.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    Substring(String),
    Regex(Regex),
}

/// An aggregate, with what it is applied to.
#[derive(Debug, Clone)]
pub(super) enum Aggregate {
    /// Of all rows, or of those that have the value.
    Count(Option<Expression>),
    CountDistinct(Expression),
    Sum(Expression),
    Avg(Expression),
    Min(Expression),
    Max(Expression),
    /// The value below which so many percent lie.
    Percentile(Expression, f64),
    StdDev(Expression),
    Earliest(Expression),
    Latest(Expression),
    SortsFirst(Expression),
    SortsLast(Expression),
}

/// An expression and the name of the column that shows it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) expression: Expression,
    pub(super) name: String,
}

/// A key of `sort`.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) expression: Expression,
    pub(super) descending: bool,
}

/// What `parse` extracts with.
#[derive(Debug, Clone)]
pub(super) enum Extractor {
    /// One text per name.
    Glob(Glob, Vec<String>),
    /// Groups by their number, and the names they get.
    Regex(Regex, Vec<(usize, String)>),
}

/// A command of a query.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Fields(Vec<Item>),
    Display(Vec<Item>),
    Filter(Expression),
    Parse {
        source: Expression,
        extractor: Extractor,
    },
    Stats(Stats),
    Sort(Vec<Key>),
    /// The first rows.
    Limit(usize),
    /// Any rows, so many, in no order (`limit any`).
    LimitAny(usize),
    /// One row for each element of an array, under a name.
    Unnest {
        source: Expression,
        name: String,
    },
    /// The last rows (`tail`).
    Tail(usize),
    Dedup(Vec<String>),
}

/// The `stats` command.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) items: Vec<Item>,
    pub(super) by: Vec<Item>,
}
