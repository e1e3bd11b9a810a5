//! What goes on without a request.

pub mod deletion;
pub mod lifecycle;
pub mod prepare;
pub mod preview;
pub mod references;
pub mod unreferenced;
pub mod uploads;

use std::sync::Arc;

use platform::Reconciler;

use crate::Ecr;

/// All reconcilers of the service, to be started; but for [`prepare`], which needs somebody who prepares images.
pub fn all(ecr: &Ecr) -> Vec<Arc<dyn Reconciler>> {
    vec![
        deletion::reconciler(ecr),
        lifecycle::reconciler(ecr),
        preview::reconciler(ecr),
        uploads::reconciler(ecr),
        references::reconciler(ecr),
        unreferenced::reconciler(ecr),
    ]
}
