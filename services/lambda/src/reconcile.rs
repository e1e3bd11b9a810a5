//! What goes on without a request.

pub mod events;
pub mod gone;
pub mod settle;

use std::sync::Arc;

use platform::Reconciler;

use crate::Lambda;

/// All reconcilers of the service, to be started.
pub fn all(lambda: &Lambda) -> Vec<Arc<dyn Reconciler>> {
    vec![settle::reconciler(lambda), gone::reconciler(lambda), events::reconciler(lambda)]
}
