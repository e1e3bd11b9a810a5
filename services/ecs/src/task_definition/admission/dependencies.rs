//! Which container waits for which.

use super::Draft;
use crate::api::{ContainerCondition, ContainerDefinition};
use crate::task_definition::refusal::Refusal;

/// Checks every `dependsOn`, and that they can be satisfied in some order.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    let containers = draft.containers();
    for dependency in containers.iter().flat_map(|it| it.depends_on.iter().flatten()) {
        let Some(target) = position(containers, &dependency.container_name) else {
            return Err(Refusal::DependencyMissing(dependency.container_name.clone()));
        };
        let target = &containers[target];
        match dependency.condition {
            ContainerCondition::Success | ContainerCondition::Complete if target.essential.unwrap_or(true) => {
                return Err(Refusal::DependencyEssential);
            }
            ContainerCondition::Healthy if target.health_check.is_none() => return Err(Refusal::DependencyHealth),
            _ => {}
        }
    }
    if has_order(containers) { Ok(()) } else { Err(Refusal::DependencyCycle) }
}

fn position(containers: &[ContainerDefinition], name: &str) -> Option<usize> {
    containers.iter().position(|it| it.name.as_deref() == Some(name))
}

/// Whether the containers can start one after the other: in each round those start whose dependencies have, and a round
/// in which none does ends it. There are ten containers at most.
fn has_order(containers: &[ContainerDefinition]) -> bool {
    let mut started = vec![false; containers.len()];
    while started.contains(&false) {
        let ready = |container: &ContainerDefinition, started: &[bool]| {
            let mut targets = container.depends_on.iter().flatten();
            targets.all(|it| position(containers, &it.container_name).is_some_and(|target| started[target]))
        };
        let next = (0..containers.len()).find(|at| !started[*at] && ready(&containers[*at], &started));
        match next {
            Some(at) => started[at] = true,
            None => return false,
        }
    }
    true
}
