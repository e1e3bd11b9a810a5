//! Reads commands.

use std::collections::HashSet;

use super::ast::{Command, Expression, Extractor, Item, Key, Stats};
use super::expression::Parser;
use super::glob::Glob;
use super::{LIMIT_MAX, MalformedQuery, QUERY_LENGTH_MAX, STATS_MAX};

/// What the language has further, in CloudWatch Logs, and this engine does not.
const UNSUPPORTED: [&str; 8] = ["pattern", "diff", "anomaly", "unmask", "filterindex", "source", "lookup", "join"];

/// Reads a whole query.
pub(super) fn parse(text: &str) -> Result<Vec<Command>, MalformedQuery> {
    let length = text.chars().count();
    if length > QUERY_LENGTH_MAX {
        let message = format!("a query has at most {QUERY_LENGTH_MAX} characters");
        return Err(MalformedQuery { message, start: QUERY_LENGTH_MAX, end: length });
    }
    let mut parser = Parser::new(text);
    let mut commands = vec![];
    loop {
        let start = parser.scanner.mark();
        let command = parser.command()?;
        check_place(&parser, &commands, &command, start)?;
        commands.push(command);
        if parser.scanner.at_end() {
            return Ok(commands);
        }
        parser.scanner.expect("|")?;
    }
}

fn check_place(parser: &Parser<'_>, before: &[Command], command: &Command, start: usize) -> Result<(), MalformedQuery> {
    let stats = before.iter().filter(|command| matches!(command, Command::Stats(_))).count();
    if matches!(command, Command::Stats(_)) && stats == STATS_MAX {
        return Err(parser.scanner.error_since(&format!("a query has at most {STATS_MAX} stats commands"), start));
    }
    let behind_dedup = before.iter().any(|command| matches!(command, Command::Dedup(_)));
    if behind_dedup && !matches!(command, Command::Limit(_) | Command::LimitAny(_) | Command::Tail(_)) {
        return Err(parser.scanner.error_since("only limit can follow dedup", start));
    }
    Ok(())
}

