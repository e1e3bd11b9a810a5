//! Which container waits for which.

use std::collections::BTreeSet;

use super::words::wrong;
use crate::{Condition, Container, InvalidSpec};

pub(super) fn check(containers: &[Container]) -> Result<(), InvalidSpec> {
    for (place, container) in containers.iter().enumerate() {
        let at = format!("containers[{place}].dependsOn");
        let mut seen = BTreeSet::new();
        for dependency in &container.depends_on {
            let name = dependency.container.as_str();
            if name == container.name {
                return Err(InvalidSpec::Cycle { containers: vec![container.name.clone()] });
            }
            if !seen.insert(name) {
                return Err(wrong(at, format!("{name} is given twice")));
            }
            let Some(other) = containers.iter().find(|other| other.name == name) else {
                return Err(wrong(at, format!("there is no container {name}")));
            };
            match dependency.condition {
                Condition::Healthy if other.health.is_none() => {
                    return Err(wrong(at, format!("{name} has no health check")));
                }
                // The workload ends with it, and with it whoever waits.
                Condition::Completed | Condition::Succeeded if other.essential => {
                    return Err(wrong(at, format!("{name} is essential: when it ends, everything does")));
                }
                _ => {}
            }
        }
    }
    acyclic(containers)
}

/// Takes away, over and over, who waits for nobody that is left; who stays waits in a circle, or for one.
fn acyclic(containers: &[Container]) -> Result<(), InvalidSpec> {
    let mut left: Vec<&Container> = containers.iter().collect();
    loop {
        let names: BTreeSet<&str> = left.iter().map(|container| container.name.as_str()).collect();
        let before = left.len();
        left.retain(|container| container.depends_on.iter().any(|one| names.contains(one.container.as_str())));
        if left.is_empty() {
            return Ok(());
        }
        if left.len() == before {
            return Err(InvalidSpec::Cycle {
                containers: left.iter().map(|container| container.name.clone()).collect(),
            });
        }
    }
}
