//! Adds tags to a managed policy.

use platform::Ctx;

use crate::api::TagPolicyRequest;
use crate::managed_policy::Policy;
use crate::{Error, Iam};

pub(crate) async fn tag_policy(iam: &Iam, ctx: &Ctx, input: TagPolicyRequest) -> Result<(), Error> {
    iam.tag::<Policy>(ctx, &input.policy_arn, &input.tags).await
}
