//! Adds tags to a managed policy.

use platform::{Access, Ctx};

use crate::api::TagPolicyRequest;
use crate::managed_policy::Policy;
use crate::tag::pairs;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &TagPolicyRequest) -> Access {
    Access::to("iam:TagPolicy").on(&*input.policy_arn).request_tags(pairs(&input.tags))
}

pub(crate) async fn tag_policy(iam: &Iam, ctx: &Ctx, input: TagPolicyRequest) -> Result<(), Error> {
    iam.tag::<Policy>(ctx, &input.policy_arn, &input.tags).await
}
