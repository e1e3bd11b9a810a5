//! Makes the images of a workload ready on its node.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::Scope;
use tokio::task::JoinSet;

use super::super::{DriverError, ImageOrder, Workload};
use super::Shared;

/// How many images of one workload are made ready at one time.
const AT_ONCE: usize = 4;

impl Shared {
    /// Makes all images of a workload ready. Answers their manifests by container. Dropping it cancels what goes on.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        scope: &Scope,
        workload: &Workload,
    ) -> Result<BTreeMap<String, String>, DriverError> {
        let mut names: Vec<&String> = workload.containers.iter().map(|container| &container.image).collect();
        names.sort();
        names.dedup();
        let (mut tasks, mut digests) = (JoinSet::new(), BTreeMap::new());
        let mut left = names.into_iter();
        loop {
            while tasks.len() < AT_ONCE
                && let Some(image) = left.next()
            {
                let (shared, scope, id, pull) =
                    (Arc::clone(self), scope.clone(), workload.workload_id.clone(), workload.pull);
                let image = image.clone();
                tasks.spawn(async move {
                    let tell = |how_far: String| shared.workloads.activities.set(&id, how_far);
                    tell(format!("image {image} is made ready"));
                    let order = ImageOrder { scope: &scope, image: &image, pull };
                    let prepared = shared.driver.prepare(order, &tell).await;
                    (image, prepared)
                });
            }
            match tasks.join_next().await {
                Some(Ok((image, Ok(digest)))) => {
                    digests.insert(image, digest);
                }
                Some(Ok((image, Err(error)))) => return Err(about(&image, error)),
                // A panic in there has been printed.
                Some(Err(_)) => return Err(DriverError::Unavailable("making an image ready broke off".to_owned())),
                None => break,
            }
        }
        let of = |container: &super::super::ContainerSummary| {
            Some((container.name.clone(), digests.get(&container.image)?.clone()))
        };
        Ok(workload.containers.iter().filter_map(of).collect())
    }
}

/// Says which image it is, unless that is said already.
fn about(image: &str, error: DriverError) -> DriverError {
    let told = |what: String| if what.contains(image) { what } else { format!("{image}: {what}") };
    match error {
        DriverError::Unavailable(what) => DriverError::Unavailable(told(what)),
        DriverError::Refused(what) => DriverError::Refused(told(what)),
    }
}
