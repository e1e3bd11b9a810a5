//! What an operation asks for: the action, the resources, and the condition keys that the service itself knows.
//!
//! Every operation says it in its own file, next to its handler, in a function called `access`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::AccountId;

/// What must be allowed before a handler may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    demands: Vec<Demand>,
}

/// One action on some resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) action: &'static str,
    /// None stands for `*`.
    pub(crate) resources: Vec<String>,
    pub(crate) keys: Vec<(String, Vec<String>)>,
}

impl Access {
    /// What AWS denies to nobody whose signature holds.
    pub fn open() -> Self {
        Self::default()
    }

    /// An action, written as in a policy (`ecs:RunTask`), on `*`.
    pub fn to(action: &'static str) -> Self {
        Self { demands: vec![Demand { action, resources: Vec::new(), keys: Vec::new() }] }
    }

    /// On this resource instead of `*`. Of several, each must be allowed.
    #[must_use]
    pub fn on(mut self, arn: impl Into<String>) -> Self {
        self.first(|demand| demand.resources.push(arn.into()));
        self
    }

    /// Gives a condition key one value.
    #[must_use]
    pub fn key(self, name: &str, value: impl Into<String>) -> Self {
        self.keys(name, [value.into()])
    }

    /// Gives a condition key several values.
    #[must_use]
    pub fn keys(mut self, name: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().collect();
        self.first(|demand| demand.keys.push((name.to_owned(), values)));
        self
    }

    /// The tags that the request brings: `aws:RequestTag/<key>` and `aws:TagKeys`.
    #[must_use]
    pub fn request_tags<'a>(mut self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tag_keys = Vec::new();
        for (key, value) in tags {
            tag_keys.push(key.to_owned());
            self = self.key(&format!("aws:RequestTag/{key}"), value);
        }
        self.keys("aws:TagKeys", tag_keys)
    }

    /// The keys of the tags that the request takes away.
    #[must_use]
    pub fn tag_keys<'a>(self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        self.keys("aws:TagKeys", keys.into_iter().map(str::to_owned))
    }

    /// And something else that must be allowed, too. Further resources and keys belong to the first action still.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.demands.extend(other.demands);
        self
    }

    /// `iam:PassRole` on a role that is handed to `service`.
    #[must_use]
    pub fn pass_role(self, role_arn: Option<&str>, service: &str) -> Self {
        match role_arn {
            Some(arn) => self.and(Self::to("iam:PassRole").on(arn).key("iam:PassedToService", service)),
            None => self,
        }
    }

    /// Its actions, each with an access that asks for it alone.
    pub fn actions(&self) -> impl Iterator<Item = (&'static str, Self)> {
        self.demands.iter().map(|demand| (demand.action, Self { demands: vec![demand.clone()] }))
    }

    pub(crate) fn demands(&self) -> &[Demand] {
        &self.demands
    }

    fn first(&mut self, change: impl FnOnce(&mut Demand)) {
        if let Some(demand) = self.demands.first_mut() {
            change(demand);
        }
    }
}

/// What is asked of a resource: for whoever tells what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The action.
    pub action: &'static str,
    /// The condition keys that the request brings.
    keys: &'a [(String, Vec<String>)],
}

impl Asked<'_> {
    /// An action alone.
    pub fn to(action: &'static str) -> Self {
        Self { action, keys: &[] }
    }

    /// The value of a condition key that the request brings once.
    pub fn key(&self, name: &str) -> Option<&str> {
        match self.keys.iter().find(|(known, _)| known == name) {
            Some((_, values)) => values.first().filter(|_| values.len() == 1).map(String::as_str),
            None => None,
        }
    }
}

impl Demand {
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { action: self.action, keys: &self.keys }
    }
}

/// What the store knows of a resource and a decision may depend on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Its true ARN, where a request cannot tell it (an IAM user's path).
    pub arn: Option<String>,
    /// Whose it is, where it can be another account's than the caller's: then that account must let the caller in, too.
    pub owner: Option<AccountId>,
    /// Its tags: `aws:ResourceTag/<key>`.
    pub tags: BTreeMap<String, String>,
    /// Condition keys that its record tells, beside its tags (`iam:PermissionsBoundary`). What the request itself says of
    /// a key counts instead.
    pub keys: BTreeMap<String, String>,
    /// Its own policy.
    pub policy: Option<Arc<policy::Policy>>,
    /// Whether that policy has to allow, whatever the caller's own say: so with a role's trust policy.
    pub policy_must_allow: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_besides_keeps_its_own_resources_and_keys() {
        let access = Access::to("ecs:RunTask")
            .pass_role(Some("arn:aws:iam::111111111111:role/r"), "ecs-tasks.amazonaws.com")
            .on("arn:aws:ecs:us-east-1:111111111111:task-definition/web:1")
            .key("ecs:cluster", "c")
            .pass_role(None, "ecs-tasks.amazonaws.com");
        let [run, pass] = access.demands() else { panic!("{access:?}") };
        assert_eq!((run.action, pass.action), ("ecs:RunTask", "iam:PassRole"));
        assert_eq!(run.resources, ["arn:aws:ecs:us-east-1:111111111111:task-definition/web:1"]);
        assert_eq!(pass.resources, ["arn:aws:iam::111111111111:role/r"]);
        let alone: Vec<_> = access.actions().collect();
        assert_eq!(alone.iter().map(|(action, _)| *action).collect::<Vec<_>>(), ["ecs:RunTask", "iam:PassRole"]);
        assert_eq!((alone[0].1.demands(), alone[1].1.demands()), (&[run.clone()][..], &[pass.clone()][..]));
        assert_eq!(pass.keys, [("iam:PassedToService".to_owned(), vec!["ecs-tasks.amazonaws.com".to_owned()])]);
    }

    #[test]
    fn tags_of_a_request_are_keys_of_its_context() {
        let access = Access::to("ecs:TagResource").request_tags([("team", "blue"), ("stage", "test")]);
        let keys: Vec<_> =
            access.demands()[0].keys.iter().map(|(name, values)| (name.as_str(), values.join(" "))).collect();
        assert_eq!(
            keys,
            [
                ("aws:RequestTag/team", "blue".to_owned()),
                ("aws:RequestTag/stage", "test".to_owned()),
                ("aws:TagKeys", "team stage".to_owned()),
            ]
        );
        assert!(Access::open().key("ecs:cluster", "c").demands().is_empty());
    }
}