impl Parser<'_> {
    fn command(&mut self) -> Result<Command, MalformedQuery> {
        let start = self.scanner.mark();
        let Some(name) = self.scanner.name() else { return Err(self.scanner.unexpected()) };
        match name.to_ascii_lowercase().as_str() {
            "fields" => Ok(Command::Fields(self.items()?)),
            "display" => Ok(Command::Display(self.items()?)),
            "filter" | "where" => Ok(Command::Filter(self.expression()?)),
            "parse" => self.extraction(),
            "stats" => self.stats(),
            "sort" => self.sort(),
            "limit" if self.scanner.eat_word("any") => Ok(Command::LimitAny(self.count()?)),
            "limit" | "head" => Ok(Command::Limit(self.count()?)),
            "tail" => Ok(Command::Tail(self.count()?)),
            "unnest" => {
                let source = self.expression()?;
                if !self.scanner.eat_word("into") {
                    return Err(self.scanner.unexpected());
                }
                Ok(Command::Unnest { source, name: self.field_name()? })
            }
            "dedup" => Ok(Command::Dedup(self.names()?)),
            other if UNSUPPORTED.contains(&other) => {
                Err(self.scanner.error_since(&format!("the command {name} is not supported"), start))
            }
            _ => {
                self.scanner.rewind(start);
                Err(self.scanner.unexpected())
            }
        }
    }

    /// Expressions, each with the name of its column: its alias, or itself as it is written.
    fn items(&mut self) -> Result<Vec<Item>, MalformedQuery> {
        let mut items = vec![];
        loop {
            let start = self.scanner.mark();
            let expression = self.expression()?;
            let written = self.scanner.since(start);
            let name = if self.scanner.eat_word("as") {
                self.field_name()?
            } else if let Expression::Field(field) = &expression {
                field.clone()
            } else {
                written.to_owned()
            };
            items.push(Item { expression, name });
            if !self.scanner.eat(",") {
                return Ok(items);
            }
        }
    }

    fn names(&mut self) -> Result<Vec<String>, MalformedQuery> {
        let mut names = vec![self.field_name()?];
        while self.scanner.eat(",") {
            names.push(self.field_name()?);
        }
        Ok(names)
    }

    fn stats(&mut self) -> Result<Command, MalformedQuery> {
        self.aggregates = Some(vec![]);
        let items = self.items();
        let aggregates = self.aggregates.take().unwrap_or_default();
        let items = items?;
        if aggregates.is_empty() {
            return Err(self.scanner.unexpected());
        }
        let by = if self.scanner.eat_word("by") { self.items()? } else { vec![] };
        self.columns = by.iter().chain(&items).map(|item| item.name.clone()).collect();
        Ok(Command::Stats(Stats { aggregates, items, by }))
    }

    fn sort(&mut self) -> Result<Command, MalformedQuery> {
        let mut keys = vec![];
        loop {
            let expression = self.expression()?;
            let descending = self.scanner.eat_word("desc");
            if !descending {
                self.scanner.eat_word("asc");
            }
            keys.push(Key { expression, descending });
            if !self.scanner.eat(",") {
                return Ok(Command::Sort(keys));
            }
        }
    }

    fn count(&mut self) -> Result<usize, MalformedQuery> {
        let start = self.scanner.mark();
        let count = self.scanner.number().and_then(|digits| digits.parse().ok());
        count
            .filter(|count| (1..=LIMIT_MAX).contains(count))
            .ok_or_else(|| self.scanner.error_since(&format!("a number between 1 and {LIMIT_MAX} was expected"), start))
    }

    /// `parse @message "user=*" as user`, `parse /user=(?<user>\w+)/`.
    fn extraction(&mut self) -> Result<Command, MalformedQuery> {
        let source = match self.scanner.peek() {
            Some('"' | '\'' | '/') => Expression::Field("@message".to_owned()),
            _ => Expression::Field(self.field_name()?),
        };
        let start = self.scanner.mark();
        let extractor = if let Some(regex) = self.scanner.regex()? {
            let names = if self.scanner.eat_word("as") { self.names()? } else { vec![] };
            let named: Vec<(usize, String)> =
                regex.capture_names().enumerate().filter_map(|(i, name)| Some((i, name?.to_owned()))).collect();
            if !named.is_empty() && !names.is_empty() {
                return Err(self.scanner.error_since("the regular expression's groups have names already", start));
            }
            let groups = if named.is_empty() { (1..).zip(names).collect() } else { named };
            if groups.is_empty() || groups.last().is_some_and(|(last, _)| *last >= regex.captures_len()) {
                let message = "the regular expression needs a group (?<name>…) for each field";
                return Err(self.scanner.error_since(message, start));
            }
            Extractor::Regex(regex, groups)
        } else {
            let Some(text) = self.scanner.quoted()? else { return Err(self.scanner.unexpected()) };
            let glob = Glob::parse(&text);
            let glob =
                glob.ok_or_else(|| self.scanner.error_since("a glob with '*' between texts was expected", start))?;
            if !self.scanner.eat_word("as") {
                return Err(self.scanner.unexpected());
            }
            let names = self.names()?;
            if names.len() != glob.stars() {
                let message = format!("the glob has {} wildcards for {} fields", glob.stars(), names.len());
                return Err(self.scanner.error_since(&message, start));
            }
            Extractor::Glob(glob, names)
        };
        let mut seen = HashSet::new();
        let names: Vec<&String> = match &extractor {
            Extractor::Glob(_, names) => names.iter().collect(),
            Extractor::Regex(_, groups) => groups.iter().map(|(_, name)| name).collect(),
        };
        match names.into_iter().find(|name| !seen.insert(name.as_str())) {
            Some(twice) => Err(self.scanner.error_since(&format!("the field {twice} is extracted twice"), start)),
            None => Ok(Command::Parse { source, extractor }),
        }
    }
}
