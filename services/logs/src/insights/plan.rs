//! From commands to stages: what is done to a row at once, and where all rows must be seen first.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ast::{Aggregate, Command, Expression, Extractor, Item, Key, Stats};
use super::hint::{self, TimeBounds};
use crate::pattern::needed::Needed;

/// A query, ready to run.
#[derive(Debug)]
pub(super) struct Plan {
    /// At least one; the last one ends in [`End::Arrange`].
    pub(super) stages: Vec<Stage>,
    /// What each row shows: the column's title and the field that it shows.
    pub(super) columns: Vec<(String, Arc<str>)>,
    /// Whether the rows are events, not groups of them.
    pub(super) of_events: bool,
    /// What a message must contain to pass the first stage's filters.
    pub(super) needed: Needed,
    pub(super) time: TimeBounds,
}

/// Steps that each row takes alone, and where the rows then meet.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// What is done to one row.
#[derive(Debug)]
pub(super) enum Step {
    /// Makes a field.
    Make(Arc<str>, Expression),
    /// Drops the row unless this holds.
    Filter(Expression),
    /// One row becomes one for each element of an array, which it has in this field.
    Unnest(Expression, Arc<str>),
    /// Makes the fields that the extractor names, if it matches.
    Parse(Expression, Extractor, Vec<Arc<str>>),
}

/// Where rows meet.
#[derive(Debug)]
pub(super) enum End {
    Group(Group),
    Arrange(Arrange),
}

/// Rows become groups.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) items: Vec<(Arc<str>, Expression)>,
    pub(super) by: Vec<(Arc<str>, Expression)>,
}

/// Rows get an order, and some are left out.
#[derive(Debug)]
pub(super) struct Arrange {
    pub(super) order: Order,
    /// Of rows with the same values of these fields only the first stays.
    pub(super) dedup: Option<Vec<String>>,
    pub(super) take: Option<Take>,
    /// The fields that anything behind asks for.
    pub(super) keep: Vec<Arc<str>>,
}

#[derive(Debug)]
pub(super) enum Order {
    /// The newest event first: the order of events that no command orders.
    Latest,
    /// As they came.
    Arrival,
    Keys(Vec<Key>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    First(usize),
    Last(usize),
}

/// Makes the plan of a query.
pub(super) fn plan(commands: Vec<Command>) -> Plan {
    let mut builder = Builder::default();
    for command in commands {
        builder.add(command);
    }
    builder.finish()
}

#[derive(Default)]
struct Builder {
    stages: Vec<Stage>,
    steps: Vec<Step>,
    columns: Vec<(String, Arc<str>)>,
    displayed: bool,
    grouped: bool,
}

impl Builder {
    fn add(&mut self, command: Command) {
        match command {
            Command::Fields(items) => {
                let columns = self.make(items);
                if self.displayed {
                    return;
                }
                for column in columns {
                    if !self.columns.contains(&column) {
                        self.columns.push(column);
                    }
                }
            }
            Command::Display(items) => {
                self.columns = self.make(items);
                self.displayed = true;
            }
            Command::Filter(condition) => self.steps.push(Step::Filter(condition)),
            Command::Parse { source, extractor } => {
                let names = match &extractor {
                    Extractor::Glob(_, names) => names.iter().map(|name| name.as_str().into()).collect(),
                    Extractor::Regex(_, groups) => groups.iter().map(|(_, name)| name.as_str().into()).collect(),
                };
                self.steps.push(Step::Parse(source, extractor, names));
            }
            Command::Stats(stats) => self.group(stats),
            Command::Sort(keys) => self.arrange(Order::Keys(keys)),
            Command::Limit(count) => self.take(Take::First(count)),
            Command::LimitAny(count) => {
                let take = Some(Take::First(count));
                self.close(End::Arrange(Arrange { order: Order::Arrival, dedup: None, take, keep: vec![] }));
            }
            Command::Unnest { source, name } => self.steps.push(Step::Unnest(source, name.as_str().into())),
            Command::Tail(count) => self.take(Take::Last(count)),
            Command::Dedup(fields) => self.dedup(fields),
        }
    }

    /// Steps that make what the items compute, and the columns that show it.
    fn make(&mut self, items: Vec<Item>) -> Vec<(String, Arc<str>)> {
        let mut columns = vec![];
        for item in items {
            let name: Arc<str> = item.name.as_str().into();
            if !matches!(&item.expression, Expression::Field(field) if *field == item.name) {
                self.steps.push(Step::Make(name.clone(), item.expression));
            }
            columns.push((item.name, name));
        }
        columns
    }

    fn group(&mut self, stats: Stats) {
        let named =
            |items: Vec<Item>| items.into_iter().map(|item| (item.name.as_str().into(), item.expression)).collect();
        let group = Group { aggregates: stats.aggregates, items: named(stats.items), by: named(stats.by) };
        self.columns = group.by.iter().chain(&group.items).map(|(name, _)| (name.to_string(), name.clone())).collect();
        self.displayed = false;
        self.grouped = true;
        self.close(End::Group(group));
    }

