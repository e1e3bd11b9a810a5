//! Answers a managed policy, the account's or one of AWS's.

use platform::{Access, Ctx};

use crate::api::{GetPolicyRequest, GetPolicyResponse};
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &GetPolicyRequest) -> Access {
    Access::to("iam:GetPolicy").on(&*input.policy_arn)
}

pub(crate) async fn get_policy(iam: &Iam, ctx: &Ctx, input: GetPolicyRequest) -> Result<GetPolicyResponse, Error> {
    let (arn, policy) = iam.readable_policy(ctx, &input.policy_arn).await?;
    let policy_use = iam.policy_use(ctx, &arn).await?;
    Ok(GetPolicyResponse { policy: Some(policy.described(ctx.account(), policy_use)) })
}
