//! DescribeRepositories.

use platform::{Access, Ctx};
use store::{ListOptions, Versioned};

use crate::api::{DescribeRepositoriesRequest, DescribeRepositoriesResponse};
use crate::names::{RepositoryName, every_repository_arn};
use crate::repository::Repository;
use crate::{Ecr, Error, page};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DescribeRepositoriesRequest) -> Access {
    let access = Access::to("ecr:DescribeRepositories");
    let registry = input.registry_id.as_deref();
    match input.repository_names.as_deref().unwrap_or_default() {
        [] => access.on(every_repository_arn(ctx, registry)),
        named => {
            named.iter().fold(access, |access, name| access.on(RepositoryName::of_request(ctx, registry, name).arn()))
        }
    }
}

/// Describes repositories, by name or all of them.
pub(crate) async fn describe_repositories(
    ecr: &Ecr,
    ctx: &Ctx,
    input: DescribeRepositoriesRequest,
) -> Result<DescribeRepositoriesResponse, Error> {
    let registry = input.registry_id.as_deref();
    match input.repository_names {
        Some(_) if input.next_token.is_some() => Err(Error::Together("repositoryNames", "nextToken")),
        Some(_) if input.max_results.is_some() => Err(Error::Together("repositoryNames", "maxResults")),
        Some(names) => named(ecr, ctx, registry, &names).await,
        None => page_of(ecr, ctx, registry, input.next_token.as_deref(), input.max_results).await,
    }
}

async fn named(
    ecr: &Ecr,
    ctx: &Ctx,
    registry: Option<&str>,
    names: &[String],
) -> Result<DescribeRepositoriesResponse, Error> {
    let ids: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
    let scope = RepositoryName::of_request(ctx, registry, "").scope();
    let found: Vec<Option<Versioned<Repository>>> = ecr.platform.store.read_many(&scope, &ids).await?;
    let mut repositories = Vec::with_capacity(names.len());
    for (name, repository) in names.iter().zip(found) {
        let name = RepositoryName::of_request(ctx, registry, name);
        match repository {
            Some(repository) => repositories.push(ecr.describe(ctx, &name, &repository)),
            None => return Err(Error::RepositoryNotFound(name)),
        }
    }
    Ok(DescribeRepositoriesResponse { repositories: Some(repositories), next_token: None })
}

async fn page_of(
    ecr: &Ecr,
    ctx: &Ctx,
    registry: Option<&str>,
    token: Option<&str>,
    asked: Option<i32>,
) -> Result<DescribeRepositoriesResponse, Error> {
    let everything = RepositoryName::of_request(ctx, registry, "");
    let list = format!("DescribeRepositories/{}", everything.registry);
    let after = page::open(&ecr.platform, ctx, &list, token)?;
    let limit = page::size(asked, page::PAGE_DEFAULT);
    let options = ListOptions { after: after.as_deref(), limit, ..ListOptions::default() };
    let found = ecr.platform.store.list::<Repository>(&everything.scope(), options).await?;
    let describe = |repository: &Versioned<Repository>| {
        let name = RepositoryName { name: repository.name().to_owned(), ..everything.clone() };
        ecr.describe(ctx, &name, repository)
    };
    Ok(DescribeRepositoriesResponse {
        repositories: Some(found.items.iter().map(describe).collect()),
        next_token: page::next(&ecr.platform, ctx, &list, found.next.as_deref()),
    })
}
