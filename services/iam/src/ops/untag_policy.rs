//! Removes tags from a managed policy.

use platform::Ctx;

use crate::api::UntagPolicyRequest;
use crate::managed_policy::Policy;
use crate::{Error, Iam};

pub(crate) async fn untag_policy(iam: &Iam, ctx: &Ctx, input: UntagPolicyRequest) -> Result<(), Error> {
    iam.untag::<Policy>(ctx, &input.policy_arn, &input.tag_keys).await
}
