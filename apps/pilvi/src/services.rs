//! Which services there are, and how they are wired together. A new service is a line here.

use std::sync::Arc;

use ecs::Ecs;
use iam::Iam;
use platform::identity::Identities;
use platform::ports::RoleDirectory;
use platform::{Gateway, Platform, Service};
use sts::Sts;

/// Every service behind one door.
pub(crate) fn gateway(platform: &Platform) -> Gateway {
    let iam = Arc::new(Iam { platform: platform.clone() });
    let roles: Arc<dyn RoleDirectory> = iam.clone();
    let identities = Identities::new(platform.clone(), roles.clone(), iam.clone());
    let services: Vec<Arc<dyn Service>> =
        vec![Arc::new(Ecs { platform: platform.clone() }), iam, Arc::new(Sts { platform: platform.clone(), roles })];
    Gateway::new(platform.clone(), Arc::new(identities), services)
}

/// Starts what goes on by itself; each loop ends when the store is closed.
pub(crate) fn reconcile(platform: &Platform) {
    tokio::spawn(ecs::reconcile::task_definition::run(platform.clone()));
}
