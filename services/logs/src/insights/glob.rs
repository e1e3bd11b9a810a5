//! The glob of `parse`: texts around stars, of which each star yields what stands in its place.

/// A glob with at least one `*`.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    before: String,
    /// What follows each star. An empty text at the end means: to the message's end.
    after: Vec<String>,
}

impl Glob {
    /// Reads a glob; nothing if it has no star, or two in a row, between which there is no telling them apart.
    pub(super) fn parse(text: &str) -> Option<Glob> {
        let mut parts = text.split('*');
        let before = parts.next()?.to_owned();
        let after: Vec<String> = parts.map(str::to_owned).collect();
        let (_, between) = after.split_last()?;
        if between.iter().any(String::is_empty) { None } else { Some(Glob { before, after }) }
    }

    /// How many stars it has.
    pub(super) fn stars(&self) -> usize {
        self.after.len()
    }

    /// What stands in the stars' places, in the leftmost match with the shortest texts; nothing if it matches nowhere.
    pub(super) fn extract<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let mut rest = &text[text.find(&self.before)? + self.before.len()..];
        let mut found = Vec::with_capacity(self.after.len());
        for part in &self.after {
            let end = if part.is_empty() { rest.len() } else { rest.find(part.as_str())? };
            found.push(&rest[..end]);
            rest = &rest[end + part.len()..];
        }
        Some(found)
    }
}
