//! Rules over other alarms: `ALARM(a) AND NOT (OK("b") OR FALSE)`.

use crate::api::StateValue;

/// The most alarms that a rule refers to (CloudWatch's quota).
const CHILDREN_MAX: usize = 100;
/// How deeply a rule may be nested.
const DEPTH_MAX: usize = 32;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmRule {
    /// TRUE or FALSE.
    Constant(bool),
    /// Whether an alarm is in a state.
    Is(StateValue, String),
    /// Not.
    Not(Box<AlarmRule>),
    /// Both.
    And(Box<AlarmRule>, Box<AlarmRule>),
    /// At least one.
    Or(Box<AlarmRule>, Box<AlarmRule>),
}

impl AlarmRule {
    /// The alarms that it refers to, by name or ARN as the rule has it, each once.
    pub fn children(&self) -> Vec<&str> {
        let mut children = Vec::new();
        self.collect(&mut children);
        children.sort_unstable();
        children.dedup();
        children
    }

    fn collect<'a>(&'a self, children: &mut Vec<&'a str>) {
        match self {
            Self::Constant(_) => {}
            Self::Is(_, alarm) => children.push(alarm),
            Self::Not(inner) => inner.collect(children),
            Self::And(a, b) | Self::Or(a, b) => {
                a.collect(children);
                b.collect(children);
            }
        }
    }

    /// Whether it holds. An alarm that is not there is in no state.
    pub fn holds(&self, state: &impl Fn(&str) -> Option<StateValue>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is(wanted, alarm) => state(alarm) == Some(*wanted),
            Self::Not(inner) => !inner.holds(state),
            Self::And(a, b) => a.holds(state) && b.holds(state),
            Self::Or(a, b) => a.holds(state) || b.holds(state),
        }
    }
}

/// Reads a rule. The error says what is wrong.
pub fn parse(text: &str) -> Result<AlarmRule, String> {
    let mut parser = Parser { rest: text.trim_start(), depth: 0 };
    let rule = parser.either()?;
    if !parser.rest.is_empty() {
        return Err(format!("unexpected input at `{}`", shown(parser.rest)));
    }
    if rule.children().len() > CHILDREN_MAX {
        return Err(format!("a rule can refer to {CHILDREN_MAX} alarms at the most"));
    }
    Ok(rule)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

fn shown(text: &str) -> String {
    text.chars().take(24).collect()
}

impl Parser<'_> {
    fn either(&mut self) -> Result<AlarmRule, String> {
        let mut left = self.both()?;
        while self.takes_word("OR") {
            left = AlarmRule::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<AlarmRule, String> {
        let mut left = self.term()?;
        while self.takes_word("AND") {
            left = AlarmRule::And(Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<AlarmRule, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("the rule is nested too deeply".to_owned());
        }
        let term = self.term_within();
        self.depth -= 1;
        term
    }

    fn term_within(&mut self) -> Result<AlarmRule, String> {
        if self.takes_word("NOT") {
            return Ok(AlarmRule::Not(Box::new(self.term()?)));
        }
        if self.takes("(") {
            let inner = self.either()?;
            return if self.takes(")") { Ok(inner) } else { Err(self.unexpected()) };
        }
        for (word, value) in [("TRUE", true), ("FALSE", false)] {
            if self.takes_word(word) {
                return Ok(AlarmRule::Constant(value));
            }
        }
        for state in StateValue::ALL {
            if self.takes_word(state.as_str()) {
                return self.alarm().map(|alarm| AlarmRule::Is(*state, alarm));
            }
        }
        Err(self.unexpected())
    }

    /// `(name)`, `("na)me")`.
    fn alarm(&mut self) -> Result<String, String> {
        if !self.takes("(") {
            return Err(self.unexpected());
        }
        let quote = self.rest.chars().next().filter(|it| matches!(it, '"' | '\''));
        let (name, after) = match quote {
            Some(quote) => self.rest[1..].split_once(quote).ok_or_else(|| self.unexpected())?,
            None => {
                let end = self.rest.find(')').ok_or_else(|| self.unexpected())?;
                self.rest.split_at(end)
            }
        };
        let name = if quote.is_some() { name } else { name.trim() };
        if name.is_empty() {
            return Err(self.unexpected());
        }
        let name = name.to_owned();
        self.rest = after.trim_start();
        if self.takes(")") { Ok(name) } else { Err(self.unexpected()) }
    }

    fn takes(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn takes_word(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(|it: char| it.is_alphanumeric() || it == '_') => {
                self.rest = rest.trim_start();
                true
            }
            _ => false,
        }
    }

    fn unexpected(&self) -> String {
        if self.rest.is_empty() {
            "the rule ends too early".to_owned()
        } else {
            format!("unexpected input at `{}`", shown(self.rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(text: &str) -> bool {
        let state = |name: &str| match name {
            "a" => Some(StateValue::Alarm),
            "o" | "o k)" => Some(StateValue::Ok),
            "i" => Some(StateValue::InsufficientData),
            _ => None,
        };
        parse(text).unwrap().holds(&state)
    }

    #[test]
    fn a_rule_holds_as_it_reads() {
        for (text, expected) in [
            ("ALARM(a)", true),
            ("ALARM(\"a\") AND OK('o k)')", true),
            ("ALARM(o) OR INSUFFICIENT_DATA( i )", true),
            ("NOT ALARM(a)", false),
            ("NOT (ALARM(o) OR FALSE) AND TRUE", true),
            ("ALARM(o) AND ALARM(a) OR OK(o)", true),
            ("ALARM(o) AND (ALARM(a) OR OK(o))", false),
            ("NOT ALARM(missing)", true),
            ("OK(missing)", false),
        ] {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let deep = format!("{}TRUE", "NOT ".repeat(100));
        let many: Vec<String> = (0..101).map(|n| format!("OK(a{n})")).collect();
        for text in ["", "ALARM", "ALARM(", "ALARM()", "ALARM(a) OK(b)", "ALARM(a) AND", "(TRUE", "ALARMS(a)", &deep] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&many.join(" OR ")).is_err());
        assert_eq!(parse("ALARM(b) OR OK(a) AND OK(b)").unwrap().children(), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "(ALARM|OK|NOT|AND|OR|TRUE|\\(|\\)|\"|a| |é){0,20}") {
            let _ = parse(&text);
        }
    }
}
