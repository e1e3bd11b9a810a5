//! What goes on without a request.

pub mod gone;
pub mod lifecycle;
pub(crate) mod promoted;
pub mod sweep;
pub mod unused;

use std::sync::Arc;

use platform::Reconciler;

use crate::{S3, notification};

/// All reconcilers of the service, to be started.
pub fn all(s3: &S3) -> Vec<Arc<dyn Reconciler>> {
    vec![
        notification::dispatcher(s3),
        unused::reconciler(s3),
        gone::reconciler(s3),
        lifecycle::reconciler(s3),
        sweep::reconciler(s3),
    ]
}
