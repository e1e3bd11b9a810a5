//! Removes tags from a managed policy.

use platform::{Access, Ctx};

use crate::api::UntagPolicyRequest;
use crate::managed_policy::Policy;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &UntagPolicyRequest) -> Access {
    Access::to("iam:UntagPolicy").on(&*input.policy_arn).tag_keys(input.tag_keys.iter().map(String::as_str))
}

pub(crate) async fn untag_policy(iam: &Iam, ctx: &Ctx, input: UntagPolicyRequest) -> Result<(), Error> {
    iam.untag::<Policy>(ctx, &input.policy_arn, &input.tag_keys).await
}
