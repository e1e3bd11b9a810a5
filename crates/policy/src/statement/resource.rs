//! Resources of a statement: `*`, or patterns of ARNs.

use std::collections::BTreeMap;

use crate::Context;
use crate::arn_pattern::{ArnParts, ArnPattern};

/// The resource of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'a> {
    /// None for `*`, and for whatever else is no ARN.
    arn: Option<ArnParts<'a>>,
}

impl<'a> Resource<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { arn: ArnParts::new(text) }
    }
}

/// One resource that a statement lists.
#[derive(Debug, Clone)]
pub(crate) enum ResourcePattern {
    Everything,
    Arn(Box<ArnPattern>),
}

impl ResourcePattern {
    /// Of a text that the parser let pass: `*` or an ARN that may be cut short.
    pub(crate) fn new(text: &str, variables: bool) -> Self {
        if text == "*" { Self::Everything } else { Self::Arn(Box::new(ArnPattern::of_resource(text, variables))) }
    }

    pub(crate) fn matches(&self, resource: &Resource<'_>, context: &Context) -> bool {
        match (self, &resource.arn) {
            (Self::Everything, _) => true,
            (Self::Arn(pattern), Some(arn)) => pattern.matches(arn, context),
            (Self::Arn(_), None) => false,
        }
    }

    pub(crate) fn add_keys(&self, keys: &mut BTreeMap<Box<str>, Box<str>>) {
        if let Self::Arn(pattern) = self {
            pattern.add_keys(keys);
        }
    }
}
