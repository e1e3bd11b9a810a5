//! Reads expressions.

use super::MalformedQuery;
use super::ast::{Aggregate, Arithmetic, Comparison, Expression, Matcher};
use super::function::Function;
use super::scanner::Scanner;
use super::time::Period;
use super::value::{Number, Value};

/// How deeply parentheses, calls and signs may nest, and how many operators may follow one another without `and` or `or`.
/// It bounds the stack that reading, evaluating and dropping an expression take.
pub(super) const EXPRESSION_DEPTH_MAX: usize = 48;

/// Words that are no field names unless backticks say so.
const RESERVED: [&str; 9] = ["and", "or", "not", "in", "like", "as", "by", "asc", "desc"];

/// Reads the expressions of one query.
#[derive(Debug)]
pub(super) struct Parser<'q> {
    pub(super) scanner: Scanner<'q>,
    /// The aggregates of the `stats` command that is being read; nothing elsewhere.
    pub(super) aggregates: Option<Vec<Aggregate>>,
    /// The columns that the last `stats` command made, which later commands may name by the text of their calls.
    pub(super) columns: Vec<String>,
    depth: usize,
}

/// An expression, and how many levels it has.
struct Sub {
    expression: Expression,
    depth: usize,
}

impl From<Expression> for Sub {
    fn from(expression: Expression) -> Sub {
        Sub { expression, depth: 1 }
    }
}

impl<'q> Parser<'q> {
    pub(super) fn new(text: &'q str) -> Parser<'q> {
        Parser { scanner: Scanner::new(text), aggregates: None, columns: vec![], depth: 0 }
    }

    pub(super) fn expression(&mut self) -> Result<Expression, MalformedQuery> {
        self.or().map(|sub| sub.expression)
    }

    /// A field's name, with or without backticks.
    pub(super) fn field_name(&mut self) -> Result<String, MalformedQuery> {
        if let Some(name) = self.scanner.backticked()? {
            return Ok(name.to_owned());
        }
        let start = self.scanner.mark();
        match self.scanner.name() {
            Some(name) if !is_reserved(name) => Ok(name.to_owned()),
            _ => {
                self.scanner.rewind(start);
                Err(self.scanner.unexpected())
            }
        }
    }

    fn or(&mut self) -> Result<Sub, MalformedQuery> {
        let first = self.and()?;
        self.joined(first, "or", Parser::and, Expression::Or)
    }

    fn and(&mut self) -> Result<Sub, MalformedQuery> {
        let first = self.not()?;
        self.joined(first, "and", Parser::not, Expression::And)
    }

    fn joined(
        &mut self,
        first: Sub,
        word: &str,
        next: fn(&mut Self) -> Result<Sub, MalformedQuery>,
        join: fn(Vec<Expression>) -> Expression,
    ) -> Result<Sub, MalformedQuery> {
        if !self.scanner.eat_word(word) {
            return Ok(first);
        }
        let mut depth = first.depth;
        let mut parts = vec![first.expression];
        loop {
            let sub = next(self)?;
            depth = depth.max(sub.depth);
            parts.push(sub.expression);
            if !self.scanner.eat_word(word) {
                return self.checked(join(parts), depth);
            }
        }
    }

    fn not(&mut self) -> Result<Sub, MalformedQuery> {
        if !self.scanner.eat_word("not") {
            return self.comparison();
        }
        let sub = self.deeper(Parser::not)?;
        self.checked(Expression::Not(Box::new(sub.expression)), sub.depth)
    }

    fn comparison(&mut self) -> Result<Sub, MalformedQuery> {
        let left = self.sum()?;
        let mark = self.scanner.mark();
        let negated = self.scanner.eat_word("not");
        if self.scanner.eat_word("like") || (!negated && self.scanner.eat("=~")) {
            let like = Expression::Like(Box::new(left.expression), self.matcher()?);
            return self.negated(like, negated, left.depth);
        }
        if self.scanner.eat_word("in") {
            let subject = Box::new(left.expression);
            let (among, depth) = if self.scanner.peek() == Some('[') {
                let (list, depth) = self.list()?;
                (Expression::In(subject, list), depth)
            } else {
                let array = self.sum()?;
                (Expression::InArray(subject, Box::new(array.expression)), array.depth)
            };
            return self.negated(among, negated, left.depth.max(depth));
        }
        if negated {
            self.scanner.rewind(mark);
            return Ok(left);
        }
        let Some(comparison) = self.comparison_operator() else { return Ok(left) };
        let right = self.sum()?;
        let depth = left.depth.max(right.depth);
        self.checked(Expression::Compare(comparison, Box::new(left.expression), Box::new(right.expression)), depth)
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        const TOKENS: [(&str, Comparison); 6] = [
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        TOKENS.iter().find(|(token, _)| self.scanner.eat(token)).map(|(_, comparison)| *comparison)
    }

    fn matcher(&mut self) -> Result<Matcher, MalformedQuery> {
        if let Some(regex) = self.scanner.regex()? {
            return Ok(Matcher::Regex(regex));
        }
        match self.scanner.quoted()? {
            Some(text) => Ok(Matcher::Substring(text)),
            None => Err(self.scanner.unexpected()),
        }
    }

    /// `["a", "b"]`.
    fn list(&mut self) -> Result<(Vec<Expression>, usize), MalformedQuery> {
        self.scanner.expect("[")?;
        let mut list = vec![];
        let mut depth = 0;
        if self.scanner.eat("]") {
            return Ok((list, depth));
        }
        loop {
            let sub = self.deeper(Parser::sum)?;
            depth = depth.max(sub.depth);
            list.push(sub.expression);
            if self.scanner.eat("]") {
                return Ok((list, depth));
            }
            self.scanner.expect(",")?;
        }
    }

    fn sum(&mut self) -> Result<Sub, MalformedQuery> {
        self.chain(Parser::product, &[("+", Arithmetic::Add), ("-", Arithmetic::Subtract)])
    }

    fn product(&mut self) -> Result<Sub, MalformedQuery> {
        const OPERATORS: [(&str, Arithmetic); 3] =
            [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide), ("%", Arithmetic::Remainder)];
        self.chain(Parser::power, &OPERATORS)
    }

    fn chain(
        &mut self,
        next: fn(&mut Self) -> Result<Sub, MalformedQuery>,
        operators: &[(&str, Arithmetic)],
    ) -> Result<Sub, MalformedQuery> {
        let mut left = next(self)?;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.scanner.eat(token)) {
            let right = next(self)?;
            left = self.arithmetic(*operator, left, right)?;
        }
        Ok(left)
    }

