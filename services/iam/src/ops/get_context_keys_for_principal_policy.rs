//! Tells which condition keys the policies of a user, a group or a role mention, and those of the request.

use platform::{Access, Ctx};
use policy::Purpose;

use crate::api::{GetContextKeysForPolicyResponse, GetContextKeysForPrincipalPolicyRequest};
use crate::simulation::{Source, context_keys};
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &GetContextKeysForPrincipalPolicyRequest) -> Access {
    Access::to("iam:GetContextKeysForPrincipalPolicy").on(&*input.policy_source_arn)
}

pub(crate) async fn get_context_keys_for_principal_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: GetContextKeysForPrincipalPolicyRequest,
) -> Result<GetContextKeysForPolicyResponse, Error> {
    let mut sources = iam.sources(ctx, &input.policy_source_arn, &[]).await?.identity;
    sources.extend(Source::inputs("PolicyInputList", input.policy_input_list, Purpose::Inline));
    Ok(GetContextKeysForPolicyResponse { context_key_names: Some(context_keys(sources)?) })
}