    fn arrange(&mut self, order: Order) {
        self.close(End::Arrange(Arrange { order, dedup: None, take: None, keep: vec![] }));
    }

    fn close(&mut self, end: End) {
        self.stages.push(Stage { steps: std::mem::take(&mut self.steps), end });
    }

    /// The order that rows are in where no `sort` stands right before.
    fn standing_order(&self) -> Order {
        if self.stages.is_empty() { Order::Latest } else { Order::Arrival }
    }

    /// The last stage, if nothing that drops or adds rows came after it: what is to be taken may be taken there at once.
    fn open_arrangement(&mut self) -> Option<&mut Arrange> {
        if self.steps.iter().any(|step| matches!(step, Step::Filter(_) | Step::Unnest(..))) {
            return None;
        }
        match &mut self.stages.last_mut()?.end {
            End::Arrange(arrange) if arrange.take.is_none() => Some(arrange),
            _ => None,
        }
    }

    fn take(&mut self, take: Take) {
        match self.open_arrangement() {
            Some(arrange) => arrange.take = Some(take),
            None => {
                let order = self.standing_order();
                self.close(End::Arrange(Arrange { order, dedup: None, take: Some(take), keep: vec![] }));
            }
        }
    }

    fn dedup(&mut self, fields: Vec<String>) {
        let fields = Some(fields);
        // Fields that were made after the sort are not there yet where it sorts.
        let made_since = !self.steps.is_empty();
        match self.open_arrangement() {
            Some(arrange) if arrange.dedup.is_none() && !made_since => arrange.dedup = fields,
            _ => {
                let order = self.standing_order();
                self.close(End::Arrange(Arrange { order, dedup: fields, take: None, keep: vec![] }));
            }
        }
    }

    fn finish(mut self) -> Plan {
        let rows_end = matches!(self.stages.last(), Some(Stage { end: End::Arrange(_), .. }));
        if !rows_end || !self.steps.is_empty() {
            let order = self.standing_order();
            self.arrange(order);
        }
        if self.columns.is_empty() {
            self.columns = ["@timestamp", "@message"].map(|name| (name.to_owned(), name.into())).into();
        }
        let mut plan = Plan {
            needed: hint::needed(&self.stages),
            time: hint::time_bounds(&self.stages),
            stages: self.stages,
            columns: self.columns,
            of_events: !self.grouped,
        };
        plan.decide_what_to_keep();
        plan
    }
}

impl Plan {
    /// From the end to the beginning: what a stage keeps is what the columns show and what the stages behind it read.
    fn decide_what_to_keep(&mut self) {
        let mut read: BTreeSet<Arc<str>> = self.columns.iter().map(|(_, field)| field.clone()).collect();
        if self.of_events {
            read.insert("@ptr".into());
        }
        for stage in self.stages.iter_mut().rev() {
            match &mut stage.end {
                End::Group(group) => {
                    read.clear();
                    let of = group.aggregates.iter().filter_map(Aggregate::of);
                    let by = group.by.iter().map(|(_, expression)| expression);
                    of.chain(by).for_each(|expression| fields_of(expression, &mut read));
                    // What earliest and latest go by.
                    read.insert("@timestamp".into());
                }
                End::Arrange(arrange) => {
                    arrange.keep = read.iter().cloned().collect();
                    if let Order::Keys(keys) = &arrange.order {
                        keys.iter().for_each(|key| fields_of(&key.expression, &mut read));
                    }
                    if matches!(arrange.order, Order::Latest) {
                        read.insert("@timestamp".into());
                    }
                    read.extend(arrange.dedup.iter().flatten().map(|name| Arc::from(name.as_str())));
                }
            }
            for step in &stage.steps {
                match step {
                    Step::Make(_, expression)
                    | Step::Filter(expression)
                    | Step::Unnest(expression, _)
                    | Step::Parse(expression, ..) => fields_of(expression, &mut read),
                }
            }
        }
    }
}

/// The fields that an expression reads.
fn fields_of(expression: &Expression, into: &mut BTreeSet<Arc<str>>) {
    match expression {
        Expression::Literal(_) | Expression::Aggregate(_) => {}
        Expression::Field(name) => {
            into.insert(name.as_str().into());
        }
        Expression::Not(inner) | Expression::Negate(inner) | Expression::Like(inner, _) => fields_of(inner, into),
        Expression::Round { instant, .. } => fields_of(instant, into),
        Expression::And(parts) | Expression::Or(parts) | Expression::Call(_, parts) => {
            parts.iter().for_each(|part| fields_of(part, into));
        }
        Expression::Compare(_, left, right)
        | Expression::Arithmetic(_, left, right)
        | Expression::InArray(left, right) => {
            fields_of(left, into);
            fields_of(right, into);
        }
        Expression::In(subject, list) => {
            fields_of(subject, into);
            list.iter().for_each(|item| fields_of(item, into));
        }
    }
}