    /// `2 ^ 3 ^ 2` is `2 ^ (3 ^ 2)`.
    fn power(&mut self) -> Result<Sub, MalformedQuery> {
        let base = self.signed()?;
        if !self.scanner.eat("^") {
            return Ok(base);
        }
        let exponent = self.deeper(Parser::power)?;
        self.arithmetic(Arithmetic::Power, base, exponent)
    }

    fn signed(&mut self) -> Result<Sub, MalformedQuery> {
        if !self.scanner.eat("-") {
            return self.primary();
        }
        let sub = self.deeper(Parser::signed)?;
        match sub.expression {
            Expression::Literal(Value::Whole(n)) => Ok(Expression::Literal(Value::Whole(n.saturating_neg())).into()),
            Expression::Literal(Value::Double(x)) => Ok(Expression::Literal(Value::Double(-x)).into()),
            expression => self.checked(Expression::Negate(Box::new(expression)), sub.depth),
        }
    }

    fn primary(&mut self) -> Result<Sub, MalformedQuery> {
        if self.scanner.eat("(") {
            let sub = self.deeper(Parser::or)?;
            self.scanner.expect(")")?;
            return Ok(sub);
        }
        if let Some(text) = self.scanner.quoted()? {
            return Ok(Expression::Literal(Value::text(text)).into());
        }
        if let Some(name) = self.scanner.backticked()? {
            return Ok(Expression::Field(name.to_owned()).into());
        }
        let start = self.scanner.mark();
        if let Some(digits) = self.scanner.number() {
            let number =
                Number::parse(digits).ok_or_else(|| self.scanner.error_since("this number is too large", start))?;
            return Ok(Expression::Literal(number.into()).into());
        }
        match self.scanner.name() {
            Some(name) if !is_reserved(name) => {
                if self.scanner.peek() == Some('(') {
                    self.call(name, start)
                } else {
                    Ok(self.field(name)?.into())
                }
            }
            _ => {
                self.scanner.rewind(start);
                Err(self.scanner.unexpected())
            }
        }
    }

