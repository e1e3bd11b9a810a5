//! GetFunction.

use platform::{Access, Ctx};

use crate::api::{Concurrency, FunctionCodeLocation, GetFunctionRequest, GetFunctionResponse};
use crate::code::location::location;
use crate::configuration::Package;
use crate::function::resolve;
use crate::names::Target;
use crate::ops::get_function_configuration::described;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionRequest) -> Access {
    Access::to("lambda:GetFunction").on(Target::read(ctx, &input.function_name, input.qualifier.as_deref()).arn())
}

/// Tells of a function or version, with an address at which its code is for ten minutes.
pub(crate) async fn get_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = resolve(lambda, &target).await?;
    let described = described(&target, &found);
    let code = match &described.configuration.package {
        Package::Zip(archive) => FunctionCodeLocation {
            location: Some(location(lambda, ctx, archive)),
            repository_type: Some("S3".to_owned()),
            ..Default::default()
        },
        Package::Image { uri, resolved, .. } => FunctionCodeLocation {
            image_uri: Some(uri.clone()),
            repository_type: Some("ECR".to_owned()),
            resolved_image_uri: Some(resolved.clone()),
            ..Default::default()
        },
    };
    let tags = &found.function.tags;
    let reserved = found.function.reserved.and_then(|reserved| i32::try_from(reserved).ok());
    Ok(GetFunctionResponse {
        code: Some(code),
        concurrency: reserved.map(|reserved| Concurrency { reserved_concurrent_executions: Some(reserved) }),
        configuration: Some(described.whole(lambda)?),
        tags: (!tags.is_empty()).then(|| tags.clone().into_iter().collect()),
        tags_error: None,
    })
}
