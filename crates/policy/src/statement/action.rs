//! Actions: `service:Name` without regard to case.

use crate::Context;
use crate::pattern::{Pattern, Reading};

/// The action of a request.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    lower_case: String,
    /// Where the name begins: after the colon.
    name: usize,
}

impl Action {
    pub(crate) fn new(text: &str) -> Self {
        let lower_case = text.to_ascii_lowercase();
        let name = lower_case.find(':').map_or(0, |colon| colon + 1);
        Self { lower_case, name }
    }

    /// Empty where there is no colon: what is no action is one of no service.
    fn service(&self) -> &str {
        &self.lower_case[..self.name.saturating_sub(1)]
    }

    fn name(&self) -> &str {
        &self.lower_case[self.name..]
    }
}

/// The actions that a statement lists. A managed policy can list thousands, so they are found by their service.
#[derive(Debug, Clone)]
pub(crate) struct Actions {
    /// `*` is listed.
    everything: bool,
    /// What is listed as `*:pattern`.
    of_any_service: Box<[Pattern]>,
    /// Sorted by service.
    by_service: Box<[OfService]>,
}

#[derive(Debug, Clone)]
struct OfService {
    service: Box<str>,
    names: Box<[Pattern]>,
}

impl Actions {
    pub(crate) fn new(texts: &[String]) -> Self {
        let mut services = std::collections::BTreeMap::<String, Vec<Pattern>>::new();
        let mut everything = false;
        for text in texts {
            let text = text.to_ascii_lowercase();
            match text.split_once(':') {
                Some((service, name)) => {
                    let pattern = Pattern::new(name, Reading { wildcards: true, variables: false });
                    services.entry(service.to_owned()).or_default().push(pattern);
                }
                None => everything |= text == "*",
            }
        }
        let of_any_service = services.remove("*").unwrap_or_default().into();
        let of_service =
            |(service, names): (String, Vec<_>)| OfService { service: service.into(), names: names.into() };
        let by_service = services.into_iter().map(of_service).collect();
        Self { everything, of_any_service, by_service }
    }

    /// Whether an action is among them.
    pub(crate) fn list(&self, action: &Action) -> bool {
        // Actions have no variables, so they are alike in every context.
        let nothing = Context::new();
        let listed = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(action.name(), &nothing));
        let of_service = || {
            let found = self.by_service.binary_search_by(|of| (*of.service).cmp(action.service()));
            found.is_ok_and(|at| listed(&self.by_service[at].names))
        };
        self.everything || of_service() || listed(&self.of_any_service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_listed_without_regard_to_case() {
        let rows = [
            ("*", "s3:GetObject", true),
            ("s3:*", "s3:GetObject", true),
            ("S3:getobject", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("s3:?etObject", "s3:GetObject", true),
            ("*:Get*", "s3:GetObject", true),
            ("*:Get*", "s3:PutObject", false),
            ("ec2:*", "s3:GetObject", false),
            ("s3:*", "s3", false),
            ("s3-object-lambda:*", "s3:GetObject", false),
        ];
        for (pattern, action, expected) in rows {
            assert_eq!(Actions::new(&[pattern.to_owned()]).list(&Action::new(action)), expected, "{pattern} {action}");
        }
    }
}