    /// A field with what may follow its name: `[0]`, as in `items[0].id`, which is `items.0.id`.
    fn field(&mut self, name: &str) -> Result<Expression, MalformedQuery> {
        match name.to_ascii_lowercase().as_str() {
            "true" => return Ok(Expression::Literal(Value::Bool(true))),
            "false" => return Ok(Expression::Literal(Value::Bool(false))),
            _ => {}
        }
        let mut path = name.to_owned();
        while self.scanner.eat_adjacent('[') {
            let index = match self.scanner.quoted()? {
                Some(key) => key,
                None => self.scanner.number().ok_or_else(|| self.scanner.unexpected())?.to_owned(),
            };
            self.scanner.expect("]")?;
            path.push('.');
            path.push_str(&index);
            if self.scanner.eat_adjacent('.') {
                path.push('.');
                path.push_str(self.scanner.name().ok_or_else(|| self.scanner.unexpected())?);
            }
        }
        Ok(Expression::Field(path))
    }

    fn call(&mut self, name: &str, start: usize) -> Result<Sub, MalformedQuery> {
        if let Some(column) = self.column(start)? {
            return Ok(Expression::Field(column).into());
        }
        match name.to_ascii_lowercase().as_str() {
            "bin" => {
                self.scanner.expect("(")?;
                let period = self.period()?;
                self.scanner.expect(")")?;
                let instant = Box::new(Expression::Field("@timestamp".to_owned()));
                return Ok(Expression::Round { instant, period, up: false }.into());
            }
            which @ ("datefloor" | "dateceil") => {
                self.scanner.expect("(")?;
                let sub = self.deeper(Parser::sum)?;
                self.scanner.expect(",")?;
                let period = self.period()?;
                self.scanner.expect(")")?;
                let round = Expression::Round { instant: Box::new(sub.expression), period, up: which == "dateceil" };
                return self.checked(round, sub.depth);
            }
            _ => {}
        }
        if let Some(aggregate) = self.aggregate(name, start)? {
            return Ok(aggregate.into());
        }
        let Some(function) = Function::named(name) else {
            return Err(self.scanner.error_since(&format!("unknown function {name}"), start));
        };
        let (arguments, depth) = self.arguments()?;
        let (least, most) = function.arity();
        if arguments.len() < least || arguments.len() > most {
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let message = format!("{name} takes {wanted} arguments, not {}", arguments.len());
            return Err(self.scanner.error_since(&message, start));
        }
        self.checked(Expression::Call(function, arguments), depth)
    }

    /// A call that, as it is written, is the name of a column that `stats` made: `sort count(*) desc`.
    fn column(&mut self, start: usize) -> Result<Option<String>, MalformedQuery> {
        if self.columns.is_empty() || self.aggregates.is_some() {
            return Ok(None);
        }
        let after_name = self.scanner.mark();
        let mut open = 0_usize;
        loop {
            match self.scanner.peek() {
                Some('(') => open += 1,
                Some(')') => open -= 1,
                Some(_) => {}
                None => break,
            }
            let Some(c) = self.scanner.peek() else { break };
            self.scanner.eat_adjacent(c);
            if open == 0 {
                let text = squeezed(self.scanner.since(start));
                if let Some(column) = self.columns.iter().find(|column| squeezed(column) == text) {
                    return Ok(Some(column.clone()));
                }
                break;
            }
        }
        self.scanner.rewind(after_name);
        Ok(None)
    }

    fn arguments(&mut self) -> Result<(Vec<Expression>, usize), MalformedQuery> {
        self.scanner.expect("(")?;
        let mut arguments = vec![];
        let mut depth = 0;
        if self.scanner.eat(")") {
            return Ok((arguments, depth));
        }
        loop {
            let sub = self.deeper(Parser::or)?;
            depth = depth.max(sub.depth);
            arguments.push(sub.expression);
            if self.scanner.eat(")") {
                return Ok((arguments, depth));
            }
            self.scanner.expect(",")?;
        }
    }

