//! CreateFunctionUrlConfig.

use platform::{Access, Ctx};

use crate::api::{CreateFunctionUrlConfigRequest, CreateFunctionUrlConfigResponse, FunctionUrlAuthType, InvokeMode};
use crate::function::amend;
use crate::names::Target;
use crate::url::{CorsRules, FunctionUrl, UrlName, new_id, no_function};
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &CreateFunctionUrlConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:CreateFunctionUrlConfig")
        .on(target.arn())
        .key("lambda:FunctionUrlAuthType", input.auth_type.as_str())
}

/// Gives a function, or an alias of it, an address.
pub(crate) async fn create_function_url_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: CreateFunctionUrlConfigRequest,
) -> Result<CreateFunctionUrlConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let url = FunctionUrl {
        id: new_id(lambda),
        is_signed: input.auth_type == FunctionUrlAuthType::AwsIam,
        streams: input.invoke_mode == Some(InvokeMode::ResponseStream),
        cors: input.cors.map(CorsRules::of),
        created: ctx.now,
        modified: ctx.now,
    };
    let amended = amend(lambda, &target, |function, _, attached, tx| {
        if attached.url.is_some() {
            return Err(Error::Conflict(format!(
                "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for \
                 this Lambda function",
                target.arn()
            )));
        }
        attached.url = Some(url.clone());
        UrlName::insert(tx, &url.id, &target, &function.uid);
        Ok(())
    });
    amended.await.map_err(no_function)?;
    let told = url.describe(lambda, &target, ctx.is_secure);
    Ok(CreateFunctionUrlConfigResponse {
        auth_type: told.auth_type,
        cors: told.cors,
        creation_time: told.creation_time,
        function_arn: told.function_arn,
        function_url: told.function_url,
        invoke_mode: told.invoke_mode,
    })
}
