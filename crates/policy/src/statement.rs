//! Statements made ready: whether one applies to what is asked.

mod action;
mod principal;
mod resource;

pub(crate) use action::Action;
pub(crate) use principal::{Caller, Reach};
pub(crate) use resource::Resource;

use std::collections::BTreeMap;

use crate::condition::Test;
use crate::{Context, Effect, Select, Version};
use action::Actions;
use principal::Whom;
use resource::ResourcePattern;

/// What is asked of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) action: &'a Action,
    pub(crate) resource: Resource<'a>,
    pub(crate) context: &'a Context,
}

/// A statement made ready.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) effect: Effect,
    whom: Option<Whom>,
    actions: Select<Actions>,
    resources: Option<Select<Box<[ResourcePattern]>>>,
    conditions: Box<[Test]>,
}

impl Statement {
    pub(crate) fn new(statement: &crate::Statement, version: Version) -> Self {
        let variables = version == Version::V2012;
        let patterns = |texts: &Vec<String>| texts.iter().map(|text| ResourcePattern::new(text, variables)).collect();
        Self {
            effect: statement.effect,
            whom: statement.principals.as_ref().map(Whom::new),
            actions: statement.actions.map(|texts| Actions::new(texts)),
            resources: statement.resources.as_ref().map(|resources| resources.map(patterns)),
            conditions: statement.conditions.iter().map(|it| Test::new(it, variables, statement.effect)).collect(),
        }
    }

    /// Whether it applies, its principals left aside.
    pub(crate) fn applies(&self, question: &Question<'_>) -> bool {
        let Question { action, resource, context } = question;
        let about = match &self.actions {
            Select::Only(actions) => actions.list(action),
            Select::Except(actions) => !actions.list(action),
        };
        let listed = |patterns: &[ResourcePattern]| patterns.iter().any(|pattern| pattern.matches(resource, context));
        about
            && match &self.resources {
                None => true,
                Some(Select::Only(patterns)) => listed(patterns),
                Some(Select::Except(patterns)) => !listed(patterns),
            }
            && self.conditions.iter().all(|test| test.holds(context))
    }

    /// How it names the caller; none when it is not about the caller at all.
    pub(crate) fn reach(&self, caller: &Caller<'_>) -> Option<Reach> {
        self.whom.as_ref()?.reach(caller, self.effect)
    }

    /// Adds the condition keys that it mentions, lower case to name as written.
    pub(crate) fn add_keys(&self, keys: &mut BTreeMap<Box<str>, Box<str>>) {
        for pattern in self.resources.iter().flat_map(|resources| resources.listed()) {
            pattern.add_keys(keys);
        }
        self.conditions.iter().for_each(|test| test.add_keys(keys));
    }
}