    /// `5m`, `1 hour`.
    fn period(&mut self) -> Result<Period, MalformedQuery> {
        let start = self.scanner.mark();
        let count = self.scanner.number().and_then(|digits| digits.parse().ok());
        let unit = self.scanner.name();
        count
            .zip(unit)
            .and_then(|(count, unit)| Period::new(count, unit))
            .ok_or_else(|| self.scanner.error_since("a period such as 30s, 5m or 1h was expected", start))
    }

    /// An aggregate, if the name is one's. Outside `stats`, and within another, it is an error.
    fn aggregate(&mut self, name: &str, start: usize) -> Result<Option<Expression>, MalformedQuery> {
        let name = name.to_ascii_lowercase();
        if !is_aggregate(&name) {
            return Ok(None);
        }
        let Some(mut aggregates) = self.aggregates.take() else {
            let message = format!("{name} can be used in the stats command only, and not within another aggregate");
            return Err(self.scanner.error_since(&message, start));
        };
        // Within its arguments there is none: aggregates do not nest.
        let aggregate = self.aggregate_of(&name, start)?;
        aggregates.push(aggregate);
        let index = aggregates.len() - 1;
        self.aggregates = Some(aggregates);
        Ok(Some(Expression::Aggregate(index)))
    }

    fn aggregate_of(&mut self, name: &str, start: usize) -> Result<Aggregate, MalformedQuery> {
        self.scanner.expect("(")?;
        if name == "count" && (self.scanner.eat(")") || (self.scanner.eat("*") && self.scanner.eat(")"))) {
            return Ok(Aggregate::Count(None));
        }
        let of = self.deeper(Parser::or)?.expression;
        let aggregate = match name {
            "count" => Aggregate::Count(Some(of)),
            "count_distinct" => Aggregate::CountDistinct(of),
            "sum" => Aggregate::Sum(of),
            "avg" => Aggregate::Avg(of),
            "min" => Aggregate::Min(of),
            "max" => Aggregate::Max(of),
            "median" => Aggregate::Percentile(of, 50.0),
            "stddev" => Aggregate::StdDev(of),
            "earliest" => Aggregate::Earliest(of),
            "latest" => Aggregate::Latest(of),
            "sortsfirst" => Aggregate::SortsFirst(of),
            "sortslast" => Aggregate::SortsLast(of),
            _ => {
                self.scanner.expect(",")?;
                let percent = self.scanner.number().and_then(|digits| digits.parse().ok());
                let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
                let message = "a percentile between 0 and 100 was expected";
                Aggregate::Percentile(of, percent.ok_or_else(|| self.scanner.error_since(message, start))?)
            }
        };
        self.scanner.expect(")")?;
        Ok(aggregate)
    }

    fn negated(&mut self, expression: Expression, negated: bool, depth: usize) -> Result<Sub, MalformedQuery> {
        let sub = self.checked(expression, depth)?;
        if negated { self.checked(Expression::Not(Box::new(sub.expression)), sub.depth) } else { Ok(sub) }
    }

    fn arithmetic(&mut self, operator: Arithmetic, left: Sub, right: Sub) -> Result<Sub, MalformedQuery> {
        let depth = left.depth.max(right.depth);
        self.checked(Expression::Arithmetic(operator, Box::new(left.expression), Box::new(right.expression)), depth)
    }

    /// One level more above parts of so many levels.
    fn checked(&mut self, expression: Expression, depth: usize) -> Result<Sub, MalformedQuery> {
        if depth >= EXPRESSION_DEPTH_MAX { Err(self.too_deep()) } else { Ok(Sub { expression, depth: depth + 1 }) }
    }

    /// Reads a part that stands inside another.
    fn deeper(&mut self, read: fn(&mut Self) -> Result<Sub, MalformedQuery>) -> Result<Sub, MalformedQuery> {
        if self.depth >= EXPRESSION_DEPTH_MAX {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let sub = read(self);
        self.depth -= 1;
        sub
    }

    fn too_deep(&mut self) -> MalformedQuery {
        let at = self.scanner.mark();
        self.scanner.error("the expression is too deep", at, at)
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))
}

fn is_aggregate(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "count",
        "count_distinct",
        "sum",
        "avg",
        "min",
        "max",
        "pct",
        "percentile",
        "median",
        "stddev",
        "earliest",
        "latest",
        "sortsfirst",
        "sortslast",
    ];
    NAMES.contains(&name)
}

/// Without white space, which a column's name and its mention may have at different places.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
