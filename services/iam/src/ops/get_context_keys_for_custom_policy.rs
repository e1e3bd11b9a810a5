//! Tells which condition keys policies of the request mention.

use platform::{Access, Ctx};
use policy::Purpose;

use crate::api::{GetContextKeysForCustomPolicyRequest, GetContextKeysForPolicyResponse};
use crate::simulation::{Source, context_keys};
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, _input: &GetContextKeysForCustomPolicyRequest) -> Access {
    Access::to("iam:GetContextKeysForCustomPolicy")
}

pub(crate) async fn get_context_keys_for_custom_policy(
    _iam: &Iam,
    _ctx: &Ctx,
    input: GetContextKeysForCustomPolicyRequest,
) -> Result<GetContextKeysForPolicyResponse, Error> {
    let sources = Source::inputs("PolicyInputList", Some(input.policy_input_list), Purpose::Inline);
    Ok(GetContextKeysForPolicyResponse { context_key_names: Some(context_keys(sources)?) })
}
