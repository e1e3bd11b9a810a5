//! Runs a plan over events, one after the other.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::ast::{Expression, Extractor};
use super::collect::{Budget, Collected, Row};
use super::plan::{End, Plan, Step};
use super::scope::Scope;
use super::value::Value;
use super::{ExecutionError, Field, Options, Query, Record, Results, Statistics};

/// What each row that `unnest` makes counts for in the memory that one event may take, beside its element.
const UNNESTED_ROW_BYTES: usize = 64;

/// How many times the memory that a run may take for what it keeps its result may be: beside the values it has titles.
const SHOWN_FACTOR: usize = 2;

/// A query that is running: events go in, the result comes out at the end. It may be dropped at any time.
#[derive(Debug)]
pub struct Execution {
    plan: Arc<Plan>,
    options: Options,
    collected: Collected,
    budget: Budget,
    statistics: Statistics,
}

impl Execution {
    /// A run of a query.
    pub fn new(query: &Query, options: Options) -> Execution {
        let plan = query.plan.clone();
        let collected = Collected::new(&plan.stages[0].end);
        let budget = Budget::new(options.memory_bytes_max);
        Execution { plan, options, collected, budget, statistics: Statistics::default() }
    }

    /// Takes an event. Events outside of the run's range do not count as scanned. The order in which they come decides
    /// between those of one instant.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), ExecutionError> {
        if record.timestamp_ms < self.options.start_ms || record.timestamp_ms > self.options.end_ms {
            return Ok(());
        }
        self.statistics.records_scanned += 1;
        self.statistics.bytes_scanned += record.message.len() as u64;
        if !self.plan.needed.may_be_in(record.message) {
            return Ok(());
        }
        let stage = &self.plan.stages[0];
        let mut scope = Scope::of_record(record, self.options.now_ms);
        let limit = self.limit(0);
        let mut matched = false;
        walk(&stage.steps, &mut scope, &mut |scope| {
            matched = true;
            self.collected.add(&stage.end, limit, scope, &mut self.budget)
        })?;
        self.statistics.records_matched += u64::from(matched);
        scope.check()
    }

    /// What it has looked at so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Once it is known: the time before which no event can end in the result any more. Who pushes the newest events first
    /// may stop there; the statistics then count what was pushed.
    pub fn horizon_ms(&self) -> Option<i64> {
        match (&self.collected, &self.plan.stages[0].end) {
            (Collected::Rows(rows), End::Arrange(arrange)) => rows.horizon(arrange, self.limit(0)),
            _ => None,
        }
    }

    /// Whether nothing that is pushed now can end in the result: a query with `limit any` has enough.
    pub fn is_done(&self) -> bool {
        match (&self.collected, &self.plan.stages[0].end) {
            (Collected::Rows(rows), End::Arrange(arrange)) => rows.is_done(arrange),
            _ => false,
        }
    }

    /// The result.
    pub fn finish(self) -> Result<Results, ExecutionError> {
        let now = self.options.now_ms;
        let limit = self.limit(0);
        let Execution { plan, options, collected, statistics, .. } = self;
        let fresh = || Budget::new(options.memory_bytes_max);
        let mut rows = collected.finish(&plan.stages[0].end, limit, now, &mut fresh())?;
        for (index, stage) in plan.stages.iter().enumerate().skip(1) {
            let limit = stage_limit(&plan, &options, index);
            let mut collected = Collected::new(&stage.end);
            let mut budget = fresh();
            for row in rows {
                let mut scope = Scope::of_fields(row, now);
                let end = &mut |scope: &Scope<'_>| collected.add(&stage.end, limit, scope, &mut budget);
                walk(&stage.steps, &mut scope, end)?;
                scope.check()?;
            }
            rows = collected.finish(&stage.end, limit, now, &mut fresh())?;
        }
        let mut budget = Budget::new(options.memory_bytes_max.saturating_mul(SHOWN_FACTOR));
        let rows = rows.into_iter().map(|row| shown(&plan, row, &mut budget)).collect::<Result<_, _>>()?;
        Ok(Results { rows, statistics })
    }

    fn limit(&self, index: usize) -> Option<usize> {
        stage_limit(&self.plan, &self.options, index)
    }
}

/// How many rows the last stage yields where the query names no number.
fn stage_limit(plan: &Plan, options: &Options, index: usize) -> Option<usize> {
    (index + 1 == plan.stages.len()).then_some(options.limit)
}

/// A row as the result shows it: what it does not have is left out. A query can show one field in many columns.
fn shown(plan: &Plan, row: Row, budget: &mut Budget) -> Result<Vec<Field>, ExecutionError> {
    let mut field = |title: &str, value: Cow<'_, str>| {
        budget.take(size_of::<Field>() + title.len() + value.len())?;
        Ok(Field { field: title.to_owned(), value: value.into_owned() })
    };
    let value = |name: &str| row.iter().find(|(field, _)| field.as_ref() == name).and_then(|(_, value)| value.shown());
    let mut fields = Vec::with_capacity(plan.columns.len() + 1);
    for (title, name) in &plan.columns {
        fields.extend(value(name).map(|value| field(title, value)).transpose()?);
    }
    let has_ptr = plan.columns.iter().any(|(title, _)| title == "@ptr");
    if plan.of_events && !has_ptr {
        fields.extend(value("@ptr").map(|value| field("@ptr", value)).transpose()?);
    }
    Ok(fields)
}

/// Takes a row through steps to the end, which it may reach several times or never.
fn walk(
    steps: &[Step],
    scope: &mut Scope<'_>,
    end: &mut dyn FnMut(&Scope<'_>) -> Result<(), ExecutionError>,
) -> Result<(), ExecutionError> {
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Filter(condition) => {
                if condition.truth(scope, &[]) != Some(true) {
                    return Ok(());
                }
            }
            Step::Make(name, expression) => {
                let value = expression.value(scope, &[]).into_owned();
                scope.make(name, value);
            }
            Step::Unnest(source, name) => {
                let items = elements(source.value(scope, &[]));
                let mark = scope.mark();
                for item in items {
                    scope.spend(UNNESTED_ROW_BYTES);
                    scope.make(name, item);
                    scope.check()?;
                    walk(&steps[index + 1..], scope, end)?;
                    scope.rewind(mark);
                }
                return Ok(());
            }
            Step::Parse(source, extractor, names) => parse(scope, source, extractor, names),
        }
    }
    end(scope)
}

/// The elements of an array. Anything else is as an array of one.
fn elements(value: Value<'_>) -> Vec<Value<'static>> {
    match value.into_owned() {
        Value::Structure(json) => match json.into_owned() {
            Json::Array(items) => items.into_iter().map(Value::from_json).collect(),
            other => vec![Value::from_json(other)],
        },
        other => vec![other],
    }
}

fn parse(scope: &mut Scope<'_>, source: &Expression, extractor: &Extractor, names: &[Arc<str>]) {
    let found = extracted(scope, source, extractor);
    for (index, name) in names.iter().enumerate() {
        match &found {
            Some(found) => scope.make(name, found[index].clone()),
            // What an earlier command found stays.
            None if scope.has_made(name) => {}
            None => scope.make(name, Value::Missing),
        }
    }
}

/// What an extractor finds for each of its names; nothing if it does not match.
fn extracted(scope: &Scope<'_>, source: &Expression, extractor: &Extractor) -> Option<Vec<Value<'static>>> {
    let value = source.value(scope, &[]);
    let text = value.shown()?;
    let owned = |text: Option<&str>| text.map_or(Value::Missing, |text| Value::text(text.to_owned()));
    Some(extractor.extract(&text)?.into_iter().map(owned).collect())
}
