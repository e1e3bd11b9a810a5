//! DescribeClusters.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{ClusterField, DescribeClustersRequest, DescribeClustersResponse, Failure};
use crate::cluster::{Cluster, Includes, Load};
use crate::names::{DEFAULT_CLUSTER, cluster_arn, cluster_name};
use crate::{Ecs, Error, access};

/// How many clusters can be described at once.
const CLUSTERS_MAX: usize = 100;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DescribeClustersRequest) -> Access {
    let access = Access::to("ecs:DescribeClusters");
    match input.clusters.as_deref().unwrap_or_default() {
        [] => access.on(access::cluster(ctx, None)),
        named => named.iter().fold(access, |access, name| access.on(access::cluster(ctx, Some(name)))),
    }
}

/// Describes clusters, ACTIVE or not; those that do not exist are failures of the answer, not of the request.
pub(crate) async fn describe_clusters(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeClustersRequest,
) -> Result<DescribeClustersResponse, Error> {
    let names = names(ctx, input.clusters.unwrap_or_default())?;
    let includes = includes(&input.include.unwrap_or_default());
    let ids: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
    let found: Vec<Option<Versioned<Cluster>>> = ecs.platform.store.read_many(&ctx.scope(), &ids).await?;
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for (name, cluster) in names.iter().zip(found) {
        match cluster {
            Some(cluster) => clusters.push(cluster.describe(ctx, name, &Load::nothing(), includes)),
            None => failures.push(missing(ctx, name)),
        }
    }
    Ok(DescribeClustersResponse { clusters: Some(clusters), failures: Some(failures) })
}

/// The clusters that are meant, each once; the default one where none is named.
fn names(ctx: &Ctx, given: Vec<String>) -> Result<Vec<String>, Error> {
    if given.is_empty() {
        return Ok(vec![DEFAULT_CLUSTER.to_owned()]);
    }
    if given.len() > CLUSTERS_MAX {
        return Err(Error::ClustersMax(CLUSTERS_MAX));
    }
    let mut names = Vec::with_capacity(given.len());
    for text in given {
        let name = cluster_name(ctx, &text)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn includes(fields: &[ClusterField]) -> Includes {
    let has = |field| fields.contains(&field);
    Includes {
        settings: has(ClusterField::Settings),
        tags: has(ClusterField::Tags),
        statistics: has(ClusterField::Statistics),
        configurations: has(ClusterField::Configurations),
        attachments: has(ClusterField::Attachments),
    }
}

fn missing(ctx: &Ctx, name: &str) -> Failure {
    Failure { arn: Some(cluster_arn(ctx, name)), reason: Some("MISSING".to_owned()), detail: None }
}
