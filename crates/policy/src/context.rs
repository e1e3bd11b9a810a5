//! The context of a request: condition keys and their values.

/// Condition keys with their values, each a text as IAM's documentation writes it (`true`, `2026-01-01T00:00:00Z`,
/// `203.0.113.7`; binary values in base64). Names are compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Lower-case name and values, sorted by name.
    keys: Vec<(String, Vec<String>)>,
}

impl Context {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a key one value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.set_all(name, [value]);
    }

    /// Gives a key several values. None at all is as if the key were absent.
    pub fn set_all<V: Into<String>>(&mut self, name: &str, values: impl IntoIterator<Item = V>) {
        let name = name.to_ascii_lowercase();
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        let found = self.keys.binary_search_by(|(known, _)| known.as_str().cmp(&name));
        match (found, values.is_empty()) {
            (Ok(at), true) => drop(self.keys.remove(at)),
            (Ok(at), false) => self.keys[at].1 = values,
            (Err(_), true) => {}
            (Err(at), false) => self.keys.insert(at, (name, values)),
        }
    }

    /// The values of a key, by its lower-case name.
    pub fn get(&self, lower_case_name: &str) -> Option<&[String]> {
        let at = self.keys.binary_search_by(|(known, _)| known.as_str().cmp(lower_case_name)).ok()?;
        Some(&self.keys[at].1)
    }
}
