//! What a text must contain for a document in it to be worth parsing.

/// Texts of which a message must contain some. Looking for them is far cheaper than parsing the message.
#[derive(Debug, Clone)]
pub(crate) enum Needed {
    /// Any message may do.
    Nothing,
    /// It contains this.
    Text(String),
    /// It meets all of these.
    All(Vec<Needed>),
    /// It meets one of these.
    Any(Vec<Needed>),
}

impl Needed {
    /// What holds where a JSON document has a member of this name.
    pub(crate) fn name(name: &str) -> Needed {
        if is_written_plainly(name) { Needed::Text(format!("\"{name}\"")) } else { Needed::Nothing }
    }

    /// What holds where a JSON document has a value that contains this text.
    pub(crate) fn value(text: &str) -> Needed {
        if !text.is_empty() && is_written_plainly(text) { Needed::Text(text.to_owned()) } else { Needed::Nothing }
    }

    /// Whether a document in this text can match. What is needed may hide behind `\u0041` or `\/`, so those decide nothing.
    pub(crate) fn may_be_in(&self, text: &str) -> bool {
        self.is_in(text) || text.contains(r"\u") || text.contains(r"\/")
    }

    /// Whether the text itself has what is needed.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        match self {
            Needed::Nothing => true,
            Needed::Text(needed) => text.contains(needed.as_str()),
            Needed::All(all) => all.iter().all(|needed| needed.is_in(text)),
            Needed::Any(any) => any.iter().any(|needed| needed.is_in(text)),
        }
    }
}

/// Whether JSON has no shorter escape for any of these characters than `\u`, or `\/` for the slash. A number is written as
/// its text or otherwise (`4e2`, `1.50`), which is why a text of a number's characters decides nothing.
fn is_written_plainly(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() && !matches!(c, '"' | '\\'))
        && !text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'))
}
