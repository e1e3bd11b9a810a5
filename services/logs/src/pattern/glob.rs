//! Texts with `*` in them.

/// A text in which `*` stands for any number of characters, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    /// What stands before, between and after the stars: one more than there are stars.
    parts: Vec<String>,
}

impl Glob {
    /// Reads a bare text: every `*` is a wildcard.
    pub(super) fn bare(text: &str) -> Glob {
        Glob { parts: text.split('*').map(str::to_owned).collect() }
    }

    /// Reads what stood between quotation marks: a backslash makes `"`, `\` and `*` mean themselves.
    pub(super) fn quoted(text: &str) -> Glob {
        let mut parts = vec![];
        let mut part = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' => parts.push(std::mem::take(&mut part)),
                '\\' => part.push(chars.next_if(|next| matches!(next, '"' | '\\' | '*')).unwrap_or('\\')),
                _ => part.push(c),
            }
        }
        parts.push(part);
        Glob { parts }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|only| only == text);
        };
        let Some(inner) = text.strip_prefix(first.as_str()).and_then(|text| text.strip_suffix(last.as_str())) else {
            return false;
        };
        // The leftmost place for each part leaves the most room for those that follow.
        let mut rest = inner;
        for part in between {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }

    /// The longest text that whatever matches must contain.
    pub(super) fn longest_part(&self) -> &str {
        self.parts.iter().max_by_key(|part| part.len()).map_or("", String::as_str)
    }
}
