//! DeleteFunction.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{DeleteFunctionRequest, DeleteFunctionResponse};
use crate::function::{self, Change, Function, changing, find, is_latest, version};
use crate::names::{FunctionName, Target, is_version};
use crate::reconcile::gone::{Gone, remove_address};
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteFunctionRequest) -> Access {
    Access::to("lambda:DeleteFunction").on(Target::read(ctx, &input.function_name, input.qualifier.as_deref()).arn())
}

/// Deletes a function with all its versions and aliases, or one version.
pub(crate) async fn delete_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let name = &target.function;
    match &target.qualifier {
        None => changing(lambda, || whole(lambda, ctx, name)).await?,
        Some(latest) if is_latest(latest) => {
            return Err(Error::Parameter(
                "$LATEST version cannot be deleted without deleting the function.".to_owned(),
            ));
        }
        Some(number) if is_version(number) => changing(lambda, || one(lambda, name, number)).await?,
        Some(alias) => {
            return Err(Error::Parameter(format!(
                "Deletion of aliases is not currently supported by DeleteFunction: {alias} is deleted by DeleteAlias."
            )));
        }
    }
    Ok(DeleteFunctionResponse { status_code: Some(204) })
}

async fn whole(lambda: &Lambda, ctx: &Ctx, name: &FunctionName) -> Result<Change<()>, Error> {
    let (function, mut usage) = (find(lambda, name).await?, usage::read(lambda, &name.scope()).await?);
    usage.free_code(function.code_bytes);
    usage.now.functions = usage.now.functions.saturating_sub(1);
    usage.claim(function.claimed(), 0, "")?;
    let mut tx = Tx::new();
    tx.remove(&function);
    if let Some(url) = &function.attached.url {
        remove_address(&mut tx, &url.id);
    }
    Gone::leave(&mut tx, &function, ctx.now);
    usage.write(&mut tx);
    Ok(Change { tx, outcome: () })
}

async fn one(lambda: &Lambda, name: &FunctionName, number: &str) -> Result<Change<()>, Error> {
    let (function, mut usage) = (find(lambda, name).await?, usage::read(lambda, &name.scope()).await?);
    let version = match version(lambda, name, &function, number).await {
        // What is not there need not be deleted.
        Err(Error::FunctionNotFound(_)) => return Ok(Change { tx: Tx::new(), outcome: () }),
        version => version?,
    };
    let names_it = |alias: &function::Alias| {
        alias.function_version == number || alias.additional.as_ref().is_some_and(|(other, _)| other == number)
    };
    let aliases = function::aliases(lambda, &function).await?;
    let named: Vec<&str> = aliases.iter().filter(|alias| names_it(alias)).map(|alias| alias.name.as_str()).collect();
    if !named.is_empty() {
        let aliases = format!("[{}]", named.join(", "));
        return Err(Error::Conflict(format!(
            "An error occurred while deleting version {number}: it is referenced by the aliases {aliases}."
        )));
    }
    let size = version.configuration.package.size();
    let mut now: Function = function.value.clone();
    now.code_bytes = now.code_bytes.saturating_sub(size);
    now.provisioned.remove(number);
    usage.free_code(size);
    usage.claim(function.claimed(), now.claimed(), "")?;
    let mut tx = Tx::new();
    tx.remove(&version).replace(&function, &now);
    usage.write(&mut tx);
    Ok(Change { tx, outcome: () })
}
