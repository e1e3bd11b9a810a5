//! Which services there are, and how they are wired together. A new service is a line here.

use std::sync::Arc;

use ecs::Ecs;
use iam::Iam;
use platform::denials::Denials;
use platform::idempotency::ClientTokens;
use platform::identity::Identities;
use platform::ports::RoleDirectory;
use platform::{Gateway, GatewayParts, Platform, Reconcilers, Service};
use sts::Sts;

/// Every service behind one door.
pub(crate) fn gateway(platform: &Platform, denials: Denials, is_secure: bool) -> Gateway {
    let iam = Arc::new(Iam::new(platform.clone()));
    let roles: Arc<dyn RoleDirectory> = iam.clone();
    let identities = Identities::new(platform.clone(), roles.clone(), iam.clone());
    let parts = GatewayParts {
        platform: platform.clone(),
        identities: Arc::new(identities),
        policies: iam.clone(),
        denials: Arc::new(denials),
        is_secure,
    };
    let sts = Arc::new(Sts::new(platform.clone(), roles, iam.clone()));
    let services: Vec<Arc<dyn Service>> = vec![Arc::new(Ecs { platform: platform.clone() }), iam, sts];
    Gateway::new(parts, services)
}

/// Starts what goes on by itself, and hands out where it can be seen; each loop ends when the store is closed.
pub(crate) fn reconcile(platform: &Platform) -> Reconcilers {
    let reconcilers = Reconcilers::new(platform);
    reconcilers.start(Arc::new(ClientTokens::new(platform)));
    reconcilers.start(ecs::reconcile::task_definition::reconciler(platform));
    reconcilers
}
