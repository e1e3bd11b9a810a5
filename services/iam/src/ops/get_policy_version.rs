//! Answers a version of a managed policy with its text.

use platform::{Access, Ctx};

use crate::api::{GetPolicyVersionRequest, GetPolicyVersionResponse};
use crate::names::PolicyArn;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &GetPolicyVersionRequest) -> Access {
    Access::to("iam:GetPolicyVersion").on(&*input.policy_arn)
}

pub(crate) async fn get_policy_version(
    iam: &Iam,
    ctx: &Ctx,
    input: GetPolicyVersionRequest,
) -> Result<GetPolicyVersionResponse, Error> {
    let missing = || Error::NoSuchPolicyVersion { arn: input.policy_arn.clone(), version: input.version_id.clone() };
    let arn = PolicyArn::parse(&input.policy_arn);
    let arn = arn.ok_or_else(|| Error::InvalidPolicyArn { arn: input.policy_arn.clone() })?;
    let policy = iam.known_policy(ctx, &arn).await?.ok_or_else(missing)?;
    let version = iam.policy_version(ctx, &policy, &input.version_id).await?.ok_or_else(missing)?;
    Ok(GetPolicyVersionResponse { policy_version: Some(version) })
}
