//! Words to expressions.

use super::lexer::{Token, tokens};
use super::{MathError, is_not_served};

/// How deeply an expression may be nested.
const DEPTH_MAX: usize = 64;
/// The longest expression (the model's limit).
const LENGTH_MAX: usize = 2048;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// A text: only METRICS takes one.
    Text(String),
    /// The result of the query of this id.
    Id(String),
    /// A word in capitals that is no function call: `REPEAT`, `ASC`, the `AVG` that SORT is given.
    Word(String),
    /// `[a, b]`.
    Array(Vec<Expression>),
    /// `-a`.
    Negative(Box<Expression>),
    /// `a + b`, `a AND b`.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// `AVG(a)`.
    Call(String, Vec<Expression>),
}

/// What stands between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are what they are called")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Expression {
    /// The ids of the queries that it refers to.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids = Vec::new();
        self.visit(&mut |it| {
            if let Self::Id(id) = it {
                ids.push(id.as_str());
            }
        });
        ids
    }

    /// Whether it calls a function.
    pub fn calls(&self, function: &str) -> bool {
        let mut calls = false;
        self.visit(&mut |it| calls |= matches!(it, Self::Call(name, _) if name == function));
        calls
    }

    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match self {
            Self::Array(items) | Self::Call(_, items) => items.iter().for_each(|item| item.visit(see)),
            Self::Negative(inner) => inner.visit(see),
            Self::Binary(_, a, b) => {
                a.visit(see);
                b.visit(see);
            }
            Self::Number(_) | Self::Text(_) | Self::Id(_) | Self::Word(_) => {}
        }
    }
}

/// Reads an expression.
///
/// # Errors
/// [`MathError::Syntax`], and [`MathError::NotServed`] for a function that Pilvi does not have.
pub fn parse(text: &str) -> Result<Expression, MathError> {
    if text.len() > LENGTH_MAX {
        return Err(MathError::Syntax(format!("The expression is longer than {LENGTH_MAX} characters")));
    }
    // Metrics Insights is a language of its own; its strings need not be readable here.
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("SELECT") {
        return Err(MathError::NotServed("Metrics Insights (SELECT)".to_owned()));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expression = parser.either()?;
    match parser.tokens.get(parser.next) {
        None => Ok(expression),
        Some((at, _)) => Err(MathError::Syntax(format!("Unexpected input at position {at}"))),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

type Parsed = Result<Expression, MathError>;

impl Parser {
    fn either(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(MathError::Syntax("The expression is nested too deeply".to_owned()));
        }
        let either = self.row(Self::both, |token| match token {
            Token::Sign("||") => Some(Operator::Or),
            Token::Name(name) if name == "OR" => Some(Operator::Or),
            _ => None,
        });
        self.depth -= 1;
        either
    }

    fn both(&mut self) -> Parsed {
        self.row(Self::comparison, |token| match token {
            Token::Sign("&&") => Some(Operator::And),
            Token::Name(name) if name == "AND" => Some(Operator::And),
            _ => None,
        })
    }

    fn comparison(&mut self) -> Parsed {
        self.row(Self::sum, |token| match token {
            Token::Sign("==") => Some(Operator::Equal),
            Token::Sign("!=") => Some(Operator::NotEqual),
            Token::Sign("<") => Some(Operator::Less),
            Token::Sign("<=") => Some(Operator::LessOrEqual),
            Token::Sign(">") => Some(Operator::Greater),
            Token::Sign(">=") => Some(Operator::GreaterOrEqual),
            _ => None,
        })
    }

    fn sum(&mut self) -> Parsed {
        self.row(Self::product, |token| match token {
            Token::Sign("+") => Some(Operator::Add),
            Token::Sign("-") => Some(Operator::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Parsed {
        self.row(Self::negative, |token| match token {
            Token::Sign("*") => Some(Operator::Multiply),
            Token::Sign("/") => Some(Operator::Divide),
            _ => None,
        })
    }

    /// Operators of one rank, from the left.
    fn row(&mut self, inner: fn(&mut Self) -> Parsed, operator: fn(&Token) -> Option<Operator>) -> Parsed {
        let mut left = inner(self)?;
        while let Some(operator) = self.peek().and_then(operator) {
            self.next += 1;
            left = Expression::Binary(operator, Box::new(left), Box::new(inner(self)?));
        }
        Ok(left)
    }

    fn negative(&mut self) -> Parsed {
        let mut is_negative = false;
        loop {
            if self.takes("-") {
                is_negative = !is_negative;
            } else if !self.takes("+") {
                break;
            }
        }
        let power = self.power()?;
        Ok(if is_negative { Expression::Negative(Box::new(power)) } else { power })
    }

    /// From the right: `2^3^2` is `2^9`.
    fn power(&mut self) -> Parsed {
        let base = self.atom()?;
        if !self.takes("^") {
            return Ok(base);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(MathError::Syntax("The expression is nested too deeply".to_owned()));
        }
        let exponent = self.negative()?;
        self.depth -= 1;
        Ok(Expression::Binary(Operator::Power, Box::new(base), Box::new(exponent)))
    }

    fn atom(&mut self) -> Parsed {
        let Some((at, token)) = self.tokens.get(self.next).cloned() else {
            return Err(MathError::Syntax("The expression ends too early".to_owned()));
        };
        self.next += 1;
        match token {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Sign("(") => {
                let inner = self.either()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => self.list("]").map(Expression::Array),
            Token::Name(name) if self.takes("(") => {
                if is_not_served(&name) {
                    return Err(MathError::NotServed(format!("The function {name}")));
                }
                Ok(Expression::Call(name, self.list(")")?))
            }
            Token::Name(name) if name.starts_with(|c: char| c.is_ascii_lowercase()) => Ok(Expression::Id(name)),
            Token::Name(name) => Ok(Expression::Word(name)),
            Token::Sign(sign) => Err(MathError::Syntax(format!("Unexpected `{sign}` at position {at}"))),
        }
    }

    fn list(&mut self, end: &'static str) -> Result<Vec<Expression>, MathError> {
        let mut items = Vec::new();
        if self.takes(end) {
            return Ok(items);
        }
        loop {
            items.push(self.either()?);
            if !self.takes(",") {
                self.expect(end)?;
                return Ok(items);
            }
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), MathError> {
        if self.takes(sign) {
            return Ok(());
        }
        let place = self.tokens.get(self.next).map_or("the end".to_owned(), |(at, _)| format!("position {at}"));
        Err(MathError::Syntax(format!("`{sign}` is expected at {place}")))
    }
}
