//! What goes on without a request.

pub mod deletion;
pub mod queries;
pub mod retention;

use std::sync::Arc;

use platform::Reconciler;
use segments::GroupKey;
use store::Scope;

use crate::Logs;

/// All that is to be started.
pub fn all(logs: &Logs) -> Vec<Arc<dyn Reconciler>> {
    vec![deletion::reconciler(logs), retention::reconciler(logs), queries::reconciler(logs)]
}

/// Where the events of the group of this id are.
fn key_of(scope: &Scope, id: &str) -> Option<GroupKey> {
    GroupKey::new(scope.account()?, scope.region()?, id).ok()
}
