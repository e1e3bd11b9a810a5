//! Where rows meet: groups, and rows in order.

use std::collections::{BinaryHeap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use super::aggregate::Accumulator;
use super::order::Sortable;
use super::plan::{Arrange, End, Group, Order, Take};
use super::scope::Scope;
use super::value::{Number, Value};
use super::{ExecutionError, GROUPS_MAX};

/// The fields of a row.
pub(super) type Row = Vec<(Arc<str>, Value<'static>)>;

/// The memory that a stage may take, in bytes, as far as it is counted.
#[derive(Debug)]
pub(super) struct Budget {
    max: usize,
    left: usize,
}

impl Budget {
    pub(super) fn new(max: usize) -> Budget {
        Budget { max, left: max }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), ExecutionError> {
        self.left = self.left.checked_sub(bytes).ok_or(ExecutionError::Memory { bytes_max: self.max })?;
        Ok(())
    }

    fn give_back(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes).min(self.max);
    }
}

/// What a stage has gathered.
#[derive(Debug)]
pub(super) enum Collected {
    Groups(Groups),
    Rows(Rows),
}

impl Collected {
    pub(super) fn new(end: &End) -> Collected {
        match end {
            End::Group(_) => Collected::Groups(Groups::default()),
            End::Arrange(_) => Collected::Rows(Rows::default()),
        }
    }

    /// Takes a row that passed the stage's steps. `limit` is how many rows count where the arrangement names no number.
    pub(super) fn add(
        &mut self,
        end: &End,
        limit: Option<usize>,
        scope: &Scope<'_>,
        budget: &mut Budget,
    ) -> Result<(), ExecutionError> {
        match (self, end) {
            (Collected::Groups(groups), End::Group(group)) => groups.add(group, scope, budget),
            (Collected::Rows(rows), End::Arrange(arrange)) => rows.add(arrange, limit, scope, budget),
            // `new` made it for this very end.
            _ => Ok(()),
        }
    }

    /// The stage's rows, in their order. `budget` is for what is made of groups.
    pub(super) fn finish(
        self,
        end: &End,
        limit: Option<usize>,
        now: i64,
        budget: &mut Budget,
    ) -> Result<Vec<Row>, ExecutionError> {
        match (self, end) {
            (Collected::Groups(groups), End::Group(group)) => groups.finish(group, now, budget),
            (Collected::Rows(rows), End::Arrange(arrange)) => Ok(rows.finish(arrange, limit)),
            _ => Ok(vec![]),
        }
    }
}

/// Groups, in the order in which they were first met.
#[derive(Debug, Default)]
pub(super) struct Groups {
    index: HashMap<String, usize>,
    groups: Vec<(Vec<Value<'static>>, Vec<Accumulator>)>,
    key: String,
}

impl Groups {
    fn add(&mut self, group: &Group, scope: &Scope<'_>, budget: &mut Budget) -> Result<(), ExecutionError> {
        self.key.clear();
        for (_, expression) in &group.by {
            write_key(&mut self.key, &expression.value(scope, &[]));
        }
        let index = match self.index.get(&self.key) {
            Some(index) => *index,
            None => self.start(group, scope, budget)?,
        };
        let mut bytes = 0;
        for (accumulator, aggregate) in self.groups[index].1.iter_mut().zip(&group.aggregates) {
            bytes += accumulator.add(aggregate, scope);
        }
        budget.take(bytes)
    }

    fn start(&mut self, group: &Group, scope: &Scope<'_>, budget: &mut Budget) -> Result<usize, ExecutionError> {
        if self.groups.len() == GROUPS_MAX {
            return Err(ExecutionError::Groups);
        }
        let by: Vec<Value<'static>> =
            group.by.iter().map(|(_, expression)| expression.value(scope, &[]).into_owned()).collect();
        let values: usize = by.iter().map(|value| size_of::<Value<'_>>() + value.weight()).sum();
        let accumulators = group.aggregates.len() * size_of::<Accumulator>();
        budget.take(2 * self.key.len() + values + accumulators + 64)?;
        self.groups.push((by, group.aggregates.iter().map(Accumulator::new).collect()));
        self.index.insert(self.key.clone(), self.groups.len() - 1);
        Ok(self.groups.len() - 1)
    }

    /// An item can show what it is grouped by, and many items the same: that is memory beyond what the groups took.
    fn finish(self, group: &Group, now: i64, budget: &mut Budget) -> Result<Vec<Row>, ExecutionError> {
        let mut rows = Vec::with_capacity(self.groups.len());
        for (by, mut accumulators) in self.groups {
            let results: Vec<Value<'static>> = accumulators
                .iter_mut()
                .zip(&group.aggregates)
                .map(|(state, aggregate)| state.finish(aggregate))
                .collect();
            let scope = Scope::of_fields(group.by.iter().map(|(name, _)| name.clone()).zip(by).collect(), now);
            let mut items = Row::with_capacity(group.items.len());
            for (name, expression) in &group.items {
                let value = expression.value(&scope, &results);
                budget.take(size_of::<(Arc<str>, Value<'_>)>() + value.weight())?;
                items.push((name.clone(), value.into_owned()));
            }
            let mut row = scope.into_fields();
            row.extend(items);
            rows.push(row);
        }
        Ok(rows)
    }
}

/// A value's part of a key, which begins with its length: no two lists of values have the same key.
fn write_key(key: &mut String, value: &Value<'_>) {
    match value.shown() {
        // Writing to a String cannot fail.
        Some(text) => drop(write!(key, "{}:{text}", text.len())),
        None => key.push('-'),
    }
}

/// Rows in order. No more are kept than can end in the result.
#[derive(Debug, Default)]
pub(super) struct Rows {
    heap: BinaryHeap<Ranked>,
    /// With `dedup`: the best row for each key so far.
    distinct: HashMap<String, Ranked>,
    seen: i64,
}

#[derive(Debug)]
struct Ranked {
    rank: Vec<Directed>,
    values: Vec<Value<'static>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Directed {
    Up(Sortable),
    Down(std::cmp::Reverse<Sortable>),
}

impl Directed {
    fn new(by: Sortable, descending: bool) -> Directed {
        if descending { Directed::Down(std::cmp::Reverse(by)) } else { Directed::Up(by) }
    }

    fn by(&self) -> &Sortable {
        match self {
            Directed::Up(by) | Directed::Down(std::cmp::Reverse(by)) => by,
        }
    }
}

impl Ranked {
    fn weight(&self) -> usize {
        let values: usize = self.values.iter().map(|value| size_of::<Value<'_>>() + value.weight()).sum();
        let rank: usize = self.rank.iter().map(|key| size_of::<Directed>() + key.by().weight()).sum();
        size_of::<Ranked>() + values + rank
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Ranked) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Ranked {}

impl Rows {
    fn add(
        &mut self,
        arrange: &Arrange,
        limit: Option<usize>,
        scope: &Scope<'_>,
        budget: &mut Budget,
    ) -> Result<(), ExecutionError> {
        self.seen += 1;
        let rank = self.rank(arrange, scope);
        let most = most(arrange, limit).filter(|_| arrange.dedup.is_none());
        let full = most.is_some_and(|most| self.heap.len() >= most);
        if full && self.heap.peek().is_none_or(|worst| rank >= worst.rank) {
            return Ok(());
        }
        let key = dedup_key(arrange, scope);
        let known = key.as_ref().and_then(|key| self.distinct.get(key));
        if known.is_some_and(|best| rank >= best.rank) {
            return Ok(());
        }
        let key_bytes = if known.is_some() { 0 } else { key.as_ref().map_or(0, String::len) };
        let ranked = Ranked { rank, values: arrange.keep.iter().map(|name| scope.field(name).into_owned()).collect() };
        budget.take(ranked.weight() + key_bytes)?;
        let replaced = match key {
            Some(key) => self.distinct.insert(key, ranked),
            None => {
                self.heap.push(ranked);
                if full { self.heap.pop() } else { None }
            }
        };
        budget.give_back(replaced.map_or(0, |replaced| replaced.weight()));
        Ok(())
    }

    fn rank(&self, arrange: &Arrange, scope: &Scope<'_>) -> Vec<Directed> {
        let arrived = Sortable::Number(Number::Whole(self.seen));
        match &arrange.order {
            Order::Latest => {
                let time = Sortable::of(&scope.field("@timestamp"));
                vec![Directed::new(time, true), Directed::new(arrived, true)]
            }
            Order::Arrival => vec![Directed::new(arrived, false)],
            Order::Keys(keys) => {
                let by = keys
                    .iter()
                    .map(|key| Directed::new(Sortable::of(&key.expression.value(scope, &[])), key.descending));
                by.chain([Directed::new(arrived, false)]).collect()
            }
        }
    }

    /// The time before which no event can end in the result any more, once the newest are wanted and there are enough.
    pub(super) fn horizon(&self, arrange: &Arrange, limit: Option<usize>) -> Option<i64> {
        let most = most(arrange, limit)?;
        if arrange.dedup.is_some() || !matches!(arrange.order, Order::Latest) || self.heap.len() < most {
            return None;
        }
        match self.heap.peek()?.rank.first()?.by() {
            Sortable::Number(Number::Whole(ms)) => Some(*ms),
            _ => None,
        }
    }

    /// Whether any rows would do, and there are enough.
    pub(super) fn is_done(&self, arrange: &Arrange) -> bool {
        let enough = matches!(arrange.take, Some(Take::First(count)) if self.heap.len() >= count);
        enough && arrange.dedup.is_none() && matches!(arrange.order, Order::Arrival)
    }

    fn finish(self, arrange: &Arrange, limit: Option<usize>) -> Vec<Row> {
        let mut ranked = self.heap.into_vec();
        ranked.extend(self.distinct.into_values());
        ranked.sort();
        match arrange.take {
            Some(Take::Last(count)) => drop(ranked.drain(..ranked.len().saturating_sub(count))),
            _ => ranked.truncate(most(arrange, limit).unwrap_or(usize::MAX)),
        }
        ranked.into_iter().map(|ranked| arrange.keep.iter().cloned().zip(ranked.values).collect()).collect()
    }
}

/// How many rows from the first are wanted; nothing where that is not known before all are seen.
fn most(arrange: &Arrange, limit: Option<usize>) -> Option<usize> {
    match arrange.take {
        Some(Take::First(count)) => Some(count),
        Some(Take::Last(_)) => None,
        None => limit,
    }
}

/// What makes rows the same. A row that misses one of the fields is like no other, and stays.
fn dedup_key(arrange: &Arrange, scope: &Scope<'_>) -> Option<String> {
    let mut key = String::new();
    for name in arrange.dedup.as_ref()? {
        let value = scope.field(name);
        if value.is_missing() {
            return None;
        }
        write_key(&mut key, &value);
    }
    Some(key)
}
