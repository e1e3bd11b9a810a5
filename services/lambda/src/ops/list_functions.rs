//! ListFunctions.

use platform::{Access, Ctx};
use store::{ListOptions, Versioned};

use crate::api::{FunctionConfiguration, ListFunctionsRequest, ListFunctionsResponse};
use crate::describe::Described;
use crate::function::{Function, versions};
use crate::names::{FunctionName, LATEST};
use crate::{Error, Lambda, page};

/// The longest page. (API reference: "returns a maximum of 50 items in each response, even if you set the number higher".)
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(_: &Ctx, _: &ListFunctionsRequest) -> Access {
    Access::to("lambda:ListFunctions")
}

/// Lists the functions of the account, by their names; with `FunctionVersion=ALL` each with all its versions.
pub(crate) async fn list_functions(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse, Error> {
    const LIST: &str = "lambda:ListFunctions";
    let size = page::size(input.max_items, PAGE_MAX);
    let marker = page::open(lambda, ctx, LIST, input.marker.as_deref())?;
    if input.function_version.is_none() {
        let options = ListOptions { after: marker.as_deref(), limit: size, ..ListOptions::default() };
        let found = lambda.platform.store.list::<Function>(&ctx.scope(), options).await?;
        let told =
            found.items.iter().map(|it| Described::latest(&name(ctx, it), it).brief(lambda)).collect::<Result<_, _>>();
        let next_marker = page::next(lambda, ctx, LIST, found.next.as_deref());
        return Ok(ListFunctionsResponse { functions: Some(told?), next_marker });
    }
    all_versions(lambda, ctx, marker, size).await
}

/// The marker is the last function, with how many of its versions were listed.
async fn all_versions(
    lambda: &Lambda,
    ctx: &Ctx,
    marker: Option<String>,
    size: usize,
) -> Result<ListFunctionsResponse, Error> {
    const LIST: &str = "lambda:ListFunctions";
    let (mut after, mut skip) = match marker.as_deref().and_then(|marker| marker.rsplit_once('/')) {
        Some((name, listed)) => (Some(name.to_owned()), listed.parse().unwrap_or(0_usize)),
        None => (None, 0),
    };
    let mut told: Vec<FunctionConfiguration> = Vec::new();
    let mut partly = after.clone().filter(|_| skip > 0);
    loop {
        let function = match partly.take() {
            Some(name) => lambda.platform.store.read::<Function>(&ctx.scope(), &[&name]).await?,
            None => {
                skip = 0;
                let options = ListOptions { after: after.as_deref(), limit: 1, ..ListOptions::default() };
                lambda.platform.store.list::<Function>(&ctx.scope(), options).await?.items.pop()
            }
        };
        let Some(function) = function else {
            if skip > 0 {
                skip = 0;
                continue;
            }
            return Ok(ListFunctionsResponse { functions: Some(told), next_marker: None });
        };
        let name = name(ctx, &function);
        after = Some(name.name.clone());
        let all = every_version(lambda, &name, &function).await?;
        let room = size - told.len();
        let total = all.len();
        told.extend(all.into_iter().skip(skip).take(room));
        let listed = skip + room;
        if listed < total {
            let marker = page::next(lambda, ctx, LIST, Some(&format!("{}/{listed}", name.name)));
            return Ok(ListFunctionsResponse { functions: Some(told), next_marker: marker });
        }
        if told.len() == size {
            let marker = page::next(lambda, ctx, LIST, Some(&format!("{}/0", name.name)));
            return Ok(ListFunctionsResponse { functions: Some(told), next_marker: marker });
        }
    }
}

/// `$LATEST` and all versions, under their own ARNs.
async fn every_version(
    lambda: &Lambda,
    name: &FunctionName,
    function: &Versioned<Function>,
) -> Result<Vec<FunctionConfiguration>, Error> {
    let latest = Described::latest(name, function).under(name.qualified(LATEST));
    let mut all = vec![latest.brief(lambda)?];
    for version in versions(lambda, function).await? {
        all.push(Described::version(name, &version).brief(lambda)?);
    }
    Ok(all)
}

fn name(ctx: &Ctx, function: &Versioned<Function>) -> FunctionName {
    FunctionName { account: ctx.account(), region: ctx.region.clone(), name: function.name().to_owned() }
}
